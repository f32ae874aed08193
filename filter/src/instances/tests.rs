use super::*;
use crate::fake::Rig;
use crate::host::{Action, Call};

const GOOD: &str = r#"{"version": 1, "name": "prod", "revision": "r1", "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["a.com"]}]}]}"#;
const BAD: &str = r#"{"version": 1, "name": "prod", "rule": []}"#;
const REQUEST: [(&str, &[u8]); 3] = [(":authority", b"a.com"), (":method", b"GET"), (":path", b"/secret")];

fn decided(rig: &mut Rig, root: u32) -> String {
    let action = rig.request_to(root, &REQUEST);
    let decided = rig.decided();
    assert_eq!(action == Action::Continue, decided == "allow RULE_ALLOW", "{decided}");
    decided
}

/// Another VM of the same process.
fn another_vm(rig: &mut Rig) {
    rig.worker = crate::worker::Worker::default();
}

#[test]
fn a_good_policy_is_told_of() {
    let mut rig = Rig::new(GOOD);
    assert_eq!(rig.host.metric("tollgate_policy_valid"), Some(1));
    assert_eq!(rig.host.metric("tollgate_policy_rules"), Some(1));
    let fingerprint = rig.host.metric("tollgate_policy_fingerprint").expect("set");
    assert!(fingerprint > 0 && fingerprint < 1 << 48);
    assert_eq!(rig.host.metric("result=.=loaded;.;tollgate_policy_loads_total"), Some(1));
    assert_eq!(rig.host.log, [(Level::Info, "policy loaded: prod, revision r1, 1 rules, 0 ms".to_owned())]);
    assert_eq!(decided(&mut rig, 1), "allow RULE_ALLOW");
}

#[test]
fn a_fingerprint_is_of_the_bytes() {
    // XXH64 of nothing with seed 0, by its specification: EF46DB3751D8E999.
    assert_eq!(fingerprint(b""), 0xEF46_DB37_51D8);
    let long = vec![b'x'; 1 << 16];
    assert_eq!(fingerprint(&long), xxhash_rust::xxh64::xxh64(&long, 0) >> 16);
}

#[test]
fn a_first_bad_policy_is_accepted_and_refuses_everything() {
    let mut rig = Rig::new(BAD);
    assert_eq!(decided(&mut rig, 1), "deny POLICY_INVALID");
    assert_eq!(rig.host.responses[0].details, "egress_denied{POLICY_INVALID}");
    assert_eq!(rig.host.metric("tollgate_policy_valid"), Some(0));
    assert_eq!(rig.host.metric("result=.=rejected;.;tollgate_policy_loads_total"), Some(1));
    assert_eq!(rig.host.metric("decision=.=deny;.;reason=.=POLICY_INVALID;.;tollgate_requests_total"), Some(1));
    assert!(!rig.host.record().contains("secret"), "nobody said that paths may be recorded");
    let (level, line) = &rig.host.log[0];
    assert_eq!(*level, Level::Error);
    assert!(
        line.starts_with(
            "policy rejected, every request is refused with POLICY_INVALID until there is a good one: rule"
        ),
        "{line}"
    );
}

#[test]
fn a_later_good_policy_mends_it() {
    let mut rig = Rig::new(BAD);
    assert!(rig.configure(2, GOOD));
    assert_eq!(decided(&mut rig, 2), "allow RULE_ALLOW");
    assert_eq!(rig.host.metric("tollgate_policy_valid"), Some(1));
}

#[test]
fn the_canary_refuses_a_bad_policy_after_a_good_one() {
    let mut rig = Rig::new(GOOD);
    another_vm(&mut rig);
    assert!(!rig.configure(1, BAD));
    assert_eq!(rig.host.metric("tollgate_policy_valid"), Some(1));
    assert_eq!(rig.host.metric("result=.=rejected;.;tollgate_policy_loads_total"), Some(1));
    assert!(rig.host.log[1].1.starts_with("policy rejected, the last good one keeps serving: "), "{:?}", rig.host.log);
    assert_eq!(decided(&mut rig, 1), "deny POLICY_INVALID", "should Envoy use it all the same");
}

#[test]
fn a_vm_that_serves_never_refuses_what_the_canary_accepted() {
    let mut rig = Rig::new(BAD);
    assert!(rig.configure(2, GOOD));
    another_vm(&mut rig);
    assert!(rig.configure(3, BAD), "a worker that comes late, or was rebuilt after a crash");
    assert_eq!(decided(&mut rig, 3), "deny POLICY_INVALID");
    another_vm(&mut rig);
    assert!(!rig.configure(4, &BAD.replace("rule", "rulez")), "the canary with another bad policy");
}

#[test]
fn each_plugin_is_marked_for_itself() {
    let mut rig = Rig::new(GOOD);
    another_vm(&mut rig);
    rig.plugin = Ok("mesh.other/".to_owned());
    assert!(rig.configure(1, BAD));
}

#[test]
fn a_serving_vm_never_refuses_and_keeps_the_last_good_policy() {
    let mut rig = Rig::new(GOOD);
    assert!(rig.configure(2, BAD));
    assert_eq!(decided(&mut rig, 2), "allow RULE_ALLOW");
    assert_eq!(decided(&mut rig, 1), "allow RULE_ALLOW");
    assert_eq!(rig.host.metric("tollgate_policy_valid"), Some(1));
}

#[test]
fn a_first_bad_policy_that_comes_back_does_not_displace_the_good_one() {
    let mut rig = Rig::new(BAD);
    assert!(rig.configure(2, GOOD));
    assert_eq!(decided(&mut rig, 1), "allow RULE_ALLOW", "Envoy uses the first instance again without a word");
    rig.worker.deleted(&mut rig.host, 2);
    assert!(rig.configure(3, BAD));
    assert_eq!(decided(&mut rig, 3), "allow RULE_ALLOW");
}

#[test]
fn a_bad_policy_is_not_served_by_one_of_another_name() {
    let mut rig = Rig::new(GOOD);
    for (root, bad) in [(2, BAD.replace("prod", "other")), (3, "{".to_owned()), (4, String::new())] {
        another_vm(&mut rig);
        rig.host.shared.clear();
        assert!(rig.configure(1, GOOD));
        rig.host.shared.clear();
        assert!(rig.configure(root, &bad));
        assert_eq!(decided(&mut rig, root), "deny POLICY_INVALID", "{bad}");
        assert_eq!(decided(&mut rig, 1), "allow RULE_ALLOW");
    }
}

#[test]
fn instances_that_are_gone_are_forgotten() {
    let mut instances = Instances::default();
    let mut host = crate::fake::Fake { configuration: GOOD.as_bytes().to_vec(), ..Default::default() };
    for root in 1..20 {
        assert!(instances.configure(&mut host, root, Ok("one"), false));
        assert!(instances.instances.len() == 1 && instances.last_good.len() == 1);
        instances.remove(root);
    }
    assert!(instances.configure(&mut host, 20, Ok("another"), false));
    assert_eq!((instances.instances.len(), instances.last_good.len()), (1, 1));
}

#[test]
fn an_instance_that_envoy_deletes_takes_its_policy_along() {
    let mut rig = Rig::new(GOOD);
    let serving = match rig.worker.instances.service(&mut rig.host, 1) {
        Service::Decide(serving) => Rc::downgrade(serving),
        Service::Refuse(_) => panic!("no policy"),
    };
    assert!(rig.configure(2, GOOD));
    assert!(serving.upgrade().is_some(), "Envoy may go back to it");
    rig.worker.deleted(&mut rig.host, 1);
    assert!(serving.upgrade().is_none());
    assert_eq!(decided(&mut rig, 2), "allow RULE_ALLOW");
}

#[test]
fn an_unknown_or_unconfigured_instance_refuses_everything() {
    let mut rig = Rig::new(GOOD);
    assert_eq!(decided(&mut rig, 7), "deny POLICY_INVALID");
}

#[test]
fn a_configuration_that_cannot_be_read_is_a_bad_one() {
    let mut rig = Rig::new(BAD);
    rig.host.failing.insert(Call::Configuration);
    assert!(rig.configure(2, GOOD));
    assert_eq!(decided(&mut rig, 2), "deny POLICY_INVALID");
    let mut rig = Rig::new(BAD);
    rig.plugin = Err(Failure { call: Call::Plugin, status: 10 });
    assert!(rig.configure(2, GOOD));
    assert_eq!(decided(&mut rig, 2), "deny POLICY_INVALID");
}

#[test]
fn clock_metrics_and_shared_data_may_fail_at_configuration() {
    let mut rig = Rig::new(BAD);
    rig.host.failing.extend([
        Call::WallClock,
        Call::DefineMetric,
        Call::IncrementMetric,
        Call::RecordMetric,
        Call::ReadShared,
        Call::WriteShared,
    ]);
    assert!(rig.configure(2, GOOD));
    assert_eq!(decided(&mut rig, 2), "allow RULE_ALLOW");
    assert!(rig.configure(3, &BAD.replace("prod", "other")));
    assert_eq!(decided(&mut rig, 3), "deny POLICY_INVALID");
}

#[test]
fn the_first_findings_are_logged_and_the_rest_counted() {
    let rules: Vec<String> = (0..30)
        .map(|n| format!(r#"{{"id": "r{n}", "from": [{{"any": true}}], "to": [{{"hosts": ["-"]}}]}}"#))
        .collect();
    let rig = Rig::new(&format!(r#"{{"version": 1, "name": "prod", "rules": [{}]}}"#, rules.join(",")));
    assert_eq!(rig.host.log.len(), FINDINGS + 1);
    assert!(rig.host.log[3].1.contains("rules[3].to[0].hosts[0]: "), "{:?}", rig.host.log[3]);
    assert!(rig.host.log[FINDINGS].1.ends_with("and 20 more; `tollgate check` shows them all"));
}

/// A policy that keeps a request in the account of a quota.
fn held(name: &str) -> String {
    GOOD.replace("r1", name).replacen('{', r#"{"quotas": [{"id": "q", "limit": {"concurrent": 5}}], "#, 1)
}

#[test]
fn an_open_stream_keeps_neither_rules_nor_index_of_a_policy_that_is_not_served_any_more() {
    let mut rig = Rig::new(&held("one"));
    let serving = |rig: &mut Rig, root| match rig.worker.instances.service(&mut rig.host, root) {
        Service::Decide(serving) => (Rc::downgrade(serving), Rc::downgrade(&serving.bound)),
        Service::Refuse(_) => panic!("no policy"),
    };
    assert_eq!(decided(&mut rig, 1), "allow RULE_ALLOW");
    let stream = rig.streams;
    let (one, bound) = serving(&mut rig, 1);
    for root in 2..10 {
        assert!(rig.configure(root, &held(&format!("r{root}"))));
        assert_eq!(decided(&mut rig, root), "allow RULE_ALLOW");
        rig.end();
    }
    assert!(one.upgrade().is_none(), "the index is gone");
    assert!(bound.upgrade().is_some(), "its quota is not");
    let full = rig.worker.instances.instances.iter().filter(|root| matches!(root.state, State::Good { .. })).count();
    assert_eq!(full, 2, "the one that serves, and the one that it has just replaced");
    rig.worker.deleted(&mut rig.host, stream);
    assert!(bound.upgrade().is_none());
}

#[test]
fn a_policy_whose_text_is_too_large_to_keep_goes_on_as_it_is() {
    let large = GOOD.replacen('{', &format!("{{{}", " ".repeat(TEXT)), 1);
    let mut rig = Rig::new(&large);
    decided(&mut rig, 1);
    for root in 2..5 {
        assert!(rig.configure(root, &GOOD.replace("a.com", "b.com")));
        decided(&mut rig, root);
    }
    assert!(matches!(&rig.worker.instances.instances[0].state, State::Good { text: None, .. }));
    assert_eq!(decided(&mut rig, 1), "allow RULE_ALLOW");
}

#[test]
fn envoy_may_go_back_to_a_policy_that_an_open_stream_has_kept() {
    let mut rig = Rig::new(GOOD);
    decided(&mut rig, 1);
    for root in 2..5 {
        assert!(rig.configure(root, &GOOD.replace("a.com", "b.com")));
        assert_eq!(decided(&mut rig, root), "deny NO_MATCH");
    }
    for _ in 0..2 {
        assert_eq!(decided(&mut rig, 1), "allow RULE_ALLOW", "by its own policy, and not by the last one");
    }
    assert_eq!(decided(&mut rig, 4), "deny NO_MATCH");
}

#[test]
fn revision_and_version_are_numbers() {
    assert_eq!(revision_number(Some("9f3c2ab41d07")), 0x9f3c_2ab4_1d07);
    for other in [None, Some("r1"), Some("+f3c2ab41d07"), Some("9f3c2ab41d07a"), Some("9f3c2ab41d0x")] {
        assert_eq!(revision_number(other), 0, "{other:?}");
    }
    let rig = Rig::new(&GOOD.replace("r1", "9f3c2ab41d07"));
    assert_eq!(rig.host.metric("tollgate_policy_revision"), Some(0x9f3c_2ab4_1d07));
    assert_eq!(rig.host.metric("tollgate_filter_version"), Some(version_number()));
    assert!(version_number() > 0);
}

#[test]
fn both_results_of_loading_are_counted_from_the_start() {
    let rig = Rig::new(GOOD);
    assert_eq!((rig.host.metric(LOADED), rig.host.metric(REJECTED)), (Some(1), Some(0)));
}
