//! What a rendering comes to: how many objects, and what else has to be done by whom.

use super::Rendered;
use super::consequences::Consequences;
use super::object::Object;
use crate::report::table;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Counts, and the work of others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plan<'r> {
    policy: &'r str,
    gateway: &'r str,
    revision: &'r str,
    /// Objects of each kind that there are once a gateway.
    once: BTreeMap<&'r str, usize>,
    /// Objects of each kind that there are for each host.
    for_each_host: BTreeMap<&'r str, usize>,
    hosts: usize,
    /// What is left to others.
    others: Vec<Other<'r>>,
    #[serde(flatten)]
    consequences: &'r Consequences,
}

#[derive(Debug, Serialize)]
struct Other<'r> {
    file: String,
    what: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    restarts: Option<&'r str>,
}

impl<'r> Plan<'r> {
    pub(super) fn of(rendered: &'r Rendered) -> Plan<'r> {
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

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "policy {}@{} for gateway {}\n", self.policy, self.revision, self.gateway)?;
        let once = self.once.iter().map(|(kind, count)| ["once".to_owned(), (*kind).to_owned(), count.to_string()]);
        let hosts = if self.hosts == 1 { "for 1 host".to_owned() } else { format!("for {} hosts", self.hosts) };
        let each =
            self.for_each_host.iter().map(|(kind, count)| [hosts.clone(), (*kind).to_owned(), count.to_string()]);
        table::write(["OBJECTS", "KIND", "COUNT"], once.chain(each), out)?;
        writeln!(out, "\nleft to others")?;
        for other in &self.others {
            let restarts = other.restarts.map(|what| format!(" (restarts {what})")).unwrap_or_default();
            writeln!(out, "- {}: {}{restarts}", other.file, other.what)?;
        }
        self.consequences.write(out)
    }
}

fn kind(object: &Object) -> &str {
    object.value.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default()
}
