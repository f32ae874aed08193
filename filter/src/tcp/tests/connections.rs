//! Connections held, decided, watched and closed.

use tollgate_tests::hello::{Hello, record, records, server_hello};

use super::{POLICY, Rig, SECOND, at_a_waypoint};
use crate::connections::MOST;
use crate::fake::Fake;
use crate::host::{Action, Attribute, Call, Direction};
use crate::worker::Worker;

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
fn where_clusters_are_rendered_a_connection_goes_to_one_that_nothing_else_makes() {
    let mut rig = Rig::new(&POLICY.replacen('{', r#"{"tcp": {"rendered": true}, "#, 1));
    let stream = rig.connect("api.test", 443);
    assert_eq!(rig.send(stream, &Hello::of("api.test").record()), Action::Continue);
    assert_eq!(rig.host.steered, ["tollgate.tcp|443|api.test"]);
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
