//! What an Envoy has to be told about Tollgate, wherever it runs.

use serde_json::{Value, json};

/// Where the filter leaves its record (Envoy puts `wasm.` in front).
const RECORD: &str = "wasm.tollgate";

/// Labels of Tollgate's metrics. They travel in the metrics' names, from which Envoy takes those that it is told of.
pub const METRIC_LABELS: [&str; 7] = ["decision", "reason", "rule", "namespace", "destination", "quota", "result"];

/// Rules of Envoy's RBAC filter that let through only what carries the record of a filter that decided to let it through.
/// Behind Tollgate they never refuse anything; without Tollgate they refuse everything.
pub fn tripwire() -> Value {
    let decided = |outcome: &str| {
        let prefix = format!(r#"{{"v":1,"d":"{outcome}""#);
        json!({"filter_state": {"key": RECORD, "string_match": {"prefix": prefix}}})
    };
    json!({
        "action": "ALLOW",
        "policies": {
            "decided-by-tollgate": {
                "permissions": [{"any": true}],
                "principals": [decided("allow"), decided("would-deny")],
            },
        },
    })
}
