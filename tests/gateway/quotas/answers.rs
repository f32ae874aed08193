//! Answers and headers of quotas for callers, and records for operators.

use serde_json::{Value, json};
use tollgate_local::gateway::GatewayConfig;
use tollgate_local::wire::Response;

use super::{CHECKOUT, REFUNDS, get, header, policy, said, start};
use crate::support::rig::{Rig, Seen};

const HOST: &str = "api.example.com";
const TOLD: [&str; 4] = ["retry-after", "ratelimit-policy", "ratelimit", "x-egress-denied"];

/// Three requests an hour for each identity.
fn three() -> Value {
    json!({"id": "three", "limit": {"requests": 3, "per": "1h"}})
}

fn told(response: &Response) -> [&str; 4] {
    TOLD.map(|name| header(response, name))
}

fn send(rig: &Rig) -> Seen {
    rig.send(Some(CHECKOUT), &get(HOST, "/x"))
}

#[test]
fn a_refused_caller_is_told_when_to_come_again() {
    let rig = start(&policy(&[three()]), GatewayConfig::default());
    for used in 1..=3 {
        let seen = send(&rig);
        assert_eq!((seen.status(), seen.recorded("d")), (200, "allow"));
        let record = said(&seen);
        assert_eq!((&*record.id, &*record.key, record.limit, record.used), ("three", CHECKOUT, 3, used));
        let response = seen.response.unwrap();
        assert_eq!(TOLD.map(|name| response.header(name)), [None; 4], "an admitted response is not touched");
    }
    let seen = send(&rig);
    assert!(!seen.got_through());
    assert_eq!((seen.status(), seen.recorded("d"), seen.recorded("r")), (429, "deny", "QUOTA_REQUESTS"));
    assert_eq!((seen.recorded("rule"), said(&seen).used), ("three", 3));
    let line = seen.line.as_ref().unwrap();
    assert_eq!(line.text("egress.response_code_details"), Some("egress_denied{QUOTA_REQUESTS}"));
    let response = seen.response.unwrap();
    let [retry, policy, limit, reason] = told(&response);
    let wait: u32 = retry.parse().unwrap();
    assert!((1..=1200).contains(&wait), "{wait}");
    assert_eq!(policy, r#""three";q=3;w=3600"#);
    assert_eq!(limit, format!(r#""three";r=0;t={wait}"#));
    assert_eq!(reason, "QUOTA_REQUESTS");
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!((&body["error"], &body["reason"]), (&json!("egress_denied"), &json!("QUOTA_REQUESTS")));

    let other = rig.send(Some(REFUNDS), &get(HOST, "/x"));
    assert_eq!((other.status(), said(&other).used), (200, 1), "another identity has a bucket of its own");
    let anonymous = rig.send(None, &get(HOST, "/x"));
    assert_eq!((anonymous.status(), anonymous.recorded("r")), (403, "IDENTITY_MISSING"));

    assert_eq!(rig.metric(r#"tollgate_quota_denied_total{quota="three"}"#), Some(1.0));
    assert_eq!(rig.metric(r#"tollgate_quota_overflow_total{quota="three"}"#), Some(0.0));
    assert_eq!(rig.metric("tollgate_quota_contended_total{}"), Some(0.0));
    let counted = |labels: &str| rig.metric(&format!("tollgate_requests_total{{{labels}}}"));
    assert_eq!(counted(r#"decision="deny",reason="QUOTA_REQUESTS""#), Some(1.0));
    assert_eq!(counted(r#"decision="allow",reason="RULE_ALLOW""#), Some(4.0));
}

#[test]
fn a_refused_grpc_call_gets_resource_exhausted() {
    let rig = start(
        &policy(&[json!({"id": "one", "by": [], "limit": {"requests": 1, "per": "month"}})]),
        GatewayConfig::default(),
    );
    let call = b"POST /pkg.Service/Call HTTP/1.1\r\nhost: api.example.com\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(rig.send(Some(CHECKOUT), call).recorded("d"), "allow");
    let seen = rig.send(Some(CHECKOUT), call);
    assert!(!seen.got_through());
    let response = seen.response.unwrap();
    assert_eq!((response.status, header(&response, "grpc-status")), (200, "8"));
    assert!(header(&response, "grpc-message").contains("quota"), "{response:?}");
    assert_eq!(header(&response, "ratelimit-policy"), r#""one";q=1"#);
}

#[test]
fn what_is_in_dry_run_is_let_through_and_recorded() {
    let one = |more: &Value| {
        let mut quota = json!({"id": "one", "limit": {"requests": 1, "per": "month"}});
        quota.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        quota
    };
    let dry = json!({"mode": "dry-run"});
    let enforced = json!({"mode": "enforce"});
    let team = json!({"dryRunFor": [{"namespace": "payments"}]});
    let rig = start(&policy(&[]), GatewayConfig::default());
    let mut refused = 0.0;
    for (number, (settings, quota, outcome)) in [
        (json!({}), json!({}), "deny"),
        (json!({}), dry.clone(), "would-deny"),
        (team.clone(), json!({}), "would-deny"),
        (team, enforced.clone(), "deny"),
        (dry.clone(), json!({}), "would-deny"),
        (dry, enforced, "deny"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut policy = policy(&[one(&quota)]);
        policy.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        // Another name, other buckets.
        policy["name"] = json!(format!("dry-run-{number}"));
        rig.serve(&policy);
        assert_eq!(send(&rig).recorded("d"), "allow", "{policy}");
        let seen = send(&rig);
        let decided = (seen.recorded("d"), seen.recorded("r"), seen.recorded("rule"));
        assert_eq!(decided, (outcome, "QUOTA_REQUESTS", "one"), "{policy}");
        assert_eq!((seen.status() == 200, seen.got_through()), (outcome != "deny", outcome != "deny"), "{policy}");
        refused += f64::from(u8::from(outcome == "deny"));
        assert_eq!(rig.metric(r#"tollgate_quota_denied_total{quota="one"}"#), Some(refused), "{policy}");
        if outcome != "deny" {
            let response = seen.response.unwrap();
            assert_eq!(TOLD.map(|name| response.header(name)), [None; 4]);
        }
    }
}
