//! Resolution of names: what NetworkPolicies leave open for it, and which addresses are asked for.

use super::{NAMESPACE, Wrong, at, is_label};
use serde::Deserialize;
use std::collections::BTreeMap;
use tollgate::policy::networks;

/// The cluster's DNS servers, and what the gateway asks them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Dns {
    /// Of the servers' pods.
    pub(crate) namespace: String,
    /// Of the servers' pods; any pod of the namespace if empty.
    pub(crate) labels: BTreeMap<String, String>,
    /// Servers that are no pods, as a cache on each node.
    pub(crate) cidrs: Vec<String>,
    /// Of pods and servers, by UDP and by TCP.
    pub(crate) ports: Vec<u16>,
    pub(crate) family: Family,
}

/// Addresses that a name is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Family {
    /// IPv4, and IPv6 where there is none.
    #[default]
    V4Preferred,
    V6Only,
    /// Both.
    All,
}

impl Default for Dns {
    fn default() -> Dns {
        Dns {
            namespace: "kube-system".to_owned(),
            labels: BTreeMap::new(),
            cidrs: Vec::new(),
            ports: vec![53],
            family: Family::default(),
        }
    }
}

impl Dns {
    pub(super) fn wrong(&self) -> Option<Wrong> {
        if !is_label(&self.namespace) {
            return at("namespace", NAMESPACE);
        }
        if self.ports.is_empty() {
            return at("ports", "without a port no name is resolved: leave `ports` out, or write `[53]`");
        }
        if let Some(number) = self.ports.iter().position(|port| *port == 0) {
            return at(&format!("ports[{number}]"), "0 is no port");
        }
        let number = self.cidrs.iter().position(|cidr| cidr == "private" || networks(cidr).is_empty())?;
        at(&format!("cidrs[{number}]"), "write an address or a network, as `169.254.20.10/32`")
    }
}
