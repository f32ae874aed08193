//! Requests as they arrive, as bytes, and what they are reduced to: canonical values, or the reason why there are none.

mod authority;
mod headers;
mod identity;
mod method;
mod override_header;
mod path;
mod route;
mod segment;
mod spelling;

pub use authority::{Authority, NameError, check_name};
pub use identity::Identity;
pub use method::is_method;
pub use override_header::{OVERRIDE_HEADERS, begins_with_spelling, is_override, is_spelling};
pub use path::{Form, Path, object_key, widen};
pub use route::{Comparison, Route, Routed};

use std::net::IpAddr;

/// A request as it arrived: bytes of the wire, nothing judged yet.
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
    /// Carries a header by which servers see another method or path ([`is_override`]).
    pub overridden: bool,
    /// `xds.cluster_name`: the cluster that the route chose, read before headers are changed.
    pub cluster: Option<&'a [u8]>,
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

/// A canonical host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A DNS name: lower case, no trailing dot, 1–253 bytes.
    Name(&'a str),
    /// An IP literal.
    Ip(IpAddr),
}
