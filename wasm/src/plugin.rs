//! The name of a plugin that is configured.

#[cfg(target_family = "wasm")]
use tollgate_filter::host::{Call, Failure};

/// The name of plugins that would filter TCP.
const TCP: &str = "tollgate-tcp";

/// A plugin, as Envoy's configuration names it.
#[derive(Debug, Default)]
pub(crate) struct Plugin {
    name: String,
    root_id: String,
}

/// Asks Envoy which plugin is configured; a name that is absent is empty.
#[cfg(target_family = "wasm")]
pub(crate) fn read() -> Result<Plugin, Failure> {
    let property = |path| {
        let value = crate::abi::hostcalls::get_property(path);
        value.map_err(|status| Failure { call: Call::Plugin, status: status.0 })
    };
    Ok(Plugin::of(&property("plugin_name")?.unwrap_or_default(), &property("plugin_root_id")?.unwrap_or_default()))
}

impl Plugin {
    fn of(name: &[u8], root_id: &[u8]) -> Plugin {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Plugin { name: text(name), root_id: text(root_id) }
    }

    /// Tells whether it is named `tollgate-tcp`: by its root id (Istio's `pluginName`), or by its name, which Istio
    /// makes `NAMESPACE.NAME` or `NAMESPACE.NAME~ORIGIN`.
    pub(crate) fn is_tcp(&self) -> bool {
        let name = self.name.split('~').next().unwrap_or_default();
        self.root_id == TCP || name == TCP || name.rsplit('.').next() == Some(TCP)
    }

    /// The name that its instances have in common, across updates.
    pub(crate) fn key(&self) -> String {
        [&self.name, "/", &self.root_id].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(name: &str, root_id: &str) -> Plugin {
        Plugin::of(name.as_bytes(), root_id.as_bytes())
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
    fn plugins_of_other_names_have_other_keys() {
        let (a, b, c) = (plugin("a", ""), plugin("b", ""), plugin("a", "b"));
        assert!(a.key() != b.key() && a.key() != c.key());
        assert_eq!(plugin("a", "").key(), a.key());
    }

    #[test]
    fn bytes_that_are_no_text_are_no_obstacle() {
        assert_eq!(Plugin::of(b"\xff", b"").key(), "\u{fffd}/");
    }
}
