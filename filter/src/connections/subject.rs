//! The properties by which a connection or a tunnel was decided, kept to decide it again.

use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, Presented, Source, Upgrade};

/// Bytes of a tunnel's path that are kept. One with a longer path is closed by the first update.
const PATH: usize = 2_048;

/// The properties that one stream has in common with all others that are decided alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    pub(crate) instance: u32,
    by_principal: bool,
    identity: Option<Box<[u8]>>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Connection {
        authority: Box<[u8]>,
        chain: Box<[u8]>,
        outer_sni: Box<[u8]>,
        first: First,
    },
    Tunnel {
        authority: Box<[u8]>,
        method: Box<[u8]>,
        path: Option<Box<[u8]>>,
        /// None: no upgrade; one without a value: several.
        upgrade: Option<Option<Box<[u8]>>>,
        overridden: bool,
        cluster: Option<Box<[u8]>>,
        /// The path was too long to be kept.
        is_cut: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum First {
    Unseen,
    Silent,
    NoHello,
    Http,
    Unreadable,
    Hello { server_name: Option<Box<[u8]>>, ech: bool },
}

impl Subject {
    /// Keeps what a stream of an instance was decided by.
    pub(crate) fn of(instance: u32, arrival: &Arrival<'_>) -> Subject {
        Subject {
            instance,
            by_principal: arrival.identity.is_some_and(|identity| identity.source == Source::PeerPrincipal),
            identity: arrival.identity.map(|identity| identity.id.into()),
            kind: match &arrival.connection {
                Some(connection) => Kind::of_connection(connection),
                None => Kind::of_tunnel(arrival),
            },
        }
    }

    /// Tells whether all that it was decided by was kept.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self.kind, Kind::Tunnel { is_cut: true, .. })
    }

    /// The stream as it arrived, as far as that was kept.
    pub(crate) fn arrival(&self) -> Arrival<'_> {
        let source = if self.by_principal { Source::PeerPrincipal } else { Source::PeerCertificate };
        let identity = self.identity.as_deref().map(|id| Presented { source, id });
        match &self.kind {
            Kind::Connection { authority, chain, outer_sni, first } => {
                let connection = Connection { authority, chain, outer_sni, first: first.bytes() };
                Arrival::of_connection(identity, connection)
            }
            Kind::Tunnel { authority, method, path, upgrade, overridden, cluster, .. } => Arrival {
                identity,
                authority,
                method,
                path: path.as_deref(),
                upgrade: match upgrade {
                    None => Upgrade::Absent,
                    Some(None) => Upgrade::Several,
                    Some(Some(protocol)) => Upgrade::To(protocol),
                },
                overridden: *overridden,
                cluster: cluster.as_deref(),
                connection: None,
            },
        }
    }
}

impl Kind {
    fn of_connection(connection: &Connection<'_>) -> Kind {
        let Connection { authority, chain, outer_sni, first } = *connection;
        Kind::Connection {
            authority: authority.into(),
            chain: chain.into(),
            outer_sni: outer_sni.into(),
            first: First::of(first),
        }
    }

    fn of_tunnel(arrival: &Arrival<'_>) -> Kind {
        Kind::Tunnel {
            authority: arrival.authority.into(),
            method: arrival.method.into(),
            path: arrival.path.map(|path| path.get(..PATH).unwrap_or(path).into()),
            is_cut: arrival.path.is_some_and(|path| path.len() > PATH),
            upgrade: match arrival.upgrade {
                Upgrade::Absent => None,
                Upgrade::Several => Some(None),
                Upgrade::To(protocol) => Some(Some(protocol.into())),
            },
            overridden: arrival.overridden,
            cluster: arrival.cluster.map(Box::from),
        }
    }
}

impl First {
    fn of(first: FirstBytes<'_>) -> First {
        match first {
            FirstBytes::Unseen => First::Unseen,
            FirstBytes::Silent => First::Silent,
            FirstBytes::NoHello => First::NoHello,
            FirstBytes::Http => First::Http,
            FirstBytes::Unreadable => First::Unreadable,
            FirstBytes::Hello(ClientHello { server_name, ech }) => {
                First::Hello { server_name: server_name.map(Box::from), ech }
            }
        }
    }

    fn bytes(&self) -> FirstBytes<'_> {
        match self {
            First::Unseen => FirstBytes::Unseen,
            First::Silent => FirstBytes::Silent,
            First::NoHello => FirstBytes::NoHello,
            First::Http => FirstBytes::Http,
            First::Unreadable => FirstBytes::Unreadable,
            First::Hello { server_name, ech } => {
                FirstBytes::Hello(ClientHello { server_name: server_name.as_deref(), ech: *ech })
            }
        }
    }
}
