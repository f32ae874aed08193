//! Ways around an egress filter, as raw bytes through a real Envoy: what got through is what the origin received.
use crate::support::http2;
use crate::support::rig::{Rig, Seen, verbatim};
use serde_json::{Value, json};
use tollgate_local::gateway::GatewayConfig;
use tollgate_local::origin::FORGED;
use tollgate_local::pki::Signer;
use tollgate_local::wire;

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
/// May reach every address and every name, as far as no deny entry says otherwise.
const CRAWLER: &str = "spiffe://cluster.local/ns/search/sa/crawler";

/// Envoy itself refused: the filter never saw the request, and could record that at most.
const ENVOY: &str = "-";

fn policy() -> Value {
    json!({
        "version": 1,
        "name": "bypasses",
        "deny": [
            {"id": "internal", "to": [{"cidrs": ["private"]}, {"hosts": ["**.internal", "localhost"]}]},
            {"id": "admin", "to": [{"hosts": ["plain.example.com"], "paths": ["/admin/**"]}]},
        ],
        "rules": [
            {
                "id": "api",
                "from": [{"serviceAccount": "payments/checkout"}],
                "to": [{"hosts": ["api.example.com"], "methods": ["GET", "POST"], "paths": ["/v1/**", "/public/*"]}],
            },
            {
                "id": "names",
                "from": [{"serviceAccount": "payments/checkout"}],
                "to": [{"hosts": ["plain.example.com", "*.wild.example", "**.deep.example"]}],
            },
            {
                "id": "ws",
                "from": [{"serviceAccount": "payments/checkout"}],
                "to": [{"hosts": ["ws.example.com"], "upgrades": ["websocket"]}],
            },
            {
                "id": "tunnel",
                "from": [{"serviceAccount": "payments/checkout"}],
                "to": [{"hosts": ["tunnel.example.com"], "methods": ["CONNECT"]}],
            },
            {
                "id": "crawl",
                "from": [{"serviceAccount": "search/crawler"}],
                "to": [{"hosts": ["**"]}, {"cidrs": ["0.0.0.0/0", "::/0"]}],
            },
        ],
    })
}

/// One gateway after another, each with another Envoy.
fn start() -> impl Iterator<Item = Rig> {
    start_in(verbatim())
}

fn start_in(config: GatewayConfig<'static>) -> impl Iterator<Item = Rig> {
    Rig::start_each(&policy(), &[CHECKOUT, CRAWLER], config)
}

/// Differences of an exchange from a decision with one of these reasons, in record, caller and origin alike.
fn difference(what: &str, seen: &Seen, reasons: &[&str]) -> Option<String> {
    let reason = match seen.recorded("r") {
        "REFUSED_BY_ENVOY" => ENVOY,
        reason => reason,
    };
    let let_through = reason == "RULE_ALLOW";
    let consistent = if let_through {
        seen.recorded("d") == "allow" && seen.received.len() == 1
    } else {
        seen.recorded("d") != "allow" && !seen.got_through() && !(200..300).contains(&seen.status())
    };
    (!reasons.contains(&reason) || !consistent).then(|| {
        let line = seen.line.as_ref().map(|line| line.line.to_string());
        format!("{what}: {reason}, not {reasons:?}; status {}, received {:?}, {line:?}", seen.status(), seen.received)
    })
}

fn assert_none(differences: Vec<String>) {
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

/// Each authority over HTTP/1.1 and HTTP/2. Where the filter would refuse, Envoy may do so before it.
fn authorities(rig: &Rig, caller: &str, table: &[(&[u8], &str)]) {
    let mut differences = Vec::new();
    let mut judged = 0;
    for (authority, reason) in table {
        let what = authority.escape_ascii().to_string();
        let request = [b"GET /v1/a HTTP/1.1\r\nhost: ", *authority, b"\r\n\r\n"].concat();
        let seen = rig.send(Some(caller), &request);
        differences.extend(difference(&format!("HTTP/1.1 {what}"), &seen, &[reason]));

        let fields: &[(&[u8], &[u8])] =
            &[(b":method", b"GET"), (b":scheme", b"https"), (b":authority", authority), (b":path", b"/v1/a")];
        let seen = rig.send_http2(Some(caller), &http2::Request { fields, data: None, trailers: &[] });
        judged += usize::from(seen.was_judged());
        let either = if *reason == "RULE_ALLOW" { vec![*reason] } else { vec![*reason, ENVOY] };
        differences.extend(difference(&format!("HTTP/2 {what}"), &seen, &either));
    }
    assert_none(differences);
    assert!(judged > table.len() / 4, "Envoy refused nearly all of HTTP/2");
}

#[test]
fn spellings_of_a_host() {
    let label_64 = ["a".repeat(64).as_bytes(), b".example.com"].concat();
    let name_254 = ["abcdefg.".repeat(30).as_bytes(), b"ab.example.com"].concat();
    let table: &[(&[u8], &str)] = &[
        (b"api.example.com", "RULE_ALLOW"),
        (b"API.Example.COM", "RULE_ALLOW"),
        (b"api.example.com.", "RULE_ALLOW"),
        (b"api.example.com:443", "RULE_ALLOW"),
        (b"api.example.com.:80", "RULE_ALLOW"),
        (b"api.example.com:8443", "NO_MATCH"),
        (b"api.example.com..", "HOST_INVALID"),
        (b".api.example.com", "HOST_INVALID"),
        (b"api..example.com", "HOST_INVALID"),
        (b".", "HOST_INVALID"),
        (b"", "HOST_INVALID"),
        (b"api.example.com:0443", "HOST_INVALID"),
        (b"api.example.com:0", "HOST_INVALID"),
        (b"api.example.com:+443", "HOST_INVALID"),
        (b"api.example.com:", "HOST_INVALID"),
        (b"api.example.com:65536", "HOST_INVALID"),
        (b"api.example.com:443:443", "HOST_INVALID"),
        (b"[api.example.com]", "HOST_INVALID"),
        (b"[::1", "HOST_INVALID"),
        (b"::1]", "HOST_INVALID"),
        (b"::1", "HOST_INVALID"),
        (b"user@api.example.com", "HOST_INVALID"),
        (b"api.example.com:443@evil.example", "HOST_INVALID"),
        (b"api\t.example.com", ENVOY),
        (b"api .example.com", ENVOY),
        (b"api.example.com/evil", ENVOY),
        (b"api.example.com\\evil", ENVOY),
        (b"api.example.com#evil", ENVOY),
        (b"api.example.com?evil", ENVOY),
        (b"api.example.com,evil.example", "HOST_INVALID"),
        (b"api.example.com;evil", "HOST_INVALID"),
        (b"api%2eexample.com", "HOST_INVALID"),
        (b"ap%69.example.com", "HOST_INVALID"),
        ("\u{430}pi.example.com".as_bytes(), ENVOY),
        ("ａｐｉ.example.com".as_bytes(), ENVOY),
        ("api\u{3002}example\u{3002}com".as_bytes(), ENVOY),
        ("a\u{ad}pi.example.com".as_bytes(), ENVOY),
        (b"xn--api-.example.com", "HOST_INVALID"),
        (b"xn--pi-6cd.example.com", "NO_MATCH"),
        (b"_api.example.com", "NO_MATCH"),
        (b"-api.example.com", "HOST_INVALID"),
        (&label_64, "HOST_INVALID"),
        (&name_254, "HOST_INVALID"),
        (b"notapi.example.com", "NO_MATCH"),
        (b"x.api.example.com", "NO_MATCH"),
        (b"example.com", "NO_MATCH"),
        (b"api.example.com.evil.example", "NO_MATCH"),
        (b"a.wild.example", "RULE_ALLOW"),
        (b"wild.example", "NO_MATCH"),
        (b"a.b.wild.example", "NO_MATCH"),
        (b"notwild.example", "NO_MATCH"),
        (b".wild.example", "HOST_INVALID"),
        (b"a.b.deep.example", "RULE_ALLOW"),
        (b"deep.example", "NO_MATCH"),
        (b"notdeep.example", "NO_MATCH"),
        (b"*.wild.example", "HOST_INVALID"),
        (b"db.prod.internal", "DENY_RULE"),
        (b"LocalHost.", "DENY_RULE"),
    ];
    for rig in start() {
        authorities(&rig, CHECKOUT, table);
    }
}

#[test]
fn spellings_of_an_address() {
    let table: &[(&[u8], &str)] = &[
        (b"93.184.216.34", "RULE_ALLOW"),
        (b"[2606:2800:220:1::1]", "RULE_ALLOW"),
        (b"169.254.169.254", "DENY_RULE"),
        (b"169.254.169.254.", "DENY_RULE"),
        (b"169.254.169.254:80", "DENY_RULE"),
        (b"2852039166", "HOST_INVALID"),
        (b"0xa9fea9fe", "HOST_INVALID"),
        (b"0251.0376.0251.0376", "HOST_INVALID"),
        (b"169.254.0169.254", "HOST_INVALID"),
        (b"169.254.43518", "HOST_INVALID"),
        (b"169.254.169.0xfe", "HOST_INVALID"),
        (b"169.16689662", "HOST_INVALID"),
        (b"0", "HOST_INVALID"),
        (b"127.1", "HOST_INVALID"),
        (b"[::ffff:169.254.169.254]", "DENY_RULE"),
        (b"[::ffff:a9fe:a9fe]", "DENY_RULE"),
        (b"[0:0:0:0:0:FFFF:A9FE:A9FE]", "DENY_RULE"),
        (b"[::169.254.169.254]", "DENY_RULE"),
        (b"[::ffff:0:a9fe:a9fe]", "DENY_RULE"),
        (b"[64:ff9b::a9fe:a9fe]", "DENY_RULE"),
        (b"[64:ff9b:1::a9fe:a9fe]", "DENY_RULE"),
        (b"[2002:a9fe:a9fe::1]", "DENY_RULE"),
        (b"[2001:0:a9fe:a9fe::1]", "DENY_RULE"),
        (b"[2001:0:5db8:d822::5601:5601]", "DENY_RULE"),
        (b"[2606:2800:220:1:0:5efe:a9fe:a9fe]", "DENY_RULE"),
        (b"[fd00:ec2::254]", "DENY_RULE"),
        (b"[fe80::1%25eth0]", "HOST_INVALID"),
        (b"[fe80::1%eth0]", "HOST_INVALID"),
        (b"[::1]", "DENY_RULE"),
        (b"[::]", "DENY_RULE"),
        (b"0.0.0.0", "DENY_RULE"),
        (b"100.64.0.1", "DENY_RULE"),
        (b"198.18.0.1", "DENY_RULE"),
        (b"240.0.0.1", "DENY_RULE"),
        (b"255.255.255.255", "DENY_RULE"),
        (b"168.63.129.16", "DENY_RULE"),
    ];
    for rig in start() {
        authorities(&rig, CRAWLER, table);
    }
}

#[test]
fn spellings_of_a_path() {
    for rig in start() {
        let table: &[(&str, &str, &str)] = &[
            ("GET", "/v1/charges", "RULE_ALLOW"),
            ("GET", "/v1/charges?x=/../../admin", "RULE_ALLOW"),
            ("GET", "/v1/", "RULE_ALLOW"),
            ("GET", "/public/caf%C3%A9", "RULE_ALLOW"),
            ("GET", "/public/%40alice", "RULE_ALLOW"),
            ("GET", "/v1", "NO_MATCH"),
            ("GET", "/v1x", "NO_MATCH"),
            ("GET", "/V1/charges", "NO_MATCH"),
            ("GET", "/public/a/b", "NO_MATCH"),
            ("PUT", "/v1/charges", "NO_MATCH"),
            ("CHARGE", "/v1/charges", ENVOY),
            ("post", "/v1/charges", ENVOY),
            ("GET", "/v1/../admin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/./a", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/%2e%2e/admin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/.%2E/admin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/..;/admin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/..;x=1/admin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/..%3Bx/admin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1//admin", "REQUEST_AMBIGUOUS"),
            ("GET", "//v1/a", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/a\\b", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/..\\admin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/a%5cb", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/a%2fb", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/..%2fadmin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/a#b", ENVOY),
            ("GET", "/v1/%252e%252e/admin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/a%252Fb", "REQUEST_AMBIGUOUS"),
            ("GET", "/%76%31/charges", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/%", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/%4", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/%zz", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/%00", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/%0d%0aset-cookie:x", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/%c0%ae%c0%ae/admin", "REQUEST_AMBIGUOUS"),
            ("GET", "/v1/%ff", "REQUEST_AMBIGUOUS"),
            ("OPTIONS", "*", ENVOY),
        ];
        let mut differences = Vec::new();
        for (method, path, reason) in table {
            let request = format!("{method} {path} HTTP/1.1\r\nhost: api.example.com\r\n\r\n");
            let seen = rig.send(Some(CHECKOUT), request.as_bytes());
            differences.extend(difference(&format!("HTTP/1.1 {method} {path}"), &seen, &[reason]));
            let fields: &[(&[u8], &[u8])] = &[
                (b":method", method.as_bytes()),
                (b":scheme", b"https"),
                (b":authority", b"api.example.com"),
                (b":path", path.as_bytes()),
            ];
            let seen = rig.send_http2(Some(CHECKOUT), &http2::Request { fields, data: None, trailers: &[] });
            // HTTP/2 lets methods in lower case through to the filter.
            let either = match *reason {
                "RULE_ALLOW" => vec!["RULE_ALLOW"],
                ENVOY => vec![ENVOY, "NO_MATCH", "REQUEST_AMBIGUOUS"],
                reason => vec![reason, ENVOY],
            };
            differences.extend(difference(&format!("HTTP/2 {method} {path}"), &seen, &either));
        }
        assert_none(differences);
    }
}

#[test]
fn a_denied_path_in_other_spellings() {
    for rig in start() {
        let mut differences = Vec::new();
        for (path, reason) in [
            ("/welcome", "RULE_ALLOW"),
            ("/administration", "RULE_ALLOW"),
            ("/admin/keys", "DENY_RULE"),
            ("/admin", "DENY_RULE"),
            ("/ADMIN/keys", "DENY_RULE"),
            ("/admin;x=1/keys", "DENY_RULE"),
            ("/%61dmin/keys", "REQUEST_AMBIGUOUS"),
            ("/x/../admin/keys", "REQUEST_AMBIGUOUS"),
            ("//admin/keys", "REQUEST_AMBIGUOUS"),
            ("/admin%2Fkeys", "REQUEST_AMBIGUOUS"),
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nhost: plain.example.com\r\n\r\n");
            differences.extend(difference(path, &rig.send(Some(CHECKOUT), request.as_bytes()), &[reason]));
        }
        assert_none(differences);
    }
}

#[test]
fn headers_that_mean_another_method_or_path() {
    for rig in start() {
        let mut differences = Vec::new();
        for header in
            ["x-http-method-override", "X-HTTP-Method", "x-method-override", "x-original-url", "x-rewrite-url"]
        {
            let ask = |host: &str| {
                let request = format!("GET /v1/a HTTP/1.1\r\nhost: {host}\r\n{header}: /admin/keys\r\n\r\n");
                rig.send(Some(CHECKOUT), request.as_bytes())
            };
            differences.extend(difference(header, &ask("api.example.com"), &["REQUEST_AMBIGUOUS"]));
            differences.extend(difference(header, &ask("plain.example.com"), &["REQUEST_AMBIGUOUS"]));
            differences.extend(difference(header, &ask("a.wild.example"), &["RULE_ALLOW"]));
        }
        assert_none(differences);
    }
}

#[test]
fn which_name_counts() {
    for rig in start() {
        let mut differences = Vec::new();
        for (what, request, reason) in [
            ("two Hosts", "GET /v1/a HTTP/1.1\r\nhost: api.example.com\r\nhost: evil.example\r\n\r\n", "HOST_INVALID"),
            (
                "the same Host twice",
                "GET /v1/a HTTP/1.1\r\nhost: api.example.com\r\nhost: api.example.com\r\n\r\n",
                "HOST_INVALID",
            ),
            ("no Host", "GET /v1/a HTTP/1.1\r\n\r\n", ENVOY),
            ("absolute form", "GET http://evil.example/v1/a HTTP/1.1\r\nhost: api.example.com\r\n\r\n", "NO_MATCH"),
            (
                "absolute form, allowed",
                "GET http://api.example.com/v1/a HTTP/1.1\r\nhost: evil.example\r\n\r\n",
                "RULE_ALLOW",
            ),
            (
                "a forwarded host",
                "GET /v1/a HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: api.example.com\r\n\r\n",
                "NO_MATCH",
            ),
        ] {
            let seen = rig.send(Some(CHECKOUT), request.as_bytes());
            differences.extend(difference(what, &seen, &[reason]));
            if what == "absolute form, allowed" {
                assert_eq!(seen.received[0].authority, "api.example.com");
            }
        }
        let fields: &[(&[u8], &[u8])] = &[
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", b"evil.example"),
            (b":path", b"/v1/a"),
            (b"host", b"api.example.com"),
        ];
        let seen = rig.send_http2(Some(CHECKOUT), &http2::Request { fields, data: None, trailers: &[] });
        differences.extend(difference(":authority with host", &seen, &["NO_MATCH"]));
        assert_none(differences);
    }
}

#[test]
fn tunnels() {
    for rig in start() {
        let websocket = |host: &str, to: &str| {
            format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: {to}\r\n\r\n")
        };
        let connect = |target: &str| format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
        let mut differences = Vec::new();
        for (request, reason) in [
            (websocket("ws.example.com", "websocket"), "RULE_ALLOW"),
            (websocket("ws.example.com", "WebSocket"), "RULE_ALLOW"),
            (websocket("plain.example.com", "websocket"), "NO_MATCH"),
            (websocket("plain.example.com", "tcp"), ENVOY),
            (connect("tunnel.example.com:443"), "RULE_ALLOW"),
            // nobody sees what a tunnel asks for, and so the entry about paths of this host
            (connect("plain.example.com:443"), "REQUEST_AMBIGUOUS"),
            (connect("ws.example.com:443"), "NO_MATCH"),
            (connect("api.example.com:443"), "NO_MATCH"),
            (connect("169.254.169.254:80"), "DENY_RULE"),
            (connect("tunnel.example.com"), ENVOY),
            ("CONNECT tunnel.example.com:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_owned(), "RULE_ALLOW"),
            ("CONNECT evil.example:443 HTTP/1.1\r\nhost: tunnel.example.com:443\r\n\r\n".to_owned(), "NO_MATCH"),
        ] {
            let seen = rig.tunnel(Some(CHECKOUT), request.as_bytes(), b"through the wall");
            let line = request.lines().take(4).collect::<Vec<_>>().join(" | ");
            differences.extend(difference(&line, &seen, &[reason]));
            if reason == "RULE_ALLOW" && seen.got_through() && seen.received[0].tunnel != b"through the wall" {
                differences.push(format!("{line}: nothing came through the tunnel"));
            }
        }
        for (authority, reason) in [("ws.example.com", "RULE_ALLOW"), ("plain.example.com", "NO_MATCH")] {
            let fields: &[(&[u8], &[u8])] = &[
                (b":method", b"CONNECT"),
                (b":protocol", b"websocket"),
                (b":scheme", b"https"),
                (b":authority", authority.as_bytes()),
                (b":path", b"/"),
            ];
            let request = http2::Request { fields, data: Some(b"through the wall"), trailers: &[] };
            let seen = rig.send_http2(Some(CHECKOUT), &request);
            differences.extend(difference(&format!("extended CONNECT to {authority}"), &seen, &[reason]));
        }
        for (authority, reason) in
            [("tunnel.example.com:443", "RULE_ALLOW"), ("plain.example.com:443", "REQUEST_AMBIGUOUS")]
        {
            let fields: &[(&[u8], &[u8])] = &[(b":method", b"CONNECT"), (b":authority", authority.as_bytes())];
            let request = http2::Request { fields, data: Some(b"through the wall"), trailers: &[] };
            let seen = rig.send_http2(Some(CHECKOUT), &request);
            differences.extend(difference(&format!("HTTP/2 CONNECT to {authority}"), &seen, &[reason]));
        }
        assert_none(differences);
    }
}

#[test]
fn identities() {
    for mut rig in start() {
        let request = b"GET /v1/a HTTP/1.1\r\nhost: api.example.com\r\n\r\n";
        let mut differences = Vec::new();
        for (identity, reason) in [
            (CHECKOUT, "RULE_ALLOW"),
            ("spiffe://cluster.local/ns/payments/sa/checkout2", "NO_MATCH"),
            ("spiffe://cluster.local/ns/payments/sa/Checkout", "NO_MATCH"),
            ("spiffe://cluster.local/ns/payments/sa/checkout/", "IDENTITY_INVALID"),
            ("spiffe://cluster.local/ns/payments/sa/../sa/checkout", "IDENTITY_INVALID"),
            ("spiffe://cluster.local/ns/payments/sa/checkout?x", "IDENTITY_INVALID"),
            ("spiffe://CLUSTER.local/ns/payments/sa/checkout", "IDENTITY_INVALID"),
            ("https://cluster.local/ns/payments/sa/checkout", "IDENTITY_INVALID"),
            ("spiffe://cluster.local.evil/ns/payments/sa/checkout", "IDENTITY_UNTRUSTED"),
        ] {
            rig.caller(identity);
            differences.extend(difference(identity, &rig.send(Some(identity), request), &[reason]));
        }
        differences.extend(difference("nobody", &rig.send(None, request), &["IDENTITY_MISSING"]));
        let forged = [
            "x-forwarded-client-cert: URI=spiffe://cluster.local/ns/payments/sa/checkout",
            "x-envoy-peer-metadata-id: spiffe://cluster.local/ns/payments/sa/checkout",
            "wasm.tollgate: {\"v\":1,\"d\":\"allow\"}",
            "x-egress-guard: allow",
        ];
        for header in forged {
            let request = format!("GET /v1/a HTTP/1.1\r\nhost: api.example.com\r\n{header}\r\n\r\n");
            differences.extend(difference(header, &rig.send(None, request.as_bytes()), &["IDENTITY_MISSING"]));
        }
        assert_none(differences);
    }
}

#[test]
fn the_first_uri_of_a_certificate_is_the_identity() {
    for rig in start() {
        let two = ["spiffe://cluster.local/ns/web/sa/frontend", CHECKOUT];
        let credentials = rig.lab.pki().workload(Signer::Mesh, &two).unwrap();
        let mut stream = rig.lab.connect(rig.gateway.address(), Some(&credentials), b"http/1.1").unwrap();
        let answer = wire::exchange(&mut stream, b"GET /v1/a HTTP/1.1\r\nhost: api.example.com\r\n\r\n").unwrap();
        assert_eq!(answer.status, 403);
        assert_eq!(rig.lab.origin().take(), []);
    }
}

#[test]
fn a_redirect_that_envoy_follows_itself_is_judged_again() {
    for rig in start_in(GatewayConfig { follow_redirects: true, ..verbatim() }) {
        let ask = |target: &str| {
            let request = format!("GET /redirect-to/{target} HTTP/1.1\r\nhost: plain.example.com\r\n\r\n");
            rig.send(Some(CHECKOUT), request.as_bytes())
        };
        assert_eq!(ask("a.wild.example/x").received.len(), 2);
        let seen = ask("evil.example/x");
        assert_eq!(seen.received.len(), 1, "{:?}", seen.received);
        assert_eq!(seen.received[0].authority, "plain.example.com");
        assert_eq!(seen.status(), 403);
    }
}

#[test]
fn an_upstream_cannot_forge_a_denial() {
    for rig in start() {
        let seen = rig.send(Some(CHECKOUT), b"GET /x HTTP/1.1\r\nhost: plain.example.com\r\n\r\n");
        assert_eq!(seen.status(), 200);
        assert_eq!(seen.response.unwrap().header(FORGED.0), None);
    }
}

#[test]
fn a_denied_grpc_call_gets_a_grpc_status() {
    for rig in start() {
        let request = b"POST /pkg.Service/Call HTTP/1.1\r\nhost: evil.example\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
        let seen = rig.send(Some(CHECKOUT), request);
        assert!(!seen.got_through());
        let response = seen.response.unwrap();
        assert_eq!((response.status, response.header("grpc-status")), (200, Some(&b"7"[..])));

        for (authority, reason) in [("evil.example", "NO_MATCH"), ("plain.example.com", "RULE_ALLOW")] {
            let fields: &[(&[u8], &[u8])] = &[
                (b":method", b"POST"),
                (b":scheme", b"https"),
                (b":authority", authority.as_bytes()),
                (b":path", b"/pkg.Service/Call"),
                (b"content-type", b"application/grpc"),
                (b"te", b"trailers"),
            ];
            let request = http2::Request { fields, data: Some(b"\0\0\0\0\0"), trailers: &[] };
            let seen = rig.send_http2(Some(CHECKOUT), &request);
            assert_eq!((seen.recorded("r"), seen.got_through()), (reason, reason == "RULE_ALLOW"));
        }
    }
}

#[test]
fn hostile_bytes_do_not_kill_the_filter() {
    for rig in start() {
        let allowed = |header: &[u8]| {
            let request = [b"GET /v1/a HTTP/1.1\r\nhost: api.example.com\r\n", header, b"\r\n\r\n"].concat();
            let seen = rig.send(Some(CHECKOUT), &request);
            assert_eq!(seen.status(), 200, "{}", header[..header.len().min(80)].escape_ascii());
            assert_eq!(seen.received.len(), 1);
        };
        allowed(b"x-any: \xff\xfe\x80");
        let megabyte: Vec<u8> = b"x-big: ".iter().copied().chain(std::iter::repeat_n(b'a', 1 << 20)).collect();
        allowed(&megabyte);
        let thousands: Vec<_> = (0..10_000).map(|n| format!("x-{n}: v")).collect();
        allowed(thousands.join("\r\n").as_bytes());

        let long = format!("GET /v1/{} HTTP/1.1\r\nhost: api.example.com\r\n\r\n", "a/".repeat(25_000));
        let seen = rig.send(Some(CHECKOUT), long.as_bytes());
        assert_eq!((seen.status(), seen.recorded("d")), (200, "allow"));

        let fields: &[(&[u8], &[u8])] = &[
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", b"api.example.com"),
            (b":path", b"/v1/a"),
            (b"x-any", b"\xff\x80"),
        ];
        let request = http2::Request { fields, data: Some(b"body"), trailers: &[(b"x-trailer", b"\xff")] };
        assert!(rig.send_http2(Some(CHECKOUT), &request).got_through());

        let log = rig.gateway.log();
        assert!(!log.contains("VM failed") && !log.contains("Function: proxy_"), "{log}");
    }
}
