//! Records, byte for byte.

use super::*;
use crate::decision::request_snapshot::{IDENTITY_CAP, METHOD_CAP, PATH_CAP, RAW_CAP};
use crate::decision::{
    Also, Decision, Evaluation, Failed, Further, Near, Outcome, QuotaOutcome, Reason, Timestamp, Way,
};
use crate::policy::{AuditAllowed, AuditPath, Settings};
use crate::quota::{By, Calendar, ChargeOutcome, Level, Limit, Overrun, Quota, Unit};
use crate::request::{Arrival, Host, Identity, Presented, Source};

const PEER: Presented<'static> =
    Presented { source: Source::PeerCertificate, id: b"spiffe://cluster.local/ns/payments/sa/checkout" };
const ARRIVAL: Arrival<'static> = Arrival {
    identity: Some(PEER),
    authority: b"API.Example.com",
    method: b"POST",
    path: Some(b"/v1/charges?card=4242"),
    upgrade: crate::request::Upgrade::Absent,
    overridden: false,
    cluster: None,
    connection: None,
};
const ALLOWED: Decision<'static> = Decision {
    outcome: Outcome::Allow,
    reason: Reason::RuleAllow,
    rule: Some("payments-api"),
    destination: None,
    pattern: Some("/v1/*"),
    also: Also::NONE,
};

fn evaluation(decision: Decision<'static>) -> Evaluation<'static> {
    Evaluation {
        identity: Some(PEER),
        trusted: Identity::parse(PEER.id),
        host: Some(Host::Name("api.example.com")),
        port: Some(443),
        decision,
        quotas: &[],
        way: Way::Dynamic,
        expires: Timestamp::NEVER,
    }
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings { name: "prod".to_owned(), revision: Some("9f3c".to_owned()), ..Settings::default() };
    change(&mut settings);
    settings
}

fn record(evaluation: &Evaluation<'_>, arrival: &Arrival<'_>, settings: &Settings, near: Option<Near<'_>>) -> String {
    let mut out = Vec::new();
    RecordSource { evaluation, arrival, settings, near, quotas: &[], details: None }.write(&mut out);
    let json = String::from_utf8(out).expect("a record is UTF-8");
    let _: serde_json::Value = serde_json::from_str(&json).expect("a record is JSON");
    json
}

#[test]
fn an_admitted_request_is_recorded_in_the_order_of_the_keys() {
    assert_eq!(
        record(&evaluation(ALLOWED), &ARRIVAL, &settings(|_| ()), None),
        concat!(
            r#"{"v":1,"d":"allow","r":"RULE_ALLOW","rule":"payments-api","#,
            r#""id":"spiffe://cluster.local/ns/payments/sa/checkout","src":"peer-certificate","#,
            r#""host":"api.example.com","port":443,"m":"POST","path":"/v1/charges","p":"prod","rev":"9f3c"}"#
        )
    );
}

#[test]
fn a_refused_request_says_what_came_nearest() {
    let near = Near { rule: "payments-api", failed: Failed::Path };
    let record = record(&evaluation(Decision::refusal(Reason::NoMatch)), &ARRIVAL, &settings(|_| ()), Some(near));
    assert!(record.starts_with(r#"{"v":1,"d":"deny","r":"NO_MATCH","id":"#), "{record}");
    assert!(record.contains(r#","near":{"rule":"payments-api","failed":"path"},"p":"#), "{record}");
}

#[test]
fn a_dry_run_says_what_else_would_have_refused_it() {
    let decision = Decision {
        outcome: Outcome::WouldDeny,
        also: [(Reason::DenyRule, Some("no-internal")), (Reason::NoMatch, None)].into_iter().fold(
            Also::default(),
            |mut also, (reason, rule)| {
                also.push(Further { reason, rule });
                also
            },
        ),
        ..Decision::refusal(Reason::RouteMismatch)
    };
    let record = record(&evaluation(decision), &ARRIVAL, &settings(|_| ()), None);
    assert!(record.starts_with(r#"{"v":1,"d":"would-deny","r":"ROUTE_MISMATCH""#), "{record}");
    assert!(record.ends_with(r#","also":[{"r":"DENY_RULE","rule":"no-internal"},{"r":"NO_MATCH"}]}"#), "{record}");
}

#[test]
fn unrecorded_admissions_leave_only_the_decision() {
    let quiet = settings(|settings| settings.audit_allowed = AuditAllowed::None);
    assert_eq!(record(&evaluation(ALLOWED), &ARRIVAL, &quiet, None), r#"{"v":1,"d":"allow"}"#);
    let would = Decision { outcome: Outcome::WouldDeny, ..Decision::refusal(Reason::NoMatch) };
    assert!(record(&evaluation(would), &ARRIVAL, &quiet, None).contains("NO_MATCH"));
}

#[test]
fn the_path_is_recorded_as_the_policy_says() {
    let path = |decision, mode| {
        let settings = settings(|settings| settings.audit_path = mode);
        let record = record(&evaluation(decision), &ARRIVAL, &settings, None);
        let value: serde_json::Value = serde_json::from_str(&record).expect("JSON");
        value.get("path").and_then(|path| path.as_str()).map(str::to_owned)
    };
    assert_eq!(path(ALLOWED, AuditPath::Full).as_deref(), Some("/v1/charges"));
    assert_eq!(path(ALLOWED, AuditPath::Pattern).as_deref(), Some("/v1/*"));
    assert_eq!(path(Decision::refusal(Reason::NoMatch), AuditPath::Pattern), None);
    assert_eq!(path(ALLOWED, AuditPath::None), None);
}

#[test]
fn what_a_caller_sent_is_escaped_and_capped() {
    let host = [b"\xff\"\n".as_slice(), &[b'h'; 9000]].concat();
    let path = [b'/'; 9000];
    let method = [b'M'; 9000];
    let id = [b'\x80'; 9000];
    let arrival = Arrival {
        identity: Some(Presented { source: Source::PeerPrincipal, id: &id }),
        authority: &host,
        method: &method,
        path: Some(&path),
        ..ARRIVAL
    };
    let record = record(&Evaluation::refused(Reason::HostInvalid), &arrival, &settings(|_| ()), None);
    assert!(record.contains(r#""raw":"\u00ff\"\u000ahhh"#), "{record}");
    assert!(record.contains(r#""src":"peer-principal""#), "{record}");
    let value: serde_json::Value = serde_json::from_str(&record).expect("JSON");
    let length = |key: &str| value[key].as_str().map(|text| text.chars().count());
    assert_eq!(
        ["raw", "path", "m", "id"].map(length),
        [Some(RAW_CAP), Some(PATH_CAP), Some(METHOD_CAP), Some(IDENTITY_CAP)]
    );
}

#[test]
fn what_does_not_apply_is_left_out() {
    let arrival = Arrival { identity: Some(Presented { id: b"", ..PEER }), ..Arrival::default() };
    assert_eq!(
        record(&Evaluation::refused(Reason::PolicyInvalid), &arrival, &Settings::default(), None),
        r#"{"v":1,"d":"deny","r":"POLICY_INVALID","raw":""}"#
    );
}

#[test]
fn addresses_are_recorded_without_brackets() {
    let ip = Evaluation { host: Some(Host::Ip("2001:db8::1".parse().expect("an address"))), ..evaluation(ALLOWED) };
    assert!(record(&ip, &ARRIVAL, &settings(|_| ()), None).contains(r#""host":"2001:db8::1","port":443"#));
}

#[test]
fn the_quotas_that_were_consulted_are_recorded_in_order() {
    let quota = |id: &str, limit| Quota {
        id: id.into(),
        unit: Unit::Requests,
        limit,
        by: By::default(),
        overrun: Overrun::Cut,
        tag: 1,
    };
    let quotas = [quota("day", Limit::Window(Calendar::Day, 5)), quota("held", Limit::Concurrent(2))];
    let outcome = |quota, key: &'static str, reset, overflowed| {
        let level = Level { used: 3, left: 2, reset, retry: None };
        let charge = ChargeOutcome { refusal: None, level, overflowed };
        QuotaOutcome { quota, key: key.into(), charge, number: 0, enforced: true }
    };
    let [day, held] = &quotas;
    let outcomes = [outcome(day, "a\"b", Some(1_000_000_001), false), outcome(held, "x", None, true)];
    let (evaluation, settings) = (evaluation(ALLOWED), settings(|_| ()));
    let mut out = Vec::new();
    RecordSource {
        evaluation: &evaluation,
        arrival: &ARRIVAL,
        settings: &settings,
        near: None,
        quotas: &outcomes,
        details: None,
    }
    .write(&mut out);
    let record = String::from_utf8(out).expect("UTF-8");
    let expected = concat!(
        r#""rule":"payments-api","q":[{"id":"day","key":"a\"b","limit":5,"used":3,"reset":2},"#,
        r#"{"id":"held","key":"overflow","limit":2,"used":3}],"id":"#
    );
    assert!(record.contains(expected), "{record}");
}

#[test]
fn unrecorded_admissions_leave_out_their_quotas_and_what_was_cut_off_is_no_admission() {
    let quiet = settings(|settings| settings.audit_allowed = AuditAllowed::None);
    let cut = Decision { outcome: Outcome::Cut, ..Decision::refusal(Reason::QuotaBytes) };
    let record = record(&evaluation(cut), &ARRIVAL, &quiet, None);
    assert!(record.starts_with(r#"{"v":1,"d":"cut","r":"QUOTA_BYTES","#), "{record}");
}
