//! Labels that travel in the names of metrics, `key=.=value;.;` in front of the name.

use serde_json::{Value, json};

/// The labels of Tollgate's metrics.
const LABELS: [&str; 7] = ["decision", "reason", "rule", "namespace", "destination", "quota", "result"];

/// Extracts them as Istio's bootstrap does with `extraStatTags`.
pub fn tags() -> Vec<Value> {
    LABELS.iter().map(|label| json!({"tag_name": label, "regex": format!(r"({label}=\.=(.*?);\.;)")})).collect()
}
