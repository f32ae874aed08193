//! Servers that speak first, through a real Envoy.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tollgate_local::gateway::Gateway;
use tollgate_local::lab::{Connection, Lab};
use tollgate_local::origin::RawOrigin;
use tollgate_local::pki::Signer;
use tollgate_local::plugin::Plugin;
use tollgate_local::tcp_gateway::{self, TcpGatewayConfig};
use tollgate_tests::hello::Hello;

use crate::support;
use crate::support::layers;

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
const FRONT: &str = "spiffe://cluster.local/ns/web/sa/front";
const OTHER: &str = "spiffe://cluster.local/ns/other/sa/other";
const GREETING: &[u8] = b"220 mail.test ready\r\n";

fn policy() -> Value {
    json!({
        "version": 1,
        "name": "server-first",
        "destinations": {"mail": {"hosts": ["mail.test"], "ports": [25], "serverFirst": true}},
        "rules": [
            {"id": "mail", "from": [{"namespace": "payments"}], "to": [{"destination": "mail"}]},
            {"id": "by-tls", "from": [{"namespace": "web"}], "to": [{"hosts": ["mail.test"], "ports": [25]}]},
            {"id": "api", "from": [{"namespace": "payments"}], "to": [{"hosts": ["api.test"]}]},
        ],
    })
}

struct Rig {
    // Envoy goes before what it stands on.
    gateway: Gateway,
    _plugin: Plugin,
    address: SocketAddr,
    lab: Lab,
    mail: RawOrigin,
    api: RawOrigin,
}

impl Rig {
    fn start(envoy: &Path, guarded: bool) -> Rig {
        println!("{}", envoy.display());
        let lab = Lab::temporary().unwrap();
        let plugin = Plugin::of_connections(lab.dir(), &support::tcp_filter()).unwrap();
        plugin.publish(&policy().to_string()).unwrap();
        if !guarded {
            plugin.replace_by_nothing().unwrap();
        }
        let mail = RawOrigin::start(GREETING.to_vec(), b"250 ok".to_vec()).unwrap();
        let api = RawOrigin::start(GREETING.to_vec(), b"answer".to_vec()).unwrap();
        let clusters = vec![
            ("outbound|25||mail.test".to_owned(), mail.address()),
            ("outbound|443||api.test".to_owned(), api.address()),
        ];
        let filters = plugin.guarded();
        let config = TcpGatewayConfig { name: "server-first", filters, clusters, ..TcpGatewayConfig::default() };
        let gateway = tcp_gateway::start(&lab, envoy, &config).unwrap();
        let address = tcp_gateway::server_first(&gateway).unwrap();
        Rig { gateway, _plugin: plugin, address, lab, mail, api }
    }

    /// A connection whose caller has sent nothing within the mesh's own TLS.
    fn connect(&self, caller: &str, host: &str, port: u16) -> Connection {
        let credentials = self.lab.pki().workload(Signer::Mesh, &[caller]).unwrap();
        let outer = format!("outbound_.{port}_._.{host}");
        let mut stream = self.lab.connect_by_name(self.address, Some(&credentials), &outer).unwrap();
        // without the filter it may be closed by then
        while stream.conn.is_handshaking() && stream.conn.complete_io(&mut stream.sock).is_ok() {}
        stream
    }

    fn connects(&self, cluster: &str) -> u64 {
        self.gateway.admin().stat(&format!("cluster.{cluster}.upstream_cx_total")).unwrap()
    }

    fn decided(&self, seen: usize) -> String {
        layers::decided(&self.gateway, seen, "tcp")
    }
}

fn read(stream: &mut Connection) -> Vec<u8> {
    let mut bytes = [0; 64];
    let length = stream.read(&mut bytes).unwrap_or_default();
    bytes[..length].to_vec()
}

#[test]
fn a_server_speaks_first_to_whom_the_policy_admits() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy, true);
        let seen = rig.gateway.audit().count();
        let mut stream = rig.connect(CHECKOUT, "mail.test", 25);
        assert_eq!(read(&mut stream), GREETING);
        stream.write_all(b"EHLO a").unwrap();
        assert_eq!(read(&mut stream), b"250 ok");
        drop(stream);
        assert_eq!(rig.decided(seen), "allow RULE_ALLOW");
        assert_eq!(rig.mail.take(), [b"EHLO a"]);
        // who speaks at once is served all the same
        let seen = rig.gateway.audit().count();
        let mut stream = rig.connect(CHECKOUT, "mail.test", 25);
        stream.write_all(b"EHLO b").unwrap();
        assert!(read(&mut stream).starts_with(GREETING));
        drop(stream);
        assert_eq!(rig.decided(seen), "allow RULE_ALLOW");
        // and who says at once that nothing will come
        let mut stream = rig.connect(CHECKOUT, "mail.test", 25);
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        assert_eq!(read(&mut stream), GREETING);
    }
}

#[test]
fn of_a_caller_whom_no_rule_admits_the_server_never_hears() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy, true);
        for (caller, port) in [(OTHER, 25), (CHECKOUT, 26)] {
            let seen = rig.gateway.audit().count();
            let mut stream = rig.connect(caller, "mail.test", port);
            assert_eq!(read(&mut stream), b"");
            assert_eq!(rig.decided(seen), "deny NO_MATCH", "{caller} {port}");
        }
        assert!(rig.mail.take().is_empty());
        assert_eq!([rig.connects("outbound|25||mail.test"), rig.connects("tollgate-nowhere")], [0, 0]);
    }
}

#[test]
fn silence_on_purpose_leads_nowhere_else() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy, true);
        let mut elsewhere = rig.connect(CHECKOUT, "api.test", 443);
        let mut by_tls = rig.connect(FRONT, "mail.test", 25);
        // several ticks pass
        for _ in 0..3 {
            assert_eq!(read(&mut rig.connect(CHECKOUT, "mail.test", 25)), GREETING);
        }
        assert_eq!([rig.connects("outbound|25||mail.test"), rig.connects("outbound|443||api.test")], [3, 0]);
        for (stream, first, expected) in [
            (&mut elsewhere, Hello::of("evil.test").record(), "deny SNI_MISMATCH"),
            (&mut by_tls, b"EHLO c".to_vec(), "deny SNI_MISSING"),
        ] {
            let seen = rig.gateway.audit().count();
            stream.write_all(&first).unwrap();
            assert_eq!(read(stream), b"");
            assert_eq!(rig.decided(seen), expected);
        }
        assert!(rig.api.take().is_empty());
        assert_eq!([rig.connects("outbound|25||mail.test"), rig.connects("outbound|443||api.test")], [3, 0]);
    }
}

#[test]
fn without_the_filter_nobody_is_greeted() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy, false);
        let mut stream = rig.connect(CHECKOUT, "mail.test", 25);
        assert_eq!(read(&mut stream), b"");
        assert!(rig.mail.take().is_empty());
    }
}
