//! Policies that change while requests come in, filters that go missing, and VMs that die.
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::rig::{Rig, tail};
use serde_json::{Value, json};
use tollgate_local::gateway::GatewayConfig;
use tollgate_local::wire;

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";

fn bad() -> Value {
    json!({"version": 1, "name": "bad", "rulez": []})
}

/// Admits `always.example` and these hosts.
fn policy(revision: &str, hosts: &[&str]) -> Value {
    let hosts: Vec<_> = ["always.example"].iter().chain(hosts).collect();
    json!({
        "version": 1,
        "name": "updates",
        "revision": revision,
        "rules": [{"id": "some", "from": [{"namespace": "payments"}], "to": [{"hosts": hosts}]}],
    })
}

/// One gateway after another, each with another Envoy.
fn start(policy: &Value, concurrency: u32) -> impl Iterator<Item = Rig> {
    Rig::start_each(policy, &[CHECKOUT], GatewayConfig { concurrency, ..GatewayConfig::default() })
}

fn get(host: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()
}

fn status(rig: &Rig, host: &str) -> u16 {
    rig.send(Some(CHECKOUT), &get(host)).status()
}

/// Waits until a statistic of Envoy has at least this value.
fn await_stat(rig: &Rig, name: &str, at_least: u64) {
    let started = Instant::now();
    while rig.gateway.admin().stat(name).unwrap() < at_least {
        assert!(started.elapsed() < Duration::from_secs(10), "{name}:\n{}", tail(&rig.gateway.log()));
        thread::sleep(Duration::from_millis(5));
    }
}

/// The value of a counter or gauge of the filter with these labels, as Prometheus scrapes it.
fn metric(rig: &Rig, line: &str) -> Option<f64> {
    let page = rig.gateway.admin().prometheus().unwrap();
    page.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok())
}

#[test]
fn a_good_policy_replaces_another_without_a_failed_or_wrongly_decided_request() {
    for rig in start(&policy("without", &[]), 2) {
        let ended = AtomicBool::new(false);
        let asked = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut stream = rig.connect(Some(CHECKOUT));
                    while !ended.load(Ordering::Relaxed) {
                        for (host, expected) in [("always.example", 200), ("never.example", 403)] {
                            let answer = wire::exchange(&mut stream, &get(host)).unwrap();
                            assert_eq!(answer.status, expected, "{host}");
                        }
                        let answer = wire::exchange(&mut stream, &get("sometimes.example")).unwrap();
                        assert!(matches!(answer.status, 200 | 403), "{}", answer.status);
                        asked.fetch_add(3, Ordering::Relaxed);
                    }
                });
            }
            for round in 0..20 {
                let (revision, hosts) = match round % 2 {
                    0 => (format!("with-{round}"), vec!["sometimes.example"]),
                    _ => (format!("without-{round}"), vec![]),
                };
                let before = asked.load(Ordering::Relaxed);
                rig.plugin.publish(&policy(&revision, &hosts).to_string()).unwrap();
                rig.await_revision(&revision);
                while asked.load(Ordering::Relaxed) < before + 60 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            ended.store(true, Ordering::Relaxed);
        });
        assert!(asked.load(Ordering::Relaxed) > 1_000);
        for line in rig.gateway.audit().lines().iter().filter(|line| line.recorded("host") == Some("sometimes.example"))
        {
            let revision = line.recorded("rev").unwrap();
            let expected = if revision.starts_with("with-") { "allow" } else { "deny" };
            assert_eq!(line.recorded("d"), Some(expected), "{}", line.line);
        }
        assert_eq!(rig.gateway.admin().stat(&(rig.plugin.update_stats() + "config_fail")).unwrap(), 0);
    }
}

#[test]
fn a_bad_policy_leaves_the_last_good_one_serving_and_is_counted() {
    for rig in start(&policy("start", &[]), 1) {
        rig.serve(&policy("", &["sometimes.example"]));
        let stats = rig.plugin.update_stats();
        for (count, bad) in
            [&*bad().to_string(), "", "no JSON", r#"{"version":2}"#, "{\"version\":1,\"version\":1}"].iter().enumerate()
        {
            rig.plugin.publish(bad).unwrap();
            await_stat(&rig, &format!("{stats}config_fail"), count as u64 + 1);
            assert_eq!(status(&rig, "sometimes.example"), 200, "{bad}");
            assert_eq!(status(&rig, "never.example"), 403, "{bad}");
        }
        assert!(rig.gateway.log().contains("rulez"), "{}", tail(&rig.gateway.log()));
        assert!(metric(&rig, r#"tollgate_policy_loads_total{result="rejected"} "#).unwrap() >= 5.0);
        assert_eq!(metric(&rig, "tollgate_policy_valid{} "), Some(1.0));
        rig.serve(&policy("", &[]));
        assert_eq!(status(&rig, "sometimes.example"), 403);
    }
}

#[test]
fn a_first_policy_that_is_bad_denies_everything_until_a_good_one_comes() {
    for rig in start(&bad(), 1) {
        let seen = rig.send(Some(CHECKOUT), &get("always.example"));
        assert_eq!((seen.status(), seen.recorded("r")), (403, "POLICY_INVALID"));
        assert!(!seen.got_through());
        assert_eq!(metric(&rig, "tollgate_policy_valid{} "), Some(0.0));
        rig.serve(&policy("", &[]));
        assert_eq!(status(&rig, "always.example"), 200);
        assert_eq!(metric(&rig, "tollgate_policy_valid{} "), Some(1.0));
    }
}

#[test]
fn decisions_are_counted_with_their_labels() {
    for rig in start(&policy("start", &[]), 1) {
        for host in ["always.example", "always.example", "never.example"] {
            status(&rig, host);
        }
        let counted = |labels: &str| metric(&rig, &format!("tollgate_requests_total{{{labels}}} "));
        assert_eq!(counted(r#"decision="allow",reason="RULE_ALLOW""#), Some(2.0));
        assert_eq!(counted(r#"decision="deny",reason="NO_MATCH""#), Some(1.0));
    }
}

#[test]
fn a_filter_that_goes_missing_shuts_the_tripwire() {
    for rig in start(&policy("start", &[]), 1) {
        assert_eq!(status(&rig, "always.example"), 200);
        rig.plugin.replace_by_nothing().unwrap();
        let started = Instant::now();
        loop {
            let seen = rig.send(Some(CHECKOUT), &get("always.example"));
            if seen.line.is_some_and(|line| line.record.is_none()) {
                assert_eq!(seen.response.unwrap().status, 403);
                assert_eq!(seen.received, []);
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(10));
        }
    }
}

#[test]
fn a_tunnel_is_closed_by_an_update_that_does_not_admit_it() {
    let policy = |host: &str| {
        json!({"version": 1, "name": "tunnels", "rules": [
            {"id": "chat", "from": [{"namespace": "payments"}], "to": [{"hosts": [host], "upgrades": ["websocket"]}]}]})
    };
    for rig in start(&policy("chat.example"), 1) {
        let upgrade = b"GET /chat HTTP/1.1\r\nhost: chat.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let mut stream = rig.connect(Some(CHECKOUT));
        assert_eq!(wire::exchange(&mut stream, upgrade).unwrap().status, 101);
        let mut echoed = [0; 4];
        for text in [b"ping", b"pong"] {
            stream.write_all(text).unwrap();
            stream.read_exact(&mut echoed).unwrap();
            assert_eq!(&echoed, text);
            rig.serve(&policy("*.example"));
        }
        let seen = rig.gateway.audit().count();
        rig.serve(&policy("else.example"));
        let line = rig.gateway.audit().wait_for(seen, |line| line.recorded("d") == Some("cut")).unwrap();
        assert_eq!((line.recorded("r"), line.recorded("host")), (Some("NO_MATCH"), Some("chat.example")));
        assert_eq!(stream.read(&mut echoed).unwrap_or_default(), 0);
    }
}
