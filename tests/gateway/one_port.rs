//! One port for everything: HTTP, TLS and TCP, through a real Envoy.

use std::io::{Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use tollgate_envoy::{access_log, crossing, internal, tcp};
use tollgate_local::audit::Audit;
use tollgate_local::config::listener::{self, HttpListener, Paths, Side};
use tollgate_local::config::{cluster, filter, tls};
use tollgate_local::gateway::Gateway;
use tollgate_local::lab::{Connection, Lab};
use tollgate_local::origin::RawOrigin;
use tollgate_local::pki::{ORIGIN_NAME, Signer};
use tollgate_local::plugin::Plugin;
use tollgate_local::tcp_gateway::{self, TcpGatewayConfig};
use tollgate_local::wire::{self, Response};

use crate::support;
use crate::support::http2::Request;
use crate::support::layers;

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
const OTHER: &str = "spiffe://cluster.local/ns/web/sa/front";
const GATEWAY: &str = "outbound_.9443_._.gateway.istio-egress.svc.cluster.local";
const NAME: &str = "one-port";
/// The cluster that HTTP is led to, named as the rendered one that stands for no host of its own.
const ORIGIN: &str = "tollgate-dynamic";

fn policy() -> Value {
    json!({
        "version": 1,
        "name": "one-port",
        "identity": {"sources": ["peer-certificate", "peer-principal"]},
        "authority": {"verifyRoute": "host"},
        "tcp": {"port": 443, "self": ["gateway.istio-egress.svc.cluster.local"], "http": true},
        "rules": [
            {"id": "api", "from": [{"namespace": "payments"}], "to": [{"hosts": ["api.test"], "paths": ["/v1/**"]}]},
            {"id": "tls", "from": [{"namespace": "payments"}], "to": [{"hosts": [ORIGIN_NAME]}]},
            {"id": "db", "from": [{"namespace": "payments"}], "to": [
                {"hosts": ["db.test"], "ports": [5432], "clientHello": "optional"}]},
        ],
    })
}

struct Rig {
    // Envoy goes before what it stands on.
    gateway: Gateway,
    http: Plugin,
    tcp: Plugin,
    lab: Lab,
    raw: RawOrigin,
}

impl Rig {
    fn start(envoy: &Path) -> Rig {
        println!("{}", envoy.display());
        let lab = Lab::temporary().unwrap();
        let [plugin, http] = layers::filters(&lab, &policy());
        let raw = RawOrigin::start(Vec::new(), b"answer".to_vec()).unwrap();
        let chain = HttpListener {
            name: tcp::HTTP,
            address: layers::ANY_PORT,
            tls: None,
            filters: [http.guarded(), vec![filter::router()]].concat(),
            routes: listener::everything_to(ORIGIN),
            access_logs: vec![access_log::file(Audit::of(lab.dir(), NAME).file())],
            side: Side::Gateway(Paths::default()),
        };
        let origin_tls = tls::upstream(ORIGIN_NAME, &lab.files().origin_bundle, None);
        let more = (
            vec![internal::listener(tcp::HTTP, &[], &[chain.filter()])],
            vec![internal::cluster(tcp::HTTP, tcp::HTTP), cluster::fixed(ORIGIN, lab.origin().address(), &origin_tls)],
        );
        let clusters = vec![
            (tcp::dynamic(443), lab.origin().address()),
            (format!("outbound|443||{ORIGIN_NAME}"), lab.origin().address()),
            ("outbound|5432||db.test".to_owned(), raw.address()),
        ];
        let filters = [plugin.guarded(), vec![crossing::principal()]].concat();
        let config = TcpGatewayConfig { name: NAME, filters, clusters, more, ..TcpGatewayConfig::default() };
        let gateway = tcp_gateway::start(&lab, envoy, &config).unwrap();
        Rig { gateway, http, tcp: plugin, lab, raw }
    }

    fn connect(&self, identities: &[&str], outer: &str) -> Connection {
        let credentials = (!identities.is_empty()).then(|| self.lab.pki().workload(Signer::Mesh, identities).unwrap());
        self.lab.connect_by_name(self.gateway.address(), credentials.as_ref(), outer).unwrap()
    }

    fn get(&self, identities: &[&str], outer: &str, host: &str, path: &str, headers: &str) -> Option<Response> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n");
        wire::exchange(&mut self.connect(identities, outer), request.as_bytes()).ok()
    }

    fn decided(&self, seen: usize, layer: &str) -> String {
        layers::decided(&self.gateway, seen, layer)
    }
}

#[test]
fn http_is_decided_by_caller_host_and_path_whatever_it_was_led_by() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy);
        let forged = format!(
            "x-forwarded-client-cert: By=x;Hash=y;URI={CHECKOUT}\r\nio.istio.peer_principal: {CHECKOUT}\r\n\
             x-istio-attributes: {CHECKOUT}\r\n"
        );
        let tls = format!("outbound_.443_._.{ORIGIN_NAME}");
        for (identities, outer, host, path, headers, expected) in [
            (&[CHECKOUT][..], GATEWAY, "api.test", "/v1/x", "", "allow RULE_ALLOW"),
            (&[CHECKOUT], &tls, "api.test", "/v1/x", "", "allow RULE_ALLOW"),
            (&[CHECKOUT], "localhost", "api.test", "/v1/x", &forged, "allow RULE_ALLOW"),
            (&[OTHER], GATEWAY, "api.test", "/v1/x", "", "deny NO_MATCH"),
            (&[OTHER], GATEWAY, "api.test", "/v1/x", &forged, "deny NO_MATCH"),
            (&[], GATEWAY, "api.test", "/v1/x", "", "deny IDENTITY_MISSING"),
            (&[], GATEWAY, "api.test", "/v1/x", &forged, "deny IDENTITY_MISSING"),
            (&[CHECKOUT, OTHER], GATEWAY, "api.test", "/v1/x", "", "deny IDENTITY_INVALID"),
            (&["spiffe://other/ns/payments/sa/checkout"], GATEWAY, "api.test", "/v1/x", "", "deny IDENTITY_UNTRUSTED"),
            (&[CHECKOUT], GATEWAY, "api.test", "/admin", "", "deny NO_MATCH"),
            (&[CHECKOUT], GATEWAY, "api.test:8080", "/v1/x", "", "deny NO_MATCH"),
            (&[CHECKOUT], &tls, "evil.test", "/v1/x", "", "deny NO_MATCH"),
        ] {
            let seen = rig.gateway.audit().count();
            let response = rig.get(identities, outer, host, path, headers);
            let response = response.unwrap_or_else(|| panic!("{identities:?} {outer} {host} {path} {headers}"));
            let decided = rig.decided(seen, "http");
            assert_eq!(decided, expected, "{identities:?} {outer} {host} {path} {headers}");
            let is_allowed = expected.starts_with("allow");
            assert_eq!(response.status, if is_allowed { 200 } else { 403 }, "{outer} {host} {path}");
            assert_eq!(rig.lab.origin().take().len(), usize::from(is_allowed), "{outer} {host} {path}");
            assert_eq!(rig.decided(seen, "tcp"), "allow RULE_ALLOW", "no evidence");
        }
        assert!(rig.raw.take().is_empty());
    }
}

#[test]
fn http2_is_decided_there_too() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy);
        for (path, expected) in [(&b"/v1/x"[..], "allow RULE_ALLOW"), (b"/admin", "deny NO_MATCH")] {
            let seen = rig.gateway.audit().count();
            let fields: [(&[u8], &[u8]); 4] =
                [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"api.test"), (b":path", path)];
            let request = Request { fields: &fields, data: None, trailers: &[] };
            request.exchange(&mut rig.connect(&[CHECKOUT], GATEWAY)).unwrap();
            assert_eq!(rig.decided(seen, "http"), expected);
            assert_eq!(rig.lab.origin().take().len(), usize::from(expected.starts_with("allow")));
        }
    }
}

#[test]
fn tls_and_any_tcp_go_through_the_same_port() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy);
        let own = format!("outbound_.443_._.{ORIGIN_NAME}");
        for (identity, outer, name, expected) in [
            (CHECKOUT, GATEWAY, ORIGIN_NAME, "allow RULE_ALLOW"),
            (CHECKOUT, &own, ORIGIN_NAME, "allow RULE_ALLOW"),
            (OTHER, GATEWAY, ORIGIN_NAME, "deny NO_MATCH"),
            (CHECKOUT, GATEWAY, "evil.test", "deny NO_MATCH"),
            (CHECKOUT, GATEWAY, "api.test", "deny NO_MATCH"),
            (CHECKOUT, &own, "evil.test", "deny SNI_MISMATCH"),
        ] {
            let seen = rig.gateway.audit().count();
            let mut stream = rig.lab.https(name, rig.connect(&[identity], outer)).unwrap();
            let request = format!("GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
            let status = wire::exchange(&mut stream, request.as_bytes()).ok().map(|response| response.status);
            let is_allowed = expected.starts_with("allow");
            assert_eq!(status, is_allowed.then_some(200), "{identity} {outer} {name}");
            drop(stream);
            assert_eq!(rig.decided(seen, "tcp"), expected, "{identity} {outer} {name}");
            assert_eq!(rig.lab.origin().take().len(), usize::from(is_allowed));
        }
        for (identity, bytes, expected) in [
            (CHECKOUT, b"SELECT 1", "allow RULE_ALLOW"),
            (CHECKOUT, b"GETX / HT", "allow RULE_ALLOW"),
            (OTHER, b"SELECT 1", "deny NO_MATCH"),
        ] as [(&str, &[u8], &str); 3]
        {
            let seen = rig.gateway.audit().count();
            let mut stream = rig.connect(&[identity], "outbound_.5432_._.db.test");
            stream.write_all(bytes).unwrap();
            let answered = stream.read(&mut [0; 64]).unwrap_or_default() > 0;
            assert_eq!(answered, expected.starts_with("allow"));
            drop(stream);
            assert_eq!(rig.decided(seen, "tcp"), expected);
            assert_eq!(rig.raw.take().len(), usize::from(answered));
        }
    }
}

#[test]
fn without_either_filter_no_http_goes_anywhere() {
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy);
        rig.http.replace_by_nothing().unwrap();
        let stat = format!("{}update_success", rig.http.update_stats());
        support::until(|| rig.gateway.admin().stat(&stat).unwrap() >= 2);
        let response = rig.get(&[CHECKOUT], GATEWAY, "api.test", "/v1/x", "").unwrap();
        assert_eq!(response.status, 403, "the tripwire behind the filter for HTTP");
        rig.tcp.replace_by_nothing().unwrap();
        let stat = format!("{}update_success", rig.tcp.update_stats());
        support::until(|| rig.gateway.admin().stat(&stat).unwrap() >= 2);
        assert!(rig.get(&[CHECKOUT], GATEWAY, "api.test", "/v1/x", "").is_none());
        assert!(rig.lab.origin().take().is_empty());
    }
}

/// A caller that goes away while its connection is led on leaves one behind that is open and waits. Nobody else may get it.
#[test]
fn a_caller_that_goes_away_leaves_nobody_its_identity() {
    const REQUEST: &[u8] = b"GET /v1/left HTTP/1.1\r\nhost: api.test\r\n\r\n";
    for envoy in support::envoys_that_wait() {
        let rig = Rig::start(&envoy);
        for number in 0..200 {
            for _ in 0..4 {
                let mut leaving = rig.connect(&[CHECKOUT], GATEWAY);
                leaving.write_all(REQUEST).unwrap();
                leaving.flush().unwrap();
            }
            let path = format!("/v1/stays-{number}");
            let response = rig.get(&[OTHER], GATEWAY, "api.test", &path, "").unwrap();
            assert_eq!(response.status, 403, "{number}: another caller's identity");
        }
    }
}
