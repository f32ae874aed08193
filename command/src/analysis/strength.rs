//! The strength with which a way out is held.

use super::server_name;
use serde::Serialize;
use std::fmt;
use tollgate::decision::{Authorizer, Outcome, Reason, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, Host, Presented};

/// All that is known of what a caller sends to a host and port, whatever way it takes: the weakest way counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Strength {
    /// Requests, each with its method and path.
    Path,
    /// The name of the host: some rule asks for neither method nor path, so that the caller's own TLS gets there, too.
    Host,
    /// The address: some rule asks for neither method nor path.
    Address,
}

impl Strength {
    /// The strength with which a policy holds what a caller sends to a host and port. Where that cannot be told it is the weaker one.
    pub(crate) fn of(
        policy: &Policy,
        identity: Option<Presented<'_>>,
        host: &Host<'_>,
        port: u16,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Strength {
        let (alone, first) = match host {
            Host::Name(name) => {
                let hello = ClientHello { server_name: Some(name.as_bytes()), ech: false };
                (Strength::Host, FirstBytes::Hello(hello))
            }
            // no server name is an address
            Host::Ip(_) => (Strength::Address, FirstBytes::NoHello),
        };
        let outer_sni = server_name::of_cluster(host, port);
        let connection = Connection { outer_sni: outer_sni.as_bytes(), first, ..Connection::default() };
        let arrival = Arrival::of_connection(identity, connection);
        let decision = Authorizer::new(policy).decide(&arrival, now, scratch).decision;
        // to what nobody calls from the mesh, or only with another beginning, requests go by such a rule all the same
        let is_open = matches!(decision.reason, Reason::SniMissing | Reason::HostInvalid);
        if decision.outcome != Outcome::Deny || is_open { alone } else { Strength::Path }
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strength::Path => "path",
            Strength::Host => "host",
            Strength::Address => "address",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate::request::Source;

    const POLICY: &str = r#"{"version": 1, "name": "p",
        "destinations": {"mail": {"hosts": ["mail.test"], "ports": [25], "serverFirst": true}},
        "deny": [{"id": "d", "to": [{"hosts": ["closed.test"], "paths": ["/admin/**"]}]}],
        "rules": [{"id": "r", "from": [{"namespace": "a"}], "to": [
            {"hosts": ["host.test", "closed.test", "localhost"]},
            {"hosts": ["paths.test"], "paths": ["/v1/**"]},
            {"hosts": ["methods.test"], "methods": ["GET"]},
            {"hosts": ["sockets.test"], "upgrades": ["websocket"]},
            {"hosts": ["aside.test"], "paths": ["/v1/**"], "overTls": "host-only"},
            {"hosts": ["both.test"], "paths": ["/v1/**"]},
            {"hosts": ["both.test"], "ports": [443]},
            {"hosts": ["db.test"], "ports": [5432], "clientHello": "optional"},
            {"destination": "mail"},
            {"cidrs": ["192.0.2.0/24"]},
            {"cidrs": ["198.51.100.0/24"], "clientHello": "optional"},
            {"cidrs": ["203.0.113.0/24"], "methods": ["GET"]}]}]}"#;

    #[test]
    fn the_weakest_way_counts() {
        let policy = Policy::load(POLICY.as_bytes()).unwrap();
        let id = Presented { source: Source::PeerCertificate, id: b"spiffe://cluster.local/ns/a/sa/b" };
        let strength = |host: &Host<'_>, port| {
            Strength::of(&policy, Some(id), host, port, Timestamp::default(), &mut Scratch::default())
        };
        for (name, port, expected) in [
            ("host.test", 443, Strength::Host),
            ("paths.test", 443, Strength::Path),
            ("methods.test", 443, Strength::Path),
            ("sockets.test", 443, Strength::Path),
            ("aside.test", 443, Strength::Host),
            ("both.test", 443, Strength::Host),
            ("both.test", 80, Strength::Path),
            ("db.test", 5432, Strength::Host),
            ("mail.test", 25, Strength::Host),
            // a connection may carry what is denied
            ("closed.test", 443, Strength::Path),
            ("localhost", 443, Strength::Host),
        ] {
            assert_eq!(strength(&Host::Name(name), port), expected, "{name}:{port}");
        }
        for (address, expected) in
            [("192.0.2.1", Strength::Address), ("198.51.100.1", Strength::Address), ("203.0.113.1", Strength::Path)]
        {
            assert_eq!(strength(&Host::Ip(address.parse().unwrap()), 443), expected, "{address}");
        }
    }
}
