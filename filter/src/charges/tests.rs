use super::*;
use crate::fake::{Rig, Sent};
use crate::host::{Attribute, Call, Version};
use crate::serving::TICK_MILLISECONDS;
use serde_json::Value;

const REQUEST: [(&str, &[u8]); 3] = [(":authority", b"api.example.com"), (":method", b"GET"), (":path", b"/v1")];
/// Bytes of the names and values of [`REQUEST`].
const HEADERS: u64 = 25 + 10 + 8;
const SECOND: u64 = 1_000_000_000;

const PER_SECOND: &str = r#"{"id": "rate", "limit": {"requests": 10, "per": "1s"}}"#;
const AT_ONCE: &str = r#"{"id": "one", "limit": {"concurrent": 1}}"#;
const BYTES: &str = r#"{"id": "bytes", "limit": {"bytes": "1000B", "per": "day"}}"#;

fn policy(quotas: &[&str]) -> String {
    let rule = r#"{"id": "all", "from": [{"any": true}, {"anonymous": true}], "to": [{"hosts": ["api.example.com"]}]}"#;
    format!(r#"{{"version": 1, "name": "prod", "rules": [{rule}], "quotas": [{}]}}"#, quotas.join(","))
}

fn rig(quotas: &[&str]) -> Rig {
    let mut rig = Rig::new(&policy(quotas));
    rig.host.monotonic = 1000 * SECOND;
    rig.host.time = 1_795_608_000 * SECOND;
    rig
}

fn passes(rig: &mut Rig) -> bool {
    rig.request(&REQUEST) == Action::Continue
}

fn record(rig: &Rig) -> Value {
    serde_json::from_str(&rig.host.record()).expect("a record is JSON")
}

/// Sends a request, and returns the use of the first quota after it.
fn used(rig: &mut Rig) -> u64 {
    rig.request(&REQUEST);
    record(rig)["q"][0]["used"].as_u64().expect("a quota was consulted")
}

fn answer(rig: &Rig) -> &Sent {
    let [sent] = rig.host.responses.as_slice() else { panic!("{:?}", rig.host.responses) };
    sent
}

fn metric(rig: &Rig, name: &str) -> Option<u64> {
    rig.host.metric(name)
}

// Costs

#[test]
fn a_request_with_quotas_of_one_key_costs_one_read_and_one_write_more() {
    let mut rig = rig(&[PER_SECOND, r#"{"id": "day", "limit": {"requests": 5000, "per": "day"}}"#]);
    assert!(passes(&mut rig) && passes(&mut rig));
    let store = [Call::ReadShared, Call::MonotonicClock, Call::WallClock, Call::WriteShared];
    let (read, told) = (
        [Call::Headers(HeaderMap::Request), Call::Attribute(Attribute::PeerCertificate)],
        [Call::SetFilterState, Call::IncrementMetric],
    );
    assert_eq!(rig.host.calls, [&read[..], &store, &told].concat());
    rig.host.calls.clear();
    rig.body(Direction::Upstream, 1000);
    rig.end();
    assert!(rig.host.calls.is_empty(), "it owes nothing");
}

#[test]
fn a_request_that_no_quota_is_about_touches_no_store() {
    let mut rig = rig(&[r#"{"id": "q", "from": [{"namespace": "other"}], "limit": {"concurrent": 1}}"#]);
    assert!(passes(&mut rig));
    assert!(!rig.host.calls.contains(&Call::ReadShared), "{:?}", rig.host.calls);
}

#[test]
fn a_denied_request_touches_no_store() {
    let mut rig = rig(&[PER_SECOND]);
    rig.request(&[REQUEST[1], REQUEST[2], (":authority", b"other.example.com")]);
    assert_eq!(rig.decided(), "deny NO_MATCH");
    assert!(!rig.host.calls.contains(&Call::ReadShared), "{:?}", rig.host.calls);
}

#[test]
fn ticks_are_asked_for_only_where_something_may_have_to_be_kept_alive() {
    let mut without = Rig::new(&policy(&[]));
    assert_eq!(without.host.tick, None);
    assert!(without.configure(2, &policy(&[PER_SECOND])));
    assert_eq!(without.host.tick, Some(TICK_MILLISECONDS));
    let mut held = rig(&[AT_ONCE]);
    assert!(passes(&mut held));
    held.host.tick = None;
    assert!(held.configure(2, &policy(&[])));
    assert_eq!(held.host.tick, Some(TICK_MILLISECONDS), "a request of the policy before is still in flight");
}

// Refusals

#[test]
fn a_request_beyond_its_quota_is_answered_with_429_and_when_to_come_again() {
    let mut rig = rig(&[r#"{"id": "rate", "limit": {"requests": 10, "per": "1m", "burst": 1}}"#]);
    assert!(passes(&mut rig) && !passes(&mut rig));
    assert_eq!(rig.decided(), "deny QUOTA_REQUESTS");
    let sent = answer(&rig);
    assert_eq!((sent.status, &*sent.details), (429, "egress_denied{QUOTA_REQUESTS}"));
    let fields: Vec<_> = sent.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [
        ("x-egress-denied", "QUOTA_REQUESTS"),
        ("content-type", "application/json"),
        ("retry-after", "6"),
        ("ratelimit-policy", r#""rate";q=10;w=60"#),
        ("ratelimit", r#""rate";r=0;t=6"#),
    ];
    assert_eq!(fields, expected);
    assert_eq!(record(&rig)["rule"], "rate");
    assert_eq!(metric(&rig, "quota=.=rate;.;tollgate_quota_denied_total"), Some(1));
    assert_eq!(metric(&rig, "decision=.=deny;.;reason=.=QUOTA_REQUESTS;.;tollgate_requests_total"), Some(1));
}

#[test]
fn a_grpc_caller_beyond_its_quota_gets_resource_exhausted() {
    let mut rig = rig(&[AT_ONCE]);
    let grpc = [&REQUEST[..], &[("content-type", b"application/grpc")]].concat();
    rig.request(&grpc);
    assert_eq!(rig.request(&grpc), Action::Pause);
    assert_eq!((answer(&rig).status, answer(&rig).grpc_status), (429, 8));
    assert!(answer(&rig).body.ends_with("come again when one of them has ended."));
}

#[test]
fn a_request_that_cannot_be_let_through_gives_back_what_it_holds() {
    for call in [Call::SetFilterState, Call::RemoveHeader] {
        let mut rig = rig(&[AT_ONCE]);
        rig.host.failing.insert(call);
        assert_eq!(rig.request(&[&REQUEST[..], &[("x-envoy-retry-on", b"5xx")]].concat()), Action::Pause);
        assert_eq!(answer(&rig).details, "egress_denied{POLICY_INVALID}");
        rig.host.failing.clear();
        assert!(passes(&mut rig), "{call}");
        assert!(!passes(&mut rig), "{call}");
    }
}

#[test]
fn every_call_for_quotas_that_fails_refuses_the_request_and_counts_for_nothing() {
    for call in [Call::ReadShared, Call::WriteShared, Call::MonotonicClock, Call::WallClock] {
        let mut rig = rig(&[AT_ONCE, r#"{"id": "day", "limit": {"requests": 1, "per": "day"}}"#]);
        rig.host.failing.insert(call);
        let before = rig.host.log.len();
        for _ in 0..3 {
            assert!(!passes(&mut rig), "{call}");
            assert_eq!(rig.decided(), "deny QUOTA_UNAVAILABLE", "{call}");
            assert_eq!((answer(&rig).status, answer(&rig).headers.len()), (429, 3), "{call}");
        }
        let lines: Vec<_> = rig.host.log[before..].iter().map(|(_, line)| line.clone()).collect();
        assert_eq!(lines, [format!("{call} failed with status 10: quotas refuse (logged the first time only)")]);
        rig.host.failing.clear();
        assert!(passes(&mut rig), "{call}: nothing was consumed");
    }
}

#[test]
fn a_dry_run_whose_store_fails_lets_pass_and_says_so() {
    let mut rig = rig(&[r#"{"id": "q", "mode": "dry-run", "limit": {"concurrent": 1}}"#]);
    rig.host.failing.insert(Call::ReadShared);
    assert!(passes(&mut rig));
    assert_eq!(rig.decided(), "would-deny QUOTA_UNAVAILABLE");
}

#[test]
fn a_contended_store_refuses_after_64_tries_and_is_counted() {
    let mut rig = rig(&[PER_SECOND]);
    assert!(passes(&mut rig));
    rig.host.too_late = 63;
    assert!(passes(&mut rig));
    assert_eq!(metric(&rig, "tollgate_quota_contended_total"), Some(0));
    rig.host.too_late = 64;
    assert!(!passes(&mut rig));
    assert_eq!(rig.decided(), "deny QUOTA_UNAVAILABLE");
    assert_eq!(metric(&rig, "tollgate_quota_contended_total"), Some(1));
}

#[test]
fn a_foreign_value_is_counted_and_used_up() {
    let mut rig = rig(&[PER_SECOND]);
    assert!(passes(&mut rig));
    let page = rig.host.shared.keys().find(|key| key.contains("@page")).cloned().expect("a page");
    rig.host.shared.insert(page, (b"?".to_vec(), Version(7_000)));
    assert!(!passes(&mut rig));
    assert_eq!(rig.decided(), "deny QUOTA_REQUESTS");
    assert_eq!(metric(&rig, "tollgate_quota_foreign_total"), Some(1));
}

// Bytes

#[test]
fn headers_body_and_trailers_are_charged_each_once_and_each_way() {
    for (unit, charged) in [("bytesOut", HEADERS + 111), ("bytesIn", 222), ("bytes", HEADERS + 333)] {
        let mut rig = rig(&[&format!(r#"{{"id": "b", "limit": {{"{unit}": "1MB", "per": "day"}}}}"#)]);
        assert!(passes(&mut rig));
        rig.host.header_bytes.insert(HeaderMap::Response, 20);
        let flows = [
            rig.body(Direction::Upstream, 100),
            rig.body(Direction::Upstream, 1),
            rig.trailers(HeaderMap::RequestTrailers, 10),
            rig.respond(),
            rig.body(Direction::Downstream, 200),
            rig.trailers(HeaderMap::ResponseTrailers, 2),
        ];
        assert_eq!(flows, [Action::Continue; 6]);
        rig.end();
        let again = if unit == "bytesIn" { 0 } else { HEADERS };
        assert_eq!(used(&mut rig), charged + again, "{unit}");
    }
}

#[test]
fn headers_of_a_response_are_charged_with_its_body_where_the_line_is_far_away() {
    let store =
        |rig: &Rig| rig.host.calls.iter().filter(|call| matches!(call, Call::ReadShared | Call::WriteShared)).count();
    for (limit, waits) in [("1MB", true), ("10kB", true), ("1300B", false)] {
        let mut rig = rig(&[&format!(r#"{{"id": "b", "limit": {{"bytes": "{limit}", "per": "day"}}}}"#)]);
        assert!(passes(&mut rig));
        rig.host.header_bytes.insert(HeaderMap::Response, 20);
        rig.host.calls.clear();
        assert_eq!(rig.respond(), Action::Continue);
        assert_eq!(store(&rig), if waits { 0 } else { 2 }, "{limit}");
        assert_eq!(rig.body(Direction::Downstream, 200), Action::Continue);
        assert_eq!(store(&rig), if waits { 2 } else { 4 }, "{limit}");
        rig.end();
        assert_eq!(store(&rig), if waits { 2 } else { 4 }, "{limit}");
        assert_eq!(used(&mut rig), 2 * HEADERS + 220, "{limit}");
    }
}

#[test]
fn headers_of_a_response_that_nothing_follows_are_charged_at_its_end_or_at_the_next_tick() {
    for ends in [true, false] {
        let mut rig = rig(&[r#"{"id": "b", "limit": {"bytes": "1MB", "per": "day"}}"#]);
        assert!(passes(&mut rig));
        rig.host.header_bytes.insert(HeaderMap::Response, 20);
        assert_eq!(rig.respond(), Action::Continue);
        if ends {
            rig.end();
        } else {
            rig.worker.tick(&mut rig.host);
        }
        assert_eq!(used(&mut rig), 2 * HEADERS + 20, "{ends}");
    }
}

#[test]
fn a_line_that_is_found_crossed_at_a_tick_cuts_with_the_next_piece() {
    let mut rig = rig(&[r#"{"id": "b", "limit": {"bytes": "10kB", "per": "day"}}"#]);
    assert!(passes(&mut rig));
    let first = rig.streams;
    rig.host.header_bytes.insert(HeaderMap::Response, 20);
    assert_eq!(rig.respond(), Action::Continue);
    assert!(passes(&mut rig));
    assert_eq!(rig.body(Direction::Upstream, 9_900), Action::Continue);
    rig.worker.tick(&mut rig.host);
    assert_eq!(rig.worker.body(&mut rig.host, first, Direction::Downstream, 1), Action::Pause);
    assert_eq!(rig.decided(), "cut QUOTA_BYTES");
}

#[test]
fn a_request_cut_off_before_its_response_is_answered_with_429() {
    let mut rig = rig(&[BYTES]);
    assert!(passes(&mut rig));
    assert_eq!(rig.body(Direction::Upstream, 900), Action::Continue);
    assert_eq!(rig.body(Direction::Upstream, 100), Action::Pause);
    assert_eq!(rig.decided(), "cut QUOTA_BYTES");
    let record = record(&rig);
    assert_eq!(
        (&record["rule"], &record["host"], &record["path"]),
        (&"bytes".into(), &"api.example.com".into(), &"/v1".into())
    );
    assert_eq!(record["id"], "spiffe://cluster.local/ns/payments/sa/checkout");
    assert_eq!(record["q"][0]["used"], HEADERS + 1000);
    assert_eq!((answer(&rig).status, answer(&rig).headers[2].0.as_str()), (429, "retry-after"));
    assert_eq!(answer(&rig).headers[4].1, r#""bytes";r=0;t=43200"#);
    assert!(rig.host.closed.is_empty());
    // The answer itself flows back through this filter.
    rig.host.header_bytes.insert(HeaderMap::Response, 300);
    assert_eq!([rig.respond(), rig.body(Direction::Downstream, 5000)], [Action::Continue; 2]);
    assert_eq!(rig.body(Direction::Upstream, 1), Action::Pause);
    rig.end();
    assert_eq!(metric(&rig, "quota=.=bytes;.;tollgate_quota_denied_total"), Some(1));
    assert_eq!(used(&mut rig), HEADERS + 1000, "it is not the destination's");
}

#[test]
fn a_request_cut_off_after_its_response_has_started_is_reset() {
    for (direction, stream) in
        [(Direction::Downstream, StreamSide::Response), (Direction::Upstream, StreamSide::Request)]
    {
        let mut rig = rig(&[BYTES]);
        assert!(passes(&mut rig));
        rig.host.header_bytes.insert(HeaderMap::Response, 20);
        assert_eq!(rig.respond(), Action::Continue);
        assert_eq!(rig.body(direction, 5000), Action::Pause);
        assert_eq!(rig.decided(), "cut QUOTA_BYTES");
        assert_eq!(rig.host.closed, [stream]);
        assert!(rig.host.responses.is_empty());
    }
}

#[test]
fn a_response_whose_headers_cross_the_line_is_answered_instead() {
    let mut rig = rig(&[BYTES]);
    assert!(passes(&mut rig));
    rig.host.header_bytes.insert(HeaderMap::Response, 5000);
    assert_eq!(rig.respond(), Action::Pause);
    assert_eq!(answer(&rig).status, 429);
}

#[test]
fn a_cut_that_cannot_be_carried_out_holds_the_stream() {
    for answered in [false, true] {
        let mut rig = rig(&[BYTES]);
        assert!(passes(&mut rig));
        rig.host.header_bytes.insert(HeaderMap::Response, 20);
        if answered {
            rig.respond();
        }
        rig.host.failing.extend([Call::Respond, Call::Reset, Call::SetFilterState]);
        assert_eq!(rig.body(Direction::Upstream, 5000), Action::Pause, "{answered}");
        rig.host.failing.clear();
        let flows = [
            rig.body(Direction::Upstream, 1),
            rig.trailers(HeaderMap::RequestTrailers, 1),
            rig.respond(),
            rig.body(Direction::Downstream, 1),
            rig.trailers(HeaderMap::ResponseTrailers, 1),
        ];
        assert_eq!(flows, [Action::Pause; 5], "{answered}: and does not go on with the next piece");
    }
}

#[test]
fn with_finish_a_request_may_end_and_its_debt_counts() {
    let mut rig = rig(&[r#"{"id": "b", "overrun": "finish", "limit": {"bytes": "1000B", "per": "day"}}"#]);
    assert!(passes(&mut rig));
    assert_eq!([rig.body(Direction::Upstream, 5000), rig.body(Direction::Downstream, 5000)], [Action::Continue; 2]);
    assert_eq!(rig.decided(), "allow RULE_ALLOW");
    rig.end();
    assert!(!passes(&mut rig));
    assert_eq!(record(&rig)["q"][0]["used"], HEADERS + 10_000);
}

#[test]
fn a_line_crossed_in_dry_run_is_recorded_and_not_counted_as_denied() {
    let mut rig = rig(&[r#"{"id": "b", "mode": "dry-run", "limit": {"bytes": "1000B", "per": "day"}}"#]);
    assert!(passes(&mut rig));
    assert_eq!(rig.decided(), "allow RULE_ALLOW");
    for _ in 0..3 {
        assert_eq!(rig.body(Direction::Upstream, 800), Action::Continue);
    }
    assert_eq!(rig.decided(), "would-deny QUOTA_BYTES");
    assert_eq!(metric(&rig, "quota=.=b;.;tollgate_quota_denied_total"), Some(0));
    assert!(rig.host.responses.is_empty() && rig.host.closed.is_empty());
}

#[test]
fn bytes_that_cannot_be_charged_are_charged_later() {
    for call in [Call::ReadShared, Call::WriteShared, Call::MonotonicClock, Call::WallClock] {
        let mut rig = rig(&[r#"{"id": "b", "limit": {"bytesOut": "1GB", "per": "day"}}"#]);
        assert!(passes(&mut rig));
        rig.host.failing.insert(call);
        assert_eq!(rig.body(Direction::Upstream, 1 << 20), Action::Continue, "{call}");
        rig.end();
        rig.worker.tick(&mut rig.host);
        rig.host.failing.clear();
        rig.worker.tick(&mut rig.host);
        rig.worker.tick(&mut rig.host);
        assert_eq!(used(&mut rig), 2 * HEADERS + (1 << 20), "{call}");
    }
}

#[test]
fn a_request_whose_bytes_cannot_be_charged_is_cut_off_after_a_mebibyte() {
    let mut rig = rig(&[r#"{"id": "b", "limit": {"bytesOut": "1GB", "per": "day"}}"#]);
    assert!(passes(&mut rig));
    rig.host.failing.insert(Call::ReadShared);
    assert_eq!(
        [rig.body(Direction::Upstream, 1 << 20), rig.body(Direction::Upstream, 1)],
        [Action::Continue, Action::Pause]
    );
    assert_eq!(rig.decided(), "cut QUOTA_UNAVAILABLE");
}

#[test]
fn headers_whose_size_cannot_be_told_do_no_harm() {
    let mut rig = rig(&[BYTES]);
    assert!(passes(&mut rig));
    rig.host.failing.insert(Call::HeaderBytes);
    assert_eq!(rig.respond(), Action::Continue);
    assert_eq!(rig.body(Direction::Downstream, 2000), Action::Pause);
    assert_eq!(rig.host.closed, [StreamSide::Response], "the response has started all the same");
}

#[test]
fn a_request_keeps_the_policy_that_let_it_through() {
    let mut rig = rig(&[BYTES]);
    assert!(passes(&mut rig));
    let wider = r#"{"id": "bytes", "limit": {"bytes": "1MB", "per": "day"}}"#;
    assert!(rig.configure(2, &policy(&[wider])));
    rig.worker.deleted(&mut rig.host, 1);
    assert!(rig.configure(3, &policy(&[wider])));
    let old = rig.streams;
    assert_eq!(rig.request_to(3, &REQUEST), Action::Continue);
    assert_eq!(rig.body(Direction::Upstream, 5000), Action::Continue);
    assert_eq!(record(&rig)["q"][0]["used"], 2 * HEADERS, "and what is used stays used");
    assert_eq!(rig.worker.body(&mut rig.host, old, Direction::Upstream, 1), Action::Pause);
}

// Ends

#[test]
fn what_is_held_is_given_back_at_the_end_and_once() {
    let mut rig = rig(&[r#"{"id": "two", "limit": {"concurrent": 2}}"#]);
    assert!(passes(&mut rig));
    let first = rig.streams;
    assert!(passes(&mut rig) && !passes(&mut rig));
    rig.end();
    assert!(!passes(&mut rig), "the refused one held nothing");
    for _ in 0..2 {
        rig.worker.deleted(&mut rig.host, first);
    }
    assert!(passes(&mut rig) && !passes(&mut rig));
}

#[test]
fn what_cannot_be_given_back_is_given_back_at_a_later_tick() {
    // The wall clock is not needed for it.
    for call in [Call::ReadShared, Call::WriteShared, Call::MonotonicClock] {
        let mut rig = rig(&[AT_ONCE]);
        assert!(passes(&mut rig));
        rig.host.failing.insert(call);
        rig.end();
        rig.worker.tick(&mut rig.host);
        rig.host.failing.clear();
        assert!(!passes(&mut rig), "{call}");
        rig.worker.tick(&mut rig.host);
        assert!(passes(&mut rig), "{call}");
        assert!(!passes(&mut rig), "{call}");
    }
}

#[test]
fn ticks_keep_alive_what_is_held() {
    let mut rig = rig(&[AT_ONCE]);
    assert!(passes(&mut rig));
    let held = std::mem::take(&mut rig.worker);
    let mut other = rig;
    assert!(other.configure(1, &policy(&[AT_ONCE])));
    let mut holder = held;
    for _ in 0..20 {
        other.host.monotonic += SECOND;
        holder.tick(&mut other.host);
        assert!(!passes(&mut other));
    }
    other.host.monotonic += 10 * SECOND;
    assert!(!passes(&mut other));
    other.host.monotonic += 1;
    assert!(passes(&mut other), "a VM that is lost holds nothing after ten seconds");
}

// Metrics

#[test]
fn a_policy_of_ten_thousand_quotas_has_at_most_2000_series() {
    let quotas: Vec<String> =
        (0..10_000).map(|n| format!(r#"{{"id": "q{n}", "limit": {{"requests": 1, "per": "day"}}}}"#)).collect();
    let quotas: Vec<&str> = quotas.iter().map(String::as_str).collect();
    let by = r#"{"metrics": {"by": ["rule", "namespace", "destination"]}, "#;
    let mut rig = rig(&[]);
    assert!(rig.configure(2, &policy(&quotas).replacen('{', by, 1)));
    assert!(rig.host.metrics.len() <= 2000, "{}", rig.host.metrics.len());
    assert_eq!(metric(&rig, "quota=.=q199;.;tollgate_quota_denied_total"), Some(0));
    assert_eq!(metric(&rig, "quota=.=q200;.;tollgate_quota_denied_total"), None);
    assert_eq!(rig.request_to(2, &REQUEST), Action::Continue);
    assert_eq!(rig.request_to(2, &REQUEST), Action::Pause);
    assert_eq!(metric(&rig, "quota=.=q0;.;tollgate_quota_denied_total"), Some(1));
    assert_eq!(metric(&rig, "quota=.=other;.;tollgate_quota_denied_total"), Some(9800));
}

#[test]
fn metrics_of_quotas_that_fail_refuse_nothing() {
    let mut rig = rig(&[r#"{"id": "q", "mode": "dry-run", "limit": {"requests": 1, "per": "day"}}"#]);
    rig.host.failing.insert(Call::IncrementMetric);
    assert!(passes(&mut rig) && passes(&mut rig));
    assert_eq!(rig.decided(), "would-deny QUOTA_REQUESTS");
}
