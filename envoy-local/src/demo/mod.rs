//! The demo: workloads of a mesh ask for things at an egress gateway, and a table tells what came of it.

mod probe;
mod scenario;
mod stage;
mod table;

use std::io::{Write, stdout};
use std::path::Path;

use anyhow::Result;

pub use probe::{Observed, observe};
pub use scenario::{Expected, Member, Request, Scenario, Script};
pub use stage::{Ports, Stage};

/// Plays every scenario in a gateway of its own and prints the table. Returns true if all went as expected.
pub fn run(binary: &Path, module: &Path, dir: &Path) -> Result<bool> {
    let script = Script::shipped()?;
    let policy = crate::policy::read(&Script::policy_file())?;
    let stage = Stage::start(binary, module, dir, &script, &policy, &Ports::default())?;
    let mut played = Vec::new();
    for scenario in &script.scenarios {
        let observed = observe(&stage, scenario)?;
        played.push((scenario, observed));
    }
    let mut out = stdout();
    writeln!(out, "{}", table::render(&played))?;
    let differing: Vec<_> = played
        .iter()
        .flat_map(|(scenario, observed)| {
            observed.differences(scenario).into_iter().map(|difference| format!("{}: {difference}", scenario.story))
        })
        .collect();
    for difference in &differing {
        writeln!(out, "NOT AS EXPECTED: {difference}")?;
    }
    let passed = played.iter().filter(|(scenario, observed)| observed.differences(scenario).is_empty()).count();
    writeln!(out, "{passed} of {} scenarios went as expected.", played.len())?;
    writeln!(out, "Policy:    {}", Script::policy_file().display())?;
    writeln!(out, "Audit log: {} (one JSON object a line)", stage.gateway().audit().file().display())?;
    Ok(differing.is_empty())
}
