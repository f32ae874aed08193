//! A TCP connection as it arrived, and the host and port that its surroundings name.

use super::authority::{Authority, canonical_host};
use super::host::Host;
use super::route;
use super::tls::FirstBytes;
use std::str;

/// A connection as it arrived, besides the identity of its caller: bytes of the wire and names of the mesh's configuration,
/// nothing judged yet. What is empty was not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The authority of the CONNECT request that the connection is in (`filter_state.tollgate.authority`).
    pub authority: &'a [u8],
    /// `xds.filter_chain_name`: a waypoint's chains are called after the service that was called.
    pub chain: &'a [u8],
    /// The server name of the mesh's own TLS (`connection.requested_server_name`).
    pub outer_sni: &'a [u8],
    /// The beginning of the caller's bytes.
    pub first: FirstBytes<'a>,
}

/// The place that a connection was led to by what it came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Led<'a> {
    /// To this host and, where it is named, this port. `is_exact`: a cluster of that name leads there alone.
    To { host: Host<'a>, port: Option<u16>, is_exact: bool },
    /// Below a wildcard (`*.example.com`): the caller's own server name says where.
    Below { suffix: &'a str, port: u16 },
}

/// Front of the chains of waypoints on which a pod was addressed, not a service.
const DIRECT: &[u8] = b"direct-";
/// Front of the server names by which the mesh's proxies call a cluster of another network.
const CLUSTER_SNI: &str = "outbound_.";

impl<'a> Connection<'a> {
    /// The bytes that name where it was led, as they were given.
    pub(super) fn name(&self) -> &'a [u8] {
        [self.authority, self.chain].into_iter().find(|name| !name.is_empty()).unwrap_or(self.outer_sni)
    }

    /// The place that it was led to, by the first of its sources that there is; none where that is no host and port. Of them only an
    /// authority may be spelled in another way than the canonical one, for which the buffer is.
    pub(crate) fn led<'s>(&self, buffer: &'s mut Vec<u8>) -> Option<Led<'s>>
    where
        'a: 's,
    {
        if !self.authority.is_empty() {
            return from_authority(self.authority, buffer);
        }
        let fields: Vec<&[u8]> = self.chain.splitn(4, |byte| *byte == b'|').collect();
        if let [_, port, _, host] = fields.as_slice() {
            return from_service(port, host);
        }
        if self.chain.starts_with(DIRECT) {
            return None;
        }
        match str::from_utf8(self.outer_sni).ok()?.strip_prefix(CLUSTER_SNI) {
            Some(rest) => {
                let mut fields = rest.splitn(3, "_.");
                let (port, _, host) = (fields.next()?, fields.next()?, fields.next()?);
                from_service(port.as_bytes(), host.as_bytes())
            }
            None => Some(Led::To { host: canonical_host(self.outer_sni)?, port: None, is_exact: true }),
        }
    }
}

/// An authority that names its port.
fn from_authority<'s>(authority: &'s [u8], buffer: &'s mut Vec<u8>) -> Option<Led<'s>> {
    let Authority { host, port } = Authority::parse(authority, buffer)?;
    Some(Led::To { host, port: Some(port?), is_exact: false })
}

/// The port and the host of a service, as configurations of the mesh spell them.
fn from_service<'a>(port: &[u8], host: &'a [u8]) -> Option<Led<'a>> {
    let port = route::port(str::from_utf8(port).ok()?).filter(|port| *port > 0)?;
    if let Some(suffix) = host.strip_prefix(b"*.") {
        return match canonical_host(suffix)? {
            Host::Name(suffix) => Some(Led::Below { suffix, port }),
            Host::Ip(_) => None,
        };
    }
    Some(Led::To { host: canonical_host(host)?, port: Some(port), is_exact: true })
}

/// Tells whether a name belongs to the inside of a mesh: it has one label, or ends in `svc` or `cluster.local`.
pub fn is_of_the_mesh(host: &Host<'_>) -> bool {
    let Host::Name(name) = host else { return false };
    let ends = |with: &str| name.strip_suffix(with).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    !name.contains('.') || ends("svc") || ends("cluster.local")
}

/// Tells whether a name has labels before a suffix.
pub(crate) fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|before| before.ends_with('.'))
}
