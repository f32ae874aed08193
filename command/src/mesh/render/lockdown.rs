//! Objects that leave workloads no way out but the gateway.

use super::network::{control_plane, dns, namespace_is, tcp};
use super::object::{Maker, Object, ObjectKind, ObjectPart};
use crate::mesh::site::{Lockdown, Site};
use serde_json::json;

/// The policies of a site's workloads; none unless it asks for them.
pub(super) fn objects(maker: &Maker<'_>, site: &Site) -> Vec<Object> {
    match site.lockdown {
        Lockdown::None => Vec::new(),
        Lockdown::Workloads => {
            site.workload_namespaces.iter().map(|namespace| workload(maker, site, namespace)).collect()
        }
    }
}

fn workload(maker: &Maker<'_>, site: &Site, namespace: &str) -> Object {
    let gateway = maker.gateway;
    let to_gateway = json!({
        "to": [{"namespaceSelector": namespace_is(&gateway.namespace), "podSelector": {"matchLabels": gateway.selector}}],
        "ports": tcp(gateway.ports.rendered()),
    });
    let spec = json!({
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [dns(&gateway.dns), control_plane(site), to_gateway],
    });
    maker.object_in(namespace, ObjectPart::Network, ObjectKind::NetworkPolicy, &maker.name("only-way-out"), spec)
}
