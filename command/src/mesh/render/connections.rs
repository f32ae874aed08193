//! The entrance of connections that are carried as they are: a port whose chain leads nowhere by itself. The filter says where each goes.

use super::api;
use super::carried::{CONNECTIONS, nowhere_host};
use super::cluster_patch::added;
use super::envoy_filter::{filters, into};
use super::object::{Maker, Object, ObjectKind, ObjectPart};
use serde_json::json;
use tollgate_envoy::tcp;

/// The port for connections, and what leads nowhere behind it; none where the gateway has none.
pub(super) fn objects(maker: &Maker<'_>) -> Vec<Object> {
    let Some(port) = maker.gateway.ports.tls else { return Vec::new() };
    let mut objects = api::of(maker.gateway).entrance_of_connections(maker, port);
    objects.push(nowhere(maker));
    // whatever listens on these pods: a chain without HTTP goes where the filter says, or nowhere
    let patches = vec![added(&tcp::nowhere()), into(tcp::PROXY, &tcp::leading_nowhere())];
    objects.push(filters(maker, CONNECTIONS, ObjectPart::Gateway, 15, patches));
    objects
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
