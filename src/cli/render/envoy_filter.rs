//! Patches of the gateway's Envoy.

use super::object::{Kind, Maker, Object, Part};
use serde_json::{Value, json};

/// Envoy's RBAC filter.
pub(super) fn rbac(name: &str, rules: &Value) -> Value {
    json!({
        "name": name,
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC", "rules": rules},
    })
}

/// Puts an HTTP filter at the end of the gateway's chain.
pub(super) fn before_router(filter: &Value) -> Value {
    let manager = "envoy.filters.network.http_connection_manager";
    json!({
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": "GATEWAY",
            "listener": {
                "filterChain": {"filter": {"name": manager, "subFilter": {"name": "envoy.filters.http.router"}}},
            },
        },
        "patch": {"operation": "INSERT_BEFORE", "value": filter},
    })
}

/// An EnvoyFilter of the gateway.
pub(super) fn filters(maker: &Maker<'_>, suffix: &str, part: Part, priority: i32, patches: Vec<Value>) -> Object {
    let spec = json!({
        "workloadSelector": {"labels": maker.gateway.selector},
        "priority": priority,
        "configPatches": patches,
    });
    maker.object(part, Kind::EnvoyFilter, &maker.name(suffix), spec)
}
