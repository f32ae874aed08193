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
