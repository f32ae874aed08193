//! A place among those in flight comes back once, however a stream ends.

use std::io::{Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_local::gateway::{CLUSTER_HEADER, GatewayConfig};
use tollgate_local::lab::Connection;
use tollgate_local::wire;

use super::{CHECKOUT, REFUNDS, ask, eventually, get, newest, policy, start, start_in};
use crate::support::rig::Rig;
use crate::support::{self, http2};

const HOST: &str = "api.example.com";
const DEAD: &str = "dead";

fn two() -> Value {
    json!({"id": "two", "limit": {"concurrent": 2}})
}

/// Starts a gateway that lets two requests of an identity be in flight. One is in flight all the time: a place that
/// came back twice would be its place.
fn start_with_one_in_flight(envoy: &Path, timeout: &str) -> (Rig, Connection) {
    let config = GatewayConfig { dead_cluster: Some(DEAD), timeout, ..GatewayConfig::default() };
    let rig = start_in(envoy, &policy(&[two()]), config);
    let mut first = rig.connect(Some(CHECKOUT));
    // Without the rest of its body it does not end, not even by Envoy's timeout.
    first.write_all(b"POST /tally/first HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: 9\r\n\r\n").unwrap();
    first.flush().unwrap();
    eventually("the first is in flight", || rig.lab.origin().tally("first").in_flight == 1);
    (rig, first)
}

fn is_let_through(rig: &Rig) -> bool {
    let answer = ask(rig, &get(HOST, "/tally/probe"));
    assert!(matches!(answer.status, 200 | 429), "{}", answer.status);
    answer.status == 200
}

/// Sends a request that is held, and returns when it is in flight.
fn hold(rig: &Rig, name: &str) -> Connection {
    let mut stream = rig.connect(Some(CHECKOUT));
    stream.write_all(&get(HOST, &format!("/tally/{name}?hold"))).unwrap();
    stream.flush().unwrap();
    eventually("it is in flight", || rig.lab.origin().tally(name).in_flight == 1);
    stream
}

/// Asserts that one place is free, and no more.
fn one_is_free(rig: &Rig, after: &str) {
    eventually(&format!("a place comes back after {after}"), || is_let_through(rig));
    let name = after.replace(' ', "-");
    let held = hold(rig, &name);
    assert!(!is_let_through(rig), "two came back after {after}");
    assert_eq!(ask_as(rig, REFUNDS), 200, "others have places of their own");
    rig.lab.origin().release(&name);
    let mut held = held;
    held.read_exact(&mut [0]).unwrap();
    eventually(&format!("it comes back after {after}, again"), || is_let_through(rig));
}

fn ask_as(rig: &Rig, caller: &str) -> u16 {
    wire::exchange(&mut rig.connect(Some(caller)), &get(HOST, "/tally/other")).unwrap().status
}

#[test]
fn a_place_comes_back_once_however_the_stream_ends() {
    for envoy in support::envoys() {
        every_end_of_a_stream(&envoy);
    }
}

fn every_end_of_a_stream(envoy: &Path) {
    let (rig, first) = start_with_one_in_flight(envoy, "30s");
    one_is_free(&rig, "nothing");

    let mut stream = hold(&rig, "a");
    assert!(!is_let_through(&rig));
    rig.lab.origin().release("a");
    stream.read_exact(&mut [0]).unwrap();
    one_is_free(&rig, "a whole answer");

    drop(hold(&rig, "b"));
    one_is_free(&rig, "a caller that hung up");

    let fields: &[(&[u8], &[u8])] = &[
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", HOST.as_bytes()),
        (b":path", b"/tally/c?hold"),
    ];
    let connection = rig.lab.connect(rig.gateway.address(), Some(rig.credentials(CHECKOUT)), b"h2").unwrap();
    let mut stream = http2::Open::start(connection, fields).unwrap();
    eventually("it is in flight", || rig.lab.origin().tally("c").in_flight == 1);
    assert!(!is_let_through(&rig));
    stream.reset().unwrap();
    one_is_free(&rig, "a stream that its caller reset");

    let broken = wire::exchange(&mut rig.connect(Some(CHECKOUT)), &get(HOST, "/tally/d?break=100000"));
    assert!(broken.is_err(), "{broken:?}");
    one_is_free(&rig, "an answer that broke off");

    let request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n{CLUSTER_HEADER}: {DEAD}\r\n\r\n");
    assert_eq!(ask(&rig, request.as_bytes()).status, 503);
    one_is_free(&rig, "a server that could not be reached");

    for (request, what) in [
        (format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"), "a websocket"),
        (format!("CONNECT {HOST}:443 HTTP/1.1\r\nhost: {HOST}:443\r\n\r\n"), "a tunnel"),
    ] {
        let mut tunnel = rig.connect(Some(CHECKOUT));
        assert!(matches!(wire::exchange(&mut tunnel, request.as_bytes()).unwrap().status, 101 | 200), "{what}");
        assert!(!is_let_through(&rig), "{what}");
        drop(tunnel);
        one_is_free(&rig, what);
    }

    let stream = hold(&rig, "e");
    rig.serve(&policy(&[two()]));
    assert!(!is_let_through(&rig), "what is in flight stays so across an update");
    drop(stream);
    one_is_free(&rig, "an update");

    let stream = hold(&rig, "f");
    rig.serve(&policy(&[]));
    assert!(is_let_through(&rig));
    drop(stream);
    rig.serve(&policy(&[two()]));
    one_is_free(&rig, "a policy without the quota");

    drop(first);
    rig.lab.origin().release("first");
}

#[test]
fn a_place_comes_back_after_envoys_own_timeout() {
    let (rig, _first) = start_with_one_in_flight(&newest(), "0.3s");
    let answer = ask(&rig, &get(HOST, "/tally/slow?hold"));
    assert_eq!(answer.status, 504);
    eventually("a place comes back", || is_let_through(&rig));
}

#[test]
fn a_request_that_another_quota_refuses_holds_nothing() {
    let none =
        json!({"id": "none", "to": [{"paths": ["/tally/never"]}], "by": [], "limit": {"requests": 1, "per": "month"}});
    let rig = start(&policy(&[two(), none]), GatewayConfig::default());
    assert_eq!(ask(&rig, &get(HOST, "/tally/never")).status, 200);
    for _ in 0..5 {
        let answer = ask(&rig, &get(HOST, "/tally/never"));
        assert_eq!(answer.header("x-egress-denied"), Some(&b"QUOTA_REQUESTS"[..]));
    }
    let _held = [hold(&rig, "a"), hold(&rig, "b")];
    assert!(!is_let_through(&rig));
}

#[test]
fn what_is_held_without_a_word_stays_held() {
    let rig = start(&policy(&[two()]), GatewayConfig { concurrency: 2, ..GatewayConfig::default() });
    let _held = [hold(&rig, "a"), hold(&rig, "b")];
    // Not even a policy that has no quotas lets the VM forget to give signs of life.
    rig.serve(&policy(&[]));
    // Longer than a VM is believed to be alive without one; no request and no policy comes meanwhile.
    thread::sleep(Duration::from_secs(11));
    rig.serve(&policy(&[two()]));
    assert!(!is_let_through(&rig));
}

#[test]
fn what_a_vm_held_comes_back_after_it_died() {
    let dir = tempfile::tempdir().unwrap();
    let module = crate::death::mortal(&support::filter(), dir.path());
    let quotas = policy(&[two()]).to_string();
    let mut rig = Rig::start(&newest(), &module, &quotas, GatewayConfig::default());
    rig.caller(CHECKOUT);
    let _held = [hold(&rig, "a"), hold(&rig, "b")];
    assert!(!is_let_through(&rig));
    // Another identity's request has a body, which kills the VM.
    rig.caller(REFUNDS);
    let request = format!("POST / HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 1\r\n\r\nx");
    let dying = wire::exchange(&mut rig.connect(Some(REFUNDS)), request.as_bytes()).unwrap();
    assert_eq!(dying.status, 503);
    let (died, mut refused) = (Instant::now(), 0);
    eventually("what it held comes back", || {
        let answer = ask(&rig, &get(HOST, "/tally/probe"));
        refused += u32::from(answer.status == 429);
        answer.status == 200
    });
    println!("came back {:?} after the VM died, refused {refused} times until then", died.elapsed());
}
