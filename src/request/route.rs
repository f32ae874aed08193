//! The routed host: what the name of the chosen cluster says about where the request goes.

use super::Host;
use std::net::IpAddr;
use std::str;

/// A cluster name of Istio's form `DIRECTION|PORT|SUBSET|HOST` (`outbound|443||api.example.com`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// The port of the service that the route chose.
    pub port: u16,
    /// Its host, as the mesh's configuration spells it; may be a wildcard, may be empty.
    pub host: &'a str,
}

impl<'a> Route<'a> {
    /// Reads a cluster name; `None` where it has another form, which says nothing about the host.
    ///
    /// Directions and subsets are not judged: a name that only looks like Istio's is compared, and so can only
    /// refuse more. Envoy's cluster names are UTF-8 (they are protobuf strings).
    pub fn parse(cluster: &'a [u8]) -> Option<Route<'a>> {
        let mut fields = str::from_utf8(cluster).ok()?.splitn(4, '|');
        let (_direction, port, _subset, host) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())??;
        Some(Route { port, host })
    }

    /// Whether the route leads where the authority says: to this host, and to the port that it names, if it names one.
    pub fn agrees(&self, host: &Host<'_>, named_port: Option<u16>) -> bool {
        named_port.is_none_or(|port| port == self.port)
            && match host {
                Host::Name(name) => self.covers(name),
                Host::Ip(address) => self.host.parse().is_ok_and(|routed: IpAddr| routed.to_canonical() == *address),
            }
    }

    /// Equal, or a wildcard over the name: `*.example.com` stands for any number of labels before the suffix, as
    /// Envoy's virtual hosts and Istio's service entries read it.
    fn covers(&self, name: &str) -> bool {
        match self.host.strip_prefix('*') {
            Some(suffix) => {
                let (name, suffix) = (name.as_bytes(), suffix.as_bytes());
                suffix.starts_with(b".")
                    && name.len() > suffix.len()
                    && name
                        .split_at_checked(name.len().saturating_sub(suffix.len()))
                        .is_some_and(|(_, end)| end.eq_ignore_ascii_case(suffix))
            }
            None => self.host.eq_ignore_ascii_case(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(cluster: &str, host: &str, port: Option<u16>) -> bool {
        let host = host.parse().map_or(Host::Name(host), Host::Ip);
        Route::parse(cluster.as_bytes()).unwrap().agrees(&host, port)
    }

    #[test]
    fn istio_names_have_four_fields_and_a_decimal_port() {
        let route = Route { port: 443, host: "api.example.com" };
        assert_eq!(Route::parse(b"outbound|443||api.example.com"), Some(route));
        assert_eq!(Route::parse(b"inbound-vip|443|http/v1|api.example.com"), Some(route));
        assert_eq!(Route::parse(b"inbound|8080||"), Some(Route { port: 8080, host: "" }));
        for other in [
            "",
            "PassthroughCluster",
            "outbound_.443_._.api.example.com",
            "outbound|443|api.example.com",
            "outbound|||a.com",
            "outbound|http||a.com",
            "outbound|+443||a.com",
            "outbound|65536||a.com",
        ] {
            assert_eq!(Route::parse(other.as_bytes()), None, "{other}");
        }
        assert_eq!(Route::parse(b"outbound|443||\xff"), None);
    }

    #[test]
    fn the_routed_host_is_the_host_itself() {
        assert!(agrees("outbound|443||api.example.com", "api.example.com", None));
        assert!(agrees("outbound|443||API.Example.com", "api.example.com", None));
        assert!(!agrees("outbound|443||other.example.com", "api.example.com", None));
        assert!(!agrees("outbound|443||example.com", "api.example.com", None));
        assert!(!agrees("inbound|443||", "api.example.com", None));
        assert!(!agrees("outbound|443||api.example.com|x", "api.example.com", None));
    }

    #[test]
    fn or_a_wildcard_over_it_at_any_depth_but_not_at_the_apex() {
        assert!(agrees("outbound|443||*.example.com", "api.example.com", None));
        assert!(agrees("outbound|443||*.Example.com", "a.b.example.com", None));
        assert!(!agrees("outbound|443||*.example.com", "example.com", None));
        assert!(!agrees("outbound|443||*.example.com", "badexample.com", None));
        assert!(!agrees("outbound|443||*example.com", "api.example.com", None));
        assert!(!agrees("outbound|443||*", "api.example.com", None));
        assert!(!agrees("outbound|443||*.0.0.1", "127.0.0.1", None));
    }

    #[test]
    fn addresses_are_compared_as_addresses() {
        assert!(agrees("outbound|443||10.0.0.1", "10.0.0.1", None));
        assert!(agrees("outbound|443||2001:DB8:0::1", "2001:db8::1", None));
        assert!(agrees("outbound|443||::ffff:10.0.0.1", "10.0.0.1", None));
        assert!(!agrees("outbound|443||10.0.0.2", "10.0.0.1", None));
        assert!(!agrees("outbound|443||api.example.com", "10.0.0.1", None));
    }

    #[test]
    fn a_named_port_is_the_routed_port() {
        assert!(agrees("outbound|8443||a.com", "a.com", Some(8443)));
        assert!(!agrees("outbound|8443||a.com", "a.com", Some(443)));
    }
}
