//! Consequences of applying a rendering, and the work that has to be done before.

use super::patches::Patch;
use crate::mesh::site::{Gateway, Lockdown, Site};
use serde::Serialize;

/// Consequences, a sentence each.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Consequences {
    /// Ways that are cut, or lead elsewhere afterwards.
    pub(crate) cuts: Vec<String>,
    /// Work that others have to do before.
    pub(crate) first: Vec<String>,
}

impl Consequences {
    pub(crate) fn of(site: &Site, gateway: &Gateway, patches: &[Patch]) -> Consequences {
        let mut cuts = Vec::new();
        if !site.workload_namespaces.is_empty() {
            let namespaces = site.workload_namespaces.join(", ");
            if site.lockdown == Lockdown::Workloads {
                cuts.push(format!("{namespaces} reach nothing but DNS, istiod and the gateway"));
            }
            cuts.push(format!(
                "{namespaces} send what no Service and no ServiceEntry names to the gateway, where HTTP is decided and all else fails"
            ));
        }
        let callers = if site.workload_namespaces.is_empty() { "every namespace" } else { "these namespaces" };
        cuts.push(format!(
            "the gateway's pods take {} from {callers}, and reach nothing but DNS, istiod and the addresses that the policy is about",
            ports(gateway)
        ));
        let first = patches.iter().filter_map(|patch| {
            let without = patch.without?;
            Some(format!("apply patches/{} ({}): {without}", patch.file, patch.to))
        });
        Consequences { cuts, first: first.collect() }
    }
}

/// The rendered ports of a gateway, in words.
fn ports(gateway: &Gateway) -> String {
    let ports: Vec<String> = gateway.ports.rendered().map(|port| port.to_string()).collect();
    match ports.as_slice() {
        [one] => format!("port {one}"),
        all => format!("ports {}", all.join(", ")),
    }
}
