//! Network traffic to the gateway's pods, and from them. NetworkPolicies add up: what else pods need is for others to allow.

use super::addresses::{self, AddressRange};
use super::destinations::Destinations;
use super::object::{Maker, Object, ObjectKind, ObjectPart, insert};
use crate::mesh::site::{Dns, Site};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollgate::policy::networks;

/// Istio's control plane: configuration and certificates.
const CONTROL_PLANE: u16 = 15012;
/// Ports at which pods are asked for their health, and for metrics.
const HEALTH_AND_METRICS: [u16; 3] = [15020, 15021, 15090];
/// From where the filter's image comes.
const REGISTRY: u16 = 443;

pub(super) fn object(maker: &Maker<'_>, site: &Site, destinations: &Destinations) -> Object {
    let gateway = maker.gateway;
    let from = match site.workload_namespaces.as_slice() {
        [] => json!([{"namespaceSelector": {}}]),
        namespaces => json!([{"namespaceSelector": {
            "matchExpressions": [{"key": NAMESPACE, "operator": "In", "values": namespaces}],
        }}]),
    };
    let mut out: BTreeSet<u16> = destinations.ports.clone();
    out.insert(REGISTRY);
    let mut egress = vec![dns(&gateway.dns), control_plane(site), json!({"to": public(), "ports": tcp(out)})];
    let private = destinations
        .private
        .iter()
        .map(|(network, ports)| json!({"to": [{"ipBlock": {"cidr": network}}], "ports": tcp(ports.iter().copied())}));
    egress.extend(private);
    let inside: Vec<Value> = gateway
        .inside
        .iter()
        .flat_map(|inside| &inside.cidrs)
        .flat_map(|cidr| networks(cidr))
        .map(|network| json!({"ipBlock": {"cidr": network.to_string()}}))
        .collect();
    if !inside.is_empty() {
        egress.push(json!({"to": inside, "ports": tcp(destinations.ports.iter().copied())}));
    }
    let spec = json!({
        "podSelector": {"matchLabels": gateway.selector},
        "policyTypes": ["Egress", "Ingress"],
        "ingress": [
            {"from": from, "ports": tcp(gateway.ports.rendered())},
            // a kubelet asks its own node's pods whatever a policy says
            {"from": [{"namespaceSelector": namespace_is(&site.istio.namespace)}], "ports": tcp(HEALTH_AND_METRICS)},
        ],
        "egress": egress,
    });
    maker.object(ObjectPart::Network, ObjectKind::NetworkPolicy, &maker.name("gateway"), spec)
}

/// The label that every namespace has.
const NAMESPACE: &str = "kubernetes.io/metadata.name";

pub(super) fn namespace_is(name: &str) -> Value {
    json!({"matchLabels": {NAMESPACE: name}})
}

pub(super) fn tcp(ports: impl IntoIterator<Item = u16>) -> Vec<Value> {
    ports.into_iter().map(|port| json!({"protocol": "TCP", "port": port})).collect()
}

/// The cluster's DNS servers: pods, and what else answers.
pub(super) fn dns(dns: &Dns) -> Value {
    let mut pods = json!({"namespaceSelector": namespace_is(&dns.namespace)});
    if !dns.labels.is_empty() {
        insert(&mut pods, "podSelector", json!({"matchLabels": dns.labels}));
    }
    let servers = dns
        .cidrs
        .iter()
        .flat_map(|cidr| networks(cidr))
        .map(|network| json!({"ipBlock": {"cidr": network.to_string()}}));
    let to: Vec<Value> = std::iter::once(pods).chain(servers).collect();
    let ports =
        dns.ports.iter().flat_map(|port| ["UDP", "TCP"].map(|protocol| json!({"protocol": protocol, "port": port})));
    json!({"to": to, "ports": ports.collect::<Vec<_>>()})
}

pub(super) fn control_plane(site: &Site) -> Value {
    json!({"to": [{"namespaceSelector": namespace_is(&site.istio.namespace)}], "ports": tcp([CONTROL_PLANE])})
}

/// Every address that is not of the inside: what a name resolves to, no policy sees, and here it ends.
fn public() -> Value {
    // Kubernetes takes no mapped addresses, and the network carries none: to reach one is to reach the IPv4 address
    let ranges = addresses::inside().into_iter().filter(|range| !range.is_mapped());
    let (four, six): (Vec<AddressRange>, Vec<AddressRange>) = ranges.partition(|range| range.is_v4());
    let [four, six] = [four, six].map(|ranges| ranges.iter().map(ToString::to_string).collect::<Vec<_>>());
    json!([{"ipBlock": {"cidr": "0.0.0.0/0", "except": four}}, {"ipBlock": {"cidr": "::/0", "except": six}}])
}
