//! Records of requests that Envoy refuses itself.

use serde_json::{Value, json};
use tollgate_local::gateway::GatewayConfig;

use crate::support::http2;
use crate::support::rig::{Rig, Seen};

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";

/// One gateway after another, each with another Envoy.
fn start() -> impl Iterator<Item = Rig> {
    let policy: Value = json!({
        "version": 1,
        "name": "refused",
        "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["api.example.com"]}]}],
    });
    Rig::start_each(&policy, &[CHECKOUT], GatewayConfig::default())
}

#[track_caller]
fn assert_recorded(seen: &Seen, details: &str, host: &str) {
    assert!(!seen.got_through(), "{seen:?}");
    let recorded = ["d", "r", "id", "p", "host"].map(|key| seen.recorded(key));
    assert_eq!(recorded, ["deny", "REFUSED_BY_ENVOY", CHECKOUT, "refused", host], "{seen:?}");
    assert!(seen.recorded("details").starts_with(details), "{seen:?}");
    assert_eq!(
        seen.line.as_ref().and_then(|line| line.text("egress.response_code_details")),
        Some(seen.recorded("details"))
    );
}

#[test]
fn a_request_that_envoy_refuses_before_the_filter_sees_it_is_recorded_and_counted() {
    for rig in start() {
        let upgrade = "GET / HTTP/1.1\r\nhost: api.example.com\r\nconnection: upgrade\r\nupgrade: TLS/1.2\r\n\r\n";
        let both =
            "POST / HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
        let table = [
            (upgrade, 403, "upgrade_failed", "api.example.com"),
            ("GET / HTTP/1.1\r\n\r\n", 400, "missing_host_header", "-"),
            ("GET /%00 HTTP/1.1\r\nhost: api.example.com\r\n\r\n", 400, "path_normalization_failed", "api.example.com"),
            ("GET / HTTP/1.0\r\nhost: api.example.com\r\n\r\n", 426, "low_version", "-"),
            ("GET relative HTTP/1.1\r\nhost: api.example.com\r\n\r\n", 400, "http1.codec_error", "-"),
            (both, 400, "http1.content_length_and_chunked_not_allowed", "-"),
        ];
        for (request, status, details, host) in table {
            let seen = rig.send(Some(CHECKOUT), request.as_bytes());
            assert_eq!(seen.status(), status, "{details}");
            let known = if seen.recorded("host") == "-" { "-" } else { host };
            assert_recorded(&seen, details, known);
        }
        let refused = rig.metric(r#"tollgate_requests_total{decision="deny",reason="REFUSED_BY_ENVOY"}"#);
        assert_eq!(refused, Some(table.len() as f64));
    }
}

#[test]
fn a_tunnel_for_a_protocol_that_envoy_does_not_take_is_recorded() {
    for rig in start() {
        for (protocol, details) in [("foo", "upgrade_failed"), ("connect-udp", "invalid_path")] {
            let fields: &[(&[u8], &[u8])] = &[
                (b":method", b"CONNECT"),
                (b":protocol", protocol.as_bytes()),
                (b":scheme", b"https"),
                (b":authority", b"api.example.com"),
                (b":path", b"/"),
            ];
            let seen = rig.send_http2(Some(CHECKOUT), &http2::Request { fields, data: None, trailers: &[] });
            assert_recorded(&seen, details, "api.example.com");
        }
    }
}
