//! The demo: workloads of a mesh ask for things at an egress gateway, and a table tells what came of it.

mod connections;
mod probe;
mod scenario;
mod stage;
mod table;

use std::io::{Write, stdout};
use std::path::Path;

use anyhow::Result;

pub use connections::{ConnectionScenario, ConnectionSeen, ConnectionStage, Connections};
pub use probe::{Observed, observe};
pub use scenario::{Expected, Member, Request, Scenario, Script};
pub use stage::{Ports, Stage};

/// Plays every scenario in a gateway of its own and prints the tables. Returns true if all went as expected. `modules` are the
/// filter for HTTP and the one for connections.
pub fn run(binary: &Path, modules: [&Path; 2], dir: &Path) -> Result<bool> {
    let [http, tcp] = modules;
    let script = Script::shipped()?;
    let policy = crate::policy::read(&Script::policy_file())?;
    let stage = Stage::start(binary, http, dir, &script, &policy, &Ports::default())?;
    let mut played = Vec::new();
    for scenario in &script.scenarios {
        let observed = observe(&stage, scenario)?;
        played.push((scenario, observed));
    }
    let mut out = stdout();
    writeln!(out, "{}", table::render(&played))?;
    let script = Connections::shipped()?;
    let connections = ConnectionStage::start(binary, tcp, &dir.join("connections"), &script)?;
    let mut seen = Vec::new();
    for scenario in &script.scenarios {
        seen.push((scenario, connections.observe(&script, scenario)?));
    }
    writeln!(out, "TLS that workloads make themselves, and any TCP:\n{}", table::connections(&seen))?;
    let requests = played.iter().map(|(scenario, observed)| (&scenario.story, observed.differences(scenario)));
    let others = seen.iter().map(|(scenario, seen)| (&scenario.story, seen.differences(scenario)));
    let (mut passed, mut all) = (0_usize, 0_usize);
    for (story, differences) in requests.chain(others) {
        all = all.saturating_add(1);
        passed = passed.saturating_add(usize::from(differences.is_empty()));
        for difference in differences {
            writeln!(out, "NOT AS EXPECTED: {story}: {difference}")?;
        }
    }
    writeln!(out, "{passed} of {all} scenarios went as expected.")?;
    writeln!(out, "Policy:    {}", Script::policy_file().display())?;
    writeln!(out, "Audit log: {} (one JSON object a line)", stage.gateway().audit().file().display())?;
    writeln!(out, "           {}", connections.gateway().audit().file().display())?;
    Ok(passed == all)
}
