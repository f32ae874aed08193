//! Attacks from other namespaces: their routes, their hosts and their listeners change nothing at the gateway.

use super::checks::{Check, PATIENCE, is_ok, reason};
use super::lab::{LISTED, Lab};
use super::origin;
use super::process::wait;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const ALL: &[(&str, Check)] = &[
    ("a_route_of_another_namespace_is_not_taken", a_route_of_another_namespace_is_not_taken),
    (
        "a_route_of_another_namespace_is_not_taken_by_a_kubernetes_gateway",
        a_route_of_another_namespace_is_not_taken_by_a_kubernetes_gateway,
    ),
    ("an_older_host_of_another_namespace_is_not_taken", an_older_host_of_another_namespace_is_not_taken),
    ("a_listener_of_another_namespace_passes_nothing", a_listener_of_another_namespace_passes_nothing),
    (
        "the_port_in_another_gateways_hands_leads_nobody_elsewhere",
        the_port_in_another_gateways_hands_leads_nobody_elsewhere,
    ),
    ("another_policy_that_allows_does_not_open_the_gateway", another_policy_that_allows_does_not_open_the_gateway),
];

/// Address of the attacker's server.
pub const EVIL: &str = "203.0.113.66";

fn object(kind: &str, api: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": api, "kind": kind,
        "metadata": {"name": name, "namespace": "payments", "labels": {"lab": "foreign"}}, "spec": spec,
    })
}

fn networking(kind: &str, name: &str, spec: &Value) -> Value {
    object(kind, "networking.istio.io/v1", name, spec)
}

/// A host that leads to an address of whoever writes it.
pub fn host(name: &str, host: &str, port: u16, protocol: &str) -> Value {
    networking(
        "ServiceEntry",
        name,
        &json!({
            // for the gateway alone: what is exported to everybody comes behind what names a namespace
            "hosts": [host], "exportTo": ["istio-egress"], "location": "MESH_EXTERNAL", "resolution": "STATIC",
            "ports": [{"number": port, "name": format!("{}-{port}", protocol.to_lowercase()), "protocol": protocol}],
            "endpoints": [{"address": EVIL}],
        }),
    )
}

/// Applies objects, and waits until the gateway has heard of them: of the last of them, a route that is its own.
pub fn apply(lab: &Lab, objects: &[Value], marker: &str) {
    let marker_host = format!("{marker}.marker.example");
    let marker = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": marker, "namespace": "istio-egress"},
        "spec": {"hosts": [marker_host], "gateways": ["egress"], "http": [{"directResponse": {"status": 204}}]},
    });
    for object in objects.iter().chain([&marker]) {
        lab.cluster.apply(&object.to_string());
    }
    wait("what was written last", PATIENCE, || {
        let page = lab.listed.pod.page("/config_dump?resource=dynamic_route_configs");
        if page.contains(&marker_host) { Ok(()) } else { Err("the gateway has no such route".to_owned()) }
    });
}

pub fn remove(lab: &Lab, kinds: &[&str], markers: &[&str]) {
    for kind in kinds {
        lab.cluster.kubectl(&["delete", kind, "-n", "payments", "-l", "lab=foreign"]);
    }
    for marker in markers {
        lab.cluster.delete("virtualservice", "istio-egress", marker);
    }
}

fn a_route_of_another_namespace_is_not_taken(lab: &Lab) {
    lab.checkout.until("GET", "api.ext.example", "/v1/before-foreign", is_ok);
    let reached = origin::count(&format!("{EVIL}:80"));
    let route = networking(
        "VirtualService",
        "takes-over",
        &json!({
            "hosts": ["api.ext.example"],
            "gateways": ["istio-egress/egress"],
            "http": [{"name": "evil", "route": [{"destination": {"host": "evil.any.example", "port": {"number": 80}}}]}],
        }),
    );
    apply(lab, &[host("evil", "evil.any.example", 80, "HTTP"), route], "route");
    let takes = || lab.listed.pod.page("/config_dump?resource=dynamic_route_configs").contains("evil.any.example");
    assert!(!takes());
    // as Istio's own examples have it, it would be taken
    let patch = json!([{"op": "replace", "path": "/spec/servers/0/hosts", "value": ["*"]}]).to_string();
    let gateway = ["patch", "gateway.networking.istio.io", "egress", "-n", "istio-egress", "--type=json", "-p", &patch];
    lab.cluster.kubectl(&gateway);
    becomes("the foreign route", takes);
    lab.listed.apply(&lab.cluster);
    becomes("the own route", || !takes());
    for number in 0..3 {
        lab.checkout.until("GET", "api.ext.example", &format!("/v1/foreign-route-{number}"), is_ok);
    }
    assert_eq!(lab.listed.logged("/v1/foreign-route-2")["egress.upstream.connected"], "203.0.113.10:443");
    assert_eq!(reached.so_far(), 0);
    remove(lab, &["virtualservice", "serviceentry"], &["route"]);
}

fn a_route_of_another_namespace_is_not_taken_by_a_kubernetes_gateway(lab: &Lab) {
    lab.batch.until("GET", "new.any.example", "/v1/before-foreign", is_ok);
    let reached = origin::count(&format!("{EVIL}:80"));
    let mut evil = host("evil", "evil.any.example", 80, "HTTP");
    evil["spec"]["exportTo"] = json!(["*"]);
    let route = object(
        "HTTPRoute",
        "gateway.networking.k8s.io/v1",
        "takes-over",
        &json!({
            "parentRefs": [{"name": "open", "namespace": "istio-open"}],
            "hostnames": ["new.any.example"],
            "rules": [{"backendRefs": [{
                "group": "networking.istio.io", "kind": "Hostname", "name": "evil.any.example", "port": 80,
            }]}],
        }),
    );
    // the same in Istio's own API, which knows the listener by a name that Istio makes
    let virtual_service = networking(
        "VirtualService",
        "takes-over",
        &json!({
            "hosts": ["new.any.example"],
            "gateways": ["istio-open/open~istio-autogenerated-k8s-gateway~https-mesh"],
            "http": [{"route": [{"destination": {"host": "evil.any.example", "port": {"number": 80}}}]}],
        }),
    );
    for object in [&evil, &virtual_service, &route] {
        lab.cluster.apply(&object.to_string());
    }
    // it has been looked at, and found to be of a namespace that the listener does not take
    wait("a verdict on the route", PATIENCE, || {
        let status =
            lab.cluster.kubectl(&["get", "httproute", "takes-over", "-n", "payments", "-o", "jsonpath={.status}"]);
        if status.contains("NotAllowedByListeners") { Ok(()) } else { Err(status) }
    });
    let routes = lab.open.pod.page("/config_dump?resource=dynamic_route_configs");
    assert!(!routes.contains("evil.any.example"), "{routes}");
    lab.batch.until("GET", "new.any.example", "/v1/foreign-http-route", is_ok);
    assert_eq!(lab.open.logged("/v1/foreign-http-route")["egress.upstream.connected"], "203.0.113.10:443");
    assert_eq!(reached.so_far(), 0);
    remove(lab, &["httproute", "virtualservice", "serviceentry"], &[]);
}

/// Waits for something to be so.
fn becomes(what: &str, is_so: impl Fn() -> bool) {
    wait(what, PATIENCE, || if is_so() { Ok(()) } else { Err("it is not so".to_owned()) });
}

/// Objects that are older win. Times of objects are seconds, so what is written next waits for another second.
pub fn next_second() {
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = second();
    becomes("another second", || second() > now);
}

fn an_older_host_of_another_namespace_is_not_taken(lab: &Lab) {
    lab.checkout.until("GET", "plain.ext.example", "/before-older", is_ok);
    let plain = origin::count(&format!("{EVIL}:80"));
    let tls = origin::count(&format!("{EVIL}:443"));
    for name in ["egress.plain.ext.example", "egress.api.ext.example"] {
        lab.cluster.delete("serviceentry", "istio-egress", name);
    }
    next_second();
    apply(lab, &[host("plain", "plain.ext.example", 80, "HTTP"), host("api", "api.ext.example", 80, "HTTP")], "host");
    next_second();
    lab.listed.apply(&lab.cluster);
    apply(lab, &[], "restored");
    // Istio's own clusters lead to whoever was first
    for name in ["plain.ext.example", "api.ext.example"] {
        becomes("a cluster of the older host", || {
            lab.listed.pod.page("/clusters").contains(&format!("outbound|80||{name}::{EVIL}:80::"))
        });
    }
    lab.checkout.until("GET", "plain.ext.example", "/older-plain", is_ok);
    lab.checkout.until("GET", "api.ext.example", "/v1/older-tls", is_ok);
    assert_eq!(lab.listed.logged("/older-plain")["egress.upstream.connected"], "203.0.113.13:80");
    assert_eq!(lab.listed.logged("/v1/older-tls")["egress.upstream.connected"], "203.0.113.10:443");
    assert_eq!((plain.so_far(), tls.so_far()), (0, 0));
    remove(lab, &["serviceentry"], &["host", "restored"]);
}

/// Connects to the gateway, sends any bytes, and returns what comes back.
fn talk(lab: &Lab, port: u16, sent: &[u8]) -> Vec<u8> {
    let gateway: SocketAddr = format!("{}:{port}", lab.listed.pod.net.address).parse().unwrap();
    lab.checkout.net.inside(|| {
        let mut stream = TcpStream::connect_timeout(&gateway, Duration::from_secs(5)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut came = vec![0; 4096];
        // a server that speaks first would do so now
        let before = if sent.is_empty() { stream.read(&mut came).unwrap_or(0) } else { 0 };
        let _ = stream.write_all(if sent.is_empty() { b"hello\r\n" } else { sent });
        let after = stream.read(&mut came[before..]).unwrap_or(0);
        came.truncate(before.saturating_add(after));
        came
    })
}

/// Tells whether every worker of the gateway has its last listeners, and none that they replaced.
fn is_settled(lab: &Lab) -> bool {
    let page = lab.listed.pod.page("/stats?filter=^listener_manager\\.total_.*_(draining|warming)$");
    let listed = |gauge: &str| page.lines().any(|line| line == format!("listener_manager.{gauge}: 0"));
    // workers tell when they have let go of the old ones, which is after they have taken the new ones
    ["total_listeners_warming", "total_listeners_draining", "total_filter_chains_draining"].into_iter().all(listed)
}

fn a_listener_of_another_namespace_passes_nothing(lab: &Lab) {
    let count = || (origin::count(&format!("{EVIL}:80")), origin::greet(&format!("{EVIL}:7000")));
    count();
    let server = |number: u16, protocol: &str, hosts: &[&str]| json!({"port": {"number": number, "name": format!("{}-{number}", protocol.to_lowercase()), "protocol": protocol}, "hosts": hosts});
    let mut passthrough = server(8444, "TLS", &["api.ext.example"]);
    passthrough["tls"] = json!({"mode": "PASSTHROUGH"});
    let gateway = networking(
        "Gateway",
        "own",
        &json!({
            "selector": {"istio": "egressgateway"},
            "servers": [server(8081, "HTTP", &["*"]), passthrough, server(8445, "TCP", &["*"])],
        }),
    );
    let to = |host: &str, port: u16| json!([{"destination": {"host": host, "port": {"number": port}}}]);
    let routes = networking(
        "VirtualService",
        "own",
        &json!({
            "hosts": ["*"],
            "gateways": ["own"],
            "http": [{"route": to("evil.any.example", 80)}],
            "tcp": [{"match": [{"port": 8445}], "route": to("greets.any.example", 7000)}],
        }),
    );
    let tls = networking(
        "VirtualService",
        "own-tls",
        &json!({
            "hosts": ["api.ext.example"],
            "gateways": ["own"],
            "tls": [{"match": [{"port": 8444, "sniHosts": ["api.ext.example"]}], "route": to("greets.any.example", 7000)}],
        }),
    );
    let hosts = [host("evil", "evil.any.example", 80, "HTTP"), host("greets", "greets.any.example", 7000, "TCP")];
    apply(lab, &[&hosts[..], &[gateway, routes, tls]].concat(), "listener");
    let listening = |port: u16| lab.listed.pod.page("/listeners?format=text").contains(&format!(":{port}"));
    wait("the foreign listeners", PATIENCE, || {
        if [8081, 8444, 8445].into_iter().all(listening) { Ok(()) } else { Err("they are not there".to_owned()) }
    });
    // with neither the tripwire nor the cluster without a server, they lead out
    let greets = |port: u16, sent: &[u8]| talk(lab, port, sent).starts_with(b"220 greetings");
    let sni = hello("api.ext.example");
    for wall in ["egress-tripwire", "egress-connections"] {
        lab.cluster.delete("envoyfilter", "istio-egress", wall);
    }
    becomes("a way out", || greets(8445, b"hello\r\n") && greets(8444, &sni));
    lab.listed.apply(&lab.cluster);
    becomes("no way out", || !greets(8445, b"hello\r\n") && !greets(8444, &sni));
    becomes("no old listener on any worker", || is_settled(lab));
    let (reached, greeted) = count();
    let http = talk(lab, 8081, b"GET /foreign HTTP/1.1\r\nhost: api.ext.example\r\nconnection: close\r\n\r\n");
    assert!(http.starts_with(b"HTTP/1.1 403"), "{}", String::from_utf8_lossy(&http));
    assert_eq!(talk(lab, 8445, b""), b"");
    assert_eq!(talk(lab, 8445, b"hello\r\n"), b"");
    assert_eq!(talk(lab, 8444, &sni), b"");
    assert_eq!((reached.so_far(), greeted.so_far()), (0, 0));
    remove(lab, &["gateway.networking.istio.io", "virtualservice", "serviceentry"], &["listener"]);
}

/// Opens the gateway's own port from another namespace, for the names by which sidecars ask it, with routes of its own.
/// That namespace was also first to have a host of the policy.
fn the_port_in_another_gateways_hands_leads_nobody_elsewhere(lab: &Lab) {
    lab.checkout.until("GET", "api.ext.example", "/v1/before-taken", is_ok);
    let counted = [80, 443].map(|port| origin::count(&format!("{EVIL}:{port}")));
    lab.cluster.delete("serviceentry", "istio-egress", "egress.api.ext.example");
    // a sidecar keeps the connection that it has, until the chain at its other end changes
    lab.cluster.delete("envoyfilter", "istio-egress", "egress-limits");
    next_second();
    let gateway = networking(
        "Gateway",
        "takes-port",
        &json!({
            "selector": {"istio": "egressgateway"},
            "servers": [{
                "port": {"number": 8443, "name": "taken", "protocol": "HTTPS"},
                "hosts": ["*.svc.cluster.local", "*.ext.example"], "tls": {"mode": "ISTIO_MUTUAL"},
            }],
        }),
    );
    let evil = json!({"host": "evil.any.example", "port": {"number": 80}});
    let to = |path: &str, name: &str, host: &str, port: u16| {
        json!({
            "name": name,
            "match": [{"uri": {"prefix": path}}],
            "route": [{"destination": {"host": host, "port": {"number": port}}}],
            "mirror": evil,
        })
    };
    let routes = networking(
        "VirtualService",
        "takes-port",
        &json!({
            "hosts": ["api.ext.example"],
            "gateways": ["takes-port"],
            "http": [
                to("/v1/other-host", "other", "evil.any.example", 80),
                // called as the rendered route is, and as what is rendered for any host
                to("/v1/same-name", "tollgate.out|443|api.ext.example", "api.ext.example", 80),
                to("/v1/any-name", "tollgate-dynamic", "api.ext.example", 80),
                to("/v1/same-host", "same", "api.ext.example", 80),
            ],
        }),
    );
    let hosts = [host("evil", "evil.any.example", 80, "HTTP"), host("api", "api.ext.example", 80, "HTTP")];
    apply(lab, &[&hosts[..], &[gateway, routes]].concat(), "taken");
    next_second();
    lab.listed.apply(&lab.cluster);
    apply(lab, &[], "not-taken");
    becomes("the foreign routes", || {
        lab.listed.pod.page("/config_dump?resource=dynamic_listeners").contains(".takes-port.payments")
    });
    becomes("the foreign cluster", || {
        lab.listed.pod.page("/clusters").contains(&format!("outbound|80||api.ext.example::{EVIL}:80::"))
    });
    for path in ["/v1/other-host", "/v1/same-name", "/v1/any-name", "/v1/same-host"] {
        let answer = lab.checkout.until("GET", "api.ext.example", path, |answer| answer.status == 403);
        assert_eq!(reason(&answer), "ROUTE_MISMATCH", "{path}");
        let record = lab.listed.record(path);
        assert_eq!((&record["d"], &record["r"]), (&"deny".into(), &"ROUTE_MISMATCH".into()), "{path}: {record}");
    }
    assert_eq!(counted.map(|count| count.so_far()), [0, 0]);
    remove(lab, &["gateway.networking.istio.io", "virtualservice", "serviceentry"], &["taken", "not-taken"]);
    lab.checkout.until("GET", "api.ext.example", "/v1/given-back", is_ok);
}

/// The first bytes of a TLS connection to a name.
pub fn hello(name: &str) -> Vec<u8> {
    let config =
        rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let mut client =
        rustls::ClientConnection::new(std::sync::Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

fn another_policy_that_allows_does_not_open_the_gateway(lab: &Lab) {
    let with_header = format!("{LISTED}tripwire: {{header: x-egress-guard, values: [a-secret-of-the-lab]}}\n");
    lab.listed.enforce(&lab.cluster, &with_header);
    lab.cluster.delete("envoyfilter", "istio-egress", "egress-tripwire");
    let allow = json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": "allows-all", "namespace": "istio-egress"},
        "spec": {"action": "ALLOW", "rules": [{}]},
    });
    lab.cluster.apply(&allow.to_string());
    wait("both policies in the chain", PATIENCE, || {
        let page = lab.listed.pod.page("/config_dump");
        let is_there =
            page.contains("x-egress-guard") && page.contains("allows-all") && !page.contains("tollgate.tripwire");
        if is_there { Ok(()) } else { Err("they are not there".to_owned()) }
    });
    lab.checkout.until("GET", "api.ext.example", "/v1/guarded-twice", is_ok);
    lab.cluster.delete("wasmplugin", "istio-egress", "egress");
    let answer = lab.checkout.until("GET", "api.ext.example", "/v1/opened", |answer| answer.status == 403);
    assert_eq!(String::from_utf8_lossy(&answer.body), "RBAC: access denied");
    lab.cluster.delete("authorizationpolicy", "istio-egress", "allows-all");
    lab.cluster.delete("authorizationpolicy", "istio-egress", "egress-tripwire");
    lab.listed.enforce(&lab.cluster, LISTED);
    lab.checkout.until("GET", "api.ext.example", "/v1/shut-again", is_ok);
}
