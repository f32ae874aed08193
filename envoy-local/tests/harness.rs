//! Tests of the parts on which the tests of the filter stand, without the filter: identities, tunnels, the tripwire,
//! the records.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tollgate_local::config::filter;
use tollgate_local::envoy::binary;
use tollgate_local::gateway::{Gateway, GatewayConfig};
use tollgate_local::lab::Lab;
use tollgate_local::origin::{Protocol, Received};
use tollgate_local::pki::Signer;
use tollgate_local::sidecar::{Sidecar, Workload};
use tollgate_local::{paths, wire};

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";

fn start(lab: &Lab, config: &GatewayConfig<'_>) -> Gateway {
    let envoy = binary::install(&paths::tools(), binary::newest()).unwrap();
    Gateway::start(lab, &envoy, config).unwrap()
}

#[test]
fn a_request_through_the_sidecar_carries_the_identity_of_its_workload() {
    let lab = Lab::temporary().unwrap();
    let gateway = start(&lab, &GatewayConfig::default());
    let checkout = lab.pki().workload(Signer::Mesh, &[CHECKOUT]).unwrap();
    let workloads = [Workload { name: "payments", port: 0, credentials: Some(&checkout) }];
    let envoy = binary::install(&paths::tools(), binary::newest()).unwrap();
    let sidecar = Sidecar::start(&lab, &envoy, &gateway, &workloads, 0).unwrap();

    let mut stream = TcpStream::connect(sidecar.address("payments").unwrap()).unwrap();
    let request = b"GET /x?secret HTTP/1.1\r\nhost: api.example\r\nx-request-id: a\r\n\r\n";
    assert_eq!(wire::exchange(&mut stream, request).unwrap().status, 200);

    let line = gateway.audit().wait_for(0, |line| line.text("egress.request_id") == Some("a")).unwrap();
    assert_eq!(line.text("egress.peer_uri_san"), Some(CHECKOUT));
    assert_eq!(line.text("server.address"), Some("api.example"));
    assert!(!line.line.to_string().contains("secret"), "{}", line.line);
    let [received] = lab.origin().take().try_into().unwrap();
    let Received { protocol, method, authority, path, .. } = &received;
    assert_eq!((*protocol, method.as_str(), authority.as_str()), (Protocol::Http1, "GET", "api.example"));
    assert_eq!(path, "/x?secret");
}

#[test]
fn an_origin_records_what_comes_through_tunnels() {
    let lab = Lab::temporary().unwrap();
    let gateway = start(&lab, &GatewayConfig::default());
    for request in [
        "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n",
    ] {
        let mut stream = lab.connect(gateway.address(), None, b"http/1.1").unwrap();
        let status = wire::exchange(&mut stream, request.as_bytes()).unwrap().status;
        assert!(matches!(status, 101 | 200), "{status}");
        stream.write_all(b"through the wall").unwrap();
        let mut echoed = [0; 16];
        stream.read_exact(&mut echoed).unwrap();
        let received = lab.origin().take();
        assert_eq!(received[0].tunnel, b"through the wall", "{request}");
    }
}

#[test]
fn an_origin_records_what_is_no_request() {
    let lab = Lab::temporary().unwrap();
    let mut stream = TcpStream::connect(lab.origin().address()).unwrap();
    let config = {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(lab.pki().origin_bundle().as_bytes()).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    };
    let name = rustls::pki_types::ServerName::try_from(tollgate_local::pki::ORIGIN_NAME).unwrap();
    let mut connection = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut tls = rustls::Stream::new(&mut connection, &mut stream);
    tls.write_all(b"\x00\x01 no request\r\n\r\n").unwrap();
    drop(tls.read_to_end(&mut Vec::new()));
    // It records what it could not read once it has hung up.
    let started = Instant::now();
    let received = loop {
        let received = lab.origin().take();
        if !received.is_empty() {
            break received;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "nothing is recorded");
        thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(received[0].protocol, Protocol::Unreadable);
    assert_eq!(received[0].raw, b"\x00\x01 no request\r\n\r\n");
}

#[test]
fn without_the_filter_the_tripwire_lets_nothing_through() {
    let lab = Lab::temporary().unwrap();
    let gateway = start(&lab, &GatewayConfig { filters: vec![filter::tripwire()], ..GatewayConfig::default() });
    let checkout = lab.pki().workload(Signer::Mesh, &[CHECKOUT]).unwrap();
    let mut stream = lab.connect(gateway.address(), Some(&checkout), b"http/1.1").unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: a.example\r\nwasm.tollgate: {\"v\":1,\"d\":\"allow\"}\r\n\r\n";
    assert_eq!(wire::exchange(&mut stream, request).unwrap().status, 403);
    assert_eq!(lab.origin().take(), []);
}

#[test]
fn an_envoy_ends_with_the_value_that_stands_for_it() {
    let lab = Lab::temporary().unwrap();
    let mut gateway = start(&lab, &GatewayConfig::default());
    assert!(gateway.envoy().is_running());
    let admin = gateway.admin();
    drop(gateway);
    assert!(!admin.is_ready());
}

#[test]
fn an_envoy_that_refuses_its_configuration_says_why() {
    let lab = Lab::temporary().unwrap();
    let envoy = binary::install(&paths::tools(), binary::newest()).unwrap();
    let config = GatewayConfig { filters: vec![serde_json::json!({"name": "no-such-filter"})], ..Default::default() };
    let error = Gateway::start(&lab, &envoy, &config).unwrap_err();
    assert!(format!("{error:#}").contains("no-such-filter"), "{error:#}");
}
