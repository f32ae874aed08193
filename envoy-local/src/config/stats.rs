//! Labels that travel in the names of metrics, `key=.=value;.;` in front of the name.

use serde_json::{Value, json};
use tollgate_cli::mesh::envoy::METRIC_LABELS;

/// Extracts those of Tollgate as Istio's bootstrap does with `extraStatTags`.
pub fn tags() -> Vec<Value> {
    METRIC_LABELS.iter().map(|label| json!({"tag_name": label, "regex": format!(r"({label}=\.=(.*?);\.;)")})).collect()
}
