//! Connections with a host that can be made to fail.
#![expect(clippy::arithmetic_side_effects, reason = "a test may panic")]

use tollgate_tests::hello::{Hello, record, records, server_hello};

use crate::charger::GatewayQuotas;
use crate::connections::MOST;
use crate::fake::Fake;
use crate::host::{Action, Attribute, Call, Direction, StreamSide};
use crate::worker::Worker;

const POLICY: &str = r#"{"version": 1, "name": "p", "rules": [
    {"id": "api", "from": [{"namespace": "payments"}], "to": [{"hosts": ["api.test"]}]},
    {"id": "db", "from": [{"namespace": "payments"}], "to": [
        {"hosts": ["db.test"], "ports": [5432], "clientHello": "optional"}]},
    {"id": "wild", "from": [{"namespace": "payments"}], "to": [{"hosts": ["*.wild.test"]}]}],
    "quotas": [{"id": "bytes", "to": [{"hosts": ["db.test"]}], "limit": {"bytes": 1000, "per": "day"}},
               {"id": "two", "to": [{"hosts": ["api.test"]}], "limit": {"concurrent": 2}}]}"#;
const SECOND: u64 = 1_000_000_000;

/// The policy as waypoints have it.
fn at_a_waypoint() -> String {
    POLICY.replacen('{', r#"{"identity": {"sources": ["peer-certificate", "peer-principal"]}, "#, 1)
}

/// A worker with one instance of the plugin, number 1.
struct Rig {
    host: Fake,
    worker: Worker<GatewayQuotas>,
    streams: u32,
}

impl Rig {
    fn new(policy: &str) -> Rig {
        let mut rig = Rig { host: Fake::default(), worker: Worker::for_connections(), streams: 100 };
        rig.host.time = 1_700_000_000 * SECOND;
        rig.configure(1, policy);
        rig.identity("spiffe://cluster.local/ns/payments/sa/checkout");
        rig
    }

    fn configure(&mut self, instance: u32, policy: &str) {
        self.host.configuration = policy.as_bytes().to_vec();
        assert!(self.worker.configure(&mut self.host, instance, Ok("mesh.tollgate-tcp/")), "{:?}", self.host.log);
    }

    fn identity(&mut self, id: &str) {
        self.host.attributes.insert(Attribute::PeerCertificate, id.as_bytes().to_vec());
    }

    /// A connection begins that was led to a host and a port.
    fn connect(&mut self, host: &str, port: u16) -> u32 {
        self.connect_as(&format!("outbound_.{port}_._.{host}"), "192.0.2.1:4711")
    }

    fn connect_as(&mut self, outer: &str, source: &str) -> u32 {
        self.connect_to(1, outer, source)
    }

    /// A connection comes to an instance.
    fn connect_to(&mut self, instance: u32, outer: &str, source: &str) -> u32 {
        self.streams += 1;
        self.host.stream = self.streams;
        for (attribute, value) in [(Attribute::ServerName, outer), (Attribute::SourceAddress, source)] {
            self.host.own.insert((self.streams, attribute), value.as_bytes().to_vec());
        }
        self.host.upstream.clear();
        self.host.state.clear();
        self.worker.create_stream(self.streams, instance);
        assert_eq!(self.worker.connection(&mut self.host, self.streams), Action::Pause);
        self.streams
    }

    /// The caller sends more; what was let go before is not held any more.
    fn send(&mut self, stream: u32, bytes: &[u8]) -> Action {
        self.host.stream = stream;
        self.host.upstream.extend_from_slice(bytes);
        let size = self.host.upstream.len();
        let action = self.worker.from_caller(&mut self.host, stream, size, false);
        if action == Action::Continue {
            self.host.upstream.clear();
        }
        action
    }

    fn answer(&mut self, stream: u32, bytes: &[u8]) -> Action {
        self.host.stream = stream;
        self.host.downstream = bytes.to_vec();
        self.worker.from_destination(&mut self.host, stream, bytes.len())
    }

    /// `decision REASON`, from the record.
    fn decided(&self) -> String {
        let Some(record) = self.host.state.get("tollgate-tcp") else { return "nothing".to_owned() };
        let record: serde_json::Value = serde_json::from_slice(record).expect("JSON");
        assert_eq!(record["layer"], "tcp");
        format!("{} {}", record["d"].as_str().unwrap_or("?"), record["r"].as_str().unwrap_or("?"))
    }

    fn closed(&mut self) -> bool {
        let closed = std::mem::take(&mut self.host.closed);
        assert!(closed.iter().all(|side| *side == StreamSide::Downstream));
        !closed.is_empty()
    }

    fn tick(&mut self) {
        self.worker.tick_connections(&mut self.host, 1);
    }

    fn end(&mut self, stream: u32) {
        self.worker.deleted(&mut self.host, stream);
    }
}

#[test]
fn a_connection_is_held_until_its_hello_says_what_it_is_and_led_there() {
    let mut rig = Rig::new(POLICY);
    let stream = rig.connect("api.test", 443);
    let hello = records(&Hello::of("api.test").message(), 9);
    let (first, rest) = hello.split_at(70);
    for byte in first {
        assert_eq!(rig.send(stream, &[*byte]), Action::Pause);
    }
    assert_eq!((rig.decided().as_str(), rig.host.steered.len()), ("nothing", 0));
    assert_eq!(rig.send(stream, rest), Action::Continue);
    assert_eq!(rig.decided(), "allow RULE_ALLOW");
    assert_eq!(rig.host.steered, ["outbound|443||api.test"]);
    let written = String::from_utf8(rig.host.state["tollgate-tcp"].clone()).expect("UTF-8");
    assert!(written.ends_with(r#","layer":"tcp","sni":"api.test"}"#), "{written}");
    assert!(!rig.closed());
    assert_eq!(rig.answer(stream, &records(&server_hello(false), 40)), Action::Continue);
    assert_eq!(rig.send(stream, &record(22, &[16, 0, 0, 1, 9])), Action::Continue);
    assert_eq!(rig.host.metric("decision=.=allow;.;reason=.=RULE_ALLOW;.;tollgate_requests_total"), Some(1));
}

#[test]
fn a_wildcard_leads_to_the_cluster_of_the_port() {
    let mut rig = Rig::new(POLICY);
    let stream = rig.connect("*.wild.test", 443);
    assert_eq!(rig.send(stream, &Hello::of("a.wild.test").record()), Action::Continue);
    assert_eq!(rig.host.steered, ["tollgate-dynamic-443"]);
}

#[test]
fn what_is_refused_is_closed_recorded_and_led_nowhere() {
    for (outer, bytes, expected) in [
        ("outbound_.443_._.api.test", Hello::of("evil.test").record(), "deny SNI_MISMATCH"),
        ("outbound_.443_._.api.test", b"GET / HTTP/1.1\r\n".to_vec(), "deny SNI_MISSING"),
        ("outbound_.443_._.other.test", Hello::of("other.test").record(), "deny NO_MATCH"),
        ("outbound_.443_._.localhost", Hello::of("localhost").record(), "deny HOST_INVALID"),
        ("", Hello::of("api.test").record(), "deny HOST_INVALID"),
    ] {
        let mut rig = Rig::new(POLICY);
        let stream = rig.connect_as(outer, "192.0.2.1:4711");
        assert_eq!(rig.send(stream, &bytes), Action::Pause, "{outer}");
        assert_eq!(rig.decided(), expected);
        assert!(rig.closed() && rig.host.steered.is_empty());
        // whatever else comes goes nowhere
        assert_eq!(rig.send(stream, &bytes), Action::Pause);
        assert_eq!(rig.answer(stream, b"x"), Action::Pause);
    }
}

#[test]
fn a_host_call_that_fails_closes_the_connection() {
    for (call, expected) in [
        (Call::Bytes(Direction::Upstream), "deny SNI_MISSING"),
        (Call::Attribute(Attribute::PeerCertificate), "deny IDENTITY_INVALID"),
        (Call::Attribute(Attribute::ServerName), "deny HOST_INVALID"),
        (Call::Attribute(Attribute::FilterChain), "allow RULE_ALLOW"),
        (Call::Attribute(Attribute::TunnelAuthority), "allow RULE_ALLOW"),
        (Call::Steer, "deny POLICY_INVALID"),
        (Call::SetFilterState, "nothing"),
        (Call::ReadShared, "deny QUOTA_UNAVAILABLE"),
        (Call::IncrementMetric, "allow RULE_ALLOW"),
        (Call::MonotonicClock, "deny QUOTA_UNAVAILABLE"),
    ] {
        for dry_run in ["", r#""mode": "dry-run","#] {
            let mut rig = Rig::new(&POLICY.replacen('{', &format!("{{{dry_run}"), 1));
            rig.host.failing.insert(call);
            let stream = rig.connect("api.test", 443);
            let action = rig.send(stream, &Hello::of("api.test").record());
            let would = if dry_run.is_empty() {
                expected.to_owned()
            } else {
                expected.replace("deny QUOTA", "would-deny QUOTA")
            };
            assert_eq!(rig.decided(), would, "{call}");
            let is_open = !would.starts_with("deny") && would != "nothing";
            assert_eq!((action == Action::Continue, rig.closed()), (is_open, !is_open), "{call}");
        }
    }
}

#[test]
fn where_principals_are_read_a_place_that_cannot_be_read_closes_the_connection() {
    for attribute in [Attribute::FilterChain, Attribute::TunnelAuthority, Attribute::PeerPrincipal] {
        let mut rig = Rig::new(&at_a_waypoint());
        rig.host.failing.insert(Call::Attribute(attribute));
        let certificate = rig.host.attributes.remove(&Attribute::PeerCertificate).unwrap_or_default();
        rig.host.attributes.insert(Attribute::PeerPrincipal, certificate);
        let stream = rig.connect("api.test", 443);
        assert!(!rig.closed(), "before the first bytes");
        assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Pause);
        let reason = if attribute == Attribute::PeerPrincipal { "deny IDENTITY_INVALID" } else { "deny HOST_INVALID" };
        assert_eq!(rig.decided(), reason);
    }
}

#[test]
fn a_connection_costs_eight_host_calls() {
    let mut rig = Rig::new(
        r#"{"version": 1, "name": "p", "rules": [
        {"id": "r", "from": [{"any": true}], "to": [{"hosts": ["api.test"]}]}]}"#,
    );
    rig.host.calls.clear();
    let stream = rig.connect("api.test", 443);
    assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Continue);
    assert_eq!(rig.answer(stream, &records(&server_hello(false), 40)), Action::Continue);
    assert_eq!(rig.send(stream, &record(23, &[9; 300])), Action::Continue);
    assert_eq!(rig.answer(stream, &record(23, &[9; 300])), Action::Continue);
    rig.end(stream);
    let expected = [
        Call::MonotonicClock,
        Call::Bytes(Direction::Upstream),
        Call::Attribute(Attribute::PeerCertificate),
        Call::Attribute(Attribute::ServerName),
        Call::SetFilterState,
        Call::Steer,
        Call::IncrementMetric,
        Call::Bytes(Direction::Downstream),
    ];
    assert_eq!(rig.host.calls, expected);
}

#[test]
fn a_second_hello_for_another_host_is_closed_before_a_byte_of_it_is_sent() {
    let evil = records(&Hello::of("evil.test").message(), 13);
    let mut rig = Rig::new(POLICY);
    for at in [0, 1, 4, 5, 30] {
        let stream = rig.connect("api.test", 443);
        assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Continue);
        assert_eq!(rig.answer(stream, &records(&server_hello(true), 50)), Action::Continue);
        let (first, rest) = evil.split_at(at);
        if at > 0 {
            let action = rig.send(stream, &[&record(20, &[1])[..], first].concat());
            assert_eq!(action, Action::Pause, "{at}");
        }
        assert!(!rig.closed());
        assert_eq!(rig.send(stream, rest), Action::Pause, "{at}");
        assert_eq!(rig.decided(), "cut SNI_MISMATCH");
        assert!(rig.closed());
        rig.end(stream);
    }
    // in the same piece as the first
    let stream = rig.connect("api.test", 443);
    assert_eq!(rig.send(stream, &[Hello::of("api.test").record(), evil].concat()), Action::Pause);
    assert!(rig.closed());
}

#[test]
fn a_second_hello_for_the_same_host_goes_on_once_it_is_whole() {
    let mut rig = Rig::new(POLICY);
    let stream = rig.connect("api.test", 443);
    assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Continue);
    assert_eq!(rig.answer(stream, &records(&server_hello(true), 50)), Action::Continue);
    let second = records(&Hello::of("api.test").message(), 40);
    let (first, rest) = second.split_at(50);
    assert_eq!([rig.send(stream, first), rig.send(stream, rest)], [Action::Pause, Action::Continue]);
    assert_eq!(rig.send(stream, b"whatever follows"), Action::Continue);
    assert!(!rig.closed());
}

#[test]
fn half_a_second_hello_is_not_waited_for_for_ever() {
    let mut rig = Rig::new(POLICY);
    let stream = rig.connect("api.test", 443);
    let half = Hello::of("api.test").record()[..30].to_vec();
    assert_eq!(rig.send(stream, &[Hello::of("api.test").record(), half].concat()), Action::Pause);
    rig.host.monotonic += 9 * SECOND;
    rig.tick();
    assert!(!rig.closed());
    rig.host.monotonic += SECOND;
    rig.tick();
    assert!(rig.closed());
    assert_eq!(rig.decided(), "cut SNI_MISMATCH");
}

#[test]
fn a_connection_that_sends_nothing_is_closed_after_ten_seconds() {
    let mut rig = Rig::new(POLICY);
    let silent = rig.connect("api.test", 443);
    let slow = rig.connect("api.test", 443);
    assert_eq!(rig.send(slow, &Hello::of("api.test").record()[..20]), Action::Pause);
    rig.host.monotonic += 10 * SECOND - 1;
    rig.tick();
    assert!(!rig.closed());
    rig.host.monotonic += 1;
    rig.tick();
    assert_eq!(rig.host.closed.len(), 2);
    assert_eq!(rig.decided(), "deny SNI_MISSING");
    rig.host.focused.sort_unstable();
    assert_eq!(rig.host.focused, [silent, slow]);
    assert_eq!(rig.send(silent, b"late"), Action::Pause);
}

#[test]
fn the_source_that_holds_most_makes_room() {
    let mut rig = Rig::new(POLICY);
    let first = rig.connect_as("outbound_.443_._.api.test", "192.0.2.9:1");
    let oldest = rig.connect_as("outbound_.443_._.api.test", "192.0.2.1:1");
    for port in 2..MOST {
        rig.connect_as("outbound_.443_._.api.test", &format!("192.0.2.1:{port}"));
    }
    assert!(!rig.closed());
    rig.host.focused.clear();
    let newest = rig.connect_as("outbound_.443_._.api.test", "192.0.2.7:1");
    assert!(rig.closed());
    assert_eq!(rig.decided(), "deny UNDECIDED_LIMIT");
    let record: serde_json::Value = serde_json::from_slice(&rig.host.state["tollgate-tcp"]).expect("JSON");
    assert_eq!((&record["host"], &record["port"]), (&"api.test".into(), &443.into()));
    assert_eq!(rig.host.focused, [newest, oldest, newest]);
    assert_eq!(rig.host.metric("tollgate_undecided_refused_total"), Some(1));
    assert_eq!(rig.send(oldest, &Hello::of("api.test").record()), Action::Pause);
    for stream in [first, newest] {
        rig.host.upstream.clear();
        assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Continue);
    }
}

#[test]
fn bytes_both_ways_are_charged_from_the_first_and_cut_the_connection() {
    let mut rig = Rig::new(POLICY);
    let stream = rig.connect("db.test", 5432);
    assert_eq!(rig.send(stream, &[b'q'; 400]), Action::Continue);
    assert_eq!(rig.host.steered, ["outbound|5432||db.test"]);
    assert_eq!(rig.answer(stream, &[b'a'; 500]), Action::Continue);
    assert_eq!(rig.send(stream, &[b'q'; 99]), Action::Continue);
    assert!(!rig.closed());
    assert_eq!(rig.send(stream, &[b'q'; 200]), Action::Pause);
    assert!(rig.closed());
    assert_eq!(rig.decided(), "cut QUOTA_BYTES");
    assert_eq!(rig.answer(stream, b"x"), Action::Pause);
    rig.end(stream);
    let next = rig.connect("db.test", 5432);
    assert_eq!(rig.send(next, b"q"), Action::Pause);
    assert_eq!(rig.decided(), "deny QUOTA_BYTES");
    // the first bytes alone
    let mut rig = Rig::new(POLICY);
    let stream = rig.connect("db.test", 5432);
    assert_eq!(rig.send(stream, &[b'q'; 1001]), Action::Pause);
    assert_eq!(rig.decided(), "cut QUOTA_BYTES");
    assert!(rig.closed());
}

#[test]
fn what_is_held_is_charged_once() {
    let policy = r#"{"version": 1, "name": "p", "rules": [{"id": "r", "from": [{"any": true}], "to": [{"hosts": ["api.test"]}]}],
        "quotas": [{"id": "q", "limit": {"bytesOut": 100000, "per": "day"}}]}"#;
    let mut rig = Rig::new(policy);
    let stream = rig.connect("api.test", 443);
    let hello = Hello::of("api.test").record();
    assert_eq!(rig.send(stream, &hello[..10]), Action::Pause);
    assert_eq!(rig.send(stream, &hello[10..]), Action::Continue);
    let second = records(&Hello::of("api.test").message(), 40);
    assert_eq!([rig.send(stream, &second[..60]), rig.send(stream, &second[60..])], [Action::Pause, Action::Continue]);
    rig.end(stream);
    let last = rig.connect("api.test", 443);
    assert_eq!(rig.send(last, &hello), Action::Continue);
    let record: serde_json::Value = serde_json::from_slice(&rig.host.state["tollgate-tcp"]).expect("JSON");
    assert_eq!(record["q"][0]["used"], hello.len() + second.len());
}

#[test]
fn places_in_flight_are_given_back_at_the_end() {
    let mut rig = Rig::new(POLICY);
    let hello = Hello::of("api.test").record();
    let streams = [rig.connect("api.test", 443), rig.connect("api.test", 443), rig.connect("api.test", 443)];
    for (stream, expected) in streams.iter().zip([Action::Continue, Action::Continue, Action::Pause]) {
        rig.host.upstream.clear();
        assert_eq!(rig.send(*stream, &hello), expected);
    }
    assert_eq!(rig.decided(), "deny QUOTA_CONCURRENT");
    rig.end(streams[0]);
    let next = rig.connect("api.test", 443);
    assert_eq!(rig.send(next, &hello), Action::Continue);
}

#[test]
fn an_update_closes_what_it_does_not_admit_and_nothing_else() {
    let mut rig = Rig::new(POLICY);
    let hello = Hello::of("api.test").record();
    let api = [rig.connect("api.test", 443), rig.connect("api.test", 443)];
    for stream in api {
        rig.host.upstream.clear();
        assert_eq!(rig.send(stream, &hello), Action::Continue);
    }
    let db = rig.connect("db.test", 5432);
    assert_eq!(rig.send(db, b"query"), Action::Continue);
    rig.tick();
    assert!(!rig.closed());
    rig.configure(2, &POLICY.replace(r#""hosts": ["api.test"]}]}"#, r#""hosts": ["else.test"]}]}"#));
    rig.tick();
    assert_eq!(rig.host.closed.len(), 2);
    rig.host.focused.sort_unstable();
    assert_eq!(rig.host.focused, api);
    assert_eq!(rig.decided(), "cut NO_MATCH");
    rig.host.closed.clear();
    rig.tick();
    assert!(!rig.closed());
    assert_eq!(
        [rig.send(db, b"more"), rig.send(api[0], b"more"), rig.answer(api[1], b"x")],
        [Action::Continue, Action::Pause, Action::Pause]
    );
}

#[test]
fn what_admitted_a_connection_ends_and_so_does_the_connection() {
    let policy = r#"{"version": 1, "name": "p", "rules": [
        {"id": "r", "from": [{"any": true}], "to": [{"hosts": ["api.test"]}], "expiresAt": "2023-11-15T00:00:00Z"}]}"#;
    let mut rig = Rig::new(policy);
    let stream = rig.connect("api.test", 443);
    assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Continue);
    rig.tick();
    assert!(!rig.closed());
    rig.host.time = 1_700_006_400 * SECOND;
    rig.tick();
    assert!(rig.closed());
    assert_eq!(rig.decided(), "cut RULE_EXPIRED");
}

#[test]
fn at_a_waypoint_a_denied_caller_is_closed_before_it_sends_anything() {
    let mut rig = Rig::new(&at_a_waypoint());
    let chain = |rig: &mut Rig, name: &str| {
        rig.host.attributes.insert(Attribute::FilterChain, name.as_bytes().to_vec());
    };
    chain(&mut rig, "inbound-vip|443|tcp|other.test");
    rig.connect_as("", "192.0.2.1:1");
    assert!(rig.closed());
    assert_eq!(rig.decided(), "deny NO_MATCH");
    let certificate = rig.host.attributes.remove(&Attribute::PeerCertificate);
    rig.connect_as("", "192.0.2.1:1");
    assert!(!rig.closed(), "who shows a certificate has not shown it yet");
    rig.host.attributes.extend(certificate.map(|certificate| (Attribute::PeerCertificate, certificate)));
    chain(&mut rig, "direct-tcp");
    rig.connect_as("", "192.0.2.1:1");
    assert!(rig.closed());
    assert_eq!(rig.decided(), "deny HOST_INVALID");
    for (name, server) in
        [("inbound-vip|443|tcp|api.test", "api.test"), ("inbound-vip|443|tcp|*.wild.test", "a.wild.test")]
    {
        chain(&mut rig, name);
        let stream = rig.connect_as("", "192.0.2.1:1");
        assert!(!rig.closed(), "{name}");
        assert_eq!(rig.send(stream, &Hello::of(server).record()), Action::Continue, "{name}");
        let stream = rig.connect_as("", "192.0.2.1:1");
        assert_eq!(rig.send(stream, &Hello::of("evil.test").record()), Action::Pause, "{name}");
        assert!(rig.closed());
    }
}

#[test]
fn who_leaves_before_the_decision_is_recorded_if_it_sent_anything() {
    let mut rig = Rig::new(POLICY);
    let stream = rig.connect("api.test", 443);
    assert_eq!(rig.send(stream, &[22, 3, 1]), Action::Pause);
    rig.worker.log_connection(&mut rig.host, stream);
    assert_eq!(rig.decided(), "deny SNI_MISSING");
    let silent = rig.connect("api.test", 443);
    rig.worker.log_connection(&mut rig.host, silent);
    assert_eq!(rig.decided(), "nothing");
}

#[test]
fn without_a_policy_every_connection_is_closed() {
    let mut rig = Rig::new(POLICY);
    let mut worker = Worker::for_connections();
    std::mem::swap(&mut rig.worker, &mut worker);
    rig.host.shared.clear();
    rig.host.configuration = b"{".to_vec();
    assert!(rig.worker.configure(&mut rig.host, 1, Ok("mesh.tollgate-tcp/")));
    let stream = rig.connect("api.test", 443);
    assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Pause);
    assert_eq!(rig.decided(), "deny POLICY_INVALID");
    assert!(rig.closed());
}

#[test]
fn what_waits_is_decided_by_the_policy_of_its_decision() {
    let mut rig = Rig::new(POLICY);
    let stream = rig.connect("api.test", 443);
    rig.configure(2, &POLICY.replace(r#""hosts": ["api.test"]}]}"#, r#""hosts": ["else.test"]}]}"#));
    assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Pause);
    assert_eq!(rig.decided(), "deny NO_MATCH");
}

#[test]
fn where_the_host_goes_back_to_an_older_policy_that_one_judges() {
    let mut rig = Rig::new(POLICY);
    let hello = Hello::of("api.test").record();
    let old = rig.connect("api.test", 443);
    assert_eq!(rig.send(old, &hello), Action::Continue);
    rig.configure(2, &POLICY.replace(r#""hosts": ["*.wild.test"]"#, r#""hosts": ["*.wild.test", "new.test"]"#));
    let new = rig.connect_to(2, "outbound_.443_._.new.test", "192.0.2.1:1");
    assert_eq!(rig.send(new, &Hello::of("new.test").record()), Action::Continue);
    rig.tick();
    assert!(!rig.closed());
    // without being configured again
    let next = rig.connect("api.test", 443);
    assert_eq!(rig.send(next, &hello), Action::Continue);
    rig.host.focused.clear();
    rig.tick();
    assert!(rig.closed());
    assert_eq!(rig.host.focused, [new]);
    assert_eq!(rig.decided(), "cut NO_MATCH");
}

#[test]
fn without_a_policy_time_passes_all_the_same_and_room_is_made() {
    let mut rig = Rig { host: Fake::default(), worker: Worker::for_connections(), streams: 100 };
    rig.host.configuration = b"{".to_vec();
    assert!(rig.worker.configure(&mut rig.host, 1, Ok("mesh.tollgate-tcp/")));
    assert!(rig.host.tick.is_some());
    for port in 0..MOST {
        rig.connect_as("outbound_.443_._.api.test", &format!("192.0.2.1:{port}"));
    }
    assert!(!rig.closed());
    rig.connect_as("outbound_.443_._.api.test", "192.0.2.1:1");
    assert!(rig.closed());
    assert_eq!(rig.decided(), "deny POLICY_INVALID");
    rig.host.monotonic += 10 * SECOND;
    rig.tick();
    assert_eq!(rig.host.closed.len(), MOST);
}

#[test]
fn a_bad_policy_behind_a_good_one_stops_no_clock() {
    let mut rig = Rig::new(POLICY);
    rig.host.tick = None;
    rig.host.configuration = br#"{"version": 1, "name": "p", "rulez": []}"#.to_vec();
    assert!(rig.worker.configure(&mut rig.host, 2, Ok("mesh.tollgate-tcp/")));
    assert!(rig.host.tick.is_some());
    let stream = rig.connect_to(2, "outbound_.443_._.api.test", "192.0.2.1:1");
    assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Continue);
}

/// A database that speaks first, and another caller for whom the same place is to be called with TLS.
const SPEAKS_FIRST: &str = r#"{"version": 1, "name": "p", "destinations": {
        "mail": {"hosts": ["mail.test"], "ports": [25], "serverFirst": true}},
    "rules": [
        {"id": "mail", "from": [{"namespace": "payments"}], "to": [{"destination": "mail"}]},
        {"id": "tls", "from": [{"namespace": "web"}], "to": [{"hosts": ["mail.test"], "ports": [25]}]},
        {"id": "api", "from": [{"namespace": "payments"}], "to": [{"hosts": ["api.test"]}]}]}"#;
const MILLISECOND: u64 = 1_000_000;

impl Rig {
    /// Time passes up to the next tick that comes often.
    fn soon(&mut self) {
        self.host.monotonic += 5 * MILLISECOND;
        self.tick();
    }
}

#[test]
fn where_the_server_speaks_first_silence_is_let_go_after_a_moment() {
    let mut rig = Rig::new(SPEAKS_FIRST);
    assert_eq!(rig.host.tick, Some(1000));
    let stream = rig.connect("mail.test", 25);
    assert_eq!(rig.host.tick, Some(5), "ticks come often while it waits");
    rig.tick();
    assert!(rig.host.resumed_connections.is_empty(), "not before the moment is over");
    rig.soon();
    assert_eq!(rig.host.resumed_connections, [stream]);
    assert_eq!(rig.host.steered, ["outbound|25||mail.test"]);
    assert_eq!(rig.decided(), "allow RULE_ALLOW");
    assert_eq!(rig.host.tick, Some(1000), "and rarely again");
    assert!(!rig.closed());
    assert_eq!(rig.answer(stream, b"220 mail.test"), Action::Continue);
    assert_eq!(rig.send(stream, b"EHLO"), Action::Continue);
    rig.soon();
    assert_eq!((rig.host.resumed_connections.len(), rig.host.tick), (1, Some(1000)));
    // as every connection it is judged again
    rig.configure(2, &SPEAKS_FIRST.replace(r#", "serverFirst": true"#, ""));
    rig.host.monotonic += SECOND;
    rig.tick();
    assert_eq!(rig.decided(), "cut SNI_MISSING");
    assert!(rig.closed());
}

#[test]
fn a_caller_that_is_silent_on_purpose_is_let_go_by_no_other_target() {
    for mode in ["", r#""mode": "dry-run","#] {
        let mut rig = Rig::new(&SPEAKS_FIRST.replacen('{', &format!("{{{mode}"), 1));
        let elsewhere = rig.connect("api.test", 443);
        assert_eq!(rig.host.tick, Some(1000), "nobody speaks first there");
        rig.host.attributes.insert(Attribute::PeerCertificate, b"spiffe://cluster.local/ns/web/sa/a".to_vec());
        let by_tls = rig.connect("mail.test", 25);
        for _ in 0..20 {
            rig.soon();
        }
        assert!(rig.host.resumed_connections.is_empty() && rig.host.steered.is_empty());
        assert!(!rig.closed());
        assert_eq!(rig.host.tick, Some(1000), "its first bytes decide");
        assert_eq!(rig.send(by_tls, &Hello::of("mail.test").record()), Action::Continue);
        rig.identity("spiffe://cluster.local/ns/payments/sa/checkout");
        assert_eq!(rig.send(elsewhere, &Hello::of("api.test").record()), Action::Continue);
    }
}

#[test]
fn a_silent_caller_whom_no_rule_admits_is_closed_and_nothing_is_led_anywhere() {
    let mut rig = Rig::new(SPEAKS_FIRST);
    rig.identity("spiffe://cluster.local/ns/other/sa/a");
    let stream = rig.connect("mail.test", 25);
    rig.soon();
    assert_eq!(rig.decided(), "deny NO_MATCH");
    assert!(rig.closed() && rig.host.steered.is_empty() && rig.host.resumed_connections.is_empty());
    assert_eq!(rig.host.tick, Some(1000));
    assert_eq!(rig.send(stream, b"late"), Action::Pause);
}

#[test]
fn who_speaks_in_time_is_decided_by_that() {
    let mut rig = Rig::new(SPEAKS_FIRST);
    for (bytes, expected) in [
        (b"SSH-2.0-x\r\n".to_vec(), "allow RULE_ALLOW"),
        (Hello::default().record(), "allow RULE_ALLOW"),
        (Hello { ech: true, ..Hello::of("mail.test") }.record(), "allow RULE_ALLOW"),
        (Hello::of("evil.test").record(), "deny SNI_MISMATCH"),
    ] {
        let stream = rig.connect("mail.test", 25);
        rig.send(stream, &bytes);
        assert_eq!(rig.decided(), expected);
        assert_eq!(rig.closed(), expected.starts_with("deny"));
    }
    // whoever has begun to speak is not silent
    let stream = rig.connect("mail.test", 25);
    assert_eq!(rig.send(stream, &Hello::of("mail.test").record()[..9]), Action::Pause);
    rig.soon();
    assert!(rig.host.resumed_connections.is_empty());
    assert_eq!(rig.host.tick, Some(1000));
    rig.host.monotonic += 10 * SECOND;
    rig.tick();
    assert_eq!(rig.decided(), "deny SNI_MISSING");
}

#[test]
fn a_handshake_that_takes_its_time_is_looked_at_less_and_less() {
    let mut rig = Rig::new(SPEAKS_FIRST);
    let certificate = rig.host.attributes.remove(&Attribute::PeerCertificate).unwrap_or_default();
    let stream = rig.connect("mail.test", 25);
    rig.host.focused.clear();
    for _ in 0..1_000 {
        rig.soon();
    }
    assert!(rig.host.focused.len() < 15, "{} looks in 5 s", rig.host.focused.len());
    assert_eq!(rig.host.tick, Some(5));
    rig.host.attributes.insert(Attribute::PeerCertificate, certificate);
    rig.host.monotonic += SECOND;
    rig.soon();
    assert_eq!(rig.host.resumed_connections, [stream]);
    // one that never ends
    rig.host.attributes.remove(&Attribute::PeerCertificate);
    rig.connect("mail.test", 25);
    for _ in 0..2_200 {
        rig.soon();
    }
    assert_eq!((rig.decided().as_str(), rig.host.tick), ("deny SNI_MISSING", Some(1000)));
}

#[test]
fn ticks_that_come_often_do_the_rest_as_rarely_as_others() {
    let mut rig = Rig::new(SPEAKS_FIRST);
    rig.host.attributes.remove(&Attribute::PeerCertificate);
    rig.connect("mail.test", 25);
    rig.tick();
    rig.host.calls.clear();
    for _ in 0..400 {
        rig.soon();
    }
    let beats = rig.host.calls.iter().filter(|call| **call == Call::WriteShared).count();
    assert_eq!(beats, 0, "no quota holds anything");
    rig.worker.deleted(&mut rig.host, rig.streams);
    rig.soon();
    assert_eq!(rig.host.tick, Some(1000), "whoever has gone is not waited for");
}

#[test]
fn a_host_call_that_fails_lets_no_silence_go() {
    for (call, expected) in [
        (Call::Attribute(Attribute::PeerCertificate), "deny IDENTITY_INVALID"),
        (Call::Steer, "deny POLICY_INVALID"),
        (Call::SetFilterState, "nothing"),
        (Call::ResumeConnection, "allow RULE_ALLOW"),
        (Call::Focus, "nothing"),
    ] {
        let mut rig = Rig::new(SPEAKS_FIRST);
        let stream = rig.connect("mail.test", 25);
        rig.host.failing.insert(call);
        rig.soon();
        assert_eq!(rig.decided(), expected, "{call}");
        assert!(rig.host.resumed_connections.is_empty(), "{call}");
        assert_eq!(rig.closed(), call != Call::Focus, "{call}");
        assert_eq!(rig.send(stream, b"more"), Action::Pause, "{call}");
    }
    let mut rig = Rig::new(SPEAKS_FIRST);
    rig.host.failing.extend([Call::TickEvery, Call::Attribute(Attribute::ServerName)]);
    let stream = rig.connect("mail.test", 25);
    rig.soon();
    assert!(rig.host.resumed_connections.is_empty() && rig.host.steered.is_empty());
    rig.host.failing.clear();
    assert_eq!(rig.send(stream, b"EHLO"), Action::Continue);
}

#[test]
fn at_a_port_for_everything_http_goes_to_its_own_filter_and_is_decided_there() {
    let policy = POLICY.replacen('{', r#"{"tcp": {"http": true, "self": ["gw.test"]}, "#, 1).replace(
        r#""limit": {"concurrent": 2}}"#,
        r#""limit": {"concurrent": 2}}, {"id": "three", "limit": {"requests": 3, "per": "day"}}"#,
    );
    let mut rig = Rig::new(&policy);
    // whoever it is, wherever it was led, as often as it likes
    for id in ["spiffe://cluster.local/ns/payments/sa/checkout", "spiffe://other/ns/a/sa/b", "nobody", ""] {
        rig.identity(id);
        for outer in ["outbound_.9443_._.gw.test", "outbound_.443_._.api.test", "localhost", ""] {
            for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
                rig.host.steered.clear();
                let stream = rig.connect_as(outer, "192.0.2.1:1");
                assert_eq!(rig.send(stream, bytes), Action::Continue, "{id} {outer}");
                assert_eq!(rig.host.steered, ["tollgate-http"]);
                assert!(!rig.closed());
                let record: serde_json::Value = serde_json::from_slice(&rig.host.state["tollgate-tcp"]).expect("JSON");
                assert_eq!((&record["d"], &record["layer"]), (&"allow".into(), &"tcp".into()));
                assert!(["rule", "host", "q", "sni"].iter().all(|key| record.get(key).is_none()), "{record}");
                rig.end(stream);
            }
        }
    }
    let counted = "decision=.=allow;.;reason=.=RULE_ALLOW;.;tollgate_requests_total";
    assert_eq!(rig.host.metric(counted), Some(0));
    // TLS and everything else as at any port
    rig.identity("spiffe://cluster.local/ns/payments/sa/checkout");
    for (outer, bytes, expected) in [
        ("outbound_.443_._.api.test", Hello::of("api.test").record(), "allow RULE_ALLOW"),
        ("outbound_.5432_._.db.test", b"GETX".to_vec(), "allow RULE_ALLOW"),
        ("outbound_.443_._.api.test", b"get / HTTP/1.1".to_vec(), "deny SNI_MISSING"),
    ] {
        let stream = rig.connect_as(outer, "192.0.2.1:1");
        rig.send(stream, &bytes);
        assert_eq!(rig.decided(), expected);
    }
}

#[test]
fn http_is_told_once_enough_of_it_has_come() {
    let mut rig = Rig::new(&POLICY.replacen('{', r#"{"tcp": {"http": true}, "#, 1));
    for whole in [&b"PROPFIND "[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let stream = rig.connect("db.test", 5432);
        let (last, first) = whole.split_last().expect("bytes");
        for byte in first {
            assert_eq!(rig.send(stream, &[*byte]), Action::Pause);
        }
        assert_eq!(rig.send(stream, &[*last]), Action::Continue);
        assert_eq!(rig.host.steered.pop().as_deref(), Some("tollgate-http"));
        rig.end(stream);
    }
    // what ends before is none
    let stream = rig.connect("db.test", 5432);
    assert_eq!(rig.send(stream, b"GE"), Action::Pause);
    assert_eq!(rig.worker.from_caller(&mut rig.host, stream, 2, true), Action::Continue);
    assert_eq!(rig.host.steered, ["outbound|5432||db.test"]);
    // nor is what takes too long
    let stream = rig.connect("db.test", 5432);
    assert_eq!(rig.send(stream, b"GET"), Action::Pause);
    rig.host.monotonic += 10 * SECOND;
    rig.tick();
    assert_eq!(rig.decided(), "deny SNI_MISSING");
    // elsewhere HTTP is what it always was
    let mut rig = Rig::new(POLICY);
    let stream = rig.connect("db.test", 5432);
    assert_eq!(rig.send(stream, b"G"), Action::Continue);
    assert_eq!(rig.host.steered, ["outbound|5432||db.test"]);
}

#[test]
fn http_is_closed_once_its_port_is_no_longer_for_everything() {
    let policy = POLICY.replacen('{', r#"{"tcp": {"http": true}, "#, 1);
    let mut rig = Rig::new(&policy);
    let stream = rig.connect("api.test", 443);
    assert_eq!(rig.send(stream, b"GET / HTTP/1.1\r\n"), Action::Continue);
    rig.configure(2, &policy.replace("payments", "web"));
    rig.tick();
    assert!(!rig.closed(), "its requests are judged where they are decided");
    rig.configure(3, POLICY);
    rig.tick();
    assert_eq!(rig.decided(), "cut SNI_MISSING");
    assert!(rig.closed());
}

#[test]
fn who_will_send_nothing_is_silent_where_the_server_speaks_first_alone() {
    for (host, port, expected) in [("mail.test", 25, "allow RULE_ALLOW"), ("api.test", 443, "deny SNI_MISSING")] {
        let mut rig = Rig::new(SPEAKS_FIRST);
        let stream = rig.connect(host, port);
        let action = rig.worker.from_caller(&mut rig.host, stream, 0, true);
        assert_eq!(rig.decided(), expected);
        assert_eq!(action == Action::Continue, expected.starts_with("allow"));
        rig.soon();
        assert_eq!(rig.host.tick, Some(1000));
        assert!(rig.host.resumed_connections.is_empty(), "the callback's answer lets it go");
    }
}
