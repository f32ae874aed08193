//! Requests and connections as they arrive.

use super::connection::Connection;

/// A request, or a TCP connection, as it arrived: bytes of the wire, nothing judged yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrival<'a> {
    /// The identity as the first source that had one presented it; an empty one counts as none.
    pub identity: Option<Presented<'a>>,
    /// `:authority`; empty where there was none.
    pub authority: &'a [u8],
    /// `:method`.
    pub method: &'a [u8],
    /// `:path` with its query; a CONNECT request has none.
    pub path: Option<&'a [u8]>,
    /// The `upgrade` header.
    pub upgrade: Upgrade<'a>,
    /// Carries a header by which servers see another method or path ([`is_override`](super::is_override)).
    pub overridden: bool,
    /// `xds.cluster_name`: the cluster that the route chose, read before headers are changed.
    pub cluster: Option<&'a [u8]>,
    /// For a TCP connection: where it was led, and how it begins. The properties of a request are absent then.
    pub connection: Option<Connection<'a>>,
}

impl<'a> Arrival<'a> {
    /// Returns a connection as it arrived.
    pub fn of_connection(identity: Option<Presented<'a>>, connection: Connection<'a>) -> Arrival<'a> {
        Arrival { identity, authority: connection.name(), connection: Some(connection), ..Arrival::default() }
    }
}

/// An identity and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    /// The place where it was read.
    pub source: Source,
    /// The SPIFFE ID, unchecked.
    pub id: &'a [u8],
}

/// The source of an identity; never a request header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The first URI SAN of the peer's certificate (gateways).
    PeerCertificate,
    /// The principal that the mesh's tunnel carries (waypoints).
    PeerPrincipal,
}

impl Source {
    /// Every source.
    pub const ALL: [Source; 2] = [Source::PeerCertificate, Source::PeerPrincipal];

    /// Returns its word in policies and records: `peer-certificate` or `peer-principal`.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::PeerCertificate => "peer-certificate",
            Source::PeerPrincipal => "peer-principal",
        }
    }
}

/// The `upgrade` header of a request; extended CONNECT (RFC 8441) arrives as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgrade<'a> {
    /// No upgrade request.
    #[default]
    Absent,
    /// One header with this value.
    To(&'a [u8]),
    /// Several headers: an upgrade request to nothing that a rule could list.
    Several,
}
