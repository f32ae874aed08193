//! Quotas to which a request is charged, the key of each, and the decision that comes of it.

use serde_json::{Value, json};
use tollgate::decision::{Authorizer, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::quota::{Memory, Now, QuotaThread};
use tollgate::request::{Arrival, Presented, Source};

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
const REFUND: &str = "spiffe://cluster.local/ns/payments/sa/refund";
const NO_NAMESPACE: &str = "spiffe://cluster.local/vm/7";
const FOREIGN: &str = "spiffe://evil.test/ns/payments/sa/checkout";

/// A gateway with one policy.
struct Gateway {
    policy: Policy,
    thread: QuotaThread,
    memory: Memory,
}

/// Outcome of one request.
#[derive(Debug)]
struct Charged {
    /// `allow RULE_ALLOW all`, and `also` behind a plus.
    decision: String,
    /// `id key used` of each quota that was consulted.
    outcomes: Vec<String>,
}

impl Gateway {
    fn new(policy: &Value) -> Gateway {
        let policy = Policy::load(policy.to_string().as_bytes()).unwrap_or_else(|refused| panic!("{refused:#?}"));
        let mut memory = Memory::default();
        memory.now = Now { monotonic: 1_000_000_000_000, wall: 1_795_608_000_000_000_000 };
        Gateway { policy, thread: QuotaThread::default(), memory }
    }

    /// Everyone may go everywhere, but for what these quotas say.
    fn open(quotas: &Value) -> Gateway {
        Gateway::with(&json!({}), quotas)
    }

    fn with(settings: &Value, quotas: &Value) -> Gateway {
        let mut policy = json!({
            "version": 1, "name": "p",
            "destinations": {"pay": {"hosts": ["api.pay.test"]}, "all": {"hosts": ["**"]}},
            "rules": [{"id": "all", "from": [{"any": true}, {"anonymous": true}], "to": [{"hosts": ["**"], "ports": [443, 8443]}]}],
            "quotas": quotas,
        });
        policy.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        Gateway::new(&policy)
    }

    fn ask(&mut self, identity: &str, authority: &str, path: &str) -> Charged {
        let identity = (!identity.is_empty()).then_some(identity);
        let arrival = Arrival {
            identity: identity.map(|id| Presented { source: Source::PeerCertificate, id: id.as_bytes() }),
            authority: authority.as_bytes(),
            method: b"GET",
            path: Some(path.as_bytes()),
            ..Arrival::default()
        };
        let mut scratch = Scratch::default();
        let mut judged = Authorizer::new(&self.policy).decide(&arrival, Timestamp::default(), &mut scratch);
        let charged = Authorizer::new(&self.policy).charge(&mut judged, 0, &mut self.thread, &mut self.memory);
        let decision = judged.decision;
        let words = [decision.outcome.as_str(), decision.reason.as_str(), decision.rule.unwrap_or("-")];
        let also: String = decision
            .also
            .iter()
            .map(|further| format!(" +{}:{}", further.reason.as_str(), further.rule.unwrap_or("-")))
            .collect();
        let note = |note: &tollgate::decision::QuotaOutcome<'_>| {
            format!("{} {} {}", note.quota.id, note.key(), note.charge.level.used)
        };
        Charged { decision: words.join(" ") + &also, outcomes: charged.outcomes.iter().map(note).collect() }
    }

    fn decide(&mut self, identity: &str) -> String {
        self.ask(identity, "api.pay.test", "/").decision
    }

    /// The key of the only quota.
    fn key(&mut self, identity: &str) -> String {
        let notes = self.ask(identity, "api.pay.test", "/").outcomes;
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        note.split(' ').nth(1).unwrap().to_owned()
    }
}

fn per_day(more: &Value, requests: u32) -> Value {
    let mut quota = json!({"id": "q", "limit": {"requests": requests, "per": "day"}});
    quota.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    quota
}

#[test]
fn a_request_beyond_an_enforced_quota_is_denied_by_it() {
    let mut gateway = Gateway::open(&json!([per_day(&json!({}), 1)]));
    assert_eq!(gateway.decide(CHECKOUT), "allow RULE_ALLOW all");
    assert_eq!(gateway.decide(CHECKOUT), "deny QUOTA_REQUESTS q");
    assert_eq!(gateway.decide(REFUND), "allow RULE_ALLOW all");
}

#[test]
fn of_several_quotas_that_refuse_the_one_whose_room_comes_last_decides() {
    let quota = |id: &str, limit: Value| json!({"id": id, "limit": limit});
    let quotas = json!([
        quota("wide", json!({"requests": 9, "per": "1h"})),
        quota("held", json!({"concurrent": 1})),
        quota("day", json!({"requests": 1, "per": "day"})),
    ]);
    let mut gateway = Gateway::open(&quotas);
    assert_eq!(gateway.ask(CHECKOUT, "a.test", "/").outcomes.len(), 3);
    assert_eq!(gateway.decide(CHECKOUT), "deny QUOTA_REQUESTS day", "nobody knows when `held` has room");
    let quotas = json!([
        quota("hour", json!({"requests": 1, "per": "1h"})),
        quota("second", json!({"requests": 1, "per": "1s"})),
        quota("again", json!({"requests": 1, "per": "1h"})),
    ]);
    let mut gateway = Gateway::open(&quotas);
    assert_eq!(gateway.decide(CHECKOUT), "allow RULE_ALLOW all");
    assert_eq!(gateway.decide(CHECKOUT), "deny QUOTA_REQUESTS hour", "of equal ones the first");
}

#[test]
fn a_quota_in_dry_run_says_would_deny_and_the_others_still_count() {
    let quotas = json!([per_day(&json!({"mode": "dry-run"}), 1), per_day(&json!({"id": "real"}), 3)]);
    let mut gateway = Gateway::open(&quotas);
    assert_eq!(gateway.decide(CHECKOUT), "allow RULE_ALLOW all");
    assert_eq!(gateway.decide(CHECKOUT), "would-deny QUOTA_REQUESTS q");
    let third = gateway.ask(CHECKOUT, "a.test", "/");
    assert_eq!(
        (&*third.decision, &third.outcomes[..]),
        ("would-deny QUOTA_REQUESTS q", &[format!("q {CHECKOUT} 1"), format!("real {CHECKOUT} 3")][..])
    );
    assert_eq!(gateway.decide(CHECKOUT), "deny QUOTA_REQUESTS real", "whatever else would have");
}

#[test]
fn several_dry_runs_that_refuse_are_told_of_in_also_each_by_its_id() {
    let quotas = json!([
        per_day(&json!({"mode": "dry-run"}), 1),
        per_day(&json!({"id": "same", "mode": "dry-run"}), 1),
        {"id": "held", "mode": "dry-run", "limit": {"concurrent": 1}},
    ]);
    let mut gateway = Gateway::open(&quotas);
    assert_eq!(gateway.decide(CHECKOUT), "allow RULE_ALLOW all");
    assert_eq!(gateway.decide(CHECKOUT), "would-deny QUOTA_REQUESTS q +QUOTA_REQUESTS:same +QUOTA_CONCURRENT:held");
}

#[test]
fn a_dry_run_of_the_policy_keeps_the_first_reason_and_adds_those_of_quotas() {
    let settings = json!({"mode": "dry-run", "rules": []});
    let mut gateway = Gateway::with(&settings, &json!([per_day(&json!({}), 1)]));
    assert_eq!(gateway.decide(CHECKOUT), "would-deny NO_MATCH -");
    assert_eq!(gateway.decide(CHECKOUT), "would-deny NO_MATCH - +QUOTA_REQUESTS:q");
}

#[test]
fn a_quota_that_says_enforce_refuses_in_a_dry_run_of_the_policy_and_of_identities() {
    for settings in [json!({"mode": "dry-run"}), json!({"dryRunFor": [{"namespace": "payments"}]})] {
        let mut suspended = Gateway::with(&settings, &json!([per_day(&json!({}), 1)]));
        assert_eq!(suspended.decide(CHECKOUT), "allow RULE_ALLOW all");
        assert_eq!(suspended.decide(CHECKOUT), "would-deny QUOTA_REQUESTS q", "{settings}");
        let mut enforced = Gateway::with(&settings, &json!([per_day(&json!({"mode": "enforce"}), 1)]));
        assert_eq!(enforced.decide(CHECKOUT), "allow RULE_ALLOW all");
        assert_eq!(enforced.decide(CHECKOUT), "deny QUOTA_REQUESTS q", "{settings}");
    }
}

#[test]
fn a_dry_run_of_identities_is_about_no_others() {
    let settings = json!({"dryRunFor": [{"namespace": "other"}]});
    let mut gateway = Gateway::with(&settings, &json!([per_day(&json!({}), 1)]));
    gateway.decide(CHECKOUT);
    assert_eq!(gateway.decide(CHECKOUT), "deny QUOTA_REQUESTS q");
}

#[test]
fn a_request_that_is_denied_consumes_nothing() {
    let settings = json!({
        "deny": [{"id": "no", "to": [{"hosts": ["no.test"]}]}],
        "residency": [{"id": "eu", "from": [{"namespace": "eu"}], "regions": ["eu"]}],
    });
    let mut gateway = Gateway::with(&settings, &json!([per_day(&json!({"by": []}), 1)]));
    let eu = "spiffe://cluster.local/ns/eu/sa/x";
    for (identity, authority) in
        [(CHECKOUT, "no.test"), (CHECKOUT, "a b"), (FOREIGN, "a.test"), (CHECKOUT, "a.test:9999"), (eu, "a.test")]
    {
        let denied = gateway.ask(identity, authority, "/");
        assert!(denied.decision.starts_with("deny ") && denied.outcomes.is_empty(), "{denied:?}");
    }
    assert_eq!(gateway.ask(CHECKOUT, "a.test", "/").outcomes, ["q * 1"]);
}

#[test]
fn a_request_that_one_quota_refuses_consumes_nothing_of_the_others() {
    let quotas = json!([per_day(&json!({}), 5), per_day(&json!({"id": "pay", "to": [{"destination": "pay"}]}), 1)]);
    let mut gateway = Gateway::open(&quotas);
    for _ in 0..4 {
        gateway.ask(CHECKOUT, "api.pay.test", "/");
    }
    assert_eq!(gateway.ask(CHECKOUT, "a.test", "/").outcomes, [format!("q {CHECKOUT} 2")]);
}

#[test]
fn keys_are_identity_namespace_destination_or_one_for_all() {
    let key = |by: Value, identity: &str| {
        let to = json!([{"destination": "pay"}]);
        Gateway::open(&json!([per_day(&json!({"by": by, "to": to}), 1)])).key(identity)
    };
    assert_eq!(key(json!(["identity"]), CHECKOUT), CHECKOUT);
    assert_eq!(key(json!(["identity"]), ""), "anonymous");
    assert_eq!(key(json!(["namespace"]), CHECKOUT), key(json!(["namespace"]), REFUND));
    assert_ne!(key(json!(["namespace"]), CHECKOUT), key(json!(["namespace"]), "spiffe://cluster.local/ns/other/sa/x"));
    assert_eq!(key(json!(["namespace"]), NO_NAMESPACE), NO_NAMESPACE);
    assert_eq!(key(json!(["namespace"]), ""), "anonymous");
    assert_eq!(key(json!(["destination"]), CHECKOUT), "pay");
    assert_eq!(key(json!(["identity", "destination"]), CHECKOUT), format!("{CHECKOUT}|pay"));
    assert_eq!(key(json!(["destination", "identity"]), ""), "anonymous|pay");
    assert_eq!(key(json!([]), CHECKOUT), "*");
}

#[test]
fn namespaces_of_two_trust_domains_are_two_keys() {
    let policy = json!({
        "version": 1, "name": "p",
        "identity": {"trustDomains": ["cluster.local", "evil.test"]},
        "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["**"]}]}],
        "quotas": [per_day(&json!({"by": ["namespace"]}), 1)],
    });
    let mut gateway = Gateway::new(&policy);
    let keys = [gateway.key(CHECKOUT), gateway.key(FOREIGN)];
    assert_ne!(keys[0], keys[1]);
    assert_eq!(gateway.decide(FOREIGN), "deny QUOTA_REQUESTS q");
}

#[test]
fn an_identity_that_a_dry_run_does_not_trust_is_charged_as_nobody() {
    let mut gateway = Gateway::with(&json!({"mode": "dry-run"}), &json!([per_day(&json!({}), 1)]));
    assert_eq!(gateway.key(FOREIGN), "anonymous", "else a caller could choose its key");
    assert_eq!(gateway.key("nonsense"), "anonymous");
    assert_eq!(gateway.decide(""), "would-deny QUOTA_REQUESTS q");
}

#[test]
fn of_several_destinations_the_first_in_the_file_names_the_bucket() {
    let quota = |names: [&str; 2]| {
        let to: Vec<Value> = names.iter().map(|name| json!({"destination": name})).collect();
        per_day(&json!({"by": ["destination"], "to": to}), 1)
    };
    assert_eq!(Gateway::open(&json!([quota(["pay", "all"])])).key(CHECKOUT), "pay");
    assert_eq!(Gateway::open(&json!([quota(["all", "pay"])])).key(CHECKOUT), "all");
}

#[test]
fn a_quota_matches_in_the_wide_reading() {
    let to = |target: Value| per_day(&json!({"to": [target]}), 1);
    let charged = |quota: Value, authority: &str, path: &str| {
        let charged = Gateway::open(&json!([quota])).ask(CHECKOUT, authority, path);
        assert_eq!(charged.decision, "allow RULE_ALLOW all", "{quota}");
        !charged.outcomes.is_empty()
    };
    // Without ports it is about all of them, not about the usual ones.
    assert!(charged(to(json!({"hosts": ["a.test"]})), "a.test:8443", "/"));
    assert!(charged(to(json!({"destination": "pay"})), "api.pay.test:8443", "/"));
    assert!(!charged(to(json!({"destination": "pay"})), "a.test", "/"));
    assert!(charged(to(json!({"hosts": ["a.test"], "paths": ["/v1/**"]})), "a.test", "/v1"));
    assert!(charged(to(json!({"hosts": ["a.test"], "paths": ["/v1/**"]})), "a.test", "/V1/x"));
    assert!(!charged(to(json!({"hosts": ["a.test"], "paths": ["/v1/**"]})), "a.test", "/v2"));
    assert!(!charged(to(json!({"hosts": ["a.test"], "methods": ["POST"]})), "a.test", "/"));
}

#[test]
fn among_many_paths_those_are_found_that_match_in_the_wide_reading() {
    let quotas: Vec<Value> = (0..30)
        .map(|n| {
            let to = json!([{"hosts": ["a.test"], "paths": [format!("/v{n}/**")]}]);
            per_day(&json!({"id": format!("q{n}"), "to": to}), 1)
        })
        .collect();
    for path in ["/v7/x", "/V7/x", "/v7", "/%767/x"] {
        let charged = Gateway::open(&json!(quotas)).ask(CHECKOUT, "a.test", path);
        assert!(charged.outcomes.contains(&format!("q7 {CHECKOUT} 1")), "{path}: {charged:?}");
    }
}

#[test]
fn a_request_that_servers_may_read_in_several_ways_is_charged_to_every_quota_that_it_may_mean() {
    let quota = per_day(&json!({"to": [{"hosts": ["a.test"], "paths": ["/v1/**"]}]}), 1);
    let mut gateway = Gateway::open(&json!([quota]));
    for path in ["/x/../v1/a", "//v1/a", "/%76%31/a"] {
        let charged = gateway.ask(CHECKOUT, "a.test", path);
        assert_eq!(charged.outcomes.len(), 1, "{path}: {charged:?}");
    }
}

#[test]
fn quotas_from_others_do_not_count() {
    let quota = per_day(&json!({"from": [{"namespace": "other"}]}), 1);
    assert!(Gateway::open(&json!([quota])).ask(CHECKOUT, "a.test", "/").outcomes.is_empty());
}

#[test]
fn quotas_of_the_same_words_are_charged_each() {
    let quotas: Vec<Value> = (0..5).map(|n| per_day(&json!({"id": format!("q{n}")}), n + 1)).collect();
    let mut gateway = Gateway::open(&json!(quotas));
    assert_eq!(gateway.ask(CHECKOUT, "a.test", "/").outcomes.len(), 5);
    assert_eq!(gateway.decide(CHECKOUT), "deny QUOTA_REQUESTS q0");
}
