//! Settings of the gateway in the background, and the place of its files.

use std::path::PathBuf;

use anyhow::{Context, Result};
use tollgate_read::Loaded;

use crate::demo::{Ports, Script};
use crate::paths;

/// Settings of the background gateway.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Envoy's release.
    pub envoy: String,
    /// The policy file, absolute.
    pub policy: PathBuf,
    /// Callers: accounts (`NAMESPACE/NAME`) or SPIFFE IDs; those of the demo if empty.
    pub callers: Vec<String>,
    /// The first of its ports; 0 takes free ones for all.
    pub port: u16,
}

impl Settings {
    /// The callers, and the scenarios to try.
    pub(super) fn script(&self, policy: &Loaded) -> Result<Script> {
        let domains = &policy.policy.settings().trust_domains;
        match (self.callers.as_slice(), domains.first()) {
            ([], _) => Script::shipped(),
            (callers, domain) => Script::of_callers(callers, domain.map_or("cluster.local", String::as_str)),
        }
    }

    /// The gateway, its admin interface, then the workloads in the order of their names.
    pub(super) fn ports(&self, script: &Script) -> Result<Ports> {
        if self.port == 0 {
            return Ok(Ports::default());
        }
        let mut free = self.port..=u16::MAX;
        let mut next = || free.next().context("there are not enough ports above the first one");
        let (gateway, admin) = (next()?, next()?);
        let workloads = script.workloads.keys().map(|name| Ok((name.clone(), next()?))).collect::<Result<_>>()?;
        Ok(Ports { gateway, admin, workloads })
    }
}

/// The folder of its files.
pub(super) fn directory() -> PathBuf {
    paths::local().join("up")
}
