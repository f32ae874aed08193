//! What leaves the gateway as the only way out. NetworkPolicies add up: what else pods need is for others to allow.

use super::destinations::Destinations;
use super::object::{Kind, Maker, Object, Part};
use crate::cli::site::Site;
use crate::index::Network;
use crate::policy::networks;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Istio's control plane: configuration and certificates.
const CONTROL_PLANE: u16 = 15012;
/// Where pods are asked for their health, and for metrics.
const HEALTH_AND_METRICS: [u16; 3] = [15020, 15021, 15090];
/// From where the filter's image comes.
const REGISTRY: u16 = 443;

pub(super) fn objects(maker: &Maker<'_>, site: &Site, destinations: &Destinations) -> Vec<Object> {
    let workloads = site.workload_namespaces.iter().map(|namespace| workload(maker, site, namespace));
    std::iter::once(gateway(maker, site, destinations)).chain(workloads).collect()
}

fn gateway(maker: &Maker<'_>, site: &Site, destinations: &Destinations) -> Object {
    let gateway = maker.gateway;
    let from = match site.workload_namespaces.as_slice() {
        [] => json!([{"namespaceSelector": {}}]),
        namespaces => json!([{"namespaceSelector": {
            "matchExpressions": [{"key": NAMESPACE, "operator": "In", "values": namespaces}],
        }}]),
    };
    let mut out: BTreeSet<u16> = destinations.ports.clone();
    out.insert(REGISTRY);
    let mut egress = vec![dns(), control_plane(site), json!({"to": public(), "ports": tcp(out)})];
    let private = destinations
        .private
        .iter()
        .map(|(network, ports)| json!({"to": [{"ipBlock": {"cidr": network}}], "ports": tcp(ports.iter().copied())}));
    egress.extend(private);
    let spec = json!({
        "podSelector": {"matchLabels": gateway.selector},
        "policyTypes": ["Egress", "Ingress"],
        "ingress": [
            {"from": from, "ports": tcp([gateway.ports.http])},
            {"from": [{"namespaceSelector": {}}], "ports": tcp(HEALTH_AND_METRICS)},
        ],
        "egress": egress,
    });
    maker.object(Part::Network, Kind::NetworkPolicy, &maker.name("gateway"), spec)
}

fn workload(maker: &Maker<'_>, site: &Site, namespace: &str) -> Object {
    let gateway = maker.gateway;
    let to_gateway = json!({
        "to": [{"namespaceSelector": namespace_is(&gateway.namespace), "podSelector": {"matchLabels": gateway.selector}}],
        "ports": tcp([gateway.ports.http]),
    });
    let spec = json!({
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [dns(), control_plane(site), to_gateway],
    });
    maker.object_in(namespace, Part::Network, Kind::NetworkPolicy, &maker.name("only-way-out"), spec)
}

/// The label that every namespace has.
const NAMESPACE: &str = "kubernetes.io/metadata.name";

fn namespace_is(name: &str) -> Value {
    json!({"matchLabels": {NAMESPACE: name}})
}

fn tcp(ports: impl IntoIterator<Item = u16>) -> Vec<Value> {
    ports.into_iter().map(|port| json!({"protocol": "TCP", "port": port})).collect()
}

fn dns() -> Value {
    json!({
        "to": [{"namespaceSelector": namespace_is("kube-system")}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    })
}

fn control_plane(site: &Site) -> Value {
    json!({"to": [{"namespaceSelector": namespace_is(&site.istio.namespace)}], "ports": tcp([CONTROL_PLANE])})
}

/// Every address that is not of the inside: what a name resolves to, no policy sees, and here it ends.
fn public() -> Value {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for network in networks("private") {
        match network {
            Network::V4(..) => &mut four,
            Network::V6(..) => &mut six,
        }
        .push(network.to_string());
    }
    json!([{"ipBlock": {"cidr": "0.0.0.0/0", "except": four}}, {"ipBlock": {"cidr": "::/0", "except": six}}])
}
