//! Every scenario of the demo, in every pinned Envoy.
use tollgate_local::demo::{ConnectionStage, Connections, Ports, Script, Stage, observe};

use crate::support;
#[test]
fn every_scenario_goes_as_the_demo_says() {
    let script = Script::shipped().unwrap();
    let policy = tollgate_local::policy::read(&Script::policy_file()).unwrap();
    for envoy in support::envoys() {
        let dir = tempfile::tempdir().unwrap();
        let stage = Stage::start(&envoy, &support::filter(), dir.path(), &script, &policy, &Ports::default()).unwrap();
        let differences: Vec<_> = script
            .scenarios
            .iter()
            .flat_map(|scenario| {
                let observed = observe(&stage, scenario).unwrap();
                observed.differences(scenario).into_iter().map(move |text| format!("{}: {text}", scenario.story))
            })
            .collect();
        assert!(differences.is_empty(), "{}:\n{}", envoy.display(), differences.join("\n"));
    }
}

#[test]
fn every_connection_goes_as_the_demo_says() {
    let script = Connections::shipped().unwrap();
    for envoy in support::envoys_that_wait() {
        let dir = tempfile::tempdir().unwrap();
        let stage = ConnectionStage::start(&envoy, &support::tcp_filter(), dir.path(), &script).unwrap();
        let differences: Vec<_> = script
            .scenarios
            .iter()
            .flat_map(|scenario| {
                let seen = stage.observe(&script, scenario).unwrap();
                let line = seen.audit.line.to_string();
                seen.differences(scenario).into_iter().map(move |text| format!("{}: {text}: {line}", scenario.story))
            })
            .collect();
        assert!(differences.is_empty(), "{}:\n{}", envoy.display(), differences.join("\n"));
    }
}
