//! Every scenario of the demo, in every pinned Envoy.
use tollgate_local::demo::{Ports, Script, Stage, observe};

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
