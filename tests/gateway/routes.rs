//! Every request goes where it was judged to go.

use serde_json::{Value, json};
use tollgate_envoy::tripwire as rules;
use tollgate_local::config::filter;
use tollgate_local::gateway::GatewayConfig;

use crate::support::http2;
use crate::support::rig::{Rig, verbatim};

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
const OWN: &str = "tollgate.out|443|api.example.com";
const FOREIGN: &str = "tollgate.out|443|evil.example.com";
/// Istio's name for the cluster of a ServiceEntry of that host, whoever wrote it.
const TAKEN: &str = "outbound|443||api.example.com";

/// Routes go by a header, which `removed` may name.
fn policy(removed: &[&str]) -> Value {
    let mut policy = json!({
        "version": 1,
        "name": "routes",
        "authority": {"verifyRoute": "host"},
        "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["api.example.com"]}]}],
    });
    if !removed.is_empty() {
        policy["requestHeaders"] = json!({"remove": removed});
    }
    policy
}

/// Demands the route that was judged.
fn demands_the_route() -> Value {
    filter::rbac(&rules::bound_tripwire())
}

/// Refuses routes to clusters that nobody rendered.
fn refuses_others() -> Value {
    filter::rbac(&rules::foreign_routes())
}

fn start(policy: &Value, filters: Vec<Value>) -> impl Iterator<Item = Rig> {
    let clusters = [OWN, FOREIGN, TAKEN].map(str::to_owned).to_vec();
    Rig::start_each(policy, &[CHECKOUT], GatewayConfig { clusters, filters, ..verbatim() })
}

fn request(host: &str, cluster: &str) -> Vec<u8> {
    format!("GET /v1/a HTTP/1.1\r\nhost: {host}\r\nx-lab-cluster: {cluster}\r\n\r\n").into_bytes()
}

#[test]
fn a_route_that_moves_with_a_removed_header_leads_nowhere() {
    let removed = policy(&["x-lab-cluster"]);
    for rig in start(&removed, Vec::new()) {
        let seen = rig.send(Some(CHECKOUT), &request("api.example.com", OWN));
        assert_eq!((seen.recorded("d"), seen.received.len()), ("allow", 1), "nothing compares the route");
        assert_eq!(seen.line.unwrap().text("egress.upstream.cluster"), Some("tollgate-dynamic"), "and it has moved");
    }
    for rig in start(&removed, vec![demands_the_route()]) {
        let seen = rig.send(Some(CHECKOUT), &request("api.example.com", OWN));
        assert_eq!((seen.status(), seen.got_through()), (403, false), "{seen:?}");
        assert_eq!((seen.recorded("d"), seen.recorded("r")), ("deny", "ROUTE_MISMATCH"), "{seen:?}");
        assert_eq!((seen.recorded("host"), seen.recorded("id")), ("api.example.com", CHECKOUT));
        let counted = rig.metric(r#"tollgate_requests_total{decision="deny",reason="ROUTE_MISMATCH"}"#);
        assert_eq!(counted, Some(1.0));
    }
}

#[test]
fn a_route_that_stays_leads_where_it_was_judged_to_lead() {
    for rig in start(&policy(&[]), vec![demands_the_route()]) {
        let seen = rig.send(Some(CHECKOUT), &request("api.example.com", OWN));
        assert_eq!((seen.status(), seen.recorded("r"), seen.received.len()), (200, "RULE_ALLOW", 1), "{seen:?}");
        assert_eq!(seen.received[0].header("x-forwarded-for"), None, "it was removed, and the route chosen anew");
        let seen = rig.send(Some(CHECKOUT), &request("api.example.com", FOREIGN));
        assert_eq!((seen.status(), seen.recorded("r"), seen.got_through()), (403, "ROUTE_MISMATCH", false));
    }
}

#[test]
fn a_cluster_that_nobody_rendered_is_led_nothing() {
    for filters in [vec![refuses_others(), demands_the_route()], vec![demands_the_route()]] {
        let is_named = filters.len() == 2;
        for rig in start(&policy(&[]), filters.clone()) {
            let seen = rig.send(Some(CHECKOUT), &request("api.example.com", OWN));
            assert_eq!((seen.status(), seen.received.len()), (200, 1), "{seen:?}");
            let seen = rig.send(Some(CHECKOUT), &request("api.example.com", TAKEN));
            assert_eq!((seen.status(), seen.got_through()), (403, false), "{seen:?}");
            if is_named {
                assert_eq!((seen.recorded("d"), seen.recorded("r")), ("deny", "ROUTE_MISMATCH"), "{seen:?}");
            }
        }
    }
}

#[test]
fn another_spelling_of_a_host_goes_on_as_the_canonical_one() {
    for rig in start(&policy(&[]), vec![demands_the_route()]) {
        for (spelling, sent) in [
            ("API.Example.com", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("Api.example.com.:443", "api.example.com:443"),
        ] {
            let seen = rig.send(Some(CHECKOUT), &request(spelling, OWN));
            assert_eq!((seen.status(), seen.received.len()), (200, 1), "{spelling}: {seen:?}");
            assert_eq!(seen.received[0].authority, sent, "{spelling}");
            assert_eq!(seen.recorded("raw"), "-");
        }
    }
}

#[test]
fn trailers_bring_no_header_that_is_removed() {
    for rig in start(&policy(&["x-internal"]), Vec::new()) {
        let fields: &[(&[u8], &[u8])] = &[
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", b"api.example.com"),
            (b":path", b"/v1/a"),
            (b"x-lab-cluster", OWN.as_bytes()),
            (b"te", b"trailers"),
        ];
        let trailers: &[(&[u8], &[u8])] = &[
            (b"x-internal", b"1"),
            (b"x_internal", b"1"),
            (b"x-http-method-override", b"DELETE"),
            (b"x_http_method_override", b"DELETE"),
            (b"x-forwarded-client-cert", b"URI=spiffe://cluster.local/ns/a/sa/b"),
            (b"x-own", b"1"),
        ];
        let request = http2::Request { fields, data: Some(b"body"), trailers };
        let seen = rig.send_http2(Some(CHECKOUT), &request);
        let [received] = seen.received.as_slice() else { panic!("{seen:?}") };
        assert_eq!(received.trailers, [("x-own".to_owned(), b"1".to_vec())]);
    }
}
