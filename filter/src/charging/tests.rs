use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::task::Poll;

use serde_json::Value;
use tollgate::decision::{Authorizer, Charged, Evaluation};
use tollgate::policy::Policy;
use tollgate::quota::{QuotaThread, SharedStore};

use crate::charger::Charger;
use crate::fake::{Rig, RigOf};
use crate::host::Direction;
use crate::host::{Action, Attribute, Call, HeaderMap, StreamSide};
use crate::serving::{Service, Serving};

/// Quotas that answer when a test says so.
#[derive(Debug, Default)]
struct Later {
    answered: BTreeSet<u32>,
    asked: Vec<u32>,
    forgotten: Vec<u32>,
}

impl Charger for Later {
    fn charge<'s>(
        &mut self,
        stream: u32,
        policy: &'s Policy,
        evaluation: &mut Evaluation<'s>,
        bytes: u64,
        thread: &mut QuotaThread,
        store: &mut impl SharedStore,
    ) -> Poll<Charged<'s>> {
        self.asked.push(stream);
        if !self.answered.contains(&stream) {
            return Poll::Pending;
        }
        Poll::Ready(Authorizer::new(policy).charge(evaluation, bytes, thread, store))
    }

    fn forget(&mut self, stream: u32) {
        self.forgotten.push(stream);
    }
}

const REQUEST: [(&str, &[u8]); 4] = [
    (":authority", b"API.example.com"),
    (":method", b"POST"),
    (":path", b"/v1?secret"),
    ("x-forwarded-for", b"192.0.2.1"),
];
/// Bytes of the names and values of [`REQUEST`].
const HEADERS: u64 = 25 + 11 + 15 + 24;
const AT_ONCE: &str = r#"{"id": "one", "limit": {"concurrent": 1}}"#;
const BYTES: &str = r#"{"id": "bytes", "limit": {"bytes": "1000B", "per": "day"}}"#;
const ALLOWED: &str = "decision=.=allow;.;reason=.=RULE_ALLOW;.;tollgate_requests_total";

fn policy(quotas: &str) -> String {
    format!(
        r#"{{"version": 1, "name": "prod", "revision": "r1", "authority": {{"verifyRoute": "host"}},
            "rules": [{{"id": "all", "from": [{{"any": true}}], "to": [{{"hosts": ["api.example.com"]}}]}}],
            "quotas": [{quotas}]}}"#
    )
}

fn rig(quotas: &str) -> RigOf<Later> {
    let mut rig = RigOf::new(&policy(quotas));
    rig.host.monotonic = 1_000_000_000_000;
    rig.host.time = 1_795_608_000_000_000_000;
    rig.host.attributes.insert(Attribute::Cluster, b"outbound|443||api.example.com".to_vec());
    rig
}

/// Sends a request that waits for its charge.
fn waits(rig: &mut RigOf<Later>) -> u32 {
    assert_eq!(rig.request(&REQUEST), Action::Pause);
    rig.streams
}

/// The quotas of a stream answer.
fn answer(rig: &mut RigOf<Later>, stream: u32) {
    rig.worker.charger.answered.insert(stream);
    rig.worker.resume(&mut rig.host, stream);
}

fn used(rig: &RigOf<Later>) -> u64 {
    let record: Value = serde_json::from_str(&rig.host.record()).expect("a record is JSON");
    record["q"][0]["used"].as_u64().expect("a quota was consulted")
}

fn serving(rig: &mut RigOf<Later>, instance: u32) -> Weak<Serving> {
    match rig.worker.instances.service(&mut rig.host, instance) {
        Service::Decide(serving) => Rc::downgrade(serving),
        Service::Refuse(_) => panic!("no policy"),
    }
}

#[test]
fn a_request_is_held_until_its_quotas_answer() {
    let mut rig = rig(AT_ONCE);
    let stream = waits(&mut rig);
    let read = [Call::Headers(HeaderMap::Request), Call::Attribute(Attribute::PeerCertificate)];
    assert_eq!(rig.host.calls, [&read[..], &[Call::Attribute(Attribute::Cluster)]].concat(), "nothing is carried out");
    rig.worker.resume(&mut rig.host, stream);
    assert_eq!((rig.host.resumed, rig.host.record()), (0, String::new()), "there is no answer yet");
    rig.host.calls.clear();
    answer(&mut rig, stream);
    assert_eq!((rig.host.resumed, rig.decided().as_str()), (1, "allow RULE_ALLOW"));
    assert!(!rig.host.calls.contains(&Call::Headers(HeaderMap::Request)), "{:?}", rig.host.calls);
    assert_eq!(rig.host.calls.last(), Some(&Call::Resume));
    assert_eq!(rig.host.removed, ["x-forwarded-for"]);
    assert_eq!(rig.host.set, [(":authority".to_owned(), "api.example.com".to_owned())]);
    assert_eq!(rig.host.route().as_deref(), Some("outbound|443||api.example.com"));
    assert_eq!((rig.host.metric(ALLOWED), used(&rig)), (Some(1), 1));
    assert_eq!(rig.respond(), Action::Continue);
    rig.end();
    let next = waits(&mut rig);
    answer(&mut rig, next);
    assert_eq!(rig.decided(), "allow RULE_ALLOW", "what was held is given back");
}

#[test]
fn a_request_without_quotas_waits_for_nothing() {
    let mut rig = rig("");
    assert_eq!(rig.request(&REQUEST), Action::Continue);
    let mut denied = self::rig(AT_ONCE);
    denied.host.attributes.remove(&Attribute::Cluster);
    denied.request(&[(":authority", b"other.example.com"), REQUEST[1], REQUEST[2]]);
    assert_eq!(denied.decided(), "deny NO_MATCH");
    assert!(rig.worker.charger.asked.is_empty() && denied.worker.charger.asked.is_empty());
}

#[test]
fn a_request_whose_quotas_refuse_later_is_answered_and_goes_nowhere() {
    let mut rig = rig(AT_ONCE);
    let (first, second) = (waits(&mut rig), waits(&mut rig));
    answer(&mut rig, first);
    answer(&mut rig, second);
    assert_eq!((rig.host.resumed, rig.decided().as_str()), (1, "deny QUOTA_CONCURRENT"));
    assert_eq!(rig.host.responses[0].status, 429);
    assert_eq!(rig.worker.body(&mut rig.host, second, Direction::Upstream, 1), Action::Pause);
    rig.worker.deleted(&mut rig.host, second);
    assert_eq!(rig.worker.charger.forgotten, [] as [u32; 0], "it was answered");
}

#[test]
fn answers_come_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut rig = rig(r#"{"id": "three", "limit": {"concurrent": 3}}"#);
        let paths = ["/a", "/b", "/c"];
        let streams = paths.map(|path| {
            assert_eq!(rig.request(&[REQUEST[0], REQUEST[1], (":path", path.as_bytes())]), Action::Pause);
            rig.streams
        });
        for (turn, which) in order.into_iter().enumerate() {
            answer(&mut rig, streams[which]);
            let path = format!(r#""path":"{}""#, paths[which]);
            assert!(rig.host.record().contains(&path), "{order:?}: {}", rig.host.record());
            assert_eq!((used(&rig), rig.host.resumed), (turn as u64 + 1, turn as u32 + 1), "{order:?}");
        }
    }
}

#[test]
fn an_answer_that_comes_twice_or_for_nobody_changes_nothing() {
    let mut rig = rig(r#"{"id": "two", "limit": {"concurrent": 2}}"#);
    let stream = waits(&mut rig);
    for _ in 0..3 {
        answer(&mut rig, stream);
    }
    answer(&mut rig, 7);
    answer(&mut rig, 1);
    assert_eq!((rig.host.resumed, used(&rig), rig.host.metric(ALLOWED)), (1, 1, Some(1)));
    assert_eq!(rig.worker.charger.asked, [stream; 2]);
    rig.host.calls.clear();
    rig.worker.create_stream(50, 1);
    answer(&mut rig, 50);
    assert!(rig.host.calls.is_empty(), "its headers were not shown yet");
    assert_eq!(rig.worker.request_headers(&mut rig.host, 50), Action::Continue, "and then it is decided");
}

#[test]
fn a_caller_that_goes_before_the_answer_is_recorded_and_leaves_nothing_behind() {
    let mut rig = rig(AT_ONCE);
    let stream = waits(&mut rig);
    let one = serving(&mut rig, 1);
    rig.log();
    assert_eq!(rig.decided(), "deny QUOTA_UNAVAILABLE");
    assert!(rig.host.record().contains(r#""host":"api.example.com""#), "{}", rig.host.record());
    let counted = "decision=.=deny;.;reason=.=QUOTA_UNAVAILABLE;.;tollgate_requests_total";
    assert_eq!(rig.host.metric(counted), Some(1));
    rig.end();
    assert_eq!(rig.worker.charger.forgotten, [stream]);
    rig.host.calls.clear();
    answer(&mut rig, stream);
    rig.end();
    assert!(rig.host.calls.is_empty(), "{:?}", rig.host.calls);
    assert_eq!((rig.host.resumed, rig.worker.charger.forgotten.len()), (0, 1));
    let next = waits(&mut rig);
    answer(&mut rig, next);
    assert_eq!(used(&rig), 1, "it holds nothing");
    rig.end();
    assert!(rig.configure(2, &policy("")) && rig.configure(3, &policy("")));
    rig.worker.deleted(&mut rig.host, 1);
    assert!(one.upgrade().is_none());
}

#[test]
fn a_request_stays_with_the_policy_that_has_decided_it() {
    let mut rig = rig(AT_ONCE);
    let stream = waits(&mut rig);
    let one = serving(&mut rig, 1);
    let other = policy(AT_ONCE).replace("api.example.com", "other.example.com").replace("r1", "r2");
    assert!(rig.configure(2, &other) && rig.configure(3, &other));
    rig.worker.deleted(&mut rig.host, 1);
    assert!(one.upgrade().is_some(), "it is held with what has decided it");
    answer(&mut rig, stream);
    assert_eq!((rig.host.resumed, rig.decided().as_str()), (1, "allow RULE_ALLOW"));
    assert!(rig.host.record().contains(r#""rev":"r1""#), "{}", rig.host.record());
    assert!(one.upgrade().is_none(), "and then goes on without rules and index");
    rig.request_to(3, &REQUEST);
    assert_eq!(rig.decided(), "deny NO_MATCH");
}

#[test]
fn what_follows_a_held_request_is_held_and_charged_once_it_goes_on() {
    let mut rig = rig(&BYTES.replace("1000B", "1MB"));
    let stream = waits(&mut rig);
    assert_eq!([rig.body(Direction::Upstream, 300), rig.body(Direction::Upstream, 11)], [Action::Pause; 2]);
    rig.host.header_bytes.insert(HeaderMap::RequestTrailers, 25);
    assert_eq!(rig.request_trailers(&[("x-envoy-retry-on", b"5xx"), ("x-own", b"1")]), Action::Pause);
    assert!(rig.host.removed_trailers.is_empty());
    answer(&mut rig, stream);
    assert_eq!((rig.host.resumed, rig.host.removed_trailers.as_slice()), (1, &["x-envoy-retry-on".to_owned()][..]));
    rig.end();
    let next = waits(&mut rig);
    answer(&mut rig, next);
    assert_eq!(used(&rig), 2 * HEADERS + 300 + 11 + 25);
}

#[test]
fn a_body_that_crosses_the_line_while_it_is_held_is_cut_off() {
    let mut rig = rig(BYTES);
    let stream = waits(&mut rig);
    assert_eq!(rig.body(Direction::Upstream, 5000), Action::Pause);
    answer(&mut rig, stream);
    assert_eq!((rig.host.resumed, rig.decided().as_str()), (0, "cut QUOTA_BYTES"));
    assert_eq!(rig.host.responses[0].status, 429);
}

#[test]
fn trailers_that_cannot_be_cleaned_reset_a_held_request() {
    let mut rig = rig(AT_ONCE);
    let stream = waits(&mut rig);
    assert_eq!(rig.request_trailers(&[]), Action::Pause);
    rig.host.failing.insert(Call::Headers(HeaderMap::RequestTrailers));
    answer(&mut rig, stream);
    assert_eq!((rig.host.resumed, rig.host.closed.as_slice()), (0, &[StreamSide::Request][..]));
    rig.log();
    assert_eq!(rig.decided(), "deny POLICY_INVALID");
}

#[test]
fn a_call_that_fails_when_the_answer_comes_refuses_and_gives_back_what_is_held() {
    for call in [Call::RemoveHeader, Call::SetHeader, Call::SetFilterState, Call::ReadShared, Call::WriteShared] {
        let mut rig = rig(AT_ONCE);
        let stream = waits(&mut rig);
        rig.host.failing.insert(call);
        answer(&mut rig, stream);
        let reason =
            if matches!(call, Call::ReadShared | Call::WriteShared) { "QUOTA_UNAVAILABLE" } else { "POLICY_INVALID" };
        assert_eq!(rig.host.responses[0].details, format!("egress_denied{{{reason}}}"), "{call}");
        rig.host.failing.clear();
        rig.end();
        let next = waits(&mut rig);
        answer(&mut rig, next);
        assert_eq!((rig.host.resumed, used(&rig)), (1, 1), "{call}");
    }
}

#[test]
fn a_request_that_cannot_be_resumed_is_reset_and_recorded_so() {
    for failing in [&[Call::Resume][..], &[Call::Resume, Call::Reset]] {
        let mut rig = rig(AT_ONCE);
        let stream = waits(&mut rig);
        rig.host.failing.extend(failing);
        answer(&mut rig, stream);
        assert_eq!(rig.host.closed.len(), 2 - failing.len());
        rig.host.failing.clear();
        rig.log();
        assert_eq!(rig.decided(), "deny POLICY_INVALID");
        rig.end();
        let next = waits(&mut rig);
        answer(&mut rig, next);
        assert_eq!(used(&rig), 1, "it holds nothing");
    }
}

#[test]
fn an_answer_of_the_proxy_itself_passes_a_held_request() {
    let mut rig = rig(BYTES);
    let stream = waits(&mut rig);
    rig.details("request_overall_timeout");
    let passes = [rig.respond(), rig.body(Direction::Downstream, 5000), rig.trailers(HeaderMap::ResponseTrailers, 1)];
    assert_eq!(passes, [Action::Continue; 3]);
    rig.log();
    assert_eq!(rig.decided(), "deny QUOTA_UNAVAILABLE");
    rig.end();
    assert_eq!(rig.worker.charger.forgotten, [stream]);
}

#[test]
fn a_request_that_waited_is_recorded_and_answered_like_one_that_did_not() {
    let dry_run = policy(BYTES).replacen('{', r#"{"mode": "dry-run", "response": {"detail": "full"}, "#, 1);
    let quota = r#"{"id": "one", "by": ["identity"], "limit": {"requests": 1, "per": "day"}}"#;
    let full = policy(quota).replacen('{', r#"{"response": {"detail": "full"}, "audit": {"path": "pattern"}, "#, 1);
    let long = "a".repeat(253);
    let hosts = ["api.example.com:443", "API.example.com.", "[::1]", "evil.example.com", "a..b", &long];
    for text in [policy(AT_ONCE), policy(BYTES), dry_run, full] {
        for host in hosts {
            for id in ["spiffe://cluster.local/ns/a/sa/b", "spiffe://other/ns/a/sa/b", "no id", ""] {
                let headers = [(":authority", host.as_bytes()), REQUEST[1], REQUEST[2], ("x-request-id", b"7")];
                let (mut at_once, mut later) = (Rig::new(&text), RigOf::<Later>::new(&text));
                at_once.identity(id);
                later.identity(id);
                for _ in 0..2 {
                    let action = at_once.request(&headers);
                    later.request(&headers);
                    let stream = later.streams;
                    answer(&mut later, stream);
                    let (a, b) = (&at_once.host, &later.host);
                    assert_eq!(a.state, b.state, "{text} {host} {id}");
                    assert_eq!(
                        (&a.responses, &a.removed, &a.set),
                        (&b.responses, &b.removed, &b.set),
                        "{text} {host} {id}"
                    );
                    assert_eq!((&a.metrics, &a.log), (&b.metrics, &b.log), "{text} {host} {id}");
                    let waited = later.worker.charger.asked.last() == Some(&stream);
                    assert_eq!(b.resumed == 1, waited && action == Action::Continue, "{text} {host} {id}");
                    later.host.resumed = 0;
                }
            }
        }
    }
}
