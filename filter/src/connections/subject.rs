//! The properties by which a connection was decided, kept to decide it again.

use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, Presented, Source};

/// What one connection has in common with all others that are decided alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    pub(crate) instance: u32,
    by_principal: bool,
    identity: Option<Box<[u8]>>,
    authority: Box<[u8]>,
    chain: Box<[u8]>,
    outer_sni: Box<[u8]>,
    first: First,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum First {
    Unseen,
    NoHello,
    Unreadable,
    Hello { server_name: Option<Box<[u8]>>, ech: bool },
}

impl Subject {
    /// Keeps what a connection of an instance was decided by.
    pub(crate) fn of(instance: u32, arrival: &Arrival<'_>) -> Subject {
        let Connection { authority, chain, outer_sni, first } = arrival.connection.unwrap_or_default();
        Subject {
            instance,
            by_principal: arrival.identity.is_some_and(|identity| identity.source == Source::PeerPrincipal),
            identity: arrival.identity.map(|identity| identity.id.into()),
            authority: authority.into(),
            chain: chain.into(),
            outer_sni: outer_sni.into(),
            first: match first {
                FirstBytes::Unseen => First::Unseen,
                FirstBytes::NoHello => First::NoHello,
                FirstBytes::Unreadable => First::Unreadable,
                FirstBytes::Hello(ClientHello { server_name, ech }) => {
                    First::Hello { server_name: server_name.map(Box::from), ech }
                }
            },
        }
    }

    /// The connection as it arrived.
    pub(crate) fn arrival(&self) -> Arrival<'_> {
        let source = if self.by_principal { Source::PeerPrincipal } else { Source::PeerCertificate };
        let first = match &self.first {
            First::Unseen => FirstBytes::Unseen,
            First::NoHello => FirstBytes::NoHello,
            First::Unreadable => FirstBytes::Unreadable,
            First::Hello { server_name, ech } => {
                FirstBytes::Hello(ClientHello { server_name: server_name.as_deref(), ech: *ech })
            }
        };
        let connection =
            Connection { authority: &self.authority, chain: &self.chain, outer_sni: &self.outer_sni, first };
        Arrival::of_connection(self.identity.as_deref().map(|id| Presented { source, id }), connection)
    }
}
