//! Settings of the gateway's pods.

use super::yaml::yaml;
use serde_json::json;
use tollgate_envoy::stats::METRIC_LABELS;

/// The configuration of the gateway's proxy, as YAML in an annotation.
pub(crate) fn proxy_config() -> String {
    let headers = json!({
        "proxyHeaders": {
            "attemptCount": {"disabled": true},
            "envoyDebugHeaders": {"disabled": true},
            "forwardedClientCert": "SANITIZE",
            "server": {"disabled": true},
        },
        "proxyStatsMatcher": {"inclusionPrefixes": ["wasm", "dns_cache"]},
        "extraStatTags": METRIC_LABELS,
    });
    yaml(&headers).unwrap_or_default()
}
