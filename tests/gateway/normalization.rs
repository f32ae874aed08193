//! The command decides what gateways decide: random requests, raw, to Envoys that treat paths as Istio lets them, and
//! the same requests to `tollgate eval`. `TOLLGATE_NORMALIZATION_REQUESTS` says how many for each setting.

use std::fs;
use std::process::Command;

use crate::support::rig::{Rig, Seen};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fastrand::Rng;
use serde_json::{Value, json};
use tollgate_local::config::listener::Paths;
use tollgate_local::gateway::GatewayConfig;

const CALLER: &str = "spiffe://cluster.local/ns/web/sa/a";
/// Requests for each setting unless another number is asked for.
const FEW: usize = 120;

fn policy() -> Value {
    let from = json!([{"namespace": "web"}]);
    json!({
        "version": 1,
        "name": "normalization",
        "deny": [{"id": "admin", "to": [{"hosts": ["open.example.com"], "paths": ["/admin/**"]}]}],
        "rules": [
            {
                "id": "paths",
                "from": from,
                "to": [{"hosts": ["api.example.com"], "methods": ["GET", "POST"], "paths": ["/a/**", "/b", "/*/c", "/A"]}],
            },
            {"id": "open", "from": from, "to": [{"hosts": ["open.example.com"]}]},
            {
                "id": "sockets",
                "from": from,
                "to": [{"hosts": ["ws.example.com"], "upgrades": ["websocket"], "paths": ["/**"]}],
            },
            {
                "id": "data",
                "from": from,
                "to": [{"hosts": ["data.example.com"], "paths": ["/**", "/a%2Fb"], "encodedSlash": "data"}],
            },
        ],
    })
}

/// A request, as bytes of the wire and as a line of input.
struct Request {
    wire: Vec<u8>,
    line: Value,
}

const PIECES: [&[u8]; 52] = [
    b"/",
    b"/",
    b"/",
    b"/",
    b"a",
    b"b",
    b"c",
    b"admin",
    b"A",
    b".",
    b"..",
    b"./",
    b"../",
    b"%2e",
    b"%2E",
    b"%2f",
    b"%2F",
    b"%5c",
    b"\\",
    b"%41",
    b"%61",
    b"%7e",
    b"%7E",
    b"%20",
    b"%00",
    b"%01",
    b"%7f",
    b"%",
    b"%2",
    b"%zz",
    b"%25",
    b"%25",
    b"2e",
    b"41",
    b"?x=/../%2e",
    b"?",
    b";x",
    b"%3b",
    b"//",
    b"{a}",
    b"|",
    b"^",
    b"`",
    b"\"",
    b"<>",
    b"[]",
    b"%c3%a9",
    b"%C3",
    b"~",
    b"!$&'()*+,=:@",
    b"#",
    b"\xc3\xa9",
];

fn request(rng: &mut Rng) -> Request {
    let method = *rng.choice(&["GET", "GET", "GET", "POST", "DELETE", "get"]).unwrap();
    let host = *rng.choice(&["api.example.com", "open.example.com", "ws.example.com", "data.example.com"]).unwrap();
    let host = match rng.u8(0..8) {
        0 => host.to_ascii_uppercase(),
        1 => format!("{host}."),
        2 => format!("{host}:443"),
        3 => format!("{host}.:8443"),
        _ => host.to_owned(),
    };
    let mut path = b"/".to_vec();
    // most paths are short, so that many are canonical in the end
    for _ in 0..rng.usize(0..8) {
        path.extend_from_slice(rng.choice(PIECES).unwrap());
    }
    let mut headers: Vec<(&str, &str)> = Vec::new();
    if rng.u8(0..4) == 0 {
        headers.push(("Upgrade", rng.choice(["websocket", "WebSocket", "h2c", "TLS/1.2", "websocket, foo"]).unwrap()));
    }
    if rng.u8(0..3) == 0 {
        headers.push(("Connection", rng.choice(["upgrade", "keep-alive, Upgrade", "keep-alive", "close"]).unwrap()));
    }
    if rng.u8(0..20) == 0 {
        headers.push(("X-HTTP-Method-Override", "DELETE"));
    }
    let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = [method.as_bytes(), b" ", &path, format!(" HTTP/1.1\r\nhost: {host}\r\n").as_bytes()].concat();
    let wire = [&head, fields.as_bytes(), b"content-length: 0\r\n\r\n"].concat();
    let headers: serde_json::Map<String, Value> =
        headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let line = json!({
        "identity": CALLER, "authority": host, "method": method, "path_b64": BASE64_STANDARD.encode(&path), "headers": headers,
    });
    Request { wire, line }
}

/// The command's answers to requests.
fn evaluated(requests: &[Request], setting: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let (policy_file, lines) = (folder.path().join("policy.json"), folder.path().join("requests.jsonl"));
    fs::write(&policy_file, policy().to_string()).unwrap();
    fs::write(&lines, requests.iter().map(|request| format!("{}\n", request.line)).collect::<String>()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["eval", "--normalize", setting, "--requests"])
        .args([&lines, &policy_file])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let answers: Vec<Value> =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(answers.len(), requests.len());
    answers
}

/// The difference between the command's answer and what the gateway did.
fn difference(request: &Request, seen: &Seen, answer: &Value) -> Option<String> {
    let (decision, reason) = (answer["decision"].as_str().unwrap(), answer["reason"].as_str().unwrap());
    let is_judged = seen.was_judged() && seen.recorded("r") != "REFUSED_BY_ENVOY";
    let is_same = match (reason, is_judged) {
        ("REFUSED_BY_ENVOY", judged) => !judged && seen.status() >= 400,
        // Envoy refused bytes that no rule could admit either
        (_, false) => decision == "deny" && seen.status() >= 400,
        (_, true) => {
            let rule = answer["rule"].as_str().unwrap_or("-");
            // the origin does not take every path that Envoy takes
            (seen.recorded("d"), seen.recorded("r"), seen.recorded("rule")) == (decision, reason, rule)
                && (decision != "deny" || seen.status() == 403)
        }
    };
    let sent = request.wire.escape_ascii();
    (!is_same).then(|| {
        format!("{sent}: {answer}, and {} {:?}", seen.status(), seen.line.as_ref().map(|line| line.line.to_string()))
    })
}

fn compare(paths: Paths, setting: &str) {
    let count = std::env::var("TOLLGATE_NORMALIZATION_REQUESTS").ok().map_or(FEW, |count| count.parse().unwrap());
    let config = GatewayConfig { paths, ..GatewayConfig::default() };
    for rig in Rig::start_each(&policy(), &[CALLER], config) {
        let rng = &mut Rng::with_seed(31);
        let requests: Vec<Request> = (0..count).map(|_| request(rng)).collect();
        let answers = evaluated(&requests, setting);
        let (mut differences, mut judged, mut admitted) = (Vec::new(), 0, 0);
        for (request, answer) in requests.iter().zip(&answers) {
            let seen = rig.send(Some(CALLER), &request.wire);
            judged += usize::from(seen.was_judged());
            admitted += usize::from(seen.recorded("d") == "allow");
            differences.extend(difference(request, &seen, answer));
        }
        println!("{setting}: {count} requests, {judged} judged, {admitted} let through, {} differ", differences.len());
        assert!(differences.is_empty(), "\n{}", differences.join("\n"));
        assert!(judged * 2 > count && admitted * 20 > count, "{judged} judged, {admitted} let through");
    }
}

#[test]
fn the_command_decides_as_a_gateway_that_normalizes_nothing() {
    compare(Paths::Verbatim, "none");
}

#[test]
fn the_command_decides_as_a_gateway_with_the_default_of_istio() {
    compare(Paths::Normalized, "base");
}

#[test]
fn the_command_decides_as_a_gateway_that_merges_slashes() {
    compare(Paths::Merged, "merge");
}

#[test]
fn the_command_decides_as_a_gateway_that_decodes_slashes() {
    compare(Paths::Decoded, "decode");
}
