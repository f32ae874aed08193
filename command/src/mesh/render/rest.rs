//! Hosts that no object names go to the gateway, too: there it is decided, and a denial has a reason and a record.

use super::destinations::Destinations;
use super::object::{Maker, Object, ObjectKind, ObjectPart};
use crate::mesh::site::Site;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn objects(maker: &Maker<'_>, site: &Site, destinations: &Destinations) -> Vec<Object> {
    let sidecars = site.workload_namespaces.iter().map(|namespace| sidecar(maker, namespace));
    std::iter::once(anchor(maker, site, destinations)).chain(sidecars).collect()
}

/// A name for each port that workloads may ask on, without which their sidecars take no HTTP there.
fn anchor(maker: &Maker<'_>, site: &Site, destinations: &Destinations) -> Object {
    // on 443 workloads speak TLS themselves: a sidecar that takes HTTP there would break it
    let ports: BTreeSet<u16> = destinations.http.iter().copied().filter(|port| *port != 443).chain([80]).collect();
    let ports: Vec<Value> = ports
        .into_iter()
        .map(|port| json!({"number": port, "name": format!("http-{port}"), "protocol": "HTTP"}))
        .collect();
    let seen_by: Vec<&str> = std::iter::once(".").chain(site.workload_namespaces.iter().map(String::as_str)).collect();
    let spec = json!({
        "hosts": [anchor_host(maker)],
        "exportTo": seen_by,
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC",
        "ports": ports,
    });
    maker.object(ObjectPart::Sidecars, ObjectKind::ServiceEntry, &maker.name("anchor"), spec)
}

/// A name that nothing answers to (RFC 6761).
pub(super) fn anchor_host(maker: &Maker<'_>) -> String {
    format!("{}.tollgate.invalid", maker.gateway.name)
}

/// Out of the workload: what no object names goes to the gateway.
fn sidecar(maker: &Maker<'_>, namespace: &str) -> Object {
    let gateway = maker.gateway;
    let spec = json!({
        "egress": [{"hosts": ["*/*"]}],
        "outboundTrafficPolicy": {
            "mode": "ALLOW_ANY",
            "egressProxy": {"host": gateway.service, "port": {"number": gateway.ports.of_the_rest()}},
        },
    });
    maker.object_in(namespace, ObjectPart::Sidecars, ObjectKind::Sidecar, &gateway.name, spec)
}
