//! Connections that are carried as they are: TLS that workloads speak themselves, and what is no HTTP.
//!
//! Out of the workload a subset of the gateway's Service tells the gateway where to, by the server name of the mesh's own TLS.

use super::destinations::{Destinations, ReachedHost};
use super::object::{Maker, TLS_LISTENER, insert};
use super::routed::{CarriedWay, RoutedHost, server_name, subset};
use crate::analysis::ports::{Carried, Known};
use crate::mesh::site::Gateway;
use serde_json::{Value, json};

/// End of the names of what is there once for all connections.
pub(super) const CONNECTIONS: &str = "connections";

/// Listeners of the filter for connections: name and port.
pub(super) fn listeners_of_connections(gateway: &Gateway) -> impl Iterator<Item = (&'static str, u16)> {
    let ports = &gateway.ports;
    let named = [(TLS_LISTENER, ports.tls), ("tls-server-first", ports.server_first), ("tls-all", ports.all)];
    named.into_iter().filter_map(|(name, port)| Some((name, port?)))
}

/// The name that the port's route leads to, since a route has to have one. Nothing answers to it (RFC 6761).
pub(super) fn nowhere_host(maker: &Maker<'_>) -> String {
    format!("connections.{}.tollgate.invalid", maker.gateway.name)
}

/// The port of a gateway that something is carried to.
pub(super) fn to(gateway: &Gateway, carried: &Carried) -> Option<u16> {
    if carried.is_server_first { gateway.ports.server_first } else { gateway.ports.carrying() }
}

/// Subsets of the gateway's Service, one for each port of each host.
pub(super) fn subsets(maker: &Maker<'_>, destinations: &Destinations) -> Vec<Value> {
    let of_host = |(host, reached): (&String, &ReachedHost)| {
        let one = |(port, carried): (&u16, &Carried)| {
            let to = to(maker.gateway, carried)?;
            let tls = json!({"mode": "ISTIO_MUTUAL", "sni": server_name(*port, host)});
            Some(json!({
                "name": subset(*port, host),
                "trafficPolicy": {"portLevelSettings": [{"port": {"number": to}, "tls": tls}]},
            }))
        };
        reached.carried.iter().filter_map(one).collect::<Vec<_>>()
    };
    destinations.hosts.iter().flat_map(of_host).collect()
}

/// Routes out of a workload, as a VirtualService has them: its keys `tls` and `tcp`, those of them that are needed.
pub(super) fn out_of_workload(host: &RoutedHost<'_>) -> Vec<(&'static str, Value)> {
    let gateway = host.maker.gateway;
    let route = |way: &CarriedWay| {
        let mut of_mesh = json!({"gateways": ["mesh"], "port": way.port});
        if way.known == Known::ByName {
            insert(&mut of_mesh, "sniHosts", json!([host.host]));
        }
        let destination = json!({"host": gateway.service, "port": {"number": way.to}, "subset": way.subset});
        json!({"match": [of_mesh], "route": [{"destination": destination}]})
    };
    [("tls", Known::ByName), ("tcp", Known::ByAddress)]
        .into_iter()
        .map(|(key, known)| (key, host.carried.iter().filter(|way| way.known == known).map(route).collect::<Vec<_>>()))
        .filter(|(_, routes)| !routes.is_empty())
        .map(|(key, routes)| (key, routes.into()))
        .collect()
}
