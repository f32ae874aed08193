//! Settings of the gateway's pods.

use super::object::insert;
use super::yaml::yaml;
use crate::mesh::site::Gateway;
use serde_json::{Map, Value, json};
use tollgate_envoy::internal;
use tollgate_envoy::stats::METRIC_LABELS;

/// The configuration of the gateway's proxy, as YAML in an annotation.
pub(crate) fn proxy_config(gateway: &Gateway) -> String {
    let mut config = json!({
        "proxyHeaders": {
            "attemptCount": {"disabled": true},
            "envoyDebugHeaders": {"disabled": true},
            "forwardedClientCert": "SANITIZE",
            "server": {"disabled": true},
        },
        "proxyStatsMatcher": {"inclusionPrefixes": ["wasm", "dns_cache"]},
        "extraStatTags": METRIC_LABELS,
    });
    if gateway.ports.all.is_some() {
        let values: Map<String, Value> = internal::runtime()
            .as_object()
            .into_iter()
            .flatten()
            // Istio takes texts
            .map(|(name, value)| (name.clone(), value.to_string().into()))
            .collect();
        insert(&mut config, "runtimeValues", values.into());
    }
    yaml(&config).unwrap_or_default()
}
