//! Connections that are carried as they are: what is rendered for a gateway with `ports.tls`.

use crate::render::{DIGEST, Place, judged, of_kind, policy, said, site, with};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A site whose gateway has a port for connections, and an image for their filter.
fn carrying() -> Value {
    let mut site = with(site(), &[("ports", json!({"http": 8443, "tls": 9443}))]);
    site["module"]["tcp"] = json!({"digest": DIGEST});
    site
}

fn render(to: &Value) -> Vec<Value> {
    Place::new(&policy(to), &carrying()).objects(&[])
}

/// The object of a kind and a name.
fn named<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let found = of_kind(objects, kind).into_iter().find(|object| object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The ports of a host's ServiceEntry: number and protocol.
fn ports(objects: &[Value], host: &str) -> Vec<(u64, String)> {
    let entry = named(objects, "ServiceEntry", &format!("egress.{host}"));
    let ports = entry["spec"]["ports"].as_array().unwrap().iter();
    ports.map(|port| (port["number"].as_u64().unwrap(), port["protocol"].as_str().unwrap().to_owned())).collect()
}

/// The subsets of the gateway's Service: name and server name.
fn subsets(objects: &[Value]) -> Vec<(String, String)> {
    let rules = of_kind(objects, "DestinationRule");
    let of_gateway = rules.iter().filter(|rule| rule["spec"]["host"] == "gateway.istio-egress.svc.cluster.local");
    let all = of_gateway.flat_map(|rule| rule["spec"]["subsets"].as_array().cloned().unwrap_or_default());
    let one = |subset: Value| {
        let setting = &subset["trafficPolicy"]["portLevelSettings"][0];
        assert_eq!((&setting["port"]["number"], &setting["tls"]["mode"]), (&json!(9443), &json!("ISTIO_MUTUAL")));
        (subset["name"].as_str().unwrap().to_owned(), setting["tls"]["sni"].as_str().unwrap().to_owned())
    };
    all.map(one).collect()
}

#[test]
fn the_port_for_connections_leads_nowhere_and_has_a_filter_of_its_own() {
    let objects = render(&json!([{"hosts": ["a.example.com"]}]));
    let server = &named(&objects, "Gateway", "egress-connections")["spec"]["servers"][0];
    assert_eq!((&server["port"]["number"], &server["port"]["protocol"]), (&json!(9443), &json!("TLS")));
    assert_eq!((&server["hosts"], &server["tls"]["mode"]), (&json!(["./*"]), &json!("ISTIO_MUTUAL")));
    let route = &named(&objects, "VirtualService", "egress-connections")["spec"];
    assert_eq!((&route["gateways"], &route["exportTo"]), (&json!(["egress-connections"]), &json!(["."])));
    let to = &route["tcp"][0]["route"][0]["destination"]["host"];
    assert!(to.as_str().unwrap().ends_with(".invalid"), "{to}");

    let plugin = &named(&objects, "WasmPlugin", "egress-connections")["spec"];
    assert_eq!((&plugin["type"], &plugin["pluginName"]), (&json!("NETWORK"), &json!("tollgate-tcp")));
    assert_eq!(plugin["match"], json!([{"mode": "CLIENT", "ports": [{"number": 9443}]}]));
    assert_eq!(plugin["url"], format!("oci://registry.example/tollgate-tcp@{DIGEST}"));
    assert_eq!(
        plugin["pluginConfig"]["tcp"],
        json!({"self": ["gateway.istio-egress.svc.cluster.local"], "rendered": true})
    );
    let of_http = &named(&objects, "WasmPlugin", "egress")["spec"]["pluginConfig"];
    assert_eq!(plugin["pluginConfig"]["revision"], of_http["revision"]);

    let walls = &named(&objects, "EnvoyFilter", "egress-connections")["spec"]["configPatches"];
    let [nowhere, proxy] = [0, 1].map(|number| &walls[number]["patch"]["value"]);
    assert_eq!(nowhere["name"], "tollgate-nowhere");
    assert!(nowhere["load_assignment"].get("endpoints").is_none(), "{nowhere}");
    assert_eq!(walls[1]["match"]["listener"].get("portNumber"), None, "every chain without HTTP, on whatever port");
    let proxy = &proxy["typed_config"];
    assert_eq!(
        (&proxy["cluster"], &proxy["upstream_connect_mode"]),
        (&"tollgate-nowhere".into(), &"ON_DOWNSTREAM_DATA".into())
    );
    assert!(proxy["max_early_data_bytes"].as_u64() > Some(16_384));

    let network = named(&objects, "NetworkPolicy", "egress-gateway");
    let taken = network["spec"]["ingress"][0]["ports"].as_array().unwrap().iter();
    assert_eq!(taken.map(|port| &port["port"]).collect::<Vec<_>>(), [8443, 9443]);
    let settings = &named(&objects, "DestinationRule", "egress")["spec"]["trafficPolicy"]["portLevelSettings"];
    assert_eq!(settings[1], json!({"port": {"number": 9443}, "tls": {"mode": "ISTIO_MUTUAL"}}));
}

#[test]
fn a_gateway_without_that_port_has_none_of_it() {
    let objects = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &site()).objects(&[]);
    let all = serde_json::to_string(&objects).unwrap();
    for word in ["egress-connections", "NETWORK\"", "tollgate-nowhere", "subset", "9443"] {
        assert!(!all.contains(word), "{word}");
    }
}

#[test]
fn each_port_is_asked_for_or_carried_as_the_policy_says() {
    let http = |port: u64| (port, "HTTP".to_owned());
    let tls = |port: u64| (port, "TLS".to_owned());
    let tcp = |port: u64| (port, "TCP".to_owned());
    for (to, expected) in [
        (json!({}), vec![http(80), tls(443)]),
        (json!({"tls": "both"}), vec![http(80), tls(443)]),
        (json!({"tls": "originate"}), vec![http(80)]),
        (json!({"tls": "passthrough"}), vec![tls(443)]),
        (json!({"tls": "none"}), vec![http(80)]),
        (json!({"tls": "both", "ports": [8443]}), vec![http(8443)]),
        (json!({"tls": "passthrough", "ports": [443, 8443]}), vec![tls(443), tls(8443)]),
        (json!({"ports": [5432]}), vec![tcp(5432)]),
        (json!({"ports": [5432], "tls": "passthrough"}), vec![tls(5432)]),
        (json!({"ports": [636]}), vec![tls(636)]),
        (json!({"ports": [636], "clientHello": "optional"}), vec![tcp(636)]),
        (json!({"ports": [443], "tls": "passthrough", "clientHello": "optional"}), vec![tcp(443)]),
        (json!({"ports": [443, 5432]}), vec![http(80), tls(443), tcp(5432)]),
    ] {
        let mut target = to.clone();
        target["hosts"] = json!(["a.example.com"]);
        let objects = render(&json!([target]));
        assert_eq!(ports(&objects, "a.example.com"), expected, "{to}");
        let entry = named(&objects, "ServiceEntry", "egress.a.example.com");
        let has_tcp = expected.iter().any(|(_, protocol)| protocol == "TCP");
        assert_eq!(entry["spec"].get("addresses").is_some(), has_tcp, "{to}");
        let carried: Vec<u64> =
            expected.iter().filter(|(_, protocol)| protocol != "HTTP").map(|(port, _)| *port).collect();
        let led: Vec<String> = carried.iter().map(|port| format!("outbound_.{port}_._.a.example.com")).collect();
        assert_eq!(subsets(&objects).into_iter().map(|(_, name)| name).collect::<Vec<_>>(), led, "{to}");
        if carried.is_empty() {
            continue;
        }
        let routes = &named(&objects, "VirtualService", "egress.a.example.com")["spec"];
        let matches = ["tls", "tcp"].iter().flat_map(|key| routes[key].as_array().cloned().unwrap_or_default());
        for route in matches {
            let of_mesh = &route["match"][0];
            let port = of_mesh["port"].as_u64().unwrap();
            assert_eq!(of_mesh["gateways"], json!(["mesh"]));
            assert_eq!(of_mesh.get("sniHosts").is_some(), !expected.contains(&tcp(port)), "{to}");
            let destination = &route["route"][0]["destination"];
            assert_eq!(destination["port"]["number"], 9443);
            assert_eq!(destination["subset"], format!("s{port}-a-example-com"));
        }
        // the cluster that the filter names is the gateway's own
        let patches = &named(&objects, "EnvoyFilter", "egress.a.example.com")["spec"]["configPatches"];
        for port in carried {
            let name = format!("tollgate.tcp|{port}|a.example.com");
            let of_name = |patch: &&Value| patch["patch"]["value"]["name"] == name.as_str();
            let own: Vec<_> = patches.as_array().unwrap().iter().filter(of_name).collect();
            assert_eq!(own.iter().map(|patch| &patch["patch"]["operation"]).collect::<Vec<_>>(), ["ADD"]);
            let cluster = &own[0]["patch"]["value"];
            assert_eq!(cluster["type"], "STRICT_DNS");
            assert!(cluster.get("transport_socket").is_none(), "{cluster}");
        }
    }
}

#[test]
fn the_gateway_speaks_tls_to_what_is_carried_where_it_is_told_to() {
    let objects = render(&json!([{"hosts": ["cache.example.com"], "ports": [6379], "tls": "originate"}]));
    let patches = &named(&objects, "EnvoyFilter", "egress.cache.example.com")["spec"]["configPatches"];
    let socket = &patches[0]["patch"]["value"]["transport_socket"]["typed_config"];
    assert_eq!(socket["sni"], "cache.example.com");
}

#[test]
fn where_http_is_asked_for_on_a_port_tls_is_known_by_its_address() {
    let objects = render(&json!([
        {"hosts": ["a.example.com"], "ports": [8443]},
        {"hosts": ["b.example.com"], "ports": [8443], "tls": "passthrough"},
    ]));
    assert_eq!(ports(&objects, "b.example.com"), [(8443, "TCP".to_owned())]);
    let anchor = &named(&objects, "ServiceEntry", "egress-anchor")["spec"]["ports"];
    assert_eq!(anchor.as_array().unwrap().len(), 2, "{anchor}");
    // and nobody takes HTTP where there is none
    let objects = render(&json!([{"hosts": ["b.example.com"], "ports": [8443], "tls": "passthrough"}]));
    assert_eq!(ports(&objects, "b.example.com"), [(8443, "TLS".to_owned())]);
    assert_eq!(named(&objects, "ServiceEntry", "egress-anchor")["spec"]["ports"].as_array().unwrap().len(), 1);
}

#[test]
fn one_port_of_a_host_is_one_thing() {
    let to = json!([
        {"hosts": ["a.example.com"], "ports": [8443], "tls": "originate"},
        {"hosts": ["a.example.com"], "ports": [8443], "tls": "passthrough"},
    ]);
    let (objects, said) = Place::new(&policy(&to), &carrying()).objects_and_findings();
    assert!(said.contains("TG404"), "{said}");
    assert_eq!(ports(&objects, "a.example.com").len(), 1);
    // what an authority without a port means is asked for on port 80
    let mut policy = policy(&json!([{"hosts": ["a.example.com"], "tls": "originate"}, {"destination": "d"}]));
    policy["destinations"] = json!({"d": {"hosts": ["a.example.com"], "ports": [80], "protocol": "tcp"}});
    let (objects, said) = Place::new(&policy, &carrying()).objects_and_findings();
    assert!(said.contains("TG404"), "{said}");
    assert_eq!(ports(&objects, "a.example.com"), [(80, "TCP".to_owned())]);
}

#[test]
fn a_gateway_with_a_port_for_connections_has_pods_of_its_own() {
    let plain = policy(&json!([{"hosts": ["a.example.com"]}]));
    let with_second = |changes: &[(&str, Value)]| {
        let mut site = carrying();
        let mut second = site["gateways"][0].clone();
        second["name"] = json!("second");
        for (key, value) in changes {
            second[*key] = value.clone();
        }
        site["gateways"].as_array_mut().unwrap().push(second);
        Place::new(&plain, &site).render(&["--gateway", "egress"])
    };
    for selector in
        [json!({"istio": "egressgateway"}), json!({"istio": "egressgateway", "app": "x"}), json!({"app": "x"})]
    {
        let output = with_second(&[("selector", selector.clone())]);
        assert_eq!(output.status.code(), Some(3), "{selector}");
        assert!(said(&output).contains("same pods"), "{}", said(&output));
    }
    let own = with_second(&[("selector", json!({"istio": "other"}))]);
    assert_eq!(own.status.code(), Some(0), "{}", said(&own));
}

#[test]
fn the_lock_against_foreign_servers_comes_first_where_connections_are_carried() {
    let plain = policy(&json!([{"hosts": ["a.example.com"]}]));
    let plan = |site: &Value| {
        let output = Place::new(&plain, site).render(&["--plan"]);
        String::from_utf8(output.stdout).unwrap()
    };
    let first = |plan: String| plan.split("\nfirst\n").nth(1).unwrap().contains("patches/istiod.yaml");
    assert!(first(plan(&carrying())) && !first(plan(&site())));
}

#[test]
fn no_two_hosts_share_a_subset() {
    let long = format!("{}.example.com", ["a-long-label-of-a-name"; 4].join("."));
    let hosts = ["a-b.c.example", "a.b-c.example", "a--b.c.example", "xn--a.c.example", &long, &format!("{long}.b")];
    let objects = render(&json!([{"hosts": hosts}]));
    let names: BTreeSet<String> = subsets(&objects).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), hosts.len());
    for name in names {
        let is_label = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        assert!(is_label && name.len() <= 63 && !name.ends_with('-'), "{name}");
    }
}

#[test]
fn no_object_holds_more_subsets_than_it_can() {
    let hosts: Vec<String> = (0..2_001).map(|number| format!("h{number}.example.com")).collect();
    let objects = render(&json!([{"hosts": hosts, "tls": "passthrough"}]));
    let more = &named(&objects, "DestinationRule", "egress-subsets-1")["spec"];
    assert_eq!(more["subsets"].as_array().unwrap().len(), 1);
    // of two policies about one host, Istio follows one
    assert!(more.get("trafficPolicy").is_none(), "{more}");
    assert_eq!(subsets(&objects).len(), 2_001);
}

#[test]
fn a_kubernetes_gateway_listens_for_connections_too() {
    let mut site = carrying();
    site["gateways"][0]["api"] = json!("gateway");
    let objects = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &site).objects(&[]);
    let listeners = &named(&objects, "Gateway", "egress")["spec"]["listeners"];
    let listener = &listeners[1];
    assert_eq!((&listener["port"], &listener["protocol"]), (&json!(9443), &json!("TLS")));
    assert_eq!(listener["tls"], listeners[0]["tls"]);
    assert_eq!(listener["allowedRoutes"], json!({"namespaces": {"from": "Same"}}));
    let route = &named(&objects, "TCPRoute", "egress-connections")["spec"];
    assert_eq!(route["parentRefs"], json!([{"name": "egress", "sectionName": "tls-mesh"}]));
    let out = &named(&objects, "VirtualService", "egress.a.example.com")["spec"];
    assert_eq!((&out["gateways"], out.get("http")), (&json!(["mesh"]), None));
    let plugin = &named(&objects, "TrafficExtension", "egress-connections")["spec"];
    assert_eq!((&plugin["wasm"]["type"], &plugin["match"][0]["mode"]), (&json!("NETWORK"), &json!("CLIENT")));
}

/// A mail relay that speaks first, and a site with a port for such.
fn greeting() -> (Value, Value) {
    let mut policy = policy(&json!([{"destination": "relay"}, {"hosts": ["db.example.com"], "ports": [5432]}]));
    policy["destinations"] = json!({"relay": {"hosts": ["mail.example.com"], "ports": [25, 465], "serverFirst": true}});
    (policy, with(carrying(), &[("ports", json!({"http": 8443, "tls": 9443, "serverFirst": 9444}))]))
}

#[test]
fn servers_that_speak_first_have_a_port_that_waits_for_nobody() {
    let (policy, site) = greeting();
    let objects = Place::new(&policy, &site).objects(&[]);
    let servers = &named(&objects, "Gateway", "egress-connections")["spec"]["servers"];
    assert_eq!([&servers[0]["port"]["number"], &servers[1]["port"]["number"]], [9443, 9444]);
    assert_eq!((&servers[1]["tls"]["mode"], &servers[1]["hosts"]), (&json!("ISTIO_MUTUAL"), &json!(["./*"])));
    let plugin = &named(&objects, "WasmPlugin", "egress-connections")["spec"]["match"];
    assert_eq!(plugin, &json!([{"mode": "CLIENT", "ports": [{"number": 9443}, {"number": 9444}]}]));
    let walls = &named(&objects, "EnvoyFilter", "egress-connections")["spec"]["configPatches"];
    // behind the patch of every port, which it changes for one
    assert_eq!(walls[2]["match"]["listener"]["portNumber"], 9444);
    // a merge leaves what is merged with a default as it was
    assert_eq!(walls[2]["patch"]["operation"], "REPLACE");
    let proxy = &walls[2]["patch"]["value"];
    assert_ne!(proxy["name"], "envoy.filters.network.tcp_proxy", "into which is merged on every port, after this");
    let proxy = &proxy["typed_config"];
    assert_eq!((&proxy["upstream_connect_mode"], &proxy["cluster"]), (&json!("IMMEDIATE"), &json!("tollgate-nowhere")));
    assert!(proxy["access_log"].to_string().contains("wasm.tollgate-tcp:PLAIN"), "{proxy}");
    // also where others begin with TLS: whoever waits for the server says nothing
    assert_eq!(ports(&objects, "mail.example.com"), [(25, "TCP".to_owned()), (465, "TCP".to_owned())]);
    let to = |host: &str| {
        let routes = &named(&objects, "VirtualService", &format!("egress.{host}"))["spec"]["tcp"];
        routes[0]["route"][0]["destination"]["port"]["number"].as_u64().unwrap()
    };
    assert_eq!((to("mail.example.com"), to("db.example.com")), (9444, 9443));
    let subsets = &named(&objects, "DestinationRule", "egress")["spec"]["subsets"];
    let of_mail = subsets.as_array().unwrap().iter().find(|subset| subset["name"] == "s25-mail-example-com").unwrap();
    assert_eq!(of_mail["trafficPolicy"]["portLevelSettings"][0]["port"]["number"], 9444);
    let network = named(&objects, "NetworkPolicy", "egress-gateway");
    let taken = network["spec"]["ingress"][0]["ports"].as_array().unwrap().iter();
    assert_eq!(taken.map(|port| &port["port"]).collect::<Vec<_>>(), [8443, 9443, 9444]);

    assert_eq!(judged(&policy, &carrying()).0, ["TG424"]);
    for (ports, at) in [
        (json!({"http": 8443, "serverFirst": 9444}), "serverFirst"),
        (json!({"http": 8443, "tls": 9443, "serverFirst": 9443}), "ports"),
        (json!({"http": 8443, "tls": 8443}), "ports"),
        (json!({"http": 8443, "tls": 9443, "serverFirst": 0}), "serverFirst"),
    ] {
        let output = Place::new(&policy, &with(carrying(), &[("ports", ports.clone())])).render(&[]);
        assert!(said(&output).contains(at) && output.status.code() == Some(3), "{ports}: {}", said(&output));
    }
}

/// A site whose gateway has one port for everything, and routes for any host.
fn one_port() -> Value {
    with(carrying(), &[("ports", json!({"http": 8443, "all": 9445})), ("routes", json!("catch-all"))])
}

/// The values of the patches of the port for everything.
fn patches_of_one_port(objects: &[Value]) -> Vec<(String, Value)> {
    let patches = named(objects, "EnvoyFilter", "egress-one-port")["spec"]["configPatches"].as_array().unwrap();
    let one = |patch: &Value| (patch["applyTo"].as_str().unwrap().to_owned(), patch["patch"]["value"].clone());
    patches.iter().map(one).collect()
}

#[test]
fn one_port_takes_everything_that_no_object_names() {
    let to =
        json!([{"hosts": ["**.example.com", "a.example.net"]}, {"hosts": ["own.example.com"], "tls": "passthrough"}]);
    let objects = Place::new(&policy(&to), &one_port()).objects_and_findings().0;
    // nothing for each host
    assert!(
        of_kind(&objects, "ServiceEntry")
            .iter()
            .all(|entry| entry["spec"]["hosts"][0].as_str().unwrap().ends_with(".invalid"))
    );
    let sidecar = &of_kind(&objects, "Sidecar")[0]["spec"]["outboundTrafficPolicy"]["egressProxy"];
    assert_eq!(sidecar["port"]["number"], 9445);
    let settings = &named(&objects, "DestinationRule", "egress")["spec"]["trafficPolicy"]["portLevelSettings"];
    let http = json!({"http": {"useClientProtocol": true}});
    let mutual = json!({"mode": "ISTIO_MUTUAL"});
    assert_eq!(settings[1], json!({"port": {"number": 9445}, "connectionPool": http, "tls": mutual}));
    let [http, tcp] =
        ["egress", "egress-connections"].map(|name| &named(&objects, "WasmPlugin", name)["spec"]["pluginConfig"]);
    assert_eq!(http["identity"]["sources"], json!(["peer-certificate", "peer-principal"]));
    assert_eq!(tcp["tcp"], json!({"self": ["gateway.istio-egress.svc.cluster.local"], "rendered": true, "http": true}));
    assert_eq!(tcp.get("identity"), None, "a connection's caller is in its certificate");
    assert_eq!(http["revision"], tcp["revision"]);

    let patches = patches_of_one_port(&objects);
    let named = |kind: &str, name: &str| {
        let found = patches.iter().find(|(of, value)| of == kind && value["name"] == name);
        found.map(|(_, value)| value).unwrap_or_else(|| panic!("no {kind} {name}"))
    };
    for name in ["tollgate-http", "tollgate-dynamic-443"] {
        assert_eq!(named("LISTENER", name)["internal_listener"], json!({}));
        let address =
            &named("CLUSTER", name)["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"];
        assert_eq!(address, &json!({"envoy_internal_address": {"server_listener_name": name}}));
    }
    let crossing = &named("NETWORK_FILTER", "tollgate.principal")["typed_config"]["on_new_connection"][0];
    assert_eq!(crossing["object_key"], "io.istio.peer_principal");
    assert_eq!(crossing["factory_key"], "envoy.hashable_string", "else one caller gets the connection of another");

    let chain = named("LISTENER", "tollgate-dynamic-443")["filter_chains"][0]["filters"].as_array().unwrap();
    let refused = &chain[0]["typed_config"]["dns_cache_config"]["resolved_address_filter"]["ranges"];
    assert!(refused.as_array().unwrap().len() > 20, "{refused}");
    assert_eq!(
        named("CLUSTER", "tollgate-dynamic-tls")["cluster_type"]["typed_config"]["dns_cache_config"],
        chain[0]["typed_config"]["dns_cache_config"]
    );
}

/// HTTP behind the port is held by all that holds it behind the port for HTTP.
#[test]
fn http_behind_the_port_for_everything_has_the_walls_of_the_other() {
    for api in ["istio", "gateway"] {
        let mut site = one_port();
        site["gateways"][0]["api"] = json!(api);
        site["istio"]["pathNormalization"] = json!("DECODE_AND_MERGE_SLASHES");
        let objects = Place::new(&policy(&json!([{"hosts": ["**"]}])), &site).objects_and_findings().0;
        let objects = objects.as_slice();
        let patches = patches_of_one_port(objects);
        let (_, listener) = patches.iter().find(|(_, value)| value["name"] == "tollgate-http").unwrap();
        let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
        let names: Vec<&str> =
            manager["http_filters"].as_array().unwrap().iter().map(|filter| filter["name"].as_str().unwrap()).collect();
        let (own, walls) = names.split_first().unwrap();
        assert!(own.starts_with("extensions.istio.io/trafficextension/istio-egress.egress"), "{own}");
        // what is patched into the other's chain before the router
        let all = of_kind(objects, "EnvoyFilter").into_iter();
        let all = all.flat_map(|filter| filter["spec"]["configPatches"].as_array().unwrap());
        let patched = all.filter(|patch| patch["applyTo"] == "HTTP_FILTER").map(|patch| &patch["patch"]["value"]);
        for filter in patched {
            let own = manager["http_filters"].as_array().unwrap().iter().find(|own| own["name"] == filter["name"]);
            assert_eq!(own, Some(filter), "{api}");
        }
        assert_eq!(walls.last(), Some(&"envoy.filters.http.router"));
        assert_eq!((&walls[0], &walls[1]), (&"tollgate.routes", &"tollgate.tripwire"));
        assert!(manager["rds"]["route_config_name"].as_str().unwrap().starts_with("https.8443."));
        assert_eq!(manager["forward_client_cert_details"], "SANITIZE");
        assert_eq!((&manager["merge_slashes"], &manager["normalize_path"]), (&json!(true), &json!(true)));
        assert_eq!(manager["path_with_escaped_slashes_action"], "UNESCAPE_AND_FORWARD");
        assert!(manager["local_reply_config"]["mappers"].as_array().unwrap().len() == 2);
        assert_eq!(manager["http2_protocol_options"]["max_concurrent_streams"], 1_024);
    }
}

#[test]
fn what_names_no_host_needs_an_object_behind_one_port_too() {
    for (to, code) in [
        (json!({"hosts": ["*.example.com"], "tls": "passthrough"}), None),
        (json!({"hosts": ["*.example.com"], "tls": "passthrough", "ports": [8443]}), Some("TG401")),
        (json!({"hosts": ["*.example.com"], "ports": [5432]}), Some("TG401")),
        (json!({"cidrs": ["192.0.2.0/24"], "tls": "passthrough"}), Some("TG402")),
    ] {
        let codes = judged(&policy(&json!([to])), &one_port()).0;
        assert_eq!(codes.iter().find(|code| *code != "TG423").map(String::as_str), code, "{to}");
    }
    let objects =
        Place::new(&policy(&json!([{"hosts": ["db.example.com"], "ports": [5432]}])), &one_port()).objects(&[]);
    let routes = &named(&objects, "VirtualService", "egress.db.example.com")["spec"]["tcp"];
    assert_eq!(routes[0]["route"][0]["destination"]["port"]["number"], 9445);
    let forbidden = with(one_port(), &[("envoyFilter", json!("forbidden"))]);
    assert!(judged(&policy(&json!([{"hosts": ["a.example.com"]}])), &forbidden).0.contains(&"TG409".to_owned()));
    let mut old = one_port();
    old["istio"]["version"] = json!("1.30");
    assert!(judged(&policy(&json!([{"hosts": ["a.example.com"]}])), &old).0.contains(&"TG422".to_owned()));
}

#[test]
fn one_log_takes_the_records_of_both_filters() {
    let render = |site: &Value| {
        let place = Place::new(&policy(&json!([{"hosts": ["db.example.com"], "ports": [443, 5432]}])), site);
        place.render(&["-o", "out"]);
        let read = |file: &str| std::fs::read_to_string(place.path("out/patches").join(file)).ok();
        (read("mesh-config.yaml").unwrap_or_default(), read("mesh-config-dns.yaml"))
    };
    let (log, dns) = render(&carrying());
    assert!(log.contains("COALESCE") && log.contains("wasm.tollgate:PLAIN") && log.contains("wasm.tollgate-tcp:PLAIN"));
    assert!(dns.unwrap().contains("ISTIO_META_DNS_CAPTURE"));
}

#[test]
fn a_site_that_cannot_carry_says_so() {
    let passthrough = json!([{"hosts": ["a.example.com"], "tls": "passthrough"}]);
    let database = json!([{"hosts": ["db.example.com"], "ports": [5432]}]);
    for (to, code) in [(&passthrough, "TG403"), (&database, "TG424")] {
        assert_eq!(judged(&policy(to), &site()).0, [code]);
        assert_eq!(judged(&policy(to), &carrying()).0, Vec::<String>::new());
    }
    let forbidden = with(carrying(), &[("envoyFilter", json!("forbidden"))]);
    assert!(judged(&policy(&passthrough), &forbidden).0.contains(&"TG409".to_owned()));
    let unpinned = with(site(), &[("ports", json!({"http": 8443, "tls": 9443}))]);
    assert_eq!(judged(&policy(&passthrough), &unpinned).0, ["TG413"]);
    for (key, value) in [("image", json!("oci://x")), ("digest", json!("sha256:1"))] {
        let mut wrong = carrying();
        wrong["module"]["tcp"] = json!({key: value});
        let output = Place::new(&policy(&passthrough), &wrong).render(&[]);
        assert!(
            said(&output).contains(&format!("module.tcp.{key}")) || said(&output).contains(key),
            "{}",
            said(&output)
        );
        assert_ne!(output.status.code(), Some(0));
    }
}
