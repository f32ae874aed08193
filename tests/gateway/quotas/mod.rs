//! Quotas in real Envoys: what is counted is what an external server received.

mod answers;
mod bytes;
mod concurrent;
mod races;
mod updates;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate::record::QuotaRecord;
use tollgate_local::envoy::binary;
use tollgate_local::gateway::GatewayConfig;
use tollgate_local::paths;
use tollgate_local::wire::{self, Response};

use crate::support;
use crate::support::rig::{Rig, Seen};

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
/// An identity of the same namespace.
const REFUNDS: &str = "spiffe://cluster.local/ns/payments/sa/refunds";

/// Everything is admitted for everyone, within these quotas.
fn policy(quotas: &[Value]) -> Value {
    json!({
        "version": 1,
        "name": "quotas",
        "rules": [{
            "id": "all",
            "from": [{"any": true}],
            "to": [{"hosts": ["**"], "upgrades": ["websocket"]}, {"hosts": ["**"], "ports": [443], "methods": ["CONNECT"]}],
        }],
        "quotas": quotas,
    })
}

/// The newest pinned Envoy, for what does not depend on the release.
fn newest() -> PathBuf {
    binary::install(&paths::tools(), binary::newest()).unwrap()
}

fn start(policy: &Value, config: GatewayConfig<'_>) -> Rig {
    start_in(&newest(), policy, config)
}

fn start_in(envoy: &Path, policy: &Value, config: GatewayConfig<'_>) -> Rig {
    let mut rig = Rig::start(envoy, &support::filter(), &policy.to_string(), config);
    rig.caller(CHECKOUT);
    rig.caller(REFUNDS);
    rig
}

fn get(host: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()
}

fn post(host: &str, path: &str, size: usize) -> Vec<u8> {
    let mut request = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {size}\r\n\r\n").into_bytes();
    request.resize(request.len() + size, b'x');
    request
}

/// The first thing that is said of a quota in the record of a request.
fn said(seen: &Seen) -> &QuotaRecord<'static> {
    let record = seen.line.as_ref().unwrap().record.as_ref().unwrap();
    &record.quotas.as_ref().unwrap()[0]
}

/// A header of a response, as text.
fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.header(name).map_or("-", |value| std::str::from_utf8(value).unwrap())
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// One request on a connection of its own, and no look at the log.
fn ask(rig: &Rig, request: &[u8]) -> Response {
    wire::exchange(&mut rig.connect(Some(CHECKOUT)), request).unwrap()
}
