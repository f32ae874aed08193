//! A policy as people write it, on its way to Envoy.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

/// The policy in this YAML file, as the JSON text that the filter is configured with.
///
/// # Errors
/// The file cannot be read or is no YAML. Whether it is a policy is the filter's to say.
pub fn read(file: &Path) -> Result<String> {
    let yaml = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    to_json(&yaml).with_context(|| format!("{} is no YAML", file.display()))
}

/// YAML as JSON text.
pub fn to_json(yaml: &str) -> Result<String> {
    let policy: serde_json::Value = serde_saphyr::from_str(yaml).map_err(|error| anyhow!("{error}"))?;
    Ok(policy.to_string())
}
