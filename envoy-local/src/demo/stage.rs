//! The gateway with every workload of the scenarios in front of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::scenario::Script;
use crate::gateway::{Gateway, GatewayConfig};
use crate::lab::Lab;
use crate::pki::{Credentials, Signer};
use crate::plugin::Plugin;
use crate::sidecar::{Sidecar, Workload};

/// Everything running. What is declared first is dropped first.
pub struct Stage {
    workloads: BTreeMap<String, SocketAddr>,
    _sidecar: Sidecar,
    gateway: Gateway,
    plugin: Plugin,
    lab: Lab,
}

/// Ports; 0 takes a free one.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    /// The gateway's listener.
    pub gateway: u16,
    /// The gateway's admin interface.
    pub admin: u16,
    /// Listeners of workloads by their names; free ones for those that are not in it.
    pub workloads: BTreeMap<String, u16>,
}

impl Stage {
    /// Starts everything, with the workloads of this script and with this policy (JSON).
    pub fn start(
        binary: &Path,
        module: &Path,
        dir: &Path,
        script: &Script,
        policy: &str,
        ports: &Ports,
    ) -> Result<Stage> {
        let lab = Lab::in_dir(dir)?;
        let plugin = Plugin::new(dir, module)?;
        plugin.publish(policy)?;
        // The demo's log is the demo's alone.
        let audit = dir.join("gateway.audit.jsonl");
        drop(std::fs::remove_file(&audit));
        let config = GatewayConfig {
            port: ports.gateway,
            admin_port: ports.admin,
            filters: plugin.guarded(),
            ..GatewayConfig::default()
        };
        let gateway = Gateway::start(&lab, binary, &config)?;
        let credentials = credentials(&lab, script)?;
        let members: Vec<_> = credentials
            .iter()
            .map(|(name, credentials)| Workload {
                name,
                port: ports.workloads.get(*name).copied().unwrap_or_default(),
                credentials: credentials.as_ref(),
            })
            .collect();
        let sidecar = Sidecar::start(&lab, binary, &gateway, &members, 0)?;
        let workloads = members
            .iter()
            .map(|member| Ok((member.name.to_owned(), sidecar.address(member.name)?)))
            .collect::<Result<_>>()?;
        Ok(Stage { workloads, _sidecar: sidecar, gateway, plugin, lab })
    }

    /// Address, for each workload, at which its sidecar takes its requests in plain HTTP.
    pub fn workloads(&self) -> &BTreeMap<String, SocketAddr> {
        &self.workloads
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The filter in it.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// The lab around it: certificates and the external server.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }
}

type Members<'a> = Vec<(&'a str, Option<Credentials>)>;

fn credentials<'a>(lab: &Lab, script: &'a Script) -> Result<Members<'a>> {
    script
        .workloads
        .iter()
        .map(|(name, member)| {
            let signer = if member.foreign { Signer::Foreign } else { Signer::Mesh };
            let credentials = member.spiffe.as_deref().map(|id| lab.pki().workload(signer, &[id])).transpose()?;
            Ok((name.as_str(), credentials))
        })
        .collect()
}
