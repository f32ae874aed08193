//! The filter as a gateway runs it: configured by a file that Envoy watches, the tripwire behind it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::config::ecds::Ecds;
use crate::config::{filter, type_url};
use tollgate_envoy::tcp;

/// The filter of one gateway.
#[derive(Clone, Debug)]
pub struct Plugin {
    ecds: Ecds,
    module: PathBuf,
    is_tcp: bool,
}

impl Plugin {
    /// The filter in `module`, its configuration in a file below `dir`. It has no policy yet.
    pub fn new(dir: &Path, module: &Path) -> Result<Plugin> {
        Ok(Plugin { ecds: Ecds::new(dir, filter::NAME, "http")?, module: module.to_owned(), is_tcp: false })
    }

    /// The filter for connections in `module`, likewise.
    pub fn of_connections(dir: &Path, module: &Path) -> Result<Plugin> {
        Ok(Plugin { ecds: Ecds::new(dir, filter::TCP_NAME, "network")?, module: module.to_owned(), is_tcp: true })
    }

    /// Sends a policy to Envoy, whatever it is: the filter judges it.
    pub fn publish(&self, policy: &str) -> Result<()> {
        let configured = if self.is_tcp { filter::tcp_wasm } else { filter::wasm };
        self.ecds.publish(&configured(&self.module, policy))
    }

    /// Takes the filter away: what Istio's agent sends in place of a module that it could not fetch, and whose users
    /// want it to fail open.
    pub fn replace_by_nothing(&self) -> Result<()> {
        let layer = if self.is_tcp { "network" } else { "http" };
        let nothing = format!("envoy.extensions.filters.{layer}.rbac.v3.RBAC");
        let mut nothing = serde_json::json!({"@type": type_url(&nothing)});
        if let Some(nothing) = nothing.as_object_mut().filter(|_| self.is_tcp) {
            nothing.insert("stat_prefix".to_owned(), "nothing.".into());
        }
        self.ecds.publish(&nothing)
    }

    /// The filter.
    pub fn filter(&self) -> Value {
        self.ecds.filter()
    }

    /// The filter and the tripwire.
    pub fn guarded(&self) -> Vec<Value> {
        let tripwire = if self.is_tcp { tcp::tripwire() } else { filter::tripwire() };
        vec![self.filter(), tripwire]
    }

    /// The prefix of the statistics that Envoy keeps about policies sent: `update_success`, `config_fail`, ….
    pub fn update_stats(&self) -> String {
        self.ecds.stats()
    }
}
