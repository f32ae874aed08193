//! Listeners that somebody else opens on the gateway's pods: chains as Istio makes them, with the rendered patches, in
//! real Envoys.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tollgate_local::config::{self, type_url};
use tollgate_local::envoy::Launch;

use crate::support::rendered;

/// A server that speaks first, and how many connections it had.
fn greet() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(b"220 greetings\r\n");
            // a connection that is dropped with bytes unread takes what was written with it
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    (address, reached)
}

/// A TCP proxy to this address, with the patches for chains without HTTP or without them.
fn listener(name: &str, patches: Option<&Vec<Value>>) -> Value {
    let proxy = "envoy.filters.network.tcp_proxy";
    let mut settings = json!({
        "@type": type_url("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"), "stat_prefix": name, "cluster": "server",
    });
    let mut filters = Vec::new();
    for patch in patches.into_iter().flatten().filter(|patch| patch["applyTo"] == "NETWORK_FILTER") {
        let operation = patch["patch"]["operation"].as_str().unwrap();
        let is_of_proxy = patch["match"].pointer("/listener/filterChain/filter/name") == Some(&proxy.into());
        let value = &patch["patch"]["value"];
        match operation {
            "INSERT_FIRST" => filters.insert(0, value.clone()),
            "INSERT_BEFORE" if is_of_proxy => filters.push(value.clone()),
            "MERGE" if is_of_proxy => {
                settings.as_object_mut().unwrap().extend(value["typed_config"].as_object().unwrap().clone());
            }
            _ => {}
        }
    }
    filters.push(json!({"name": proxy, "typed_config": settings}));
    json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": filters}],
    })
}

/// Sends these bytes to a listener and reads until it closes or has been silent for half a second. Returns what came,
/// and true if it closed.
fn talk(to: SocketAddr, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut came = Vec::new();
    let is_closed = stream.read_to_end(&mut came).is_ok();
    (came, is_closed)
}

#[test]
fn a_listener_that_nobody_rendered_passes_nothing() {
    let objects = rendered::objects(&json!([{"hosts": ["**"]}]), &json!({}));
    let mut all = rendered::patches(&objects, "egress-tripwire").clone();
    all.extend(rendered::patches(&objects, "egress-limits").clone());
    for envoy in crate::support::envoys() {
        let folder = tempfile::tempdir().unwrap();
        let (server, reached) = greet();
        let cluster = json!({
            "name": "server", "type": "STATIC",
            "load_assignment": {"cluster_name": "server", "endpoints": [{"lb_endpoints": [{"endpoint": {
                "address": {"socket_address": {"address": server.ip(), "port_value": server.port()}},
            }}]}]},
        });
        let listeners = [listener("guarded", Some(&all)), listener("bare", None)];
        let bootstrap = config::bootstrap(SocketAddr::from(([127, 0, 0, 1], 0)), &listeners, &[cluster]);
        let launch = Launch { binary: &envoy, name: "listeners", dir: folder.path(), concurrency: 1 };
        let running = launch.start(&bootstrap).unwrap();
        let at = |name: &str| running.admin().listener(name).unwrap();
        // without the patches it would be open to whoever opened it
        assert_eq!(talk(at("bare"), b"hello\r\n").0, b"220 greetings\r\n");
        assert_eq!(reached.load(Ordering::SeqCst), 1);
        assert_eq!(talk(at("guarded"), b"hello\r\n"), (Vec::new(), true));
        // who waits for the server to speak first waits in vain
        assert_eq!(talk(at("guarded"), b"").0, b"");
        assert_eq!(reached.load(Ordering::SeqCst), 1);
    }
}
