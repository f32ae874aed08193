//! An explicit proxy: CONNECT is decided by the filter for HTTP, what is in it by the filter for connections, in a real Envoy.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tollgate_envoy::{access_log, crossing, internal, tcp};
use tollgate_local::audit::Audit;
use tollgate_local::config::filter;
use tollgate_local::config::listener::{HttpListener, Paths, Side};
use tollgate_local::config::tls::{self, ClientCertificate};
use tollgate_local::gateway::Gateway;
use tollgate_local::lab::{Connection, Lab};
use tollgate_local::pki::{ORIGIN_NAME, Signer};
use tollgate_local::plugin::Plugin;
use tollgate_local::tcp_gateway::{self, TcpGatewayConfig};
use tollgate_local::wire;
use tollgate_tests::hello::Hello;

use crate::support;
use crate::support::layers;

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
const OTHER: &str = "spiffe://cluster.local/ns/web/sa/front";
const NAME: &str = "explicit-proxy";

fn policy() -> Value {
    json!({
        "version": 1,
        "name": NAME,
        "identity": {"sources": ["peer-certificate", "peer-principal"]},
        "authority": {"verifyRoute": "host"},
        "rules": [
            {"id": "connect", "from": [{"namespace": "payments"}], "to": [
                {"hosts": [ORIGIN_NAME, "front.test", "http-only.test"], "methods": ["CONNECT"]}]},
            {"id": "tls", "from": [{"namespace": "payments"}], "to": [{"hosts": [ORIGIN_NAME, "front.test"]}]},
        ],
    })
}

struct Rig {
    // Envoy goes before what it stands on.
    gateway: Gateway,
    address: SocketAddr,
    _plugins: [Plugin; 2],
    lab: Lab,
}

impl Rig {
    fn start(envoy: &Path) -> Rig {
        println!("{}", envoy.display());
        let lab = Lab::temporary().unwrap();
        let [plugin, http] = layers::filters(&lab, &policy());
        let (files, audit) = (lab.files(), Audit::of(lab.dir(), NAME));
        let entrance = HttpListener {
            name: "proxy",
            address: layers::ANY_PORT,
            tls: Some(tls::downstream(&files.gateway, &files.workload_bundle, ClientCertificate::Optional)),
            filters: [http.guarded(), vec![crossing::tunnel(), filter::router()]].concat(),
            routes: vec![crossing::tunnel_route(tcp::TUNNEL)],
            access_logs: vec![access_log::file(audit.file())],
            side: Side::Gateway(Paths::default()),
        };
        let inner = [plugin.guarded(), vec![tcp::proxy(NAME, &[access_log::tcp_file(audit.file())])]].concat();
        let more = (
            vec![entrance.build(), internal::listener(tcp::TUNNEL, &[], &inner)],
            vec![internal::cluster(tcp::TUNNEL, tcp::TUNNEL)],
        );
        let clusters = vec![(tcp::dynamic(443), lab.origin().address())];
        let config = TcpGatewayConfig { name: NAME, clusters, more, ..TcpGatewayConfig::default() };
        let gateway = tcp_gateway::start(&lab, envoy, &config).unwrap();
        let address = gateway.admin().listener("proxy").unwrap();
        Rig { gateway, address, _plugins: [plugin, http], lab }
    }

    /// Asks for a tunnel; returns it with the status of the answer.
    fn connect(&self, identities: &[&str], authority: &str, headers: &str) -> (Connection, u16) {
        let credentials = (!identities.is_empty()).then(|| self.lab.pki().workload(Signer::Mesh, identities).unwrap());
        let mut stream = self.lab.connect(self.address, credentials.as_ref(), b"http/1.1").unwrap();
        let request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{headers}\r\n");
        let response = wire::exchange(&mut stream, request.as_bytes()).unwrap();
        (stream, response.status)
    }

    fn decided(&self, seen: usize, layer: &str) -> String {
        layers::decided(&self.gateway, seen, layer)
    }
}

#[test]
fn a_tunnel_leads_where_it_was_asked_for_if_the_tls_in_it_says_so() {
    let upper = format!("{}.:443", ORIGIN_NAME.to_uppercase());
    let own = format!("{ORIGIN_NAME}:443");
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy);
        for (authority, headers) in [
            (&own, ""),
            (&upper, ""),
            (
                &own,
                "tollgate.authority: evil.test:443\r\nio.istio.peer_principal: spiffe://cluster.local/ns/x/sa/y\r\n",
            ),
        ] {
            let seen = rig.gateway.audit().count();
            let (stream, status) = rig.connect(&[CHECKOUT], authority, headers);
            assert_eq!(status, 200, "{authority}");
            let mut stream = rig.lab.https(ORIGIN_NAME, stream).unwrap();
            let request = format!("GET / HTTP/1.1\r\nhost: {ORIGIN_NAME}\r\nconnection: close\r\n\r\n");
            assert_eq!(wire::exchange(&mut stream, request.as_bytes()).unwrap().status, 200, "{authority}");
            drop(stream);
            assert_eq!(rig.decided(seen, "tcp"), "allow RULE_ALLOW", "{authority}");
            assert_eq!(rig.decided(seen, "http"), "allow RULE_ALLOW", "{authority}");
            assert_eq!(rig.lab.origin().take().len(), 1);
        }
    }
}

#[test]
fn a_tunnel_that_is_not_admitted_is_refused_before_anything_is_sent_in_it() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy);
        let own = format!("{ORIGIN_NAME}:443");
        let forged = format!("io.istio.peer_principal: {CHECKOUT}\r\nx-forwarded-client-cert: URI={CHECKOUT}\r\n");
        for (identities, authority, headers, expected) in [
            (&[OTHER][..], &*own, "", "deny NO_MATCH"),
            (&[OTHER], &own, &*forged, "deny NO_MATCH"),
            (&[], &own, &forged, "deny IDENTITY_MISSING"),
            (&[CHECKOUT], "evil.test:443", "", "deny NO_MATCH"),
            (&[CHECKOUT], &format!("{ORIGIN_NAME}:22"), "", "deny NO_MATCH"),
        ] {
            let seen = rig.gateway.audit().count();
            let (_stream, status) = rig.connect(identities, authority, headers);
            assert_eq!(status, 403, "{identities:?} {authority}");
            assert_eq!(rig.decided(seen, "http"), expected, "{identities:?} {authority}");
        }
        let stat = |cluster: &str| rig.gateway.admin().stat(&format!("cluster.{cluster}.upstream_cx_total")).unwrap();
        assert_eq!([stat(tcp::TUNNEL), stat(&tcp::dynamic(443))], [0, 0]);
    }
}

#[test]
fn what_is_in_a_tunnel_goes_nowhere_else() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy);
        let own = format!("{ORIGIN_NAME}:443");
        for (authority, first, expected) in [
            (&*own, Hello::of("evil.test").record(), "deny SNI_MISMATCH"),
            (&own, Hello::default().record(), "deny SNI_MISSING"),
            (&own, b"GET / HTTP/1.1\r\n\r\n".to_vec(), "deny SNI_MISSING"),
            ("front.test:443", Hello::of(ORIGIN_NAME).record(), "deny SNI_MISMATCH"),
            // what may be asked for in HTTP alone
            ("http-only.test:443", Hello::of("http-only.test").record(), "deny NO_MATCH"),
            // a port that nothing leads to
            ("front.test:80", Hello::of("front.test").record(), "allow RULE_ALLOW"),
        ] {
            let seen = rig.gateway.audit().count();
            let (mut stream, status) = rig.connect(&[CHECKOUT], authority, "");
            assert_eq!(status, 200, "{authority}");
            stream.write_all(&first).unwrap();
            assert_eq!(stream.read(&mut [0; 64]).unwrap_or_default(), 0, "{authority}");
            assert_eq!(rig.decided(seen, "tcp"), expected, "{authority}");
        }
        assert!(rig.lab.origin().take().is_empty());
        let connects = format!("cluster.{}.upstream_cx_total", tcp::dynamic(443));
        assert_eq!(rig.gateway.admin().stat(&connects).unwrap(), 0);
    }
}
