//! Connections that are carried as they are: TLS that workloads speak themselves, and what is no HTTP.

use super::checks::{Check, PATIENCE, checks};
use super::lab::{DATABASE, LISTED, Lab};
use super::pod::Pod;
use super::process::wait;
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tollgate_local::wire::{self, Response};

pub const ALL: &[(&str, Check)] = checks![
    tls_of_a_workload_goes_where_it_may,
    tls_of_another_workload_is_closed_with_a_record,
    a_database_is_known_by_the_address_that_stands_for_it,
    another_name_in_a_workloads_tls_is_refused,
    a_server_that_speaks_first_is_heard,
    an_update_closes_an_open_connection,
    a_missing_filter_for_connections_passes_nothing,
    tls_to_any_name_goes_where_the_policy_says,
    a_name_that_nobody_admits_is_refused_before_it_is_looked_up,
    a_name_of_an_inner_address_leads_nowhere,
    http_to_any_name_comes_by_the_same_port,
    a_database_of_another_namespace_is_not_taken,
];

/// The server that answers over TLS.
const SERVER: &str = "203.0.113.10:443";
/// The record of a connection that is admitted to it.
const ADMITTED: &str = r#"\"sni\":\"tls.ext.example\""#;

/// A request in the workload's own TLS to a name, at an address.
fn ask_over_tls(lab: &Lab, pod: &Pod, to: &str, name: &str, path: &str) -> io::Result<Response> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(lab.authority.clone()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let client = rustls::ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
    let to: SocketAddr = to.parse().unwrap();
    pod.net.as_workload(|| {
        let stream = connect(to)?;
        let mut tls = rustls::StreamOwned::new(client, stream);
        wire::exchange(&mut tls, request.as_bytes())
    })
}

fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// The address that stands for a host: workloads with a DNS of the mesh's own are told it.
fn vip(lab: &Lab, host: &str) -> IpAddr {
    let rendered = lab.listed.rendered("routes.yaml");
    let mut objects = rendered.split("---\n").filter_map(|text| serde_saphyr::from_str::<Value>(text).ok());
    let of_host = objects.find(|object| object["kind"] == "ServiceEntry" && object["spec"]["hosts"][0] == host);
    of_host.unwrap()["spec"]["addresses"][0].as_str().unwrap().parse().unwrap()
}

/// An open connection of a workload to a port of a host that is known by its address.
fn open(lab: &Lab, host: &str, port: u16) -> io::Result<TcpStream> {
    let to = SocketAddr::from((vip(lab, host), port));
    lab.ledger.net.as_workload(|| connect(to))
}

/// Sends something, and returns what comes back at once: nothing, where the connection was closed.
fn echoed(stream: &mut TcpStream, sent: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(sent)?;
    let mut came = vec![0; 4096];
    let length = stream.read(&mut came)?;
    came.truncate(length);
    Ok(came)
}

/// Waits until something is answered as it should be.
fn until<T>(what: &str, mut ask: impl FnMut() -> io::Result<T>, is_right: impl Fn(&T) -> bool) -> T {
    wait(what, PATIENCE, || match ask() {
        Ok(answer) if is_right(&answer) => Ok(answer),
        Ok(_) => Err("another answer".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

fn tls_of_a_workload_goes_where_it_may(lab: &Lab) {
    let ask = || ask_over_tls(lab, &lab.ledger, SERVER, "tls.ext.example", "/own-tls");
    let answer = until("an answer over the workload's own TLS", ask, |answer| answer.status == 200);
    assert_eq!(answer.header("x-origin"), Some(b"reached".as_slice()));
    let record = lab.listed.record(ADMITTED);
    assert_eq!((&record["d"], &record["layer"]), (&"allow".into(), &"tcp".into()), "{record}");
    assert_eq!(record["id"], "spiffe://cluster.local/ns/payments/sa/ledger");
    assert_eq!((&record["host"], &record["port"]), (&"tls.ext.example".into(), &443.into()));
    let line = lab.listed.logged(ADMITTED);
    assert_eq!(line["egress.upstream.connected"], SERVER, "{line}");
}

fn tls_of_another_workload_is_closed_with_a_record(lab: &Lab) {
    // its sidecar knows the host, since it is of the same namespace
    let refused = ask_over_tls(lab, &lab.checkout, "127.0.0.1:443", "tls.ext.example", "/");
    assert!(refused.is_err(), "{refused:?}");
    let record = lab.listed.record(r#"sa/checkout\",\"src\":\"peer-certificate\",\"host\":\"tls.ext.example\""#);
    assert_eq!((&record["d"], &record["r"]), (&"deny".into(), &"NO_MATCH".into()), "{record}");
}

fn a_database_is_known_by_the_address_that_stands_for_it(lab: &Lab) {
    let ask = || echoed(&mut open(lab, "db.ext.example", 5432)?, b"startup");
    until("an answer of the database", ask, |answer| answer == b"startup");
    let line = lab.listed.logged("db.ext.example");
    assert_eq!(line["egress.upstream.connected"], format!("{DATABASE}:5432"), "{line}");
    let record = lab.listed.record("db.ext.example");
    assert_eq!((&record["d"], &record["layer"], &record["port"]), (&"allow".into(), &"tcp".into(), &5432.into()));
}

fn another_name_in_a_workloads_tls_is_refused(lab: &Lab) {
    let hello = super::foreign::hello("evil.any.example");
    let answer = echoed(&mut open(lab, "cache.ext.example", 6379).unwrap(), &hello).unwrap_or_default();
    assert_eq!(answer, b"");
    let record = lab.listed.record("evil.any.example");
    assert_eq!((&record["d"], &record["r"]), (&"deny".into(), &"SNI_MISMATCH".into()), "{record}");
    let hello = super::foreign::hello("cache.ext.example");
    let ask = || echoed(&mut open(lab, "cache.ext.example", 6379)?, &hello);
    until("the right name's answer", ask, |answer| answer == &hello);
}

fn a_server_that_speaks_first_is_heard(lab: &Lab) {
    let greeted = super::origin::greet(&format!("{DATABASE}:25"));
    let ask = || {
        let mut stream = open(lab, "mail.ext.example", 25)?;
        let mut came = vec![0; 64];
        let length = stream.read(&mut came)?;
        Ok(came[..length].to_vec())
    };
    until("a greeting", ask, |answer| answer.starts_with(b"220 greetings"));
    let record = lab.listed.record("mail.ext.example");
    assert_eq!((&record["d"], &record["port"], record.get("sni")), (&"allow".into(), &25.into(), None), "{record}");
    // without the filter not even the greeting gets back, and nothing is connected to
    lab.cluster.delete("wasmplugin", "istio-egress", "egress-connections");
    let silent = || ask().or(Ok(Vec::new()));
    until("no greeting", silent, Vec::is_empty);
    let before = greeted.so_far();
    assert_eq!(ask().unwrap_or_default(), b"");
    assert_eq!(greeted.so_far(), before);
    lab.listed.apply(&lab.cluster);
    until("a greeting again", ask, |answer| answer.starts_with(b"220 greetings"));
}

fn an_update_closes_an_open_connection(lab: &Lab) {
    let mut stream = open(lab, "db.ext.example", 5432).unwrap();
    assert_eq!(echoed(&mut stream, b"before").unwrap(), b"before");
    lab.listed.enforce(&lab.cluster, &LISTED.replace("[5432]", "[5433]"));
    let closed = wait("the end of the connection", PATIENCE, || match echoed(&mut stream, b"after") {
        Ok(answer) if answer == b"after" => Err("it is open".to_owned()),
        other => Ok(other),
    });
    assert!(closed.is_err() || closed.is_ok_and(|answer| answer.is_empty()));
    lab.listed.record(r#"\"d\":\"cut\""#);
    lab.listed.enforce(&lab.cluster, LISTED);
    let ask = || echoed(&mut open(lab, "db.ext.example", 5432)?, b"again");
    until("an answer of the database", ask, |answer| answer == b"again");
}

fn a_missing_filter_for_connections_passes_nothing(lab: &Lab) {
    lab.cluster.delete("wasmplugin", "istio-egress", "egress-connections");
    let ask = || echoed(&mut open(lab, "db.ext.example", 5432)?, b"unguarded").or(Ok(Vec::new()));
    until("no answer", ask, Vec::is_empty);
    // requests are another filter's
    lab.checkout.until("GET", "api.ext.example", "/v1/besides", super::checks::is_ok);
    lab.listed.apply(&lab.cluster);
    let ask = || echoed(&mut open(lab, "db.ext.example", 5432)?, b"guarded");
    until("an answer of the database", ask, |answer| answer == b"guarded");
}

/// A name that has no object of its own: its sidecar sends the connection to the one port of the gateway.
fn ask_any(lab: &Lab, name: &str) -> io::Result<Response> {
    ask_over_tls(lab, &lab.agent, SERVER, name, "/own-tls")
}

fn tls_to_any_name_goes_where_the_policy_says(lab: &Lab) {
    for (name, at) in [("new.any.example", "203.0.113.10:443"), ("tls.ext.example", "203.0.113.10:443")] {
        until("an answer over the workload's own TLS", || ask_any(lab, name), |answer| answer.status == 200);
        let record = lab.open.record(&format!(r#"\"sni\":\"{name}\""#));
        let id = "spiffe://cluster.local/ns/batch/sa/agent";
        assert_eq!((&record["d"], &record["id"], &record["port"]), (&"allow".into(), &id.into(), &443.into()));
        let connected = format!("\"egress.upstream.connected\":\"{at}\"");
        assert!(lab.open.pod.log().contains(&connected), "{}", lab.open.logged(name));
    }
}

fn a_name_that_nobody_admits_is_refused_before_it_is_looked_up(lab: &Lab) {
    until("an answer over the workload's own TLS", || ask_any(lab, "new.any.example"), |answer| answer.status == 200);
    let lookups = || lab.open.pod.stat("host_added");
    let before = lookups();
    let refused = ask_any(lab, "api.ext.example");
    assert!(refused.is_err(), "{refused:?}");
    let record = lab.open.record(r#"\"sni\":\"api.ext.example\""#);
    assert_eq!((&record["d"], &record["r"]), (&"deny".into(), &"NO_MATCH".into()), "{record}");
    assert_eq!(lookups(), before);
}

fn a_name_of_an_inner_address_leads_nowhere(lab: &Lab) {
    let inside = super::origin::count(&format!("{}:443", super::lab::INSIDE));
    let refused = ask_any(lab, "inner.any.example");
    assert!(refused.is_err(), "{refused:?}");
    // it was admitted: whoever owns a name says what it resolves to
    assert_eq!(lab.open.record(r#"\"sni\":\"inner.any.example\""#)["d"], "allow");
    assert_eq!(inside.so_far(), 0);
}

/// HTTP comes by the same port, with its caller.
fn http_to_any_name_comes_by_the_same_port(lab: &Lab) {
    let to: SocketAddr = "203.0.113.10:80".parse().unwrap();
    let ask = |host: &str, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        lab.agent.net.as_workload(|| wire::exchange(&mut connect(to)?, request.as_bytes()))
    };
    until("an answer in HTTP", || ask("new.any.example", "/one-port"), |answer| answer.status == 200);
    let record = lab.open.record("/one-port");
    let expected = ("allow", "spiffe://cluster.local/ns/batch/sa/agent", "peer-principal");
    assert_eq!(
        (&record["d"], &record["id"], &record["src"]),
        (&expected.0.into(), &expected.1.into(), &expected.2.into())
    );
    let answer = ask("api.ext.example", "/one-port-denied").unwrap();
    assert_eq!((answer.status, super::checks::reason(&answer)), (403, "NO_MATCH".into()));
}

/// Another namespace had the host first, so that Istio's own cluster of it is theirs: the gateway's stands in its place.
fn a_database_of_another_namespace_is_not_taken(lab: &Lab) {
    use super::foreign::{EVIL, apply, host, next_second, remove};
    let taken = super::origin::count(&format!("{EVIL}:5432"));
    lab.cluster.delete("serviceentry", "istio-egress", "egress.db.ext.example");
    next_second();
    apply(lab, &[host("db", "db.ext.example", 5432, "TCP")], "db");
    next_second();
    lab.listed.apply(&lab.cluster);
    apply(lab, &[], "db-restored");
    let ask = || echoed(&mut open(lab, "db.ext.example", 5432)?, b"still ours");
    until("an answer of the database", ask, |answer| answer == b"still ours");
    assert_eq!(taken.so_far(), 0);
    remove(lab, &["serviceentry"], &["db", "db-restored"]);
}
