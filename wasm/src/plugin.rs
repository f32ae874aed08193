//! Which plugin an instance belongs to, and the marks that its instances leave for each other in shared data.

use crate::host::{Failure, Host};

/// The name of plugins that would filter TCP.
const TCP: &str = "tollgate-tcp";

/// How Envoy's configuration names the plugin.
#[derive(Debug, Default)]
pub(crate) struct Plugin {
    name: String,
    root_id: String,
}

impl Plugin {
    /// Asks the host; a name that is absent is empty.
    pub(crate) fn read(host: &mut impl Host) -> Result<Plugin, Failure> {
        let mut property = |path| {
            let value = host.property(path)?.unwrap_or_default();
            Ok(String::from_utf8_lossy(&value).into_owned())
        };
        Ok(Plugin { name: property("plugin_name")?, root_id: property("plugin_root_id")? })
    }

    /// Whether it is named `tollgate-tcp`: by its root id (Istio's `pluginName`), or by its name, which Istio makes
    /// `NAMESPACE.NAME` or `NAMESPACE.NAME~ORIGIN`.
    pub(crate) fn is_tcp(&self) -> bool {
        let name = self.name.split('~').next().unwrap_or_default();
        self.root_id == TCP || name == TCP || name.rsplit('.').next() == Some(TCP)
    }

    /// What its instances have in common, across updates.
    pub(crate) fn key(&self) -> String {
        [&self.name, "/", &self.root_id].concat()
    }

    /// The key of the mark that this plugin has had a good policy. All plugins of the process may use the shared data.
    pub(crate) fn mark(&self) -> String {
        ["tollgate/1/@loaded/", &self.key()].concat()
    }

    /// The key of the mark that this bad policy was accepted for want of a better one. Keys cannot be deleted; there
    /// is one for each policy that was tried before the first good one.
    pub(crate) fn accepted(&self, fingerprint: u64) -> String {
        format!("tollgate/1/@accepted/{}/{fingerprint:012x}", self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn plugin(name: &str, root_id: &str) -> Plugin {
        let mut host = Fake::default();
        host.properties.insert("plugin_name".to_owned(), name.as_bytes().to_vec());
        host.properties.insert("plugin_root_id".to_owned(), root_id.as_bytes().to_vec());
        Plugin::read(&mut host).expect("both can be read")
    }

    #[test]
    fn the_filter_for_tcp_is_known_by_any_of_its_names() {
        for (name, root_id) in [
            ("tollgate-tcp", ""),
            ("mesh.tollgate-tcp", ""),
            ("mesh.tollgate-tcp~istio-translated-wasmplugin", ""),
            ("mesh.x", "tollgate-tcp"),
        ] {
            assert!(plugin(name, root_id).is_tcp(), "{name} {root_id}");
        }
        for (name, root_id) in
            [("", ""), ("mesh.tollgate", "tollgate"), ("mesh.not-tollgate-tcp", ""), ("tollgate-tcp.x", "")]
        {
            assert!(!plugin(name, root_id).is_tcp(), "{name} {root_id}");
        }
    }

    #[test]
    fn plugins_of_other_names_share_no_marks() {
        let (a, b, c) = (plugin("a", ""), plugin("b", ""), plugin("a", "b"));
        assert!(a.mark() != b.mark() && a.mark() != c.mark());
        assert!(a.accepted(1) != b.accepted(1) && a.accepted(1) != a.accepted(2));
        assert_eq!(plugin("a", "").key(), a.key());
    }

    #[test]
    fn bytes_that_are_no_text_are_no_obstacle() {
        let mut host = Fake::default();
        host.properties.insert("plugin_name".to_owned(), b"\xff".to_vec());
        assert_eq!(Plugin::read(&mut host).expect("read").key(), "\u{fffd}/");
    }
}
