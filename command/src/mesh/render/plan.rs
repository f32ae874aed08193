//! Summary of a rendering: its objects by number, and the work that is left to others.

use super::Rendered;
use super::consequences::Consequences;
use super::object::Object;
use serde::Serialize;
use std::collections::BTreeMap;

/// Counts, and the work of others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan<'r> {
    pub(crate) policy: &'r str,
    pub(crate) gateway: &'r str,
    pub(crate) revision: &'r str,
    /// Objects of each kind that there are once a gateway.
    pub(crate) once: BTreeMap<&'r str, usize>,
    /// Objects of each kind that there are for each host.
    pub(crate) for_each_host: BTreeMap<&'r str, usize>,
    pub(crate) hosts: usize,
    /// Work that is left to others.
    pub(crate) others: Vec<Other<'r>>,
    #[serde(flatten)]
    pub(crate) consequences: &'r Consequences,
}

/// Work that is left to others.
#[derive(Debug, Serialize)]
pub(crate) struct Other<'r> {
    pub(crate) file: String,
    pub(crate) what: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restarts: Option<&'r str>,
}

impl<'r> Plan<'r> {
    pub(crate) fn of(rendered: &'r Rendered) -> Plan<'r> {
        let count = |for_each_host: bool| {
            let mut counts = BTreeMap::new();
            let counted = rendered.objects.iter().filter(|object| object.part.is_for_each_host() == for_each_host);
            for object in counted {
                let count: &mut usize = counts.entry(kind(object)).or_default();
                *count = count.saturating_add(1);
            }
            counts
        };
        let others = rendered.patches.iter().map(|patch| Other {
            file: format!("patches/{}", patch.file),
            what: patch.to,
            restarts: patch.restarts,
        });
        Plan {
            policy: &rendered.policy,
            gateway: &rendered.gateway,
            revision: &rendered.revision,
            once: count(false),
            for_each_host: count(true),
            hosts: rendered.hosts,
            others: others.collect(),
            consequences: &rendered.consequences,
        }
    }
}

fn kind(object: &Object) -> &str {
    object.value.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default()
}
