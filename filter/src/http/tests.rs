use super::*;
use crate::fake::{Rig, Sent};
use crate::host::{Attribute, Call};
use tollgate::decision::answer;

const POLICY: &str = r#"{"version": 1, "name": "prod", "revision": "9f3c",
    "rules": [{"id": "pay", "from": [{"serviceAccount": "payments/checkout"}], "to": [{"hosts": ["api.example.com"], "paths": ["/v1/**"]}]}],
    "tripwire": {"header": "x-guard", "values": ["0123456789abcdef-0", "0123456789abcdef-1"]}}"#;
const DRY_RUN: &str = r#"{"version": 1, "name": "prod", "mode": "dry-run"}"#;
/// Looks at everything there is: the cluster and the clock too.
const CURIOUS: &str = r#"{"version": 1, "name": "prod", "authority": {"verifyRoute": true},
    "identity": {"sources": ["peer-certificate", "peer-principal"]},
    "rules": [{"id": "pay", "from": [{"any": true}, {"anonymous": true}], "to": [{"hosts": ["api.example.com"]}], "expiresAt": "2100-01-01T00:00:00Z"}],
    "tripwire": {"header": "x-guard", "values": ["0123456789abcdef-0"]}}"#;

const AUTHORITY: (&str, &[u8]) = (":authority", b"api.example.com");
const METHOD: (&str, &[u8]) = (":method", b"GET");
const PATH: (&str, &[u8]) = (":path", b"/v1/charges?card=4242");
const PLAIN: [(&str, &[u8]); 3] = [AUTHORITY, METHOD, PATH];

fn plain_and<'a>(more: &[(&'a str, &'a [u8])]) -> Vec<(&'a str, &'a [u8])> {
    [&PLAIN, more].concat()
}

fn refusal(rig: &Rig) -> &Sent {
    let [sent] = rig.host.responses.as_slice() else { panic!("{:?}", rig.host.responses) };
    sent
}

#[test]
fn an_admitted_request_is_recorded_and_counted_and_goes_on() {
    let mut rig = Rig::new(POLICY);
    assert_eq!(rig.request(&PLAIN), Action::Continue);
    assert_eq!(
        rig.host.record(),
        concat!(
            r#"{"v":1,"d":"allow","r":"RULE_ALLOW","rule":"pay","#,
            r#""id":"spiffe://cluster.local/ns/payments/sa/checkout","src":"peer-certificate","#,
            r#""host":"api.example.com","port":443,"m":"GET","path":"/v1/charges","p":"prod","rev":"9f3c"}"#
        )
    );
    assert!(rig.host.responses.is_empty());
    assert_eq!(rig.host.metric("decision=.=allow;.;reason=.=RULE_ALLOW;.;tollgate_requests_total"), Some(1));
}

#[test]
fn a_request_costs_two_calls_that_return_bytes_and_what_it_changes() {
    let mut rig = Rig::new(
        r#"{"version": 1, "name": "prod", "rules": [{"id": "pay", "from": [{"any": true}], "to": [{"hosts": ["api.example.com"]}]}]}"#,
    );
    rig.request(&PLAIN);
    let read = [Call::Headers(HeaderMap::Request), Call::Attribute(Attribute::PeerCertificate)];
    assert_eq!(rig.host.calls, [&read[..], &[Call::SetFilterState, Call::IncrementMetric]].concat());
    rig.request(&[METHOD, PATH, (":authority", b"other.example.com")]);
    let refused = [Call::SetFilterState, Call::Respond, Call::IncrementMetric];
    assert_eq!(rig.host.calls, [&read[..], &refused].concat());
}

/// Calls of the host for one request that is allowed, at its headers, its response and its end, and for one that is
/// denied.
fn calls_of(extra: &str) -> [usize; 4] {
    let mut rig = Rig::new(&format!(
        r#"{{"version": 1, "name": "prod", {extra} "rules": [{{"id": "all", "from": [{{"any": true}}], "to": [{{"hosts": ["api.example.com"]}}]}}]}}"#
    ));
    rig.host.attributes.insert(Attribute::Cluster, b"outbound|443||api.example.com".to_vec());
    (rig.host.monotonic, rig.host.time) = (1 << 50, 1 << 60);
    // The first request of a key takes a place for its bucket.
    rig.request(&PLAIN);
    rig.end();
    let calls = |rig: &mut Rig| std::mem::take(&mut rig.host.calls).len();
    assert_eq!(rig.request(&PLAIN), Action::Continue);
    let request = calls(&mut rig);
    rig.respond();
    let response = calls(&mut rig);
    rig.log();
    rig.end();
    let end = calls(&mut rig);
    rig.host.attributes.remove(&Attribute::Cluster);
    assert_eq!(rig.request(&[METHOD, PATH, (":authority", b"other.example.com")]), Action::Pause);
    [request, response, end, calls(&mut rig)]
}

#[test]
fn nothing_is_asked_of_the_host_that_the_policy_does_not_need() {
    let quota = |limit: &str| format!(r#""quotas": [{{"id": "q", "limit": {limit}}}],"#);
    // docs/performance.md shows these numbers.
    assert_eq!(calls_of(""), [4, 1, 0, 5]);
    assert_eq!(calls_of(&quota(r#"{"requests": 10, "per": "1s"}"#)), [7, 1, 0, 5]);
    assert_eq!(calls_of(&quota(r#"{"requests": 10, "per": "day"}"#)), [7, 1, 0, 5]);
    assert_eq!(calls_of(r#""authority": {"verifyRoute": "host"},"#), [6, 1, 0, 6]);
}

#[test]
fn a_refused_request_is_answered_recorded_and_counted() {
    let mut rig = Rig::new(POLICY);
    let headers = [METHOD, PATH, (":authority", &b"other.example.com"[..]), ("x-request-id", b"id-1")];
    assert_eq!(rig.request(&headers), Action::Pause);
    assert_eq!(rig.decided(), "deny NO_MATCH");
    let sent = refusal(&rig);
    assert_eq!((sent.status, sent.grpc_status, &*sent.details), (403, 7, "egress_denied{NO_MATCH}"));
    let headers = [("x-egress-denied", "NO_MATCH"), ("content-type", "application/json")];
    assert_eq!(sent.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let body: serde_json::Value = serde_json::from_str(&sent.body).expect("a body is JSON");
    assert_eq!((&body["policy"], &body["request_id"]), (&"prod@9f3c".into(), &"id-1".into()));
    assert!(rig.host.removed.is_empty() && rig.host.set.is_empty());
    assert_eq!(rig.host.metric("decision=.=deny;.;reason=.=NO_MATCH;.;tollgate_requests_total"), Some(1));
}

#[test]
fn the_rule_that_came_nearest_is_recorded() {
    let mut rig = Rig::new(POLICY);
    rig.request(&[AUTHORITY, METHOD, (":path", b"/admin")]);
    assert!(rig.host.record().contains(r#""near":{"rule":"pay","failed":"path"}"#), "{}", rig.host.record());
}

#[test]
fn no_header_gives_an_identity() {
    let mut rig = Rig::new(POLICY);
    let id = "spiffe://cluster.local/ns/payments/sa/checkout";
    for header in [
        "x-forwarded-client-cert",
        "x-envoy-peer-metadata-id",
        "x-spiffe-id",
        "connection.uri_san_peer_certificate",
        "io.istio.peer_principal",
    ] {
        for value in [id.to_owned(), format!("URI={id}"), format!("By=spiffe://cluster.local/x;Hash=0;URI={id}")] {
            let headers = plain_and(&[(header, value.as_bytes())]);
            rig.host.attributes.clear();
            assert_eq!(rig.request(&headers), Action::Pause, "{header}");
            assert_eq!(rig.decided(), "deny IDENTITY_MISSING", "{header}");
            rig.identity("spiffe://cluster.local/ns/other/sa/x");
            rig.request(&headers);
            assert_eq!(rig.decided(), "deny NO_MATCH", "{header}");
        }
    }
}

#[test]
fn a_grpc_caller_gets_the_sentence_alone() {
    let mut rig = Rig::new(POLICY);
    for (content_type, grpc) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc-web", false),
        ("text/html", false),
    ] {
        let headers =
            [METHOD, PATH, (":authority", &b"other.example.com"[..]), ("content-type", content_type.as_bytes())];
        rig.request(&headers);
        assert_eq!(
            refusal(&rig).body.starts_with("Egress to other.example.com:443 was refused"),
            grpc,
            "{content_type}"
        );
        assert_eq!(refusal(&rig).headers.len(), if grpc { 1 } else { 2 }, "{content_type}");
    }
}

#[test]
fn without_detail_there_is_no_body_and_no_type_of_one() {
    let mut rig = Rig::new(r#"{"version": 1, "name": "prod", "response": {"detail": "none"}}"#);
    rig.request(&PLAIN);
    assert_eq!(refusal(&rig).body, "");
    assert_eq!(refusal(&rig).headers, [("x-egress-denied".to_owned(), "NO_MATCH".to_owned())]);
}

#[test]
fn internal_headers_leave_neither_admitted_nor_in_a_dry_run() {
    let internal = ["x-forwarded-client-cert", "x-forwarded-for", "x-envoy-retry-on", "x-envoy-original-path"];
    let headers = internal.map(|name| (name, &b"1"[..]));
    for policy in [POLICY, DRY_RUN] {
        let mut rig = Rig::new(policy);
        assert_eq!(rig.request(&plain_and(&headers)), Action::Continue);
        assert_eq!(rig.host.removed, internal);
    }
}

#[test]
fn the_tripwire_is_taken_from_the_caller_and_set_to_the_first_value() {
    let mut rig = Rig::new(POLICY);
    assert_eq!(rig.request(&plain_and(&[("x-guard", b"0123456789abcdef-1")])), Action::Continue);
    assert_eq!(rig.host.removed, ["x-guard"]);
    assert_eq!(rig.host.set, [("x-guard".to_owned(), "0123456789abcdef-0".to_owned())]);
    let order: Vec<_> = rig.host.calls.iter().skip(2).copied().collect();
    assert_eq!(order, [Call::RemoveHeader, Call::SetHeader, Call::SetFilterState, Call::IncrementMetric]);
}

#[test]
fn any_bytes_in_headers_are_taken_as_they_are() {
    let mut rig = Rig::new(POLICY);
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(rig.request(&plain_and(&[("x-any", &all), ("x-request-id", &all)])), Action::Continue);
    rig.request(&[METHOD, (":authority", &all), (":path", &all), ("x-request-id", &all)]);
    assert_eq!(rig.decided(), "deny HOST_INVALID");
    let _: serde_json::Value = serde_json::from_str(&refusal(&rig).body).expect("a body is JSON");
}

#[test]
fn thousands_of_headers_are_read() {
    let mut rig = Rig::new(POLICY);
    let names: Vec<String> = (0..5000).map(|n| format!("x-envoy-{n}")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"1"[..])).collect();
    assert_eq!(rig.request(&plain_and(&many)), Action::Continue);
    assert_eq!(rig.host.removed.len(), 5000);
    let big = vec![b'a'; 1 << 20];
    assert_eq!(rig.request(&plain_and(&[("x-big", &big)])), Action::Continue);
    assert_eq!(rig.request(&[METHOD, PATH, (":authority", &big)]), Action::Pause);
    assert!(rig.host.record().len() < 4096, "what is recorded is capped");
}

#[test]
fn every_host_call_that_fails_refuses_the_request() {
    let answered = [
        (Call::Headers(HeaderMap::Request), "HOST_INVALID"),
        (Call::Attribute(Attribute::PeerCertificate), "IDENTITY_INVALID"),
        (Call::Attribute(Attribute::PeerPrincipal), "IDENTITY_INVALID"),
        (Call::Attribute(Attribute::Cluster), "ROUTE_MISMATCH"),
        (Call::WallClock, "RULE_EXPIRED"),
        (Call::RemoveHeader, "POLICY_INVALID"),
        (Call::SetHeader, "POLICY_INVALID"),
        (Call::SetFilterState, "POLICY_INVALID"),
    ];
    for mode in ["enforce", "dry-run"] {
        let mut rig = Rig::new(&CURIOUS.replacen('{', &format!(r#"{{"mode": "{mode}", "#), 1));
        // Both sources are looked at.
        rig.identity("");
        let headers = plain_and(&[("x-envoy-retry-on", b"5xx")]);
        assert_eq!(rig.request(&headers), Action::Continue);
        for (call, reason) in answered {
            rig.host.failing.insert(call);
            assert_eq!(rig.request(&headers), Action::Pause, "{call} {mode}");
            assert_eq!(refusal(&rig).details, format!("egress_denied{{{reason}}}"), "{call} {mode}");
            assert!(call == Call::SetFilterState || rig.decided() == format!("deny {reason}"), "{call} {mode}");
            rig.host.failing.clear();
        }
        rig.host.failing.insert(Call::IncrementMetric);
        assert_eq!(rig.request(&headers), Action::Continue, "counting is no condition");
    }
}

#[test]
fn a_refusal_that_cannot_be_sent_resets_the_request_and_never_lets_it_pass() {
    let mut rig = Rig::new(r#"{"version": 1, "name": "prod"}"#);
    rig.host.failing.insert(Call::Respond);
    assert_eq!(rig.request(&PLAIN), Action::Pause);
    assert_eq!(rig.host.closed, [StreamSide::Request]);
    rig.host.failing.insert(Call::Reset);
    assert_eq!(rig.request(&PLAIN), Action::Pause);
    rig.host.failing.extend([Call::SetFilterState, Call::IncrementMetric]);
    assert_eq!(rig.request(&PLAIN), Action::Pause);
}

#[test]
fn a_failing_call_is_logged_once() {
    let mut rig = Rig::new(DRY_RUN);
    let before = rig.host.log.len();
    rig.host.failing.insert(Call::Attribute(Attribute::PeerCertificate));
    for _ in 0..100 {
        rig.request(&PLAIN);
    }
    let lines: Vec<_> = rig.host.log[before..].iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "reading connection.uri_san_peer_certificate failed with status 10: a request is refused (logged the first time only)"
        ]
    );
}

#[test]
fn the_first_source_that_has_an_identity_gives_it() {
    let principal = Attribute::PeerPrincipal;
    let mut rig = Rig::new(CURIOUS);
    let mut source = |certificate: &[u8], by_principal: Option<&[u8]>| {
        rig.host.attributes.insert(Attribute::PeerCertificate, certificate.to_vec());
        rig.host.attributes.remove(&principal);
        if let Some(id) = by_principal {
            rig.host.attributes.insert(principal.to_owned(), id.to_vec());
        }
        rig.request(&PLAIN);
        let record: serde_json::Value = serde_json::from_str(&rig.host.record()).expect("JSON");
        record["src"].as_str().map(str::to_owned)
    };
    let id = b"spiffe://cluster.local/ns/a/sa/b".as_slice();
    assert_eq!(source(id, Some(id)).as_deref(), Some("peer-certificate"));
    assert_eq!(source(b"", Some(id)).as_deref(), Some("peer-principal"));
    assert_eq!(source(b"", Some(b"")), None);
    assert_eq!(source(b"", None), None);
}

#[test]
fn the_cluster_is_read_for_identities_from_a_principal() {
    let policy = POLICY.replacen('{', r#"{"identity": {"sources": ["peer-principal"]}, "#, 1);
    let mut rig = Rig::new(&policy);
    let id = b"spiffe://cluster.local/ns/payments/sa/checkout".to_vec();
    rig.host.attributes.insert(Attribute::PeerPrincipal, id);
    for (cluster, decided) in [
        ("inbound-vip|443||api.example.com", "allow RULE_ALLOW"),
        ("inbound-vip|443||evil.example.com", "deny ROUTE_MISMATCH"),
    ] {
        rig.host.attributes.insert(Attribute::Cluster, cluster.as_bytes().to_vec());
        rig.request(&PLAIN);
        assert_eq!(rig.decided(), decided);
    }
}

#[test]
fn what_a_destination_says_of_denials_is_removed() {
    let mut rig = Rig::new(POLICY);
    let kept = |rig: &mut Rig, details: Option<&[u8]>| {
        rig.host.response_headers.insert(answer::HEADER.to_owned());
        rig.host.attributes.remove(&Attribute::ResponseCodeDetails);
        if let Some(details) = details {
            rig.host.attributes.insert(Attribute::ResponseCodeDetails, details.to_vec());
        }
        assert_eq!(rig.respond(), Action::Continue);
        rig.host.response_headers.contains(answer::HEADER)
    };
    assert!(!kept(&mut rig, Some(b"via_upstream")));
    assert!(!kept(&mut rig, None));
    assert!(!kept(&mut rig, Some(b"")));
    assert!(kept(&mut rig, Some(b"egress_denied{NO_MATCH}")));
    rig.host.failing.insert(Call::Attribute(Attribute::ResponseCodeDetails));
    assert!(!kept(&mut rig, Some(b"egress_denied{NO_MATCH}")));
    rig.host.failing.insert(Call::RemoveHeader);
    assert!(kept(&mut rig, Some(b"via_upstream")), "it could not be removed");
    rig.host.failing.insert(Call::HasHeader);
    assert!(kept(&mut rig, Some(b"via_upstream")), "it could not be looked for");
}

#[test]
fn a_response_without_that_header_costs_one_call() {
    let mut rig = Rig::new(POLICY);
    rig.host.calls.clear();
    rig.respond();
    assert_eq!(rig.host.calls, [Call::HasHeader]);
}

const ROUTED: &str = r#"{"version": 1, "name": "prod", "authority": {"verifyRoute": "host"},
    "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["api.example.com"]}, {"cidrs": ["192.0.2.0/24"]}]}]}"#;

/// Sends a request; returns the cluster left in filter state, and the authority that replaces this one.
fn routed(policy: &str, cluster: Option<&str>, authority: &str) -> (Option<String>, Option<String>) {
    let mut rig = Rig::new(policy);
    if let Some(cluster) = cluster {
        rig.host.attributes.insert(Attribute::Cluster, cluster.as_bytes().to_vec());
    }
    assert_eq!(rig.request(&[METHOD, PATH, (":authority", authority.as_bytes())]), Action::Continue, "{authority}");
    (rig.host.route(), rig.host.set.pop().map(|(_, value)| value))
}

#[test]
fn what_is_let_through_carries_the_cluster_that_was_judged() {
    let cluster = "outbound|443||api.example.com";
    let carries = |policy: &str, cluster| routed(policy, cluster, "api.example.com").0;
    assert_eq!(carries(ROUTED, Some(cluster)).as_deref(), Some(cluster));
    assert_eq!(carries(ROUTED, None).as_deref(), Some(""), "nothing leads out");
    assert_eq!(carries(&ROUTED.replace("host\"}", "off\"}"), Some(cluster)), None);
    let dry_run = ROUTED.replacen('{', r#"{"mode": "dry-run", "#, 1);
    let other = Some("outbound|443||evil.example.com");
    assert_eq!(carries(&dry_run, other).as_deref(), other);
    let mut rig = Rig::new(ROUTED);
    rig.host.attributes.insert(Attribute::Cluster, b"outbound|443||evil.example.com".to_vec());
    assert_eq!(rig.request(&PLAIN), Action::Pause);
    assert_eq!((rig.decided().as_str(), rig.host.route()), ("deny ROUTE_MISMATCH", None));
    assert!(rig.host.texts.contains(ROUTE), "else it cannot be compared");
}

#[test]
fn the_authority_goes_on_as_it_was_judged() {
    let own = "outbound|443||api.example.com";
    for (cluster, arrived, sent, route) in [
        (Some(own), "API.example.com:443", "api.example.com:443", own),
        (None, "api.example.com.", "api.example.com", "tollgate.out|443|api.example.com"),
        (None, "api.example.com.:80", "api.example.com:80", "tollgate.out|80|api.example.com"),
        (Some("tollgate-dynamic"), "api.example.com.", "api.example.com", "tollgate-dynamic"),
        (Some("tollgate-dynamic-literal"), "[::ffff:192.0.2.1]", "192.0.2.1", "tollgate-dynamic-literal"),
    ] {
        assert_eq!(routed(ROUTED, cluster, arrived), (Some(route.to_owned()), Some(sent.to_owned())), "{arrived}");
    }
    assert_eq!(routed(ROUTED, Some(own), "api.example.com:443").1, None, "it is not touched without need");
}

#[test]
fn an_authority_that_cannot_be_written_refuses_the_request() {
    let mut rig = Rig::new(ROUTED);
    rig.host.failing.insert(Call::SetHeader);
    assert_eq!(rig.request(&[METHOD, PATH, (":authority", b"api.example.com.")]), Action::Pause);
    assert_eq!(rig.decided(), "deny POLICY_INVALID");
    assert_eq!(rig.host.route(), None);
}

#[test]
fn the_cluster_is_read_before_anything_is_changed_and_the_record_comes_last() {
    let mut rig = Rig::new(ROUTED);
    rig.request(&plain_and(&[("x-forwarded-for", b"192.0.2.1")]));
    let calls = [
        Call::Headers(HeaderMap::Request),
        Call::Attribute(Attribute::PeerCertificate),
        Call::Attribute(Attribute::Cluster),
        Call::RemoveHeader,
        Call::SetFilterState,
        Call::SetFilterState,
        Call::IncrementMetric,
    ];
    assert_eq!(rig.host.calls, calls);
    rig.request(&PLAIN);
    assert!(!rig.host.calls.contains(&Call::RemoveHeader), "even that would move the route");
}

/// A policy with a rule that admits tunnels to a host.
fn tunnels(host: &str) -> String {
    format!(
        r#"{{"version": 1, "name": "p", "rules": [{{"id": "r", "from": [{{"namespace": "payments"}}], "to": [
            {{"hosts": ["{host}"], "methods": ["CONNECT"]}}, {{"hosts": ["{host}"], "upgrades": ["websocket"]}}]}}]}}"#
    )
}

const CONNECT: [(&str, &[u8]); 2] = [(":method", b"CONNECT"), (":authority", b"api.test:443")];
const WEBSOCKET: [(&str, &[u8]); 4] =
    [(":method", b"GET"), (":authority", b"api.test"), (":path", b"/chat"), ("upgrade", b"websocket")];

#[test]
fn a_tunnel_is_closed_by_the_update_that_does_not_admit_it() {
    for headers in [&CONNECT[..], &WEBSOCKET] {
        let mut rig = Rig::new(&tunnels("api.test"));
        assert_eq!(rig.request(headers), Action::Continue);
        assert!(rig.host.tick.is_some());
        rig.respond();
        rig.worker.tick(&mut rig.host);
        assert!(rig.configure(2, &tunnels("*.test")));
        rig.worker.tick(&mut rig.host);
        assert!(rig.host.closed.is_empty(), "admitted in another way");
        assert!(rig.configure(3, &tunnels("else.test")));
        rig.worker.tick(&mut rig.host);
        assert_eq!(rig.host.closed, [StreamSide::Request]);
        assert_eq!(rig.decided(), "cut NO_MATCH");
        rig.log();
        assert_eq!(rig.decided(), "cut NO_MATCH");
        rig.end();
        rig.worker.tick(&mut rig.host);
        assert_eq!(rig.host.closed.len(), 1);
    }
}

#[test]
fn a_plain_request_ends_under_the_decision_it_began_with() {
    let policy = |host: &str| tunnels(host).replace(r#""methods": ["CONNECT"]"#, r#""methods": ["GET"]"#);
    let mut rig = Rig::new(&policy("api.test"));
    assert_eq!(rig.request(&[(":method", b"GET"), (":authority", b"api.test"), (":path", b"/")]), Action::Continue);
    assert!(rig.configure(2, &policy("else.test")));
    rig.worker.tick(&mut rig.host);
    assert!(rig.host.closed.is_empty());
}

#[test]
fn a_tunnel_whose_path_is_too_long_to_be_kept_is_closed_by_any_update() {
    let mut rig = Rig::new(&tunnels("api.test"));
    let path = format!("/{}", "x".repeat(2_048));
    let headers: [(&str, &[u8]); 4] =
        [(":method", b"GET"), (":authority", b"api.test"), (":path", path.as_bytes()), ("upgrade", b"websocket")];
    assert_eq!(rig.request(&headers), Action::Continue);
    rig.worker.tick(&mut rig.host);
    assert!(rig.host.closed.is_empty());
    assert!(rig.configure(2, &tunnels("api.test")));
    rig.worker.tick(&mut rig.host);
    assert_eq!(rig.decided(), "cut REQUEST_AMBIGUOUS");
    assert!(rig.host.record().contains(r#""id":"spiffe://cluster.local/ns/payments/sa/checkout""#));
}
