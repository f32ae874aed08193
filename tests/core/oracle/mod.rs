//! The decision against a naive evaluator of the same language, and against what holds of every policy, over random
//! policies and requests.
//!
//! `TOLLGATE_ORACLE_TIMES` sets how many times as many policies there are, `TOLLGATE_ORACLE_SEED` where they begin.

use crate::records::assert_record_is_read_back;
use tollgate_tests::oracle::{connections, policies, requests, words};
use tollgate_tests::vectors;
mod naive;
mod shrink;

use fastrand::Rng;
use naive::Verdict;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use tollgate::decision::{Authorizer, Evaluation, Outcome, Reason, RequestSnapshot, Scratch, Timestamp, Way};
use tollgate::policy::{Policy, Rejection};
use tollgate::request::Arrival;
use tollgate_tests::oracle::requests::Request;

const REQUESTS: usize = 30;

/// Calls `check` with so many policies and what makes their requests.
fn for_each_policy(policies: u64, check: impl Fn(&Value, &mut Rng)) {
    let setting = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let first = setting("TOLLGATE_ORACLE_SEED", 1);
    for seed in first..first + policies * setting("TOLLGATE_ORACLE_TIMES", 1) {
        let mut rng = Rng::with_seed(seed);
        check(&policies::policy(&mut rng), &mut rng);
    }
}

fn load(policy: &Value) -> Result<Policy, Rejection> {
    Policy::load(policy.to_string().as_bytes())
}

fn valid(policy: &Value) -> Policy {
    match load(policy) {
        Ok(policy) => policy,
        Err(rejection) => panic!("a valid policy was rejected: {:#?}\n{policy:#}", rejection.findings),
    }
}

fn decide(policy: &Policy, request: &Request) -> Verdict {
    decide_arrival(policy, &request.arrival(), request.now, request)
}

/// Decides what arrived; `request` is it in words.
fn decide_arrival(policy: &Policy, arrival: &Arrival<'_>, now: u64, request: &dyn Display) -> Verdict {
    let mut scratch = Scratch::default();
    let judged = Authorizer::new(policy).decide(arrival, Timestamp(now), &mut scratch);
    let kept = RequestSnapshot::of(&judged, arrival, policy.terms());
    let restored = kept.evaluation();
    assert_eq!((&restored.decision, restored.quotas), (&judged.decision, judged.quotas), "kept for later\n{request}");
    assert_eq!((restored.identity, restored.trusted), (judged.identity, judged.trusted), "kept for later\n{request}");
    assert_eq!((restored.host, restored.port), (judged.host, judged.port), "kept for later\n{request}");
    assert_record_is_read_back(policy, arrival, &judged, &[]);
    let (own, decision, port) = (judged.way == Way::Own, judged.decision, judged.port);
    if let Some(pattern) = decision.pattern {
        assert!(naive::admits_path(pattern, arrival), "{pattern} does not admit\n{request}");
    }
    Verdict {
        outcome: decision.outcome.as_str(),
        reason: decision.reason.as_str(),
        rule: decision.rule.map(str::to_owned),
        also: decision.also.iter().map(|further| (further.reason.as_str(), further.rule.map(str::to_owned))).collect(),
        destination: decision.destination.filter(|_| decision.outcome == Outcome::Allow).map(str::to_owned),
        port,
        own,
    }
}

/// A naive scan can be wrong too: the tables of cases say what it must find.
#[test]
fn the_naive_scan_agrees_with_the_tables() {
    let admit = |target: Value| json!({"rules": [{"id": "rule", "from": [{"anonymous": true}], "to": [target]}]});
    for [pattern, authority, expected] in vectors::rows(vectors::HOSTS) {
        let policy = admit(json!({"hosts": [pattern], "ports": [1, 443, 4750]}));
        let arrival = Arrival { authority: authority.as_bytes(), method: b"GET", ..Arrival::default() };
        let expected = match expected.as_str() {
            "match" => "RULE_ALLOW",
            "no" => "IDENTITY_MISSING",
            "host-invalid" => "HOST_INVALID",
            _ => continue,
        };
        assert_eq!(naive::decide(&policy, &arrival, 0).reason, expected, "{pattern} {authority}");
    }
    for [path, form, matching] in vectors::rows(vectors::PATHS) {
        for pattern in ["/v1/**", "/v1/*", "/public/**", "/**", "/v1/a", "/*/b", "/a/**/b"] {
            let policy = admit(json!({"hosts": ["**"], "paths": [pattern]}));
            let path = Some(path.as_bytes());
            let arrival = Arrival { authority: b"a.test", method: b"GET", path, ..Arrival::default() };
            let expected = match form.as_str() {
                "ambiguous" => "REQUEST_AMBIGUOUS",
                _ if matching.split(',').any(|listed| listed == pattern) => "RULE_ALLOW",
                _ => "IDENTITY_MISSING",
            };
            assert_eq!(naive::decide(&policy, &arrival, 0).reason, expected, "{pattern} {arrival:?}");
        }
    }
}

#[test]
fn every_decision_is_that_of_a_naive_scan() {
    let seen = RefCell::new(BTreeMap::new());
    for_each_policy(2_000, |policy, rng| {
        let compiled = valid(policy);
        for _ in 0..REQUESTS {
            let request = requests::request(rng);
            let expected = naive::decide(policy, &request.arrival(), request.now);
            if decide(&compiled, &request) != expected {
                explain(policy, &request);
            }
            *seen.borrow_mut().entry((expected.outcome, expected.reason)).or_insert(0) += 1;
        }
    });
    println!("{:#?}", seen.borrow());
    // What quotas say has a model of its own.
    let all = Reason::ALL
        .into_iter()
        .filter(|reason| reason.is_decided() && *reason != Reason::PolicyInvalid)
        .filter(|reason| !reason.is_quota() && !reason.is_of_connections());
    for reason in all.map(Reason::as_str) {
        assert!(seen.borrow().keys().any(|(_, seen)| *seen == reason), "no request was decided by {reason}");
    }
}

#[test]
fn every_decision_on_a_connection_is_that_of_a_naive_scan() {
    let seen = RefCell::new(BTreeMap::new());
    for_each_policy(2_000, |policy, rng| {
        let compiled = valid(policy);
        for _ in 0..REQUESTS {
            let connection = connections::connection(rng);
            let (arrival, now) = (connection.arrival(), connection.now);
            let expected = naive::decide(policy, &arrival, now);
            if decide_arrival(&compiled, &arrival, now, &connection) != expected {
                let both = |policy: &Value| {
                    let found = decide_arrival(&load(policy).ok()?, &arrival, now, &connection);
                    Some((found, naive::decide(policy, &arrival, now)))
                };
                differing(policy, &both, &connection);
            }
            let way = if expected.own { "own" } else { "dynamic" };
            *seen.borrow_mut().entry((expected.outcome, expected.reason, way)).or_insert(0) += 1;
        }
    });
    println!("{:#?}", seen.borrow());
    let of_http = [Reason::RouteMismatch, Reason::RequestAmbiguous, Reason::PolicyInvalid];
    let all = Reason::ALL.into_iter().filter(|reason| reason.is_decided() && !reason.is_quota());
    for reason in all.filter(|reason| !of_http.contains(reason) && *reason != Reason::UndecidedLimit) {
        let count: usize =
            seen.borrow().iter().filter(|((_, seen, _), _)| *seen == reason.as_str()).map(|(_, n)| n).sum();
        assert!(count > 20, "{count} connections were decided by {}", reason.as_str());
    }
    for way in ["own", "dynamic"] {
        assert!(seen.borrow().get(&("allow", "RULE_ALLOW", way)).is_some_and(|count| *count > 100), "{way}");
    }
}

/// The quotas that an evaluation charges.
fn charged_by(policy: &Policy, judged: &Evaluation<'_>) -> Vec<String> {
    let charged = judged.quotas.iter().filter_map(|metered| policy.quota(metered.number()));
    charged.map(|quota| quota.id.to_string()).collect()
}

#[test]
fn every_connection_is_charged_to_the_quotas_of_a_naive_scan() {
    let charged = RefCell::new([0_usize; 4]);
    for_each_policy(1_000, |policy, rng| {
        let policy = metered(policy);
        let compiled = valid(&policy);
        let mut scratch = Scratch::default();
        for _ in 0..REQUESTS {
            let connection = connections::connection(rng);
            let arrival = connection.arrival();
            let judged = Authorizer::new(&compiled).decide(&arrival, Timestamp(connection.now), &mut scratch);
            let ids = charged_by(&compiled, &judged);
            let expected = naive::quotas_of_connection(&policy, &arrival, arrival.connection.as_ref().unwrap());
            assert_eq!(ids, expected, "{policy:#}\n{connection}");
            charged.borrow_mut()[ids.len().min(3)] += 1;
        }
    });
    assert!(charged.borrow().iter().all(|connections| *connections > 100), "{charged:?}");
}

/// A quota charges what a deny entry of the same `from` and `to` closes. One exception: `any` of a quota leaves out
/// requests without an identity.
#[test]
fn every_request_is_charged_to_the_quotas_of_a_naive_scan() {
    let charged = RefCell::new([0_usize; 4]);
    for_each_policy(2_000, |policy, rng| {
        let policy = metered(policy);
        let compiled = valid(&policy);
        let mut scratch = Scratch::default();
        for _ in 0..REQUESTS {
            let request = requests::request(rng);
            let judged = Authorizer::new(&compiled).decide(&request.arrival(), Timestamp(request.now), &mut scratch);
            let ids = charged_by(&compiled, &judged);
            assert_eq!(ids, naive::quotas(&policy, &request.arrival()), "{policy:#}\n{request}");
            charged.borrow_mut()[ids.len().min(3)] += 1;
        }
    });
    assert!(charged.borrow().iter().all(|requests| *requests > 100), "{charged:?}");
}

/// Turns a policy's deny entries into quotas, and the policy into a dry-run.
fn metered(policy: &Value) -> Value {
    let mut policy = policy.clone();
    let entries = policy.as_object_mut().unwrap().remove("deny").unwrap_or_default();
    // Such a target is refused in a quota.
    let never = |target: &Value| target.get("paths").is_some() && target.get("methods") == Some(&json!(["CONNECT"]));
    let mut quotas = entries.as_array().cloned().unwrap_or_default();
    quotas.retain(|entry| !entry["to"].as_array().is_some_and(|to| to.iter().any(never)));
    for quota in &mut quotas {
        let quota = quota.as_object_mut().unwrap();
        quota.retain(|key, _| matches!(key.as_str(), "id" | "from" | "to"));
        quota.insert("limit".to_owned(), json!({"concurrent": 5}));
    }
    policy["quotas"] = quotas.into();
    policy["mode"] = json!("dry-run");
    policy
}

/// Each pattern for itself, in a rule and in a deny entry, and the one reading against the other.
#[test]
fn a_path_pattern_closes_whatever_it_opens() {
    let mut rng = Rng::with_seed(1);
    for pattern in [words::all(words::PATTERNS), words::all(words::ENCODED)].concat() {
        let target = json!({"hosts": ["**"], "paths": [pattern], "encodedSlash": "data"});
        let rule = |target: &Value| json!({"id": "rule", "from": [{"anonymous": true}], "to": [target]});
        let opening = json!({"version": 1, "name": "p", "rules": [rule(&target)]});
        let closing = json!({
            "version": 1, "name": "p",
            "rules": [rule(&json!({"hosts": ["**"]}))],
            "deny": [{"id": "deny", "to": [target]}],
        });
        let (opens, closes) = (valid(&opening), valid(&closing));
        for _ in 0..1_000 {
            let request = requests::path_request(&mut rng, pattern);
            let verdicts = [(&opening, &opens), (&closing, &closes)].map(|(policy, compiled)| {
                let verdict = decide(compiled, &request);
                assert_eq!(verdict, naive::decide(policy, &request.arrival(), request.now), "{pattern} {request}");
                verdict
            });
            let [opened, closed] = verdicts.map(|verdict| let_through(&verdict));
            assert!(!(opened && closed), "{pattern} {request}");
        }
    }
}

fn explain(policy: &Value, request: &Request) -> ! {
    let both = |policy: &Value| {
        let compiled = load(policy).ok()?;
        let expected = naive::decide(policy, &request.arrival(), request.now);
        Some((decide(&compiled, request), expected))
    };
    differing(policy, &both, request)
}

/// Shows the smallest policy by which `both`, what was found and what was expected, differ.
fn differing(policy: &Value, both: &dyn Fn(&Value) -> Option<(Verdict, Verdict)>, request: &dyn Display) -> ! {
    let differs = |policy: &Value| both(policy).is_some_and(|(found, expected)| found != expected);
    let smallest = shrink::shrink(policy, &|policy| differs(policy));
    let (found, expected) = both(&smallest).unwrap();
    panic!("found    {found:?}\nexpected {expected:?}\n{request}\n{smallest:#}");
}

/// Decides each request by both policies and hands the verdicts to `holds`.
fn compare(before: &Value, after: &Value, rng: &mut Rng, holds: impl Fn(&Verdict, &Verdict) -> bool) {
    let (first, second) = (valid(before), valid(after));
    for _ in 0..REQUESTS / 3 {
        let request = requests::request(rng);
        let verdicts = (decide(&first, &request), decide(&second, &request));
        assert!(holds(&verdicts.0, &verdicts.1), "{verdicts:?}\n{request}\n{before:#}\n{after:#}");
    }
}

fn let_through(verdict: &Verdict) -> bool {
    verdict.outcome != Outcome::Deny.as_str()
}

fn list<'p>(policy: &'p mut Value, key: &str) -> &'p mut Vec<Value> {
    let list = policy.as_object_mut().unwrap().entry(key).or_insert_with(|| json!([]));
    list.as_array_mut().unwrap()
}

#[test]
fn the_order_of_rules_never_changes_allow_or_deny() {
    for_each_policy(500, |policy, rng| {
        let mut shuffled = policy.clone();
        if let Some(rules) = shuffled.get_mut("rules") {
            let rules = rules.as_array_mut().unwrap();
            rng.shuffle(rules);
            for rule in rules {
                rng.shuffle(rule["from"].as_array_mut().unwrap());
                rng.shuffle(rule["to"].as_array_mut().unwrap());
            }
        }
        compare(policy, &shuffled, rng, |before, after| {
            (before.outcome, before.reason, &before.also) == (after.outcome, after.reason, &after.also)
        });
    });
}

#[test]
fn a_further_rule_never_removes_access() {
    for_each_policy(500, |policy, rng| {
        let mut more = policy.clone();
        let (rule, _) = policies::further(policy, rng);
        let rules = list(&mut more, "rules");
        rules.insert(rng.usize(0..=rules.len()), rule);
        compare(policy, &more, rng, |before, after| !let_through(before) || let_through(after));
    });
}

#[test]
fn a_further_deny_entry_never_adds_access() {
    for_each_policy(500, |policy, rng| {
        let mut more = policy.clone();
        let (_, entry) = policies::further(policy, rng);
        let entries = list(&mut more, "deny");
        entries.insert(rng.usize(0..=entries.len()), entry);
        compare(policy, &more, rng, |before, after| let_through(before) || !let_through(after));
    });
}

#[test]
fn duplicates_change_nothing_but_the_record() {
    for_each_policy(500, |policy, rng| {
        let mut more = policy.clone();
        for key in ["deny", "rules", "residency"] {
            if let Some(mut entry) =
                policy.get(key).and_then(|entries| rng.choice(entries.as_array().unwrap())).cloned()
            {
                entry["id"] = format!("again-{key}").into();
                let entries = list(&mut more, key);
                entries.insert(rng.usize(0..=entries.len()), entry);
            }
        }
        compare(policy, &more, rng, |before, after| before.outcome == after.outcome);
    });
}

/// The wide reading is never narrower: what a rule admits, a deny entry with the same target refuses. (A target with
/// `upgrades` is another matter: in `deny` it is about upgrade requests only.)
#[test]
fn a_deny_entry_refuses_whatever_a_rule_of_the_same_words_admits() {
    for_each_policy(500, |policy, rng| {
        let mut denying = policy.clone();
        let targets = policy.get("rules").into_iter().flat_map(|rules| rules.as_array().unwrap());
        let mut targets: Vec<Value> = targets.flat_map(|rule| rule["to"].as_array().unwrap().clone()).collect();
        for target in targets.iter_mut().filter_map(Value::as_object_mut) {
            target.retain(|key, _| !matches!(key.as_str(), "clientHello" | "ech" | "overTls"));
        }
        // To a deny entry a key is as ambiguous as any other such path.
        for target in targets.iter_mut().filter(|target| target.get("encodedSlash").is_some()) {
            target["encodedSlash"] = json!("data");
        }
        if targets.is_empty() || targets.iter().any(|target| target.get("upgrades").is_some()) {
            return;
        }
        list(&mut denying, "deny").push(json!({"id": "the-same", "to": targets}));
        compare(policy, &denying, rng, |before, after| before.outcome != "allow" || !let_through(after));
    });
}
