//! Changes that others have to make: to the mesh's own configuration, and the gateway's pods.

use super::api;
use super::object::Maker;
use super::proxy_config::proxy_config;
use crate::mesh::site::Site;
use serde_json::{Value, json};
use tollgate_envoy::access_log;

/// Name of the access log's format in the mesh's configuration.
pub(crate) const PROVIDER: &str = "tollgate";

/// A change that is not ours to apply.
#[derive(Debug)]
pub(crate) struct Patch {
    pub(crate) file: &'static str,
    /// The one who has to apply it, and its effect.
    pub(crate) to: &'static str,
    /// Programs that do not see it before they start anew.
    pub(crate) restarts: Option<&'static str>,
    /// Harm that is done where the rest is applied before it.
    pub(crate) without: Option<&'static str>,
    pub(crate) value: Value,
}

/// The access log's line: what Envoy knows of a request or a connection, beside what Tollgate decided. Attribute names are
/// OpenTelemetry's where one exists.
fn log_line(maker: &Maker<'_>) -> Value {
    match maker.gateway.ports.carrying() {
        Some(_) => access_log::format_of_both(),
        None => access_log::format(),
    }
}

/// Patches of a gateway; `has_vips` if hosts are known by addresses that stand for them.
pub(crate) fn patches(maker: &Maker<'_>, site: &Site, has_vips: bool) -> Vec<Patch> {
    let mesh = json!({
        "extensionProviders": [{
            "name": PROVIDER,
            "envoyFileAccessLog": {"path": "/dev/stdout", "logFormat": {"labels": log_line(maker)}},
        }],
    });
    let mut patches = vec![Patch {
        file: "mesh-config.yaml",
        to: "whoever operates Istio, in the MeshConfig: the format of the gateway's access log",
        restarts: None,
        without: Some("without it decisions are made, and none is recorded"),
        value: mesh,
    }];
    if has_vips {
        patches.push(Patch {
            file: "mesh-config-dns.yaml",
            to: "whoever operates Istio, in the MeshConfig: sidecars answer for hosts that are known by an address",
            restarts: Some("the workloads' pods"),
            without: Some(
                "without it workloads look such hosts up elsewhere, and their connections pass the gateway by or fail",
            ),
            value: json!({"defaultConfig": {"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"}}}),
        });
    }
    if api::of(maker.gateway).leaves_pods_to_others() {
        let pods = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": maker.gateway.service_name(), "namespace": maker.gateway.namespace},
            "spec": {"template": {"metadata": {"annotations": {"proxy.istio.io/config": proxy_config(maker.gateway)}}}},
        });
        patches.push(Patch {
            file: "gateway-pods.yaml",
            to: "whoever operates the gateway, in its Deployment: headers that say too much, labels of metrics",
            restarts: Some("the gateway's pods"),
            without: None,
            value: pods,
        });
        patches.push(Patch {
            file: "istiod.yaml",
            to: "whoever operates Istio, in istiod, if all Gateways stand in the namespaces of their pods: no listeners of other namespaces",
            restarts: Some("istiod"),
            without: maker.gateway.ports.carrying().map(|_| {
                "without it a Gateway of any namespace can end the mesh's TLS on the ports for connections without checking certificates, and callers are whoever they say"
            }),
            value: scoped(site),
        });
    }
    patches
}

/// Keeps Gateways of other namespaces off the gateway's pods. Of HTTP, what is rendered passes nothing there, and this is the lock
/// besides. For connections it is the lock: a foreign server for a name on the same port is a chain with the same filters behind a TLS
/// of its own, which may take any certificate (`insecureSkipVerify`).
fn scoped(site: &Site) -> Value {
    let switch = json!({"name": "PILOT_SCOPE_GATEWAY_TO_NAMESPACE", "value": "true"});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "istiod", "namespace": site.istio.namespace},
        "spec": {"template": {"spec": {"containers": [{"name": "discovery", "env": [switch]}]}}},
    })
}
