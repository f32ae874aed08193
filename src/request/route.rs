//! The routed host: what the name of the chosen cluster says about where the request goes.

use super::host::Host;
use std::net::IpAddr;
use std::str;

/// Front of the names of rendered clusters that stand for one host: `tollgate.out|PORT|HOST`.
const RENDERED: &str = "tollgate.out";
/// Name of the rendered clusters that lead wherever the authority says.
const DYNAMIC: &str = "tollgate-dynamic";

/// The meaning of a cluster's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routed<'a> {
    /// The destination of the request.
    To(Route<'a>),
    /// It goes where the authority says.
    ByAuthority,
    /// Nothing that could be compared.
    Elsewhere,
}

/// A cluster name of Istio's form `DIRECTION|PORT|SUBSET|HOST` (`outbound|443||api.example.com`), or of the form
/// `tollgate.out|PORT|HOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// The port of the service that the route chose.
    pub port: u16,
    /// Its host, as the mesh's configuration spells it; may be a wildcard, may be empty.
    pub host: &'a str,
}

/// The comparison of a route with the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The port, too.
    pub ports: bool,
    /// A wildcard over the host will do: the route was chosen for the very service that was called.
    pub wildcards: bool,
}

impl<'a> Routed<'a> {
    /// Reads a cluster name.
    ///
    /// Directions and subsets are not judged: a name that only looks like Istio's is compared, and so can only
    /// refuse more. Envoy's cluster names are UTF-8 (they are protobuf strings).
    pub fn of(cluster: &'a [u8]) -> Routed<'a> {
        let Ok(name) = str::from_utf8(cluster) else { return Routed::Elsewhere };
        if let Some(rest) = name.strip_prefix(DYNAMIC) {
            return if is_dynamic(rest) { Routed::ByAuthority } else { Routed::Elsewhere };
        }
        Route::parse(name).map_or(Routed::Elsewhere, Routed::To)
    }
}

/// Tells whether this is what stands behind the name of a dynamic cluster: `-PORT`, `-inside`, `-inside-PORT`, `-literal`, `-tunnel`.
fn is_dynamic(behind: &str) -> bool {
    let behind = match behind {
        "" | "-inside" | "-literal" | "-tunnel" => return true,
        _ => behind.strip_prefix("-inside").unwrap_or(behind),
    };
    behind.strip_prefix('-').is_some_and(|port| self::port(port).is_some_and(|port| port > 0))
}

/// A decimal as it would be printed.
pub(super) fn port(digits: &str) -> Option<u16> {
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| canonical)
}

impl<'a> Route<'a> {
    fn parse(name: &'a str) -> Option<Route<'a>> {
        let mut fields = name.splitn(4, '|');
        let (direction, port, third) = (fields.next()?, fields.next()?, fields.next()?);
        let host = match fields.next() {
            Some(host) if direction != RENDERED => host,
            None if direction == RENDERED => third,
            _ => return None,
        };
        Some(Route { port: self::port(port)?, host })
    }

    /// Tells whether the route leads where the authority says: to this host, and to the port that it names, if it names one.
    pub fn agrees(&self, host: &Host<'_>, named_port: Option<u16>, compared: Comparison) -> bool {
        (!compared.ports || named_port.is_none_or(|port| port == self.port))
            && match host {
                Host::Name(name) => {
                    self.host.eq_ignore_ascii_case(name) || compared.wildcards && self.is_wildcard_over(name)
                }
                Host::Ip(address) => self.host.parse().is_ok_and(|routed: IpAddr| routed.to_canonical() == *address),
            }
    }

    /// Tells whether the host is a wildcard over the name: `*.example.com` stands for any number of labels before the suffix,
    /// as Envoy's virtual hosts and Istio's service entries read it.
    fn is_wildcard_over(&self, name: &str) -> bool {
        let Some(suffix) = self.host.strip_prefix('*').filter(|suffix| suffix.starts_with('.')) else { return false };
        name.len() > suffix.len()
            && name
                .as_bytes()
                .split_at_checked(name.len().saturating_sub(suffix.len()))
                .is_some_and(|(_, end)| end.eq_ignore_ascii_case(suffix.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Comparison = Comparison { ports: true, wildcards: true };

    fn compares(cluster: &str, host: &str, port: Option<u16>, compared: Comparison) -> bool {
        let host = host.parse().map_or(Host::Name(host), Host::Ip);
        match Routed::of(cluster.as_bytes()) {
            Routed::To(route) => route.agrees(&host, port, compared),
            other => panic!("{cluster}: {other:?}"),
        }
    }

    fn agrees(cluster: &str, host: &str, port: Option<u16>) -> bool {
        compares(cluster, host, port, FULL)
    }

    #[test]
    fn names_that_tell_a_host_have_istios_four_fields_or_three_of_a_rendered_cluster() {
        let to = |port, host| Routed::To(Route { port, host });
        assert_eq!(Routed::of(b"outbound|443||api.example.com"), to(443, "api.example.com"));
        assert_eq!(Routed::of(b"inbound-vip|443|http/v1|api.example.com"), to(443, "api.example.com"));
        assert_eq!(Routed::of(b"inbound|8080||"), to(8080, ""));
        assert_eq!(Routed::of(b"tollgate.out|443|api.example.com"), to(443, "api.example.com"));
        for other in [
            "",
            "PassthroughCluster",
            "BlackHoleCluster",
            "outbound_.443_._.api.example.com",
            "outbound|443|api.example.com",
            "tollgate.out|443||api.example.com",
            "tollgate.out|443",
            "outbound|||a.com",
            "outbound|http||a.com",
            "outbound|+443||a.com",
            "outbound|0443||a.com",
            "outbound|65536||a.com",
            "dynamic_forward_proxy",
        ] {
            assert_eq!(Routed::of(other.as_bytes()), Routed::Elsewhere, "{other}");
        }
        assert_eq!(Routed::of(b"outbound|443||\xff"), Routed::Elsewhere);
    }

    #[test]
    fn rendered_clusters_without_a_host_go_by_the_authority() {
        for behind in ["", "-443", "-65535", "-inside", "-inside-8443", "-literal", "-tunnel"] {
            assert_eq!(Routed::of(format!("tollgate-dynamic{behind}").as_bytes()), Routed::ByAuthority, "{behind}");
        }
        for behind in
            ["-", "-0", "-0443", "-65536", "-x", "-inside-", "-insid", "-inside443", "-literal-443", "x", "443", " "]
        {
            assert_eq!(Routed::of(format!("tollgate-dynamic{behind}").as_bytes()), Routed::Elsewhere, "{behind}");
        }
        assert_eq!(Routed::of(b"Tollgate-dynamic"), Routed::Elsewhere);
        assert_eq!(Routed::of(b"x-tollgate-dynamic"), Routed::Elsewhere);
    }

    #[test]
    fn the_routed_host_is_the_host_itself() {
        for direction in ["outbound|443|", "tollgate.out|443"] {
            let cluster = |host: &str| format!("{direction}|{host}");
            assert!(agrees(&cluster("api.example.com"), "api.example.com", None));
            assert!(agrees(&cluster("API.Example.com"), "api.example.com", None));
            assert!(!agrees(&cluster("other.example.com"), "api.example.com", None));
            assert!(!agrees(&cluster("example.com"), "api.example.com", None));
        }
        assert!(!agrees("inbound|443||", "api.example.com", None));
        assert!(!agrees("outbound|443||api.example.com|x", "api.example.com", None));
    }

    #[test]
    fn a_wildcard_over_it_counts_at_any_depth_but_not_at_the_apex_and_only_where_it_may() {
        for (cluster, host) in
            [("outbound|443||*.example.com", "api.example.com"), ("outbound|443||*.Example.com", "a.b.example.com")]
        {
            assert!(agrees(cluster, host, None));
            assert!(!compares(cluster, host, None, Comparison { wildcards: false, ..FULL }));
        }
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
    fn a_named_port_is_the_routed_port_where_ports_are_compared() {
        assert!(agrees("outbound|8443||a.com", "a.com", Some(8443)));
        assert!(!agrees("outbound|8443||a.com", "a.com", Some(443)));
        assert!(compares("outbound|80||a.com", "a.com", Some(443), Comparison { ports: false, ..FULL }));
    }
}
