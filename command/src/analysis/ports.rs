//! Ports at which a rule's places are asked for, and the protocol on each.

use crate::read::document::{Document, Place, Ports, Protocol, Tls};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::policy::{DEFAULT_PORTS, TargetOptions, host_spelling};

/// Side that speaks TLS on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Upstream {
    /// The gateway, to the destination.
    Tls,
    /// Nobody.
    Plain,
}

/// The protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub(crate) tls: Upstream,
    /// HTTP/2, whatever the caller speaks.
    pub(crate) http2: bool,
}

/// Mark by which a sidecar knows the host of a connection that it reads no HTTP in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    /// The server name in the workload's own TLS.
    ByName,
    /// An address that stands for the host alone.
    ByAddress,
}

/// A port that connections are carried on, whatever is said in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) known: Known,
    pub(crate) tls: Upstream,
    /// The server speaks first.
    pub(crate) is_server_first: bool,
}

/// Ports that sidecars write into the authority of plain HTTP that names none, by host: 80 where no default port is
/// asked for.
pub(crate) fn written(document: &Document) -> BTreeMap<String, u16> {
    let default_port = document.default_port();
    let mut asked: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for target in document.rules.iter().flat_map(|rule| &rule.to) {
        let place = document.place(target);
        let reached = reached(&of_http(&place, &[]), &place, default_port);
        for host in place.hosts.iter().filter_map(|written| host_spelling(written).ok()) {
            asked.entry(host).or_default().extend(reached.keys());
        }
    }
    asked.retain(|host, ports| !host.contains('*') && ports.contains(&80) && !ports.contains(&default_port));
    asked.into_keys().map(|host| (host, 80)).collect()
}

/// Ports of a place: those that it names, or the default ones. `any` stands for the default ones and for those that a gateway
/// opens besides, `also`.
pub(crate) fn of(place: &Place<'_>, also: &[u16]) -> BTreeSet<u16> {
    match place.ports {
        None if place.tls == Some(Tls::None) => BTreeSet::from([80]),
        None => DEFAULT_PORTS.into(),
        Some(Ports::Any) => DEFAULT_PORTS.into_iter().chain(also.iter().copied()).collect(),
        Some(Ports::Listed(listed)) => listed.iter().flat_map(|range| range.ports()).collect(),
    }
}

/// Ports of a place on which HTTP is spoken to the gateway.
pub(crate) fn of_http(place: &Place<'_>, also: &[u16]) -> BTreeSet<u16> {
    if place.tls == Some(Tls::Passthrough) {
        return BTreeSet::new();
    }
    of(place, also).into_iter().filter(|port| other_protocol(place, *port).is_none()).collect()
}

/// The protocol of a port of a place, if that is no HTTP.
pub(crate) fn other_protocol(place: &Place<'_>, port: u16) -> Option<Protocol> {
    place.protocol.or_else(|| Protocol::of_port(port)).filter(|protocol| !protocol.is_http())
}

/// Ports of a place that connections are carried on: of other protocols, and of TLS that a workload speaks itself. On 443 that is the
/// way of nearly all clients, beside HTTP; on another port it has to be asked for, since a sidecar reads one or the other there.
pub(crate) fn carried(place: &Place<'_>, options: TargetOptions, also: &[u16]) -> BTreeMap<u16, Carried> {
    let carried = |port: u16| {
        let other = other_protocol(place, port);
        let is_own_tls = match other {
            Some(_) => place.tls == Some(Tls::Passthrough) || Protocol::is_over_tls(port),
            None => match place.tls {
                Some(Tls::Passthrough) => port != 80,
                Some(Tls::Both) | None => port == 443,
                Some(Tls::Originate | Tls::None) => false,
            },
        };
        if !is_own_tls && other.is_none() {
            return None;
        }
        // whoever waits for the server names nothing
        let names_host = is_own_tls && !options.hello_optional && !options.server_first;
        let known = if names_host { Known::ByName } else { Known::ByAddress };
        let tls = if place.tls == Some(Tls::Originate) { Upstream::Tls } else { Upstream::Plain };
        Some((port, Carried { known, tls, is_server_first: options.server_first }))
    };
    of(place, also).into_iter().filter_map(carried).collect()
}

/// Ports that can be asked for, and the protocol of each. Port 80 with TLS is left out: no client can name it.
pub(crate) fn reached(ports: &BTreeSet<u16>, place: &Place<'_>, default_port: u16) -> BTreeMap<u16, Spoken> {
    let tls = if place.tls == Some(Tls::None) { Upstream::Plain } else { Upstream::Tls };
    let http2 = matches!(place.protocol, Some(Protocol::Http2 | Protocol::Grpc));
    let asked = |port: &&u16| tls == Upstream::Plain || **port != 80 || default_port == 80;
    ports.iter().filter(asked).map(|port| (*port, Spoken { tls, http2 })).collect()
}
