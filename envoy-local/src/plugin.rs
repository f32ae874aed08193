//! The filter as a gateway runs it: configured by a file that Envoy watches, the tripwire behind it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::config::ecds::Ecds;
use crate::config::{filter, type_url};

/// The filter of one gateway.
#[derive(Clone, Debug)]
pub struct Plugin {
    ecds: Ecds,
    module: PathBuf,
}

impl Plugin {
    /// The filter in `module`, its configuration in a file below `dir`. It has no policy yet.
    pub fn new(dir: &Path, module: &Path) -> Result<Plugin> {
        Ok(Plugin { ecds: Ecds::new(dir, filter::NAME)?, module: module.to_owned() })
    }

    /// Sends a policy to Envoy, whatever it is: the filter judges it.
    pub fn publish(&self, policy: &str) -> Result<()> {
        self.ecds.publish(&filter::wasm(&self.module, policy))
    }

    /// Takes the filter away: what Istio's agent sends in place of a module that it could not fetch, and whose users
    /// want it to fail open.
    pub fn replace_by_nothing(&self) -> Result<()> {
        self.ecds.publish(&serde_json::json!({"@type": type_url("envoy.extensions.filters.http.rbac.v3.RBAC")}))
    }

    /// The filter.
    pub fn filter(&self) -> Value {
        self.ecds.filter()
    }

    /// The filter and the tripwire.
    pub fn guarded(&self) -> Vec<Value> {
        vec![self.filter(), filter::tripwire()]
    }

    /// The prefix of the statistics that Envoy keeps about policies sent: `update_success`, `config_fail`, ….
    pub fn update_stats(&self) -> String {
        self.ecds.stats()
    }
}
