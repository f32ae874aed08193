//! Renderings in words.

use super::report::table;
use crate::mesh::render::{Consequences, Plan};
use std::io::{self, Write};

/// Writes a plan: objects by kind, the work of others, and what applying it cuts.
pub(crate) fn plan(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "policy {}@{} for gateway {}\n", plan.policy, plan.revision, plan.gateway)?;
    let once = plan.once.iter().map(|(kind, count)| ["once".to_owned(), (*kind).to_owned(), count.to_string()]);
    let hosts = if plan.hosts == 1 { "for 1 host".to_owned() } else { format!("for {} hosts", plan.hosts) };
    let each = plan.for_each_host.iter().map(|(kind, count)| [hosts.clone(), (*kind).to_owned(), count.to_string()]);
    table::write(["OBJECTS", "KIND", "COUNT"], once.chain(each), out)?;
    writeln!(out, "\nleft to others")?;
    for other in &plan.others {
        let restarts = other.restarts.map(|what| format!(" (restarts {what})")).unwrap_or_default();
        writeln!(out, "- {}: {}{restarts}", other.file, other.what)?;
    }
    consequences(plan.consequences, out)
}

/// Writes what has to be done first, and what applying a rendering cuts.
pub(crate) fn consequences(consequences: &Consequences, out: &mut impl Write) -> io::Result<()> {
    for (title, lines) in [("first", &consequences.first), ("applying it cuts", &consequences.cuts)] {
        if !lines.is_empty() {
            writeln!(out, "\n{title}")?;
        }
        for line in lines {
            writeln!(out, "- {line}")?;
        }
    }
    Ok(())
}
