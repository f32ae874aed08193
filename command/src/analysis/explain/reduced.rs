//! A request as entries are asked about it one by one.

use super::authority;
use crate::analysis::server_name;
use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, Host, Identity, Presented, Source};

/// The place of a request after the first step of its decision. Entries are asked by policies that are not in dry-run, see no route
/// and know neither the default port nor the gateway's own name.
#[derive(Debug, Default)]
pub(super) struct Reduced {
    host: String,
    authority: String,
    outer_sni: String,
}

impl Reduced {
    pub(super) fn to(host: &Host<'_>, port: u16) -> Reduced {
        Reduced {
            host: authority::shown(host),
            authority: authority::of(host, port),
            outer_sni: server_name::of_cluster(host, port),
        }
    }

    /// A request that is seen so, to this place, by a canonical identity.
    pub(super) fn arrival<'a>(&'a self, identity: Option<Identity<'a>>, seen: &Arrival<'a>) -> Arrival<'a> {
        let connection = seen.connection.map(|connection| Connection {
            outer_sni: self.outer_sni.as_bytes(),
            first: self.named(connection.first),
            ..Connection::default()
        });
        Arrival {
            identity: identity.map(|id| Presented { source: Source::PeerCertificate, id: id.id().as_bytes() }),
            authority: self.authority.as_bytes(),
            cluster: None,
            connection,
            ..*seen
        }
    }

    /// First bytes as entries see them: they name the host that the connection was led to, though a dry-run lets another name pass.
    fn named<'a>(&'a self, first: FirstBytes<'a>) -> FirstBytes<'a> {
        match first {
            FirstBytes::Hello(hello) if hello.server_name.is_some() => {
                FirstBytes::Hello(ClientHello { server_name: Some(self.host.as_bytes()), ..hello })
            }
            other => other,
        }
    }
}
