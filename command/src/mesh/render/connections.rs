//! The entrance of connections that are carried as they are: a port whose chain leads nowhere by itself. The filter says where each goes.

use super::api;
use super::carried::{CONNECTIONS, nowhere_host};
use super::cluster_patch::added;
use super::envoy_filter::{filters, in_place_of, into};
use super::object::{Maker, Object, ObjectKind, ObjectPart, insert};
use serde_json::{Value, json};
use std::path::Path;
use tollgate_envoy::{access_log, tcp};

/// The port for connections, and what leads nowhere behind it; none where the gateway has none.
pub(super) fn objects(maker: &Maker<'_>) -> Vec<Object> {
    let ports = &maker.gateway.ports;
    if ports.carrying().is_none() {
        return Vec::new();
    }
    let mut objects = api::of(maker.gateway).entrance_of_connections(maker);
    objects.push(nowhere(maker));
    // whatever listens on these pods: a chain without HTTP goes where the filter says, or nowhere
    let mut patches = vec![added(&tcp::nowhere()), into(tcp::PROXY, &tcp::leading_nowhere())];
    patches.extend(ports.server_first.map(first_of_server));
    objects.push(filters(maker, CONNECTIONS, ObjectPart::Gateway, 15, patches));
    objects
}

/// The proxy of a port for servers that speak first. Its name is another, since what waits on all other ports is merged into proxies by
/// name, and comes last. It writes the access log itself: Istio gave that to the one that stood here.
fn first_of_server(port: u16) -> Value {
    let log = access_log::tcp_file(Path::new("/dev/stdout"));
    let mut proxy = tcp::immediate_proxy("tollgate_server_first", &[log]);
    insert(&mut proxy, "name", "tollgate.server-first".into());
    in_place_of(port, tcp::PROXY, &proxy)
}

fn nowhere(maker: &Maker<'_>) -> Object {
    let spec = json!({
        "hosts": [nowhere_host(maker)],
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC",
        "ports": [{"number": 443, "name": "tls-443", "protocol": "TLS"}],
    });
    maker.object(ObjectPart::Gateway, ObjectKind::ServiceEntry, &maker.name(CONNECTIONS), spec)
}
