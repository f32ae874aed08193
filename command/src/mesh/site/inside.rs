//! Names that may resolve to addresses of the inside.

use super::{Wrong, at};
use serde::Deserialize;
use tollgate::policy::{host_spelling, networks};

/// Names, and the networks that they may resolve to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inside {
    pub(crate) cidrs: Vec<String>,
    /// Host patterns of the policy's language.
    pub(crate) hosts: Vec<String>,
}

impl Inside {
    pub(super) fn wrong(&self) -> Option<Wrong> {
        if self.cidrs.is_empty() {
            return at("cidrs", "name the networks, as `[10.20.0.0/24]`");
        }
        if self.hosts.is_empty() {
            return at("hosts", "name the hosts, as `[\"**.corp.example\"]`");
        }
        if let Some(number) = self.cidrs.iter().position(|cidr| networks(cidr).is_empty()) {
            return at(&format!("cidrs[{number}]"), "write an address or a network, as `10.20.0.0/24`");
        }
        self.hosts.iter().enumerate().find_map(|(number, host)| {
            let (message, fix) = host_spelling(host).err()?;
            let fix = fix.map(|fix| format!("; {fix}")).unwrap_or_default();
            at(&format!("hosts[{number}]"), &format!("{message}{fix}"))
        })
    }
}
