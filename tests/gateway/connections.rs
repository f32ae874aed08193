//! TCP connections through a real Envoy: TLS that callers make themselves, and what is no TLS.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use tollgate::decision::{Authorizer, Outcome, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, HelloReader, Presented, Source};
use tollgate_local::audit::Line;
use tollgate_local::gateway::Gateway;
use tollgate_local::lab::{Connection, Lab};
use tollgate_local::origin::RawOrigin;
use tollgate_local::pki::{Credentials, ORIGIN_NAME, Signer};
use tollgate_local::plugin::Plugin;
use tollgate_local::tcp_gateway::{self, TcpGatewayConfig};
use tollgate_local::wire;
use tollgate_tests::cases::{Case, files};
use tollgate_tests::hello::{Hello, record, records, server_hello};

use crate::support;
use crate::support::rig::tail;

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
const OTHER: &str = "spiffe://cluster.local/ns/web/sa/front";

fn policy() -> Value {
    json!({
        "version": 1,
        "name": "connections",
        "rules": [
            {"id": "origin", "from": [{"namespace": "payments"}], "to": [{"hosts": [ORIGIN_NAME]}]},
            {"id": "retry", "from": [{"namespace": "payments"}], "to": [{"hosts": ["retry.test"]}]},
            {"id": "plain", "from": [{"namespace": "payments"}], "to": [
                {"hosts": ["db.test"], "ports": [5432], "clientHello": "optional"}]},
        ],
        "quotas": [{"id": "bytes", "to": [{"hosts": ["db.test"]}], "limit": {"bytes": 100_000, "per": "day"}}],
    })
}

struct Rig {
    // Envoy goes before what it stands on.
    gateway: Gateway,
    plugin: Plugin,
    lab: Lab,
    raw: RawOrigin,
    retry: RawOrigin,
    callers: HashMap<String, Credentials>,
    revisions: u32,
}

impl Rig {
    fn start(envoy: &Path, policy: &Value, guarded: bool) -> Rig {
        let lab = Lab::temporary().unwrap();
        let plugin = Plugin::of_connections(lab.dir(), &support::tcp_filter()).unwrap();
        plugin.publish(&policy.to_string()).unwrap();
        let raw = RawOrigin::start(Vec::new(), b"answer".to_vec()).unwrap();
        let retry = RawOrigin::start(Vec::new(), records(&server_hello(true), 60)).unwrap();
        let clusters = vec![
            (format!("outbound|443||{ORIGIN_NAME}"), lab.origin().address()),
            ("outbound|443||retry.test".to_owned(), retry.address()),
            ("outbound|5432||db.test".to_owned(), raw.address()),
        ];
        if !guarded {
            plugin.replace_by_nothing().unwrap();
        }
        let filters = plugin.guarded();
        let config = TcpGatewayConfig { name: "connections", filters, clusters, ..TcpGatewayConfig::default() };
        let gateway = tcp_gateway::start(&lab, envoy, &config).unwrap();
        let identities = [CHECKOUT, OTHER];
        let made = |identity: &&str| (identity.to_string(), lab.pki().workload(Signer::Mesh, &[identity]).unwrap());
        let callers = identities.iter().map(made).collect();
        Rig { gateway, plugin, lab, raw, retry, callers, revisions: 0 }
    }

    fn start_each() -> impl Iterator<Item = Rig> {
        support::envoys_that_wait().into_iter().map(|envoy| {
            println!("{}", envoy.display());
            Rig::start(&envoy, &policy(), true)
        })
    }

    /// The mesh's own TLS, to a host and a port.
    fn connect(&self, caller: Option<&str>, outer: &str) -> Connection {
        let credentials = caller.map(|caller| &self.callers[caller]);
        self.lab.connect_by_name(self.gateway.address(), credentials, outer).unwrap()
    }

    /// Sends bytes, and returns what is answered: nothing where the connection was closed.
    fn ask(&self, caller: Option<&str>, outer: &str, pieces: &[&[u8]]) -> Vec<u8> {
        let mut stream = self.connect(caller, outer);
        let mut answer = [0; 4096];
        for piece in pieces {
            if stream.write_all(piece).and_then(|()| stream.flush()).is_err() {
                return Vec::new();
            }
        }
        let length = stream.read(&mut answer).unwrap_or_default();
        answer[..length].to_vec()
    }

    /// The last line of the audit log that is not among the first `seen` ones.
    fn line(&self, seen: usize) -> Line {
        self.gateway.audit().wait_for(seen, |_| true).unwrap_or_else(|_| panic!("{}", tail(&self.gateway.log())))
    }

    fn refused(&self, caller: Option<&str>, outer: &str, pieces: &[&[u8]]) -> String {
        let seen = self.gateway.audit().count();
        assert_eq!(self.ask(caller, outer, pieces), b"", "{outer}");
        let line = self.gateway.audit().wait_for(seen, |line| line.recorded("d") == Some("deny"));
        line.unwrap_or_else(|_| panic!("{outer}: {}", tail(&self.gateway.log()))).recorded("r").unwrap().to_owned()
    }

    /// Sends a policy, and returns once connections are decided by it.
    fn serve(&mut self, policy: &Value) {
        self.revisions += 1;
        let revision = format!("r{}", self.revisions);
        let mut policy = policy.clone();
        policy["revision"] = json!(revision);
        self.plugin.publish(&policy.to_string()).unwrap();
        let started = Instant::now();
        loop {
            let seen = self.gateway.audit().count();
            self.ask(Some(CHECKOUT), "localhost", &[b"x"]);
            if self.line(seen).recorded("rev") == Some(&revision) {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{}", tail(&self.gateway.log()));
        }
    }
}

fn outer(host: &str, port: u16) -> String {
    format!("outbound_.{port}_._.{host}")
}

/// HTTPS as an application speaks it, within the mesh's TLS.
fn https(rig: &Rig, stream: Connection, name: &str) -> io::Result<u16> {
    let mut roots = RootCertStore::empty();
    roots.add(rig.lab.pki().origin_root()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let inner = ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut stream = StreamOwned::new(inner, stream);
    let request = format!("GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
    wire::exchange(&mut stream, request.as_bytes()).map(|response| response.status)
}

#[test]
fn an_application_speaks_https_itself_and_nobody_reads_along() {
    for rig in Rig::start_each() {
        let seen = rig.gateway.audit().count();
        let stream = rig.connect(Some(CHECKOUT), &outer(ORIGIN_NAME, 443));
        assert_eq!(https(&rig, stream, ORIGIN_NAME).unwrap(), 200);
        assert_eq!(rig.lab.origin().take().len(), 1);
        let line = rig.line(seen);
        assert_eq!((line.recorded("d"), line.recorded("rule")), (Some("allow"), Some("origin")), "{}", line.line);
        assert_eq!((line.recorded("layer"), line.recorded("sni")), (Some("tcp"), Some(ORIGIN_NAME)));
        assert_eq!(line.recorded("id"), Some(CHECKOUT));
    }
}

#[test]
fn what_is_denied_reaches_nobody() {
    for rig in Rig::start_each() {
        let own = Hello::of(ORIGIN_NAME).record();
        let evil = Hello::of("evil.test").record();
        let hidden = Hello { ech: true, ..Hello::of(ORIGIN_NAME) }.record();
        let nameless = Hello::default().record();
        let to = outer(ORIGIN_NAME, 443);
        let slow: Vec<&[u8]> = evil.chunks(3).collect();
        for (caller, outer, pieces, expected) in [
            (Some(OTHER), &*to, vec![&own[..]], "NO_MATCH"),
            (None, &to, vec![&own], "IDENTITY_MISSING"),
            (Some(CHECKOUT), &to, vec![&evil], "SNI_MISMATCH"),
            (Some(CHECKOUT), &to, slow, "SNI_MISMATCH"),
            (Some(CHECKOUT), &to, vec![&hidden], "SNI_MISSING"),
            (Some(CHECKOUT), &to, vec![&nameless], "SNI_MISSING"),
            (Some(CHECKOUT), &to, vec![b"GET / HTTP/1.1\r\n\r\n"], "SNI_MISSING"),
            (Some(CHECKOUT), &to, vec![b"\x80\x2e\x01\x00\x02\x00\x15"], "SNI_MISSING"),
            (Some(CHECKOUT), "evil.test", vec![&evil], "NO_MATCH"),
            (Some(CHECKOUT), "outbound_.443_._.redis.payments.svc.cluster.local", vec![&own], "HOST_INVALID"),
            (Some(CHECKOUT), "localhost", vec![&own], "HOST_INVALID"),
        ] {
            assert_eq!(rig.refused(caller, outer, &pieces), expected, "{caller:?} {outer}");
        }
        assert!(rig.lab.origin().take().is_empty() && rig.raw.take().is_empty());
        for cluster in [format!("outbound|443||{ORIGIN_NAME}"), "tollgate-nowhere".to_owned()] {
            let connects = rig.gateway.admin().stat(&format!("cluster.{cluster}.upstream_cx_total")).unwrap();
            assert_eq!(connects, 0, "{cluster}");
        }
    }
}

#[test]
fn a_second_hello_for_another_host_is_never_sent() {
    for rig in Rig::start_each() {
        let first = Hello::of("retry.test").record();
        let evil = records(&Hello::of("evil.test").message(), 20);
        let mut stream = rig.connect(Some(CHECKOUT), &outer("retry.test", 443));
        stream.write_all(&first).unwrap();
        let mut answer = [0; 1024];
        assert_ne!(stream.read(&mut answer).unwrap(), 0, "a HelloRetryRequest");
        let seen = rig.gateway.audit().count();
        stream.write_all(&record(20, &[1])).unwrap();
        for piece in evil.chunks(7) {
            if stream.write_all(piece).and_then(|()| stream.flush()).is_err() {
                break;
            }
        }
        let line = rig.line(seen);
        assert_eq!((line.recorded("d"), line.recorded("r")), (Some("cut"), Some("SNI_MISMATCH")), "{}", line.line);
        let heard = rig.retry.take().concat();
        assert!(heard.starts_with(&first) && heard.len() <= first.len() + 6, "{heard:?}");

        let mut stream = rig.connect(Some(CHECKOUT), &outer("retry.test", 443));
        stream.write_all(&first).unwrap();
        assert_ne!(stream.read(&mut answer).unwrap(), 0);
        let second = Hello { padding: 99, ..Hello::of("retry.test") }.record();
        stream.write_all(&second).unwrap();
        assert_ne!(stream.read(&mut answer).unwrap(), 0);
        assert_eq!(rig.retry.take().concat(), [first, second].concat());
    }
}

#[test]
fn a_protocol_without_tls_goes_out_by_host_and_port_and_its_bytes_are_counted() {
    for rig in Rig::start_each() {
        assert_eq!(rig.ask(Some(CHECKOUT), &outer("db.test", 5432), &[b"query"]), b"answer");
        assert_eq!(rig.raw.take(), [b"query"]);
        assert_eq!(rig.refused(Some(OTHER), &outer("db.test", 5432), &[b"query"]), "NO_MATCH");
        assert_eq!(rig.refused(Some(CHECKOUT), &outer("db.test", 5433), &[b"query"]), "NO_MATCH");
        let seen = rig.gateway.audit().count();
        let mut stream = rig.connect(Some(CHECKOUT), &outer("db.test", 5432));
        let mut sent = 0;
        while stream.write_all(&[b'q'; 10_000]).and_then(|()| stream.flush()).is_ok() && sent < 5_000_000 {
            sent += 10_000;
        }
        let line = rig.line(seen);
        assert_eq!((line.recorded("d"), line.recorded("r")), (Some("cut"), Some("QUOTA_BYTES")), "{}", line.line);
        let arrived = rig.raw.take().concat().len();
        assert!(arrived < 100_000, "{arrived} of {sent}: {}", line.line);
        assert_eq!(rig.refused(Some(CHECKOUT), &outer("db.test", 5432), &[b"query"]), "QUOTA_BYTES");
    }
}

#[test]
fn an_update_closes_a_connection_that_it_does_not_admit() {
    for mut rig in Rig::start_each() {
        let mut stream = rig.connect(Some(CHECKOUT), &outer("db.test", 5432));
        let mut answer = [0; 64];
        stream.write_all(b"one").unwrap();
        assert_eq!(stream.read(&mut answer).unwrap(), 6);
        let mut other = policy();
        other["metrics"] = json!({});
        rig.serve(&other);
        stream.write_all(b"two").unwrap();
        assert_eq!(stream.read(&mut answer).unwrap(), 6, "an update that still admits it");
        other["rules"].as_array_mut().unwrap().pop();
        let seen = rig.gateway.audit().count();
        rig.serve(&other);
        let line = rig.gateway.audit().wait_for(seen, |line| line.recorded("d") == Some("cut")).unwrap();
        assert_eq!(line.recorded("r"), Some("NO_MATCH"), "{}", line.line);
        assert_eq!(stream.read(&mut answer).unwrap_or_default(), 0);
        assert_eq!(rig.raw.take(), [b"onetwo"]);
    }
}

#[test]
fn who_sends_nothing_is_closed_after_ten_seconds() {
    for rig in Rig::start_each() {
        let seen = rig.gateway.audit().count();
        let half = Hello::of(ORIGIN_NAME).record();
        let mut silent: Vec<Connection> =
            (0..3).map(|_| rig.connect(Some(CHECKOUT), &outer(ORIGIN_NAME, 443))).collect();
        for stream in &mut silent {
            // the handshake of the mesh's TLS, and half a hello for one of them
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        silent[0].write_all(&half[..30]).unwrap();
        let stream = rig.connect(Some(CHECKOUT), &outer(ORIGIN_NAME, 443));
        assert_eq!(https(&rig, stream, ORIGIN_NAME).unwrap(), 200, "others go on");
        for stream in &mut silent {
            assert_eq!(stream.read(&mut [0; 8]).unwrap_or_default(), 0);
        }
        let started = Instant::now();
        let refused = |line: &Line| line.recorded("r") == Some("SNI_MISSING");
        while rig.gateway.audit().lines().iter().skip(seen).filter(|line| refused(line)).count() < 3 {
            assert!(started.elapsed() < Duration::from_secs(10));
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(rig.lab.origin().take().len(), 1);
    }
}

#[test]
fn without_the_filter_nothing_goes_anywhere() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy, &policy(), false);
        for (outer, bytes) in
            [(outer(ORIGIN_NAME, 443), Hello::of(ORIGIN_NAME).record()), (outer("db.test", 5432), b"query".to_vec())]
        {
            assert_eq!(rig.ask(Some(CHECKOUT), &outer, &[&bytes]), b"");
        }
        assert!(rig.lab.origin().take().is_empty() && rig.raw.take().is_empty());
    }
}

#[test]
fn the_chain_of_a_waypoint_names_the_host_before_a_byte_is_sent() {
    for envoy in support::envoys_that_wait() {
        let lab = Lab::temporary().unwrap();
        let plugin = Plugin::of_connections(lab.dir(), &support::tcp_filter()).unwrap();
        let mut policy = policy();
        policy["identity"] = json!({"sources": ["peer-certificate", "peer-principal"]});
        plugin.publish(&policy.to_string()).unwrap();
        let chain = format!("inbound-vip|443|tcp|{ORIGIN_NAME}");
        let clusters = vec![(format!("outbound|443||{ORIGIN_NAME}"), lab.origin().address())];
        let filters = plugin.guarded();
        let config =
            TcpGatewayConfig { name: "waypoint", chain: &chain, filters, clusters, ..TcpGatewayConfig::default() };
        let gateway = tcp_gateway::start(&lab, &envoy, &config).unwrap();
        let credentials = lab.pki().workload(Signer::Mesh, &[CHECKOUT]).unwrap();
        let address: SocketAddr = gateway.address();
        for (inner, expected) in [(ORIGIN_NAME, "RULE_ALLOW"), ("evil.test", "SNI_MISMATCH")] {
            let seen = gateway.audit().count();
            let mut stream = lab.connect_by_name(address, Some(&credentials), "whatever.test").unwrap();
            stream.write_all(&Hello::of(inner).record()).unwrap();
            let _ = stream.read(&mut [0; 64]);
            drop(stream);
            let line = gateway.audit().wait_for(seen, |_| true).unwrap();
            assert_eq!(line.recorded("r"), Some(expected), "{}", line.line);
        }
    }
}

#[test]
fn cases_of_connections_are_decided_alike_in_envoy() {
    let files: Vec<_> =
        files().into_iter().filter(|file| file.tests.iter().any(|case| case.request.is_connection())).collect();
    assert!(!files.is_empty());
    for (envoy, file) in
        support::envoys_that_wait().iter().flat_map(|envoy| files.iter().map(move |file| (envoy, file)))
    {
        println!("{} {}", envoy.display(), file.name);
        let lab = Lab::temporary().unwrap();
        let plugin = Plugin::of_connections(lab.dir(), &support::tcp_filter()).unwrap();
        plugin.publish(&file.policy.to_string()).unwrap();
        let raw = RawOrigin::start(Vec::new(), b"answer".to_vec()).unwrap();
        // rustls sends no name with a `*`
        let is_sent = |case: &&Case| case.request.is_connection() && !case.request.outer_sni().contains('*');
        let cases: Vec<_> = file.tests.iter().filter(is_sent).collect();
        let place = |case: &&Case| {
            Some(case.request.outer_sni().strip_prefix("outbound_.")?.split("_.").map(str::to_owned).collect())
        };
        let places: Vec<Vec<String>> = cases.iter().filter_map(place).collect();
        let own = places.iter().map(|place| format!("outbound|{}||{}", place[0], place[2]));
        let ports = places.iter().map(|place| format!("tollgate-dynamic-{}", place[0]));
        let names: BTreeSet<String> = own.chain(ports).chain(["tollgate-dynamic-443".to_owned()]).collect();
        let clusters = names.into_iter().map(|name| (name, raw.address())).collect();
        let config =
            TcpGatewayConfig { name: "cases", filters: plugin.guarded(), clusters, ..TcpGatewayConfig::default() };
        let gateway = tcp_gateway::start(&lab, envoy, &config).unwrap();
        for case in cases {
            let identity = case.request.identity().map(|id| String::from_utf8(id).unwrap());
            let credentials = identity.map(|id| lab.pki().workload(Signer::Mesh, &[&id]).unwrap());
            for time in 1..=case.repeat {
                let seen = gateway.audit().count();
                let mut stream =
                    lab.connect_by_name(gateway.address(), credentials.as_ref(), &case.request.outer_sni()).unwrap();
                let first = case.request.first_bytes();
                let sent = stream.write_all(&first).and_then(|()| stream.flush());
                // what comes too late is for another test
                let answered = sent.is_ok() && stream.read(&mut [0; 64]).unwrap_or_default() > 0;
                drop(stream);
                let line = gateway.audit().wait_for(seen, |line| line.record.is_some()).unwrap();
                if time < case.repeat {
                    continue;
                }
                assert_eq!(line.recorded("d"), Some(&*case.expect.decision), "{}: {}", case.name, line.line);
                assert_eq!(line.recorded("r"), Some(&*case.expect.reason), "{}: {}", case.name, line.line);
                let rule = case.expect.rule.as_deref();
                assert!(rule.is_none_or(|rule| line.recorded("rule") == Some(rule)), "{}: {}", case.name, line.line);
                let is_let_through = case.expect.decision != "deny";
                assert_eq!(answered, is_let_through, "{}", case.name);
                assert_eq!(!raw.take().is_empty(), is_let_through, "{}", case.name);
            }
            raw.take();
        }
    }
}

/// Beginnings of a connection, honest and not.
fn beginnings(host: &str) -> Vec<(&'static str, Vec<u8>)> {
    let honest = Hello::of(host);
    let upper = host.to_uppercase();
    let dotted = format!("{host}.");
    let message = honest.message();
    let names = |names: Vec<Vec<&[u8]>>| Hello { server_names: names, ..Hello::default() }.record();
    vec![
        ("honest", honest.record()),
        ("in records of one byte", records(&message, 1)),
        ("long", records(&Hello { padding: 9_000, ..honest.clone() }.message(), 4_000)),
        ("early data behind it", [honest.record(), record(20, &[1]), record(23, &[9; 300])].concat()),
        ("another host", Hello::of("evil.test").record()),
        ("upper case", Hello::of(&upper).record()),
        ("a trailing dot", Hello::of(&dotted).record()),
        ("no name", Hello::default().record()),
        ("two names", names(vec![vec![b"evil.test", host.as_bytes()]])),
        ("two lists", names(vec![vec![host.as_bytes()], vec![b"evil.test"]])),
        ("an encrypted name", Hello { ech: true, ..honest.clone() }.record()),
        ("another hello behind it", [honest.record(), Hello::of("evil.test").record()].concat()),
        ("another hello in its record", record(22, &[message.clone(), Hello::of("evil.test").message()].concat())),
        ("an empty record in front", [&[22, 3, 1, 0, 0][..], &honest.record()].concat()),
        ("SSL 2", b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10".to_vec()),
        ("HTTP", format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()),
        ("SSH", b"SSH-2.0-client\r\n".to_vec()),
        ("LDAP", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0".to_vec()),
    ]
}

#[test]
fn no_beginning_reaches_what_is_denied_and_none_that_is_admitted_is_refused() {
    let outers = [
        outer("retry.test", 443),
        outer("retry.test", 8443),
        outer("other.test", 443),
        "localhost".to_owned(),
        outer("db.test", 5432),
        "retry.test".to_owned(),
        outer("redis.payments.svc.cluster.local", 443),
    ];
    let mut policy = policy();
    policy["quotas"] = json!([{"id": "all", "limit": {"requests": 1_000_000, "per": "day"}}]);
    let text = policy.to_string();
    let compiled = Policy::load(text.as_bytes()).unwrap();
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy, &policy, true);
        let mut asked = Vec::new();
        for outer in &outers {
            let host = if outer.contains("db.test") { "db.test" } else { "retry.test" };
            for (form, bytes) in beginnings(host) {
                for caller in [Some(CHECKOUT), Some(OTHER), None] {
                    for piece in [usize::MAX, 50, 3] {
                        // pieces that differ in nothing
                        if piece == usize::MAX || bytes.len() < 600 && piece < bytes.len() {
                            asked.push((outer.as_str(), form, bytes.clone(), caller, piece));
                        }
                    }
                }
            }
        }
        let next = AtomicUsize::new(0);
        let admitted = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some((outer, form, bytes, caller, piece)) =
                        asked.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        let expected = is_admitted(&compiled, outer, bytes, *caller);
                        admitted.fetch_add(usize::from(expected), Ordering::Relaxed);
                        let pieces: Vec<&[u8]> = bytes.chunks(*piece).collect();
                        let answer = rig.ask(*caller, outer, &pieces);
                        // the rest of what begins well may be refused later, without an answer
                        let is_cut = *form == "another hello behind it";
                        assert!(
                            is_cut || answer.is_empty() != expected,
                            "{outer} {form} {caller:?} {piece}: {answer:?}"
                        );
                    }
                });
            }
        });
        let (count, admitted) = (asked.len(), admitted.into_inner());
        println!("{count} connections, {admitted} of them admitted");
        assert!(count >= 1_000 && admitted >= 40, "{count} {admitted}");
        let connects: u64 = ["outbound|443||retry.test", "outbound|5432||db.test", "tollgate-nowhere"]
            .iter()
            .map(|name| rig.gateway.admin().stat(&format!("cluster.{name}.upstream_cx_total")).unwrap())
            .sum();
        assert!(connects <= admitted as u64, "{connects} connects for {admitted} that are admitted");
        let heard = [rig.retry.take(), rig.raw.take()].concat().concat();
        assert!(!heard.windows(9).any(|window| window == b"evil.test"));
    }
}

/// The core's decision on these first bytes.
fn is_admitted(policy: &Policy, outer: &str, bytes: &[u8], caller: Option<&str>) -> bool {
    let mut reader = HelloReader::default();
    reader.read(bytes);
    let connection = tollgate::request::Connection {
        outer_sni: outer.as_bytes(),
        first: reader.first_bytes(),
        ..Default::default()
    };
    let identity = caller.map(|id| Presented { source: Source::PeerCertificate, id: id.as_bytes() });
    let arrival = Arrival::of_connection(identity, connection);
    let mut scratch = Scratch::default();
    let evaluation = Authorizer::new(policy).decide(&arrival, Timestamp::default(), &mut scratch);
    evaluation.decision.outcome == Outcome::Allow
}
