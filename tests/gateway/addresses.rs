//! Destinations of names and addresses with `routes: catch-all`: the rendered look-ups, walls and routes, in real
//! Envoys. The filters that decide before them are left out, as if they let everything through.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tollgate_local::config::{self, filter, type_url};
use tollgate_local::envoy::{Envoy, Launch};
use tollgate_local::wire::{self, Response};

use crate::support::dns::{Answer, Dns, resolved_by};
use crate::support::rendered;

/// An address that nobody answers at (TEST-NET-1), and one of the inside.
const OUTER: &str = "192.0.2.1";
const INNER: &str = "127.0.0.1";

/// A gateway's walls without its filter, a DNS server, and a server on the inside.
struct Walls {
    _envoy: Envoy,
    address: SocketAddr,
    dns: Dns,
    reached: Arc<AtomicUsize>,
    port: u16,
    _folder: TempDir,
}

impl Walls {
    fn start(envoy: &Path, to: &Value, inside: &Value, names: HashMap<String, Answer>) -> Walls {
        let folder = tempfile::tempdir().unwrap();
        let objects = rendered::objects(to, &json!({"inside": inside}));
        let dns = Dns::start(names);
        let (port, reached) = serve();
        let bootstrap = bootstrap(&objects, dns.address);
        let launch = Launch { binary: envoy, name: "walls", dir: folder.path(), concurrency: 1 };
        let envoy = launch.start(&bootstrap).unwrap();
        let address = envoy.admin().listener("walls").unwrap();
        Walls { _envoy: envoy, address, dns, reached, port, _folder: folder }
    }

    fn ask(&self, host: &str) -> Response {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request = format!("GET / HTTP/1.1\r\nhost: {host}:{}\r\nconnection: close\r\n\r\n", self.port);
        wire::exchange(&mut stream, request.as_bytes()).unwrap()
    }

    /// Asks, and is refused by address; nothing was connected to.
    fn is_refused(&self, host: &str) {
        let before = self.reached.load(Ordering::SeqCst);
        let answer = self.ask(host);
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let shown = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 403, "{host}: {shown}");
        assert_eq!(answer.header("x-egress-denied"), Some(b"ADDRESS_INSIDE".as_slice()), "{host}");
        assert_eq!(
            (&body["error"], &body["reason"]),
            (&json!("egress_denied"), &json!("ADDRESS_INSIDE")),
            "{host}: {shown}"
        );
        assert!(shown.ends_with('\n'), "{host}: {shown}");
        assert_eq!(self.reached.load(Ordering::SeqCst), before, "{host} was connected to");
    }

    /// Asks, and is led where nobody answers; the server on the inside was not connected to.
    fn is_let_go(&self, host: &str) {
        let before = self.reached.load(Ordering::SeqCst);
        let answer = self.ask(host);
        assert_eq!((answer.status, answer.header("x-egress-denied")), (503, None), "{host}");
        assert_eq!(self.reached.load(Ordering::SeqCst), before, "{host} was connected to");
    }

    /// Asks, and reaches the server on the inside.
    fn is_let_in(&self, host: &str) {
        let before = self.reached.load(Ordering::SeqCst);
        let answer = self.ask(host);
        assert_eq!(answer.status, 200, "{host}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(self.reached.load(Ordering::SeqCst), before + 1, "{host}");
    }
}

/// A server on the inside, and how many connections it had.
fn serve() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((INNER, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut head);
            let _ = std::io::Write::write_all(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            );
        }
    });
    (port, reached)
}

/// An Envoy with what is rendered: the test's own DNS server, no TLS to servers, and short patience with those that are
/// not there.
fn bootstrap(objects: &[Value], dns: SocketAddr) -> Value {
    let of = |patches: &[Value], apply_to: &str| -> Vec<Value> {
        let patches = patches.iter().filter(|patch| patch["applyTo"] == apply_to);
        patches.map(|patch| resolved_by(patch["patch"]["value"].clone(), dns)).collect()
    };
    let dynamic = rendered::patches(objects, "egress-dynamic");
    let mut clusters = of(dynamic, "CLUSTER");
    for cluster in &mut clusters {
        // Envoy takes none without TLS, unless it is told that this is meant
        cluster["cluster_type"]["typed_config"]["allow_insecure_cluster_options"] = json!(true);
        let cluster = cluster.as_object_mut().unwrap();
        cluster.remove("transport_socket");
        cluster.remove("typed_extension_protocol_options");
        cluster.insert("connect_timeout".to_owned(), json!("0.3s"));
    }
    let mut filters = of(dynamic, "HTTP_FILTER");
    filters.push(filter::router());
    let merged: HashMap<String, Value> = dynamic
        .iter()
        .filter(|patch| patch["applyTo"] == "HTTP_ROUTE")
        .map(|patch| {
            let name = &patch["match"]["routeConfiguration"]["vhost"]["route"]["name"];
            (name.as_str().unwrap().to_owned(), patch["patch"]["value"].clone())
        })
        .collect();
    let services = objects.iter().find(|object| object["kind"] == "VirtualService").unwrap();
    let routes: Vec<Value> = services["spec"]["http"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| {
            let mut matches = json!({"prefix": "/"});
            if let Some(regex) = route.pointer("/match/0/authority/regex") {
                matches["headers"] = json!([{"name": ":authority", "string_match": {"safe_regex": {"regex": regex}}}]);
            }
            let mut built: Map<String, Value> = merged[route["name"].as_str().unwrap()].as_object().unwrap().clone();
            built.insert("match".to_owned(), matches);
            built.into()
        })
        .collect();
    let mappers = rendered::patches(objects, "egress-tripwire")
        .iter()
        .find_map(|patch| patch["patch"]["value"]["typed_config"].get("local_reply_config"));
    let manager = json!({
        "@type": type_url("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "walls",
        "local_reply_config": mappers.unwrap(),
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{"name": "any", "domains": ["*"], "routes": routes}]},
    });
    let listener = json!({
        "name": "walls",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    });
    config::bootstrap(SocketAddr::from(([127, 0, 0, 1], 0)), &[listener], &clusters)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn names<const N: usize>(names: [(&str, &[&str]); N]) -> HashMap<String, Answer> {
    let answers = |addresses: &[&str]| Answer::Addresses(addresses.iter().map(|text| address(text)).collect());
    names.into_iter().map(|(name, addresses)| (name.to_owned(), answers(addresses))).collect()
}

#[test]
fn no_answer_of_a_name_leads_inside() {
    let refused: [(&str, &[&str]); 11] = [
        ("loopback.test", &[INNER]),
        ("metadata.test", &["169.254.169.254"]),
        ("mapped.test", &["::ffff:127.0.0.1"]),
        ("compatible.test", &["::127.0.0.1"]),
        ("translated.test", &["::ffff:0:127.0.0.1"]),
        ("nat64.test", &["64:ff9b::7f00:1"]),
        ("local-nat64.test", &["64:ff9b:1::1"]),
        ("6to4.test", &["2002:7f00:1::1"]),
        ("teredo.test", &["2001::1"]),
        ("six.test", &["::1", "fd00::1"]),
        ("both.test", &["10.0.0.1", "fd00::1", INNER]),
    ];
    let outside: [(&str, &[&str]); 3] =
        [("first.test", &[INNER, OUTER]), ("second.test", &[OUTER, INNER]), ("outer.test", &[OUTER])];
    for envoy in crate::support::envoys() {
        let mut answers = names(refused);
        answers.extend(names(outside));
        answers.insert("alias.test".to_owned(), Answer::Alias("loopback.test".to_owned(), address(INNER)));
        answers.insert("rebound.test".to_owned(), Answer::Rebound(address(OUTER), address(INNER)));
        let walls = Walls::start(&envoy, &json!([{"hosts": ["**"]}]), &json!([]), answers);
        for (name, _) in refused {
            walls.is_refused(name);
        }
        walls.is_refused("alias.test");
        for (name, _) in outside {
            walls.is_let_go(name);
        }
        // asked for again while it is held, it leads inside; what was outside stays what there is
        walls.is_let_go("rebound.test");
        let started = Instant::now();
        while walls.dns.asked("rebound.test") < 3 {
            assert!(started.elapsed() < Duration::from_secs(30), "the name was not looked up again");
            std::thread::sleep(Duration::from_millis(20));
        }
        let before = walls.reached.load(Ordering::SeqCst);
        assert_ne!(walls.ask("rebound.test").status, 200);
        assert_eq!(walls.reached.load(Ordering::SeqCst), before);
        // a name that is not there is no refusal
        let answer = walls.ask("absent.test");
        assert_eq!((answer.status, answer.header("x-egress-denied")), (503, None));
    }
}

#[test]
fn names_of_the_site_lead_inside_and_nowhere_else() {
    let inside = json!([{"cidrs": ["10.20.0.0/24"], "hosts": ["**.corp.test", "db.partner.test"]}]);
    for envoy in crate::support::envoys() {
        let answers = names([
            ("a.corp.test", &["10.20.0.5"]),
            ("a.b.corp.test", &["10.20.0.5"]),
            ("db.partner.test", &["10.20.0.5"]),
            ("outer.corp.test", &[OUTER]),
            ("next.corp.test", &["10.20.1.5"]),
            ("loopback.corp.test", &[INNER]),
            ("six.corp.test", &["2001:db8::1", "64:ff9b::a14:5"]),
            ("corp.test", &["10.20.0.5"]),
            ("xcorp.test", &["10.20.0.5"]),
            ("x.db.partner.test", &["10.20.0.5"]),
        ]);
        let walls = Walls::start(&envoy, &json!([{"hosts": ["**"]}]), &inside, answers);
        for host in ["a.corp.test", "A.B.CORP.test", "db.partner.test", "db.partner.test."] {
            walls.is_let_go(host);
        }
        for host in [
            "outer.corp.test",
            "next.corp.test",
            "loopback.corp.test",
            "six.corp.test",
            "corp.test",
            "xcorp.test",
            "x.db.partner.test",
        ] {
            walls.is_refused(host);
        }
    }
}

#[test]
fn addresses_of_the_inside_are_for_rules_that_name_them() {
    for envoy in crate::support::envoys() {
        let walls =
            Walls::start(&envoy, &json!([{"cidrs": ["127.0.0.1", "0.0.0.0/0", "::/0"]}]), &json!([]), HashMap::new());
        walls.is_let_in(INNER);
        for literal in [
            "127.0.0.2",
            "10.0.0.1",
            "169.254.169.254",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::1]",
            "[2001::1]",
            "[fd00::1]",
        ] {
            walls.is_refused(literal);
        }
        walls.is_let_go(OUTER);
    }
}
