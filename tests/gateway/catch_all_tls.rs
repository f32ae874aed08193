//! Connections to hosts that no rule names exactly: their names are looked up once they are decided, and lead outside alone.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tollgate_envoy::dynamic::Cache;
use tollgate_envoy::{access_log, internal, tcp};
use tollgate_local::audit::{Audit, Line};
use tollgate_local::gateway::Gateway;
use tollgate_local::lab::Lab;
use tollgate_local::origin::RawOrigin;
use tollgate_local::pki::Signer;
use tollgate_local::plugin::Plugin;
use tollgate_local::tcp_gateway::{self, TcpGatewayConfig};
use tollgate_tests::hello::Hello;

use crate::support;
use crate::support::dns::{Answer, Dns, resolved_by};
use crate::support::layers;

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
const OTHER: &str = "spiffe://cluster.local/ns/web/sa/front";
/// An address of the outside, one at which nobody listens, and one of the inside.
const OUTER: &str = "127.0.0.1";
const DEAD: &str = "127.0.0.3";
const INNER: &str = "127.0.0.2";
/// The cache of names.
const TLS: &str = "tollgate-tls";

fn policy(port: u16) -> Value {
    json!({
        "version": 1,
        "name": "catch-all",
        "tcp": {"port": port, "self": ["gateway.istio-egress.svc.cluster.local"]},
        "rules": [{"id": "wild", "from": [{"namespace": "payments"}], "to": [{"hosts": ["**.wild.test"], "ports": [port]}]}],
    })
}

/// The inner address in every form that a look-up may bring.
fn refused() -> Vec<Value> {
    [
        (INNER, 32),
        ("::7f00:2", 128),
        ("::ffff:7f00:2", 128),
        ("64:ff9b::7f00:2", 128),
        ("2002:7f00:2::", 48),
        ("fc00::", 7),
    ]
    .map(|(address, bits)| json!({"address_prefix": address, "prefix_len": bits}))
    .to_vec()
}

struct Rig {
    // Envoy goes before what it stands on.
    gateway: Gateway,
    _plugin: Plugin,
    /// Log of the internal listener.
    inner: Audit,
    lab: Lab,
    dns: Dns,
    outside: RawOrigin,
    inside: Arc<AtomicUsize>,
    port: u16,
}

impl Rig {
    fn start(envoy: &Path, names: &[(&str, Answer)]) -> Rig {
        println!("{}", envoy.display());
        let lab = Lab::temporary().unwrap();
        let outside = RawOrigin::start(Vec::new(), b"answer".to_vec()).unwrap();
        let port = outside.address().port();
        let inside = Arc::new(AtomicUsize::new(0));
        let (listener, reached) = (TcpListener::bind((INNER, port)).unwrap(), Arc::clone(&inside));
        std::thread::spawn(move || {
            listener.incoming().for_each(|_| {
                reached.fetch_add(1, Ordering::SeqCst);
            });
        });
        let plugin = Plugin::of_connections(lab.dir(), &support::tcp_filter()).unwrap();
        plugin.publish(&policy(port).to_string()).unwrap();
        let dns = Dns::start(names.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect());
        let refused = refused();
        let cache = Cache { name: TLS, family: "ALL", refused: &refused };
        let (led, inner) = (tcp::dynamic(port), Audit::of(lab.dir(), TLS));
        let more = (
            vec![resolved_by(cache.tls_listener(port, &[access_log::tcp_file(inner.file())]), dns.address)],
            vec![resolved_by(cache.tcp_cluster(), dns.address), internal::cluster(&led, &led)],
        );
        let config = TcpGatewayConfig { filters: plugin.guarded(), more, ..TcpGatewayConfig::default() };
        let gateway = tcp_gateway::start(&lab, envoy, &config).unwrap();
        Rig { gateway, _plugin: plugin, inner, lab, dns, outside, inside, port }
    }

    /// Sends a hello for a name; returns the answer.
    fn ask(&self, caller: &str, outer: &str, name: &str) -> Vec<u8> {
        let credentials = self.lab.pki().workload(Signer::Mesh, &[caller]).unwrap();
        let mut stream = self.lab.connect_by_name(self.gateway.address(), Some(&credentials), outer).unwrap();
        let mut answer = [0; 64];
        let sent = stream.write_all(&Hello::of(name).record()).and_then(|()| stream.flush());
        let length = sent.and_then(|()| stream.read(&mut answer)).unwrap_or_default();
        answer[..length].to_vec()
    }

    /// Asks as someone who may.
    fn reaches(&self, name: &str) -> bool {
        let outer = format!("outbound_.{}_._.{name}", self.port);
        let answer = self.ask(CHECKOUT, &outer, name);
        assert_eq!(self.outside.take().len(), usize::from(!answer.is_empty()), "{name}");
        assert_eq!(self.inside.load(Ordering::SeqCst), 0, "{name} leads inside");
        !answer.is_empty()
    }

    fn decided(&self, seen: usize) -> String {
        layers::decided(&self.gateway, seen, "tcp")
    }
}

fn addresses(addresses: &[&str]) -> Answer {
    Answer::Addresses(addresses.iter().map(|text| address(text)).collect())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn names_lead_outside_and_never_inside_whatever_the_answer() {
    let names = [
        ("outer.wild.test", addresses(&[OUTER]), true),
        ("deep.er.wild.test", addresses(&[OUTER]), true),
        ("first.wild.test", addresses(&[OUTER, INNER]), true),
        ("second.wild.test", addresses(&[INNER, OUTER]), true),
        ("dead-first.wild.test", addresses(&[DEAD, INNER]), false),
        ("dead-second.wild.test", addresses(&[INNER, DEAD]), false),
        ("inner.wild.test", addresses(&[INNER]), false),
        ("alias.wild.test", Answer::Alias("elsewhere.test".to_owned(), address(INNER)), false),
        ("outer-alias.wild.test", Answer::Alias("elsewhere.test".to_owned(), address(OUTER)), true),
        ("mapped.wild.test", addresses(&["::ffff:127.0.0.2"]), false),
        ("compatible.wild.test", addresses(&["::127.0.0.2"]), false),
        ("nat64.wild.test", addresses(&["64:ff9b::127.0.0.2"]), false),
        ("6to4.wild.test", addresses(&["2002:7f00:2::1"]), false),
        ("local.wild.test", addresses(&["fd00::1"]), false),
        ("both.wild.test", addresses(&["::ffff:127.0.0.2", OUTER]), true),
    ];
    let answers: Vec<_> = names.iter().map(|(name, answer, _)| (*name, answer.clone())).collect();
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy, &answers);
        for (name, _, expected) in &names {
            assert_eq!(rig.reaches(name), *expected, "{name}");
            assert_ne!(rig.dns.asked(name), 0, "{name}");
        }
        assert!(!rig.reaches("unknown.wild.test"));
        // what was dropped is counted, and what had no address left is told by its flag
        let filtered = format!("dns_cache.{TLS}.dns_address_filter_out");
        assert_ne!(rig.gateway.admin().stat(&filtered).unwrap(), 0);
        let without_address = |line: &Line| line.line["egress.response_flags"] == "UH";
        assert!(rig.inner.wait_for(0, without_address).is_ok());
    }
}

#[test]
fn a_name_that_is_led_inside_later_leads_where_it_did_or_nowhere() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy, &[("re.wild.test", Answer::Rebound(address(OUTER), address(INNER)))]);
        assert!(rig.reaches("re.wild.test"));
        // both types of record, and once more
        support::until(|| rig.dns.asked("re.wild.test") >= 4);
        for _ in 0..3 {
            rig.reaches("re.wild.test");
        }
    }
}

#[test]
fn what_is_denied_is_never_looked_up() {
    for envoy in support::envoys_that_wait() {
        let names: HashMap<&str, &str> =
            [("a.wild.test", OUTER), ("evil.test", OUTER), ("wild.test", OUTER), ("b.wild.test", OUTER)].into();
        let answers: Vec<_> = names.iter().map(|(name, to)| (*name, addresses(&[to]))).collect();
        let rig = Rig::start(&envoy, &answers);
        let at = |name: &str| format!("outbound_.{}_._.{name}", rig.port);
        let own = "gateway.istio-egress.svc.cluster.local";
        for (caller, outer, name, expected) in [
            (OTHER, at("a.wild.test"), "a.wild.test", "deny NO_MATCH"),
            (OTHER, at(own), "a.wild.test", "deny NO_MATCH"),
            (CHECKOUT, at(own), "evil.test", "deny NO_MATCH"),
            (CHECKOUT, at("a.wild.test"), "evil.test", "deny SNI_MISMATCH"),
            (CHECKOUT, at("wild.test"), "wild.test", "deny NO_MATCH"),
            (CHECKOUT, "outbound_.1_._.a.wild.test".to_owned(), "a.wild.test", "deny NO_MATCH"),
        ] {
            let seen = rig.gateway.audit().count();
            assert_eq!(rig.ask(caller, &outer, name), b"", "{outer} {name}");
            assert_eq!(rig.decided(seen), expected, "{outer} {name}");
        }
        assert!(names.keys().all(|name| rig.dns.asked(name) == 0));
        assert_eq!(rig.dns.asked(&at("a.wild.test")), 0, "nor is the name of the mesh's own TLS");
        // one that is admitted by the name in its own TLS
        assert_eq!(rig.ask(CHECKOUT, &at(own), "b.wild.test"), b"answer");
        assert_ne!(rig.dns.asked("b.wild.test"), 0);
        assert!(rig.outside.take().len() == 1 && rig.inside.load(Ordering::SeqCst) == 0);
    }
}
