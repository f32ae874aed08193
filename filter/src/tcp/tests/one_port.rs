//! HTTP at a port for everything.

use tollgate_tests::hello::Hello;

use super::{POLICY, Rig, SECOND};
use crate::host::Action;

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
