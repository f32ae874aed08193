//! A host in canonical spelling: what goes on is what was judged.

use super::host::Host;
use std::net::IpAddr;

impl Host<'_> {
    /// The authority to send on in place of the one that arrived, of which this is the host; `None` where that spells
    /// the host canonically already. The port stays as it came.
    pub fn respelled(&self, arrived: &[u8]) -> Option<String> {
        let (host, port) = arrived.split_at_checked(end_of_host(arrived))?;
        let canonical = match self {
            Host::Name(name) if name.as_bytes() == host => return None,
            Host::Name(name) => (*name).to_owned(),
            Host::Ip(IpAddr::V4(address)) => address.to_string(),
            Host::Ip(IpAddr::V6(address)) => format!("[{address}]"),
        };
        let port = str::from_utf8(port).ok()?;
        (canonical.as_bytes() != host).then(|| canonical + port)
    }

    /// The name of the cluster that is rendered for this host and port, for comparing it with the one that is used.
    pub fn cluster(&self, port: u16) -> String {
        match self {
            Host::Name(name) => format!("tollgate.out|{port}|{name}"),
            Host::Ip(address) => format!("tollgate.out|{port}|{address}"),
        }
    }
}

/// Returns where the host of an authority ends that has a canonical one: no host holds a colon outside of brackets.
fn end_of_host(authority: &[u8]) -> usize {
    match authority.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(place) if authority.get(place) == Some(&b':') => place,
        _ => authority.len(),
    }
}

#[cfg(test)]
mod tests {
    use crate::request::Authority;

    fn respelled(arrived: &str) -> Option<String> {
        let mut buffer = Vec::new();
        let authority = Authority::parse(arrived.as_bytes(), &mut buffer).expect("a canonical host");
        authority.host.respelled(arrived.as_bytes())
    }

    #[test]
    fn a_canonical_spelling_is_left_alone() {
        for authority in
            ["a.example", "a.example:443", "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "[2001:db8::1]:8443", "a:1"]
        {
            assert_eq!(respelled(authority), None, "{authority}");
        }
    }

    #[test]
    fn another_spelling_becomes_the_canonical_one_and_keeps_its_port() {
        for (arrived, canonical) in [
            ("A.Example", "a.example"),
            ("a.example.", "a.example"),
            ("A.example.:8443", "a.example:8443"),
            ("192.0.2.1.:80", "192.0.2.1:80"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1:80"),
            ("[2001:DB8:0::1]", "[2001:db8::1]"),
            ("[2001:db8:0:0:0:0:0:1]:443", "[2001:db8::1]:443"),
        ] {
            assert_eq!(respelled(arrived).as_deref(), Some(canonical), "{arrived}");
            assert_eq!(respelled(canonical), None, "{canonical}");
        }
    }
}
