//! Connections whose servers speak first.

use tollgate_tests::hello::Hello;

use super::{Rig, SECOND};
use crate::host::{Action, Attribute, Call};

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
