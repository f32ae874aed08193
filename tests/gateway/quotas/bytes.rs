//! Bytes are charged as they flow, whatever carries them, and cut off where they cross the line.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use tollgate_local::gateway::{CLUSTER_HEADER, GatewayConfig};
use tollgate_local::lab::Connection;
use tollgate_local::wire;

use super::{CHECKOUT, ask, eventually, get, header, policy, post, said, start, start_in};
use crate::support::rig::{Rig, Seen};
use crate::support::{self, http2};

const DEAD: &str = "dead";
const LIMIT: usize = 100_000;
/// Names and values of all headers that Envoy and the filter see besides the test's own are fewer bytes than this.
const HEADERS: u64 = 1500;
const MEGABYTES: usize = 5 << 20;

fn fields<'f>(authority: &'f str, path: &'f str) -> [(&'f [u8], &'f [u8]); 4] {
    [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", authority.as_bytes()), (b":path", path.as_bytes())]
}

fn open(rig: &Rig, authority: &str, path: &str) -> http2::Open<Connection> {
    let connection = rig.lab.connect(rig.gateway.address(), Some(rig.credentials(CHECKOUT)), b"h2").unwrap();
    http2::Open::start(connection, &fields(authority, path)).unwrap()
}

/// Sends the head of a request, and leaves the rest to the test.
fn begin(rig: &Rig, head: &str) -> Connection {
    let mut stream = rig.connect(Some(CHECKOUT));
    stream.write_all(head.as_bytes()).unwrap();
    stream.flush().unwrap();
    stream
}

fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

/// The line of the last request for this host that has ended.
fn last(rig: &Rig, host: &str, since: usize) -> Seen {
    let mut line = None;
    eventually("the request is recorded", || {
        let lines = rig.gateway.audit().lines();
        line = lines.into_iter().skip(since).rfind(|line| line.recorded("host") == Some(host));
        line.is_some()
    });
    Seen { response: None, line, received: Vec::new() }
}

fn recorded(rig: &Rig) -> usize {
    rig.gateway.audit().lines().len()
}

/// Asserts that the record says that it was cut.
fn assert_cut(seen: &Seen, rule: &str) {
    let decided = ["d", "r", "rule"].map(|key| seen.recorded(key).to_owned());
    assert_eq!(decided, ["cut", "QUOTA_BYTES", rule], "{:?}", seen.line);
    assert_eq!(said(seen).key, CHECKOUT);
}

/// One bucket for each host, of bytes out, in, and both; large enough for everything.
fn counting() -> Rig {
    let quota = |unit: &str| {
        let id = unit.to_lowercase();
        json!({"id": id, "to": [{"hosts": [format!("{id}.example.com")]}], "limit": {unit: "1TB", "per": "month"}})
    };
    let config = GatewayConfig { dead_cluster: Some(DEAD), ..GatewayConfig::default() };
    start(&policy(&["bytesOut", "bytesIn", "bytes"].map(quota)), config)
}

const OUT: &str = "bytesout.example.com";
const IN: &str = "bytesin.example.com";
const BOTH: &str = "bytes.example.com";

/// Bytes charged for what happens, without those of the requests that measure it.
fn charged(rig: &Rig, host: &str, happens: impl FnOnce()) -> u64 {
    let used = || said(&rig.send(Some(CHECKOUT), &get(host, "/tally/probe"))).used;
    let before = used();
    let own = used() - before;
    let before = before + own;
    happens();
    used() - before - own
}

/// Asserts that so many bytes of bodies were charged, and headers.
fn assert_charged(what: &str, charged: u64, body: usize) {
    let least = body as u64 + 40;
    assert!((least..body as u64 + HEADERS).contains(&charged), "{what}: {charged} for a body of {body}");
}

#[test]
fn uploads_are_charged_however_they_are_framed() {
    let rig = counting();
    let known = charged(&rig, OUT, || assert_eq!(ask(&rig, &post(OUT, "/tally/x", MEGABYTES)).status, 200));
    assert_charged("known length", known, MEGABYTES);
    assert_eq!(rig.lab.origin().tally("x").bytes, MEGABYTES as u64);

    let chunked = charged(&rig, OUT, || {
        let mut stream =
            begin(&rig, &format!("POST /tally/x HTTP/1.1\r\nhost: {OUT}\r\ntransfer-encoding: chunked\r\n\r\n"));
        for _ in 0..10 {
            stream.write_all(&chunk(&[b'x'; 30_000])).unwrap();
        }
        assert_eq!(wire::exchange(&mut stream, b"0\r\n\r\n").unwrap().status, 200);
    });
    assert_charged("chunked", chunked, 300_000);

    let http2 = charged(&rig, OUT, || {
        let mut stream = open(&rig, OUT, "/tally/x");
        stream.data(&vec![b'x'; MEGABYTES], true).unwrap();
        assert!(stream.end().unwrap().whole);
    });
    assert_charged("HTTP/2", http2, MEGABYTES);

    let trailer = vec![b't'; 20_000];
    let trailers = charged(&rig, OUT, || {
        let mut stream = open(&rig, OUT, "/tally/x");
        stream.data(b"body", false).unwrap();
        stream.trailers(&[(b"x-end", &trailer)]).unwrap();
        assert!(stream.end().unwrap().whole);
    });
    assert_charged("trailers", trailers, 4 + 5 + trailer.len());

    let pad = |length: usize| {
        let request = format!("GET /tally/x HTTP/1.1\r\nhost: {OUT}\r\nx-pad: {}\r\n\r\n", "p".repeat(length));
        charged(&rig, OUT, || assert_eq!(ask(&rig, request.as_bytes()).status, 200))
    };
    assert_eq!(pad(10_000) - pad(1), 9_999, "names and values of headers are charged to the byte");

    let answer = charged(&rig, OUT, || assert_eq!(ask(&rig, &get(OUT, "/tally/x?send=100000")).body.len(), 100_000));
    assert_charged("what comes back is not", answer, 0);
}

#[test]
fn downloads_are_charged_however_they_are_framed() {
    let rig = counting();
    let download = |order: &str, size: usize| {
        let request = get(IN, &format!("/tally/x?{order}"));
        charged(&rig, IN, || assert_eq!(ask(&rig, &request).body.len(), size))
    };
    assert_charged("known length", download(&format!("send={MEGABYTES}"), MEGABYTES), MEGABYTES);
    assert_charged("chunked", download("chunked&send=300000", 300_000), 300_000);
    let http2 = |order: &str, size: usize| {
        charged(&rig, IN, || {
            let path = format!("/tally/x?{order}");
            let mut stream = open(&rig, IN, &path);
            stream.data(&[b'x'; 1000], true).unwrap();
            let end = stream.end().unwrap();
            assert_eq!((end.data, end.whole), (size, true));
        })
    };
    assert_charged("HTTP/2", http2(&format!("send={MEGABYTES}"), MEGABYTES), MEGABYTES);
    assert_charged("trailers", http2("send=1000&trailers=20000", 1000), 1000 + 5 + 20_000);
}

#[test]
fn tunnels_are_charged_both_ways() {
    let rig = counting();
    for (request, what) in [
        (format!("GET / HTTP/1.1\r\nhost: {BOTH}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"), "websocket"),
        (format!("CONNECT {BOTH}:443 HTTP/1.1\r\nhost: {BOTH}:443\r\n\r\n"), "CONNECT"),
    ] {
        let through = vec![b'x'; 200_000];
        let charged = charged(&rig, BOTH, || {
            let seen = rig.tunnel(Some(CHECKOUT), request.as_bytes(), &through);
            assert_eq!(seen.received[0].tunnel.len(), through.len(), "{what}");
        });
        assert_charged(what, charged, 2 * through.len());
    }
}

#[test]
fn what_flowed_before_a_stream_broke_off_is_charged() {
    let rig = counting();
    let hung_up = charged(&rig, OUT, || {
        let mut stream =
            begin(&rig, &format!("POST /tally/gone HTTP/1.1\r\nhost: {OUT}\r\ncontent-length: 900000\r\n\r\n"));
        stream.write_all(&[b'x'; 300_000]).unwrap();
        stream.flush().unwrap();
        let since = recorded(&rig);
        eventually("it has arrived", || rig.lab.origin().tally("gone").bytes == 300_000);
        drop(stream);
        last(&rig, OUT, since);
    });
    assert_charged("a caller that hung up", hung_up, 300_000);

    let reset = charged(&rig, OUT, || {
        let since = recorded(&rig);
        let mut stream = open(&rig, OUT, "/tally/reset");
        stream.data(&[b'x'; 300_000], false).unwrap();
        eventually("it has arrived", || rig.lab.origin().tally("reset").bytes == 300_000);
        stream.reset().unwrap();
        last(&rig, OUT, since);
    });
    assert_charged("a stream that its caller reset", reset, 300_000);

    let broken = charged(&rig, IN, || {
        assert!(wire::exchange(&mut rig.connect(Some(CHECKOUT)), &get(IN, "/tally/x?break=300000")).is_err());
    });
    assert_charged("an answer that broke off", broken, 300_000);

    let unreachable = charged(&rig, OUT, || {
        let head =
            format!("POST / HTTP/1.1\r\nhost: {OUT}\r\n{CLUSTER_HEADER}: {DEAD}\r\ncontent-length: 1000\r\n\r\n");
        assert_eq!(ask(&rig, &[head.as_bytes(), &[b'x'; 1000]].concat()).status, 503);
    });
    assert!(unreachable < 1000 + HEADERS, "{unreachable}");
}

/// One bucket of so many bytes for each test, cut or not.
fn limited(unit: &str, limit: usize, more: &Value) -> Rig {
    let mut quota = json!({"id": "line", "limit": {unit: format!("{limit}B"), "per": "month"}});
    quota.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    start(&policy(&[quota]), GatewayConfig::default())
}

const HOST: &str = "api.example.com";

#[test]
fn an_upload_that_crosses_the_line_before_an_answer_gets_429() {
    let rig = limited("bytesOut", LIMIT, &json!({}));
    let seen = rig.send(Some(CHECKOUT), &post(HOST, "/tally/x", 3 * LIMIT));
    assert_cut(&seen, "line");
    assert_eq!(seen.line.as_ref().unwrap().text("egress.response_code_details"), Some("egress_denied{QUOTA_BYTES}"));
    let response = seen.response.unwrap();
    assert_eq!((response.status, header(&response, "x-egress-denied")), (429, "QUOTA_BYTES"));
    assert_eq!(header(&response, "ratelimit-policy"), format!(r#""line";q={LIMIT};qu="content-bytes""#));
    assert!(header(&response, "ratelimit").starts_with(r#""line";r=0;t="#), "{response:?}");
    assert!(header(&response, "retry-after").parse::<u64>().unwrap() > 0);
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body["reason"], "QUOTA_BYTES");
    assert!(rig.lab.origin().tally("x").bytes <= (LIMIT + (1 << 20)) as u64);
    assert_eq!(rig.metric(r#"tollgate_quota_denied_total{quota="line"}"#), Some(1.0));

    let next = rig.send(Some(CHECKOUT), &get(HOST, "/x"));
    assert_eq!((next.status(), next.recorded("d"), next.recorded("r")), (429, "deny", "QUOTA_BYTES"));
    assert!(!next.got_through());
}

#[test]
fn a_large_upload_does_not_arrive_whole() {
    let rig = limited("bytesOut", LIMIT, &json!({}));
    for _ in 0..3 {
        let since = recorded(&rig);
        let mut stream = open(&rig, HOST, "/tally/x");
        // Envoy may have hung up before all of it is written.
        drop(stream.data(&vec![b'x'; MEGABYTES], true));
        drop(stream.end());
        let seen = last(&rig, HOST, since);
        assert_eq!(seen.recorded("r"), "QUOTA_BYTES");
        assert_eq!(seen.line.unwrap().line["http.response.status_code"], 429);
    }
    assert!(rig.lab.origin().tally("x").bytes <= (LIMIT + (1 << 20)) as u64);
}

#[test]
fn a_grpc_upload_that_crosses_the_line_gets_resource_exhausted() {
    let rig = limited("bytesOut", LIMIT, &json!({}));
    let head = format!(
        "POST /p.S/C HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/grpc\r\ncontent-length: {}\r\n\r\n",
        2 * LIMIT
    );
    let seen = rig.send(Some(CHECKOUT), &[head.as_bytes(), &vec![0; 2 * LIMIT]].concat());
    assert_cut(&seen, "line");
    assert_eq!(header(&seen.response.unwrap(), "grpc-status"), "8");
}

#[test]
fn a_stream_that_crosses_the_line_after_its_answer_began_is_reset() {
    let rig = limited("bytesOut", LIMIT, &json!({}));
    let since = recorded(&rig);
    let mut stream = open(&rig, HOST, "/tally/x?echo");
    let piece = [b'x'; 10_000];
    let (mut sent, mut echoed) = (0, 0);
    loop {
        stream.data(&piece, false).unwrap();
        sent += piece.len();
        let end = stream.read(piece.len()).unwrap();
        echoed += end.data;
        assert!(!end.whole);
        if end.data < piece.len() {
            break;
        }
        assert!(sent <= LIMIT, "{sent}");
    }
    assert!(echoed > LIMIT - 2 * piece.len() && echoed <= LIMIT, "{echoed}");
    assert_cut(&last(&rig, HOST, since), "line");
}

#[test]
fn a_download_that_crosses_the_line_is_reset() {
    let rig = limited("bytesIn", LIMIT, &json!({}));
    let seen = rig.send(Some(CHECKOUT), &get(HOST, &format!("/tally/x?send={MEGABYTES}")));
    assert_cut(&seen, "line");
    assert_eq!(seen.response, None, "it is not whole");
    let next = rig.send(Some(CHECKOUT), &get(HOST, "/x"));
    assert_eq!((next.status(), next.recorded("d"), next.recorded("r")), (429, "deny", "QUOTA_BYTES"));
}

#[test]
fn a_response_whose_headers_cross_the_line_becomes_429() {
    for envoy in support::envoys() {
        headers_that_cross_the_line(&envoy);
    }
}

fn headers_that_cross_the_line(envoy: &Path) {
    let quota = json!({"id": "line", "limit": {"bytesIn": "20B", "per": "month"}});
    let config = GatewayConfig { dead_cluster: Some(DEAD), timeout: "0.3s", ..GatewayConfig::default() };
    let rig = start_in(envoy, &policy(&[]), config);
    // Another name, another bucket.
    let serve = |name: &str| {
        let mut policy = policy(std::slice::from_ref(&quota));
        policy["name"] = json!(name);
        rig.serve(&policy);
    };
    for (name, request) in [
        ("with-a-body", get(HOST, "/tally/x?send=1000")),
        ("with-a-large-body", get(HOST, &format!("/tally/x?send={MEGABYTES}"))),
        ("without-a-body", get(HOST, "/tally/x")),
        ("head", format!("HEAD /tally/x HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n").into_bytes()),
        ("before-the-request-ended", post(HOST, "/tally/x?echo", 10)),
        (
            "websocket",
            format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").into(),
        ),
        ("tunnel", format!("CONNECT {HOST}:443 HTTP/1.1\r\nhost: {HOST}:443\r\n\r\n").into()),
        ("envoys-own", format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n{CLUSTER_HEADER}: {DEAD}\r\n\r\n").into()),
        ("envoys-own-timeout", get(HOST, "/tally/x?hold")),
    ] {
        serve(name);
        let seen = rig.exchange(Some(CHECKOUT), b"http/1.1", |stream| match wire::exchange(stream, &request) {
            // No body comes with the answer to HEAD, whatever its length says.
            Err(_) if name == "head" => Ok(wire::Response::default()),
            read => read,
        });
        assert_cut(&seen, "line");
        let line = &seen.line.as_ref().unwrap().line;
        assert_eq!(line["http.response.status_code"], 429, "{name}: {line}");
        let response = seen.response.unwrap();
        if name != "head" {
            assert_eq!((response.status, header(&response, "x-egress-denied")), (429, "QUOTA_BYTES"), "{name}");
            assert!(header(&response, "ratelimit-policy").starts_with(r#""line";q=20"#), "{name}");
        }
        // The worker goes on.
        let next = rig.send(Some(CHECKOUT), &get(HOST, "/x"));
        assert_eq!((next.status(), next.recorded("d")), (429, "deny"), "{name}");
    }
    serve("http2");
    let since = recorded(&rig);
    let mut stream = open(&rig, HOST, "/tally/x?send=1000");
    stream.data(b"x", true).unwrap();
    assert!(stream.end().unwrap().whole);
    assert_cut(&last(&rig, HOST, since), "line");
    assert!(!rig.gateway.log().contains("VM failed"), "{}", rig.gateway.log());
}

#[test]
fn trailers_that_cross_the_line_are_cut() {
    // Envoy takes trailers of no more than some tens of thousands of bytes.
    const LIMIT: usize = 10_000;
    let trailer = vec![b't'; 2 * LIMIT];
    let rig = limited("bytesOut", LIMIT, &json!({}));
    let since = recorded(&rig);
    let mut stream = open(&rig, HOST, "/tally/x");
    stream.data(b"body", false).unwrap();
    stream.trailers(&[(b"x-end", &trailer)]).unwrap();
    drop(stream.end());
    let seen = last(&rig, HOST, since);
    assert_cut(&seen, "line");
    assert_eq!(seen.line.unwrap().line["http.response.status_code"], 429);

    let rig = limited("bytesIn", LIMIT, &json!({}));
    let since = recorded(&rig);
    let path = format!("/tally/x?send=1000&trailers={}", trailer.len());
    let mut stream = open(&rig, HOST, &path);
    stream.data(b"body", true).unwrap();
    assert!(!stream.end().unwrap().whole);
    assert_cut(&last(&rig, HOST, since), "line");
}

#[test]
fn tunnels_that_cross_the_line_are_closed() {
    for unit in ["bytesOut", "bytesIn"] {
        let rig = limited(unit, LIMIT, &json!({"by": ["identity"]}));
        for (request, refused) in [
            (format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"), false),
            (format!("CONNECT {HOST}:443 HTTP/1.1\r\nhost: {HOST}:443\r\n\r\n"), true),
        ] {
            let seen = rig.tunnel(Some(CHECKOUT), request.as_bytes(), &vec![b'x'; 2 * LIMIT]);
            if refused {
                assert_eq!((seen.status(), seen.recorded("d")), (429, "deny"), "{unit}");
            } else {
                assert_cut(&seen, "line");
                assert!(seen.response.is_none(), "{unit}");
            }
        }
    }
    let rig = limited("bytes", LIMIT, &json!({}));
    let request = format!("CONNECT {HOST}:443 HTTP/1.1\r\nhost: {HOST}:443\r\n\r\n");
    assert_cut(&rig.tunnel(Some(CHECKOUT), request.as_bytes(), &vec![b'x'; 2 * LIMIT]), "line");
}

#[test]
fn a_request_that_may_finish_is_whole_and_the_next_is_refused() {
    for (unit, request) in
        [("bytesOut", post(HOST, "/tally/x", MEGABYTES)), ("bytesIn", get(HOST, &format!("/tally/x?send={MEGABYTES}")))]
    {
        let rig = limited(unit, LIMIT, &json!({"overrun": "finish"}));
        let seen = rig.send(Some(CHECKOUT), &request);
        assert_eq!((seen.status(), seen.recorded("d"), seen.recorded("r")), (200, "allow", "RULE_ALLOW"), "{unit}");
        let response = seen.response.unwrap();
        let arrived = if unit == "bytesIn" { response.body.len() as u64 } else { rig.lab.origin().tally("x").bytes };
        assert_eq!(arrived, MEGABYTES as u64);
        let next = rig.send(Some(CHECKOUT), &get(HOST, "/x"));
        assert_eq!((next.status(), next.recorded("d"), next.recorded("r")), (429, "deny", "QUOTA_BYTES"), "{unit}");
    }
}

#[test]
fn a_dry_run_of_a_line_is_recorded_and_cuts_nothing() {
    let rig = limited("bytesOut", LIMIT, &json!({"mode": "dry-run"}));
    let seen = rig.send(Some(CHECKOUT), &post(HOST, "/tally/x", MEGABYTES));
    assert_eq!((seen.status(), seen.recorded("d"), seen.recorded("r")), (200, "would-deny", "QUOTA_BYTES"));
    assert_eq!(rig.lab.origin().tally("x").bytes, MEGABYTES as u64);
    assert_eq!(rig.metric(r#"tollgate_quota_denied_total{quota="line"}"#), Some(0.0));
    let next = rig.send(Some(CHECKOUT), &get(HOST, "/x"));
    assert_eq!((next.status(), next.recorded("d"), next.recorded("r")), (200, "would-deny", "QUOTA_BYTES"));
}
