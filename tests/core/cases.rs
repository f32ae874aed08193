//! The case files and the tables of hosts and paths, decided by the core.

use crate::records::assert_record_is_read_back;
use serde_json::{Value, json};
use tollgate::decision::{Authorizer, Decision, Outcome, QuotaOutcome, Reason, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::quota::{Memory, QuotaThread};
use tollgate::request::{Arrival, Connection, HelloReader, Presented, Source};
use tollgate_tests::cases::{Expected, Request, files};
use tollgate_tests::vectors;

/// Time of requests whose case gives none.
const NOW: &str = "2026-07-01T00:00:00Z";

fn compile(policy: &Value) -> Policy {
    Policy::load(policy.to_string().as_bytes()).unwrap_or_else(|rejection| panic!("{:#?}", rejection.findings))
}

/// One gateway, on which the cases of a file are played.
#[derive(Default)]
struct Gateway {
    thread: QuotaThread,
    memory: Memory,
}

/// Decides a request and shows the decision.
fn decide<R>(
    policy: &Policy,
    gateway: &mut Gateway,
    request: &Request,
    show: impl FnOnce(&Decision<'_>, &[QuotaOutcome<'_>]) -> R,
) -> R {
    let (identity, authority, path) = (request.identity(), request.authority(), request.path());
    let (outer_sni, first, mut reader) = (request.outer_sni(), request.first_bytes(), HelloReader::default());
    reader.read(&first);
    let mut headers = vec![(":authority", authority.as_slice()), (":method", request.method().as_bytes())];
    headers.extend(path.as_ref().map(|path| (":path", path.as_slice())));
    headers.extend(request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let mut arrival = Arrival::from_headers(headers.iter().map(|(name, value)| (name.as_bytes(), *value)));
    let source = if request.by_principal() { Source::PeerPrincipal } else { Source::PeerCertificate };
    if request.is_connection() {
        let connection =
            Connection { outer_sni: outer_sni.as_bytes(), first: reader.first_bytes(), ..Connection::default() };
        arrival = Arrival::of_connection(None, connection);
        headers.clear();
    }
    arrival.identity = identity.as_ref().map(|id| Presented { source, id });
    arrival.cluster = request.cluster.as_ref().map(String::as_bytes);
    let now = Timestamp::parse(request.now.as_deref().unwrap_or(NOW)).unwrap();
    let mut scratch = Scratch::default();
    let mut judged = Authorizer::new(policy).decide(&arrival, now, &mut scratch);
    let Gateway { thread, memory } = gateway;
    (memory.now.wall, memory.now.monotonic) = (now.0, now.0);
    let bytes = headers.iter().map(|(name, value)| name.len().saturating_add(value.len()) as u64).sum();
    let mut charged = Authorizer::new(policy).charge(&mut judged, bytes, thread, memory);
    if let Some(account) = &mut charged.account {
        assert!(policy.terms().settle(account, thread, memory));
    }
    assert_record_is_read_back(policy, &arrival, &judged, &charged.outcomes);
    show(&judged.decision, &charged.outcomes)
}

fn is(expected: &Expected, decision: &Decision<'_>, notes: &[QuotaOutcome<'_>]) -> bool {
    let used = || notes.iter().map(|note| (note.quota.id.to_string(), note.charge.level.used)).collect();
    expected.decision == decision.outcome.as_str()
        && expected.reason == decision.reason.as_str()
        && expected.rule.as_deref().is_none_or(|rule| decision.rule == Some(rule))
        && expected.also.as_ref().is_none_or(|also| {
            decision.also.iter().count() == also.len()
                && also
                    .iter()
                    .zip(decision.also.iter())
                    .all(|(expected, found)| expected.is(found.reason.as_str(), found.rule))
        })
        && expected.used.as_ref().is_none_or(|expected| *expected == used())
}

#[test]
fn every_case_is_decided_as_its_file_says() {
    let (mut played, mut differences) = (0, Vec::new());
    for file in files() {
        let (policy, mut gateway) = (compile(&file.policy), Gateway::default());
        for case in &file.tests {
            played += 1;
            for time in 1..=case.repeat {
                decide(&policy, &mut gateway, &case.request, |decision, notes| {
                    if time == case.repeat && !is(&case.expect, decision, notes) {
                        differences.push(format!("{}: {}: {decision:?} {notes:?}", file.name, case.name));
                    }
                });
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(played >= 200, "found {played} cases");
}

/// A policy that admits by this target only.
fn by_rule(target: &Value) -> Value {
    json!({"version": 1, "name": "table", "rules": [{"id": "rule", "from": [{"anonymous": true}], "to": [target]}]})
}

/// A policy that admits everything of the table, and refuses by this target.
fn by_deny(target: &Value) -> Value {
    let everywhere = json!({"hosts": ["**", "com", "baz", "localhost", "xn--a"], "cidrs": ["0.0.0.0/0", "::/0"], "ports": [1, 443, 4750]});
    let everyone = json!([{"anonymous": true}]);
    json!({"version": 1, "name": "table", "rules": [{"id": "rule", "from": everyone, "to": [everywhere]}],
        "deny": [{"id": "entry", "to": [target]}]})
}

fn reason(policy: &Value, authority: &str, path: &str) -> Reason {
    let arrival =
        Arrival { authority: authority.as_bytes(), method: b"GET", path: Some(path.as_bytes()), ..Arrival::default() };
    let policy = compile(policy);
    let mut scratch = Scratch::default();
    let Decision { outcome, reason, .. } =
        Authorizer::new(&policy).decide(&arrival, Timestamp::default(), &mut scratch).decision;
    assert_eq!(outcome == Outcome::Allow, reason == Reason::RuleAllow);
    reason
}

#[test]
fn hosts_of_the_table_match_in_rules_and_in_deny_entries() {
    for [pattern, authority, expected] in vectors::rows(vectors::HOSTS) {
        let target = json!({"hosts": [pattern], "ports": [1, 443, 4750]});
        if expected == "pattern-error" {
            for (policy, pointer) in
                [(by_rule(&target), "rules[0].to[0].hosts[0]"), (by_deny(&target), "deny[0].to[0].hosts[0]")]
            {
                let rejection = Policy::load(policy.to_string().as_bytes()).expect_err(&pattern);
                let [finding] = rejection.findings.as_slice() else { panic!("{pattern:?}: {rejection:#?}") };
                assert_eq!((&*finding.pointer, finding.code), (pointer, "TG010"), "{pattern:?}");
            }
            continue;
        }
        let (by_rule, by_deny) = match expected.as_str() {
            "match" => (Reason::RuleAllow, Reason::DenyRule),
            "no" => (Reason::IdentityMissing, Reason::RuleAllow),
            _ => (Reason::HostInvalid, Reason::HostInvalid),
        };
        assert_eq!(reason(&self::by_rule(&target), &authority, "/"), by_rule, "{pattern:?} {authority:?}");
        assert_eq!(reason(&self::by_deny(&target), &authority, "/"), by_deny, "{pattern:?} {authority:?}");
    }
}

#[test]
fn paths_of_the_table_match_in_rules_and_in_deny_entries() {
    for [path, form, matching] in vectors::rows(vectors::PATHS) {
        for pattern in ["/v1/**", "/v1/*", "/public/**", "/**", "/v1/a", "/*/b", "/a/**/b"] {
            let target = json!({"hosts": ["a.test"], "paths": [pattern]});
            let (by_rule, by_deny) = match form.as_str() {
                "ambiguous" => (Reason::RequestAmbiguous, Some(Reason::RequestAmbiguous)),
                _ if matching.split(',').any(|listed| listed == pattern) => (Reason::RuleAllow, Some(Reason::DenyRule)),
                // the wide reading may find more
                _ => (Reason::IdentityMissing, None),
            };
            assert_eq!(reason(&self::by_rule(&target), "a.test", &path), by_rule, "{pattern} {path:?}");
            let denied = reason(&self::by_deny(&target), "a.test", &path);
            assert!(by_deny.is_none_or(|reason| reason == denied), "{pattern} {path:?}: {denied:?}");
        }
    }
}
