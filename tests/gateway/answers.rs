//! Denials as callers see them, and callers as external servers see them.

use serde_json::{Value, json};
use tollgate_local::gateway::GatewayConfig;

use crate::support::rig::Rig;

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";

fn policy(more: &Value) -> Value {
    let mut policy = json!({
        "version": 1,
        "name": "answers",
        "rules": [{"id": "api", "from": [{"namespace": "payments"}], "to": [{"hosts": ["api.example.com"]}]}],
    });
    let settings = more.as_object().unwrap().clone();
    policy.as_object_mut().unwrap().extend(settings);
    policy
}

/// One gateway after another, each with another Envoy.
fn start() -> impl Iterator<Item = Rig> {
    Rig::start_each(&policy(&json!({})), &[CHECKOUT], GatewayConfig::default())
}

#[test]
fn a_denied_caller_is_told_as_much_as_the_policy_says() {
    for rig in start() {
        let denied = |detail: &str| {
            let revision =
                rig.serve(&policy(&json!({"response": {"detail": detail, "docsUrl": "https://wiki.example"}})));
            let request = b"GET / HTTP/1.1\r\nhost: api.example.com:8443\r\n\r\n";
            let response = rig.send(Some(CHECKOUT), request).response.unwrap();
            assert_eq!((response.status, response.header("x-egress-denied")), (403, Some(&b"NO_MATCH"[..])));
            (revision, response.body)
        };
        assert_eq!(denied("none").1, b"");
        for detail in ["reason", "full"] {
            let (revision, body) = denied(detail);
            assert!(body.ends_with(b"}\n"), "the prompt comes on a line of its own");
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"], "egress_denied");
            assert_eq!(body["reason"], "NO_MATCH");
            assert_eq!(body["policy"], format!("answers@{revision}"));
            assert_eq!(body["docs"], "https://wiki.example");
            assert!(body["message"].as_str().unwrap().contains("api.example.com"), "{body}");
            assert!(body["request_id"].is_string(), "{body}");
            assert_eq!(body.get("identity").is_some(), detail == "full", "{body}");
            assert_eq!(body.get("near").is_some(), detail == "full", "{body}");
        }
    }
}

#[test]
fn a_forged_tripwire_header_is_replaced_by_the_secret() {
    for rig in start() {
        let secrets = ["0123456789abcdef-new", "0123456789abcdef-old"];
        rig.serve(&policy(&json!({"tripwire": {"header": "x-egress-guard", "values": secrets}})));
        let request =
            b"GET / HTTP/1.1\r\nhost: api.example.com\r\nx-egress-guard: forged\r\nX-Egress-Guard: again\r\n\r\n";
        let seen = rig.send(Some(CHECKOUT), request);
        let values: Vec<_> = seen.received[0].headers.iter().filter(|(name, _)| name == "x-egress-guard").collect();
        assert_eq!(values, [&("x-egress-guard".to_owned(), secrets[0].as_bytes().to_vec())]);
    }
}

#[test]
fn external_servers_do_not_see_internal_headers() {
    for rig in start() {
        rig.serve(&policy(&json!({"requestHeaders": {"remove": ["x-internal-token"], "keep": ["x-forwarded-for"]}})));
        let request =
            b"GET / HTTP/1.1\r\nhost: api.example.com\r\nx-internal-token: s3cret\r\nx-envoy-max-retries: 7\r\n\
        x-envoy-retry-on: 5xx\r\nx-forwarded-client-cert: Hash=00\r\naccept: */*\r\n\r\n";
        let seen = rig.send(Some(CHECKOUT), request);
        let received = &seen.received[0];
        for (name, _) in &received.headers {
            let internal =
                name.starts_with("x-envoy-") || ["x-internal-token", "x-forwarded-client-cert"].contains(&&**name);
            assert!(!internal, "{name}");
        }
        assert!(received.header("x-forwarded-for").is_some(), "kept by the policy");
        assert_eq!(received.header("accept"), Some(&b"*/*"[..]));
    }
}
