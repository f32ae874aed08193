//! Patches of the gateway's clusters.

use serde_json::{Value, json};

/// Adds one.
pub(super) fn added(cluster: &Value) -> Value {
    json!({
        "applyTo": "CLUSTER",
        "match": {"context": "GATEWAY"},
        "patch": {"operation": "ADD", "value": cluster},
    })
}

/// Takes Istio's cluster of a name away.
pub(super) fn removed(name: &str) -> Value {
    json!({
        "applyTo": "CLUSTER",
        "match": {"context": "GATEWAY", "cluster": {"name": name}},
        "patch": {"operation": "REMOVE"},
    })
}
