//! Labels of metrics. They travel in the metrics' names, `key=.=value;.;` in front of the name.

use serde_json::{Value, json};

/// Labels of Tollgate's metrics. They travel in the metrics' names, from which Envoy takes those that it is told of.
pub const METRIC_LABELS: [&str; 9] =
    ["decision", "reason", "rule", "caller_namespace", "destination", "quota", "result", "override", "layer"];

/// Extracts them from the names, as Istio's bootstrap does with `extraStatTags`.
pub fn tags() -> Vec<Value> {
    METRIC_LABELS.iter().map(|label| json!({"tag_name": label, "regex": format!(r"({label}=\.=(.*?);\.;)")})).collect()
}
