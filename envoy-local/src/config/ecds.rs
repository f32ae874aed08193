//! A filter, of HTTP or of connections, whose configuration is a file that Envoy watches: Istio's way of sending it (extension configuration
//! discovery), without a server.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::type_url;

/// The file behind one filter.
#[derive(Clone, Debug)]
pub struct Ecds {
    name: String,
    /// `http` or `network`.
    layer: &'static str,
    file: PathBuf,
}

impl Ecds {
    /// A filter of this name in a chain of `http` or `network` filters, its file below `dir`. Nothing is written yet.
    pub fn new(dir: &Path, name: &str, layer: &'static str) -> Result<Ecds> {
        let dir = dir.join("xds");
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Ecds { name: name.to_owned(), layer, file: dir.join(format!("{name}.json")) })
    }

    /// The filter, for the chain.
    pub fn filter(&self) -> Value {
        json!({
            "name": self.name,
            "config_discovery": {
                "config_source": {
                    "path_config_source": {"path": self.file},
                    "resource_api_version": "V3",
                    // The listener waits until there is a configuration, as Istio's do.
                    "initial_fetch_timeout": "0s",
                },
                "type_urls": [
                    type_url(&format!("envoy.extensions.filters.{}.wasm.v3.Wasm", self.layer)),
                    type_url(&format!("envoy.extensions.filters.{}.rbac.v3.RBAC", self.layer)),
                ],
            },
        })
    }

    /// Sends a configuration. Envoy sees the file change at once and applies it within milliseconds.
    pub fn publish(&self, typed_config: &Value) -> Result<()> {
        let response = json!({
            "resources": [{
                "@type": type_url("envoy.config.core.v3.TypedExtensionConfig"),
                "name": self.name,
                "typed_config": typed_config,
            }],
        });
        // Envoy reads on a rename into place, so it never reads half a file.
        let next = self.file.with_extension("next");
        std::fs::write(&next, serde_json::to_vec(&response)?)
            .and_then(|()| std::fs::rename(&next, &self.file))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }

    /// The prefix of the statistics that Envoy keeps about this filter's updates.
    pub fn stats(&self) -> String {
        format!("extension_config_discovery.{}_filter.{}.", self.layer, self.name)
    }
}
