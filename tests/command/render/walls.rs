//! Walls: the rendered objects that keep a request on the way to where it was judged to go.

use crate::render::{Place, of_kind, policy, said, site, with};
use serde_json::{Value, json};

fn catch_all() -> Value {
    with(site(), &[("routes", json!("catch-all"))])
}

fn render(to: &Value, site: &Value) -> Vec<Value> {
    Place::new(&policy(to), site).objects_and_findings().0
}

/// The patches of one EnvoyFilter.
fn patches<'o>(objects: &'o [Value], name: &str) -> &'o Vec<Value> {
    let filters = of_kind(objects, "EnvoyFilter");
    let filter = filters.iter().find(|filter| filter["metadata"]["name"] == name).unwrap();
    filter["spec"]["configPatches"].as_array().unwrap()
}

fn values<'p>(patches: &'p [Value], apply_to: &str) -> Vec<&'p Value> {
    patches.iter().filter(|patch| patch["applyTo"] == apply_to).map(|patch| &patch["patch"]["value"]).collect()
}

fn named<'v>(values: &[&'v Value], name: &str) -> &'v Value {
    values.iter().find(|value| value["name"] == name).ok_or(name).unwrap()
}

fn prefixes(filter: &Value) -> Vec<String> {
    let ranges = filter["ranges"].as_array().unwrap().iter();
    ranges.map(|range| format!("{}/{}", range["address_prefix"].as_str().unwrap(), range["prefix_len"])).collect()
}

fn exact() -> Value {
    json!([{"hosts": ["a.example.com"]}])
}

#[test]
fn routes_of_other_namespaces_are_not_taken() {
    let objects = render(&exact(), &site());
    assert_eq!(of_kind(&objects, "Gateway")[0]["spec"]["servers"][0]["hosts"], json!(["./*"]));
    let objects = render(&exact(), &with(site(), &[("api", json!("gateway"))]));
    let gateway = &of_kind(&objects, "Gateway")[0]["spec"];
    assert_eq!(gateway["listeners"][0]["allowedRoutes"], json!({"namespaces": {"from": "Same"}}));
}

#[test]
fn nothing_passes_a_chain_without_http_on_whatever_port() {
    let objects = render(&exact(), &site());
    let all = patches(&objects, "egress-tripwire");
    let before = |name: &str| {
        let is = |patch: &&Value| {
            patch["applyTo"] == "NETWORK_FILTER"
                && patch["patch"]["operation"] == "INSERT_BEFORE"
                && patch["match"]["listener"]["filterChain"]["filter"]["name"] == name
        };
        all.iter().find(is).unwrap_or_else(|| panic!("nothing stands before {name}"))
    };
    for protocol in ["tcp", "redis", "mongo", "mysql"] {
        let patch = before(&format!("envoy.filters.network.{protocol}_proxy"));
        assert!(!patch["match"].to_string().contains("portNumber"), "{patch}");
        let rules = &patch["patch"]["value"]["typed_config"]["rules"];
        assert_eq!(rules["action"], "ALLOW");
        assert!(rules.to_string().contains("wasm.tollgate-tcp"), "{rules}");
    }
    // and nothing is connected to before the first byte was looked at
    let waits = |objects: &[Value]| {
        patches(objects, "egress-tripwire").iter().any(|patch| patch.to_string().contains("ON_DOWNSTREAM_DATA"))
    };
    assert!(waits(&objects));
    let mut older = site();
    older["istio"]["version"] = json!("1.30");
    assert!(!waits(&render(&exact(), &older)));
}

#[test]
fn a_header_tripwire_is_a_denial_which_nothing_else_opens() {
    let mut policy = policy(&exact());
    let values = json!(["an-example-of-a-secret", "and-the-one-before-it"]);
    policy["tripwire"] = json!({"header": "x-egress-guard", "values": values});
    let objects = Place::new(&policy, &with(site(), &[("envoyFilter", json!("forbidden"))])).objects(&[]);
    let spec = &of_kind(&objects, "AuthorizationPolicy")[0]["spec"];
    assert_eq!(spec["action"], "DENY");
    let [guarded, closed] = spec["rules"].as_array().unwrap().as_slice() else { panic!("{spec}") };
    assert_eq!(guarded["to"], json!([{"operation": {"ports": ["8443"]}}]));
    assert_eq!(guarded["when"], json!([{"key": "request.headers[x-egress-guard]", "notValues": values}]));
    assert_eq!(closed, &json!({"to": [{"operation": {"notPorts": ["8443"]}}]}));
    for service in of_kind(&objects, "VirtualService") {
        let out = service["spec"]["http"].as_array().unwrap().last().unwrap();
        let removed = out["headers"]["request"]["remove"].as_array().unwrap();
        assert!(removed.contains(&json!("x-egress-guard")) && removed.contains(&json!("x_egress_guard")), "{out}");
    }
}

#[test]
fn every_route_out_removes_what_tells_of_the_mesh_or_means_another_host() {
    let mut policy = policy(&json!([{"hosts": ["a.example.com"]}, {"hosts": ["plain.example.com"], "tls": "none"}]));
    policy["requestHeaders"] = json!({"remove": ["X-Internal-Token"], "keep": ["x-forwarded-for"]});
    for (site, kind) in [
        (site(), "VirtualService"),
        (catch_all(), "VirtualService"),
        (with(site(), &[("api", json!("gateway"))]), "HTTPRoute"),
        (with(catch_all(), &[("api", json!("gateway"))]), "HTTPRoute"),
    ] {
        let objects = Place::new(&policy, &site).objects_and_findings().0;
        let mut routes = 0;
        for object in of_kind(&objects, kind) {
            let (key, path) = if kind == "HTTPRoute" {
                ("rules", "/filters/0/requestHeaderModifier/remove")
            } else {
                ("http", "/headers/request/remove")
            };
            // what leads into the gateway leaves them to it
            let out = object["spec"][key].as_array().unwrap().iter().filter_map(|route| route.pointer(path));
            for removed in out {
                let removed: Vec<&str> =
                    removed.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
                for name in [
                    "x-forwarded-client-cert",
                    "x-forwarded-host",
                    "x-host",
                    "x-original-host",
                    "forwarded",
                    "x-internal-token",
                ] {
                    assert!(removed.contains(&name), "{name}: {removed:?}");
                }
                assert!(!removed.contains(&"x-forwarded-for"), "{removed:?}");
                assert!(kind == "VirtualService" || removed.len() <= 16, "{removed:?}");
                routes += 1;
            }
        }
        assert!(routes > 0, "{kind}");
        if kind == "HTTPRoute" {
            let all = values(patches(&objects, "egress-once"), "HTTP_ROUTE")[0].to_string();
            assert!(all.contains("x-envoy-retry-on") && all.contains("x-internal-token"), "{all}");
        }
    }
}

#[test]
fn the_gateways_pods_are_reached_on_the_rendered_ports_alone() {
    for lockdown in ["none", "workloads"] {
        let mut site = site();
        site["lockdown"] = json!(lockdown);
        let objects = render(&exact(), &site);
        let policies = of_kind(&objects, "NetworkPolicy");
        let gateway = policies.iter().find(|policy| policy["metadata"]["namespace"] == "istio-egress").unwrap();
        let [calls, metrics] = gateway["spec"]["ingress"].as_array().unwrap().as_slice() else { panic!("{gateway}") };
        assert_eq!(calls["ports"], json!([{"port": 8443, "protocol": "TCP"}]));
        let system = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}}}]);
        assert_eq!(metrics["from"], system);
    }
}

#[test]
fn an_inner_address_is_refused_in_every_form_in_filter_cluster_and_network() {
    let objects = render(&json!([{"hosts": ["**"]}]), &catch_all());
    let all = patches(&objects, "egress-dynamic");
    let cluster = named(&values(all, "CLUSTER"), "tollgate-dynamic");
    let of_cluster = &cluster["cluster_type"]["typed_config"]["dns_cache_config"];
    let of_filter = &named(&values(all, "HTTP_FILTER"), "tollgate.dynamic")["typed_config"]["dns_cache_config"];
    assert_eq!(of_cluster, of_filter, "Envoy refuses a cache that is not the same in both");
    let refused = prefixes(&of_cluster["resolved_address_filter"]);
    for range in [
        "10.0.0.0/8",
        "::a00:0/104",
        "::ffff:10.0.0.0/104",
        "::ffff:0:a00:0/104",
        "64:ff9b::a00:0/104",
        "2002:a00::/24",
        "64:ff9b:1::/48",
        "2001::/32",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "64:ff9b::a9fe:0/112",
        "fc00::/7",
    ] {
        assert!(refused.iter().any(|refused| refused == range), "{range}: {refused:?}");
    }
    let network = &of_kind(&objects, "NetworkPolicy")[0]["spec"]["egress"];
    let public = network.as_array().unwrap().iter().find(|rule| rule.to_string().contains("0.0.0.0/0")).unwrap();
    let excepted: Vec<&Value> =
        public["to"].as_array().unwrap().iter().flat_map(|to| to["ipBlock"]["except"].as_array().unwrap()).collect();
    let is_mapped = |range: &&String| range.starts_with("::ffff:") && range.contains('.');
    assert!(!excepted.iter().any(|range| is_mapped(&&range.as_str().unwrap().to_owned())), "Kubernetes refuses them");
    for range in refused.iter().filter(|range| !is_mapped(range)) {
        assert!(excepted.contains(&&json!(range)), "{range}: {excepted:?}");
    }
    // a look-up asks for what was decided about, and for nothing longer
    let resolver = &of_cluster["typed_dns_resolver_config"];
    assert_eq!(resolver["typed_config"]["dns_resolver_options"], json!({"no_default_search_domain": true}));
    assert_eq!((&of_cluster["max_hosts"], &of_cluster["host_ttl"]), (&json!(65_536), &json!("60s")));
}

#[test]
fn addresses_are_asked_for_as_the_site_says() {
    for (family, lookup) in [(None, "V4_PREFERRED"), (Some("v6-only"), "V6_ONLY"), (Some("all"), "ALL")] {
        let dns = family.map_or(json!({}), |family| json!({"family": family}));
        let objects = render(&json!([{"hosts": ["**"]}]), &with(catch_all(), &[("dns", dns)]));
        let clusters = values(patches(&objects, "egress-dynamic"), "CLUSTER");
        for cluster in clusters {
            let cache = &cluster["cluster_type"]["typed_config"]["dns_cache_config"];
            assert_eq!(cache["dns_lookup_family"], lookup);
        }
    }
}

#[test]
fn names_that_may_lead_inside_have_a_way_of_their_own_and_lead_nowhere_else() {
    let inside =
        json!([{"cidrs": ["10.20.0.0/24"], "hosts": ["**.corp.example", "*.one.example", "db.partner.example"]}]);
    let objects = render(&json!([{"hosts": ["**"]}]), &with(catch_all(), &[("inside", inside)]));
    let all = patches(&objects, "egress-dynamic");
    let cluster = named(&values(all, "CLUSTER"), "tollgate-dynamic-inside");
    let refused = prefixes(&cluster["cluster_type"]["typed_config"]["dns_cache_config"]["resolved_address_filter"]);
    assert!(refused.contains(&"::/0".to_owned()) && refused.contains(&"128.0.0.0/1".to_owned()), "{refused:?}");
    assert!(
        refused.contains(&"10.20.1.0/24".to_owned()) && !refused.contains(&"10.20.0.0/24".to_owned()),
        "{refused:?}"
    );
    assert_eq!(refused.len(), 24 + 1, "{refused:?}");
    // each route has its own look-up, and no other
    for merged in values(all, "HTTP_ROUTE") {
        let own = merged["route"]["cluster"].as_str().unwrap().replacen('-', ".", 1);
        let off = merged["typed_per_filter_config"].as_object().unwrap();
        assert_eq!(off.len(), 2, "{merged}");
        assert!(!off.contains_key(&own) && off.values().all(|filter| filter["disabled"] == true), "{merged}");
    }
    let routes = of_kind(&objects, "VirtualService")[0]["spec"]["http"].as_array().unwrap();
    let order: Vec<&str> = routes.iter().map(|route| route["name"].as_str().unwrap()).collect();
    assert_eq!(order, ["tollgate-dynamic-literal", "tollgate-dynamic-inside", "tollgate-dynamic"]);
    let authority = routes[1]["match"][0]["authority"]["regex"].as_str().unwrap();
    assert_eq!(authority, r"(?i)(.+\.corp\.example|[^.]+\.one\.example|db\.partner\.example)\.?(:[0-9]+)?");
    // and the gateway may go there
    let network = of_kind(&objects, "NetworkPolicy")[0].to_string();
    assert!(network.contains(r#""to":[{"ipBlock":{"cidr":"10.20.0.0/24"}}]"#), "{network}");
}

#[test]
fn inner_addresses_are_for_rules_that_name_them() {
    let to = json!([{"cidrs": ["10.1.0.0/16"], "ports": [8443]}, {"hosts": ["**"]}]);
    for mode in ["enforce", "dry-run"] {
        let mut policy = policy(&to);
        policy["mode"] = json!(mode);
        let objects = Place::new(&policy, &catch_all()).objects_and_findings().0;
        let filters = values(patches(&objects, "egress-dynamic"), "HTTP_FILTER");
        let rules = &named(&filters, "tollgate.addresses")["typed_config"]["rules"];
        assert_eq!(rules["action"], "DENY");
        let policy = rules["policies"]["tollgate-address-inside"].to_string();
        let named = r#"{"not_rule":{"or_rules":{"rules":[{"matcher":{"name":"envoy.rbac.matchers.upstream_ip_port","typed_config":{"@type":"type.googleapis.com/envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher","upstream_ip":{"address_prefix":"10.1.0.0","prefix_len":16}}}}]}}}"#;
        assert!(policy.contains(named), "{policy}");
        assert!(policy.contains(r#"{"address_prefix":"64:ff9b:1::","prefix_len":48}"#), "{policy}");
        // it stands behind the look-ups, which say where a request goes
        let last = filters.last().unwrap();
        assert_eq!(last["name"], "tollgate.addresses");
    }
}

#[test]
fn refusals_of_envoy_itself_look_like_tollgates() {
    let mut policy = policy(&exact());
    policy["response"] = json!({"docsUrl": "https://wiki.example/100%25"});
    let place = Place::new(&policy, &site());
    let mappers = |objects: &[Value]| {
        let all = patches(objects, "egress-tripwire").iter();
        let merged = all.map(|patch| &patch["patch"]["value"]["typed_config"]["local_reply_config"]["mappers"]);
        merged.filter_map(Value::as_array).next().unwrap().clone()
    };
    let found = mappers(&place.objects(&[]));
    let header = |mapper: &Value| mapper["headers_to_add"][0]["header"].clone();
    assert_eq!(header(&found[0]), json!({"key": "x-egress-denied", "value": "ADDRESS_INSIDE"}));
    assert_eq!(header(&found[1]), json!({"key": "x-egress-denied", "value": "ROUTE_MISMATCH"}));
    for mapper in &found {
        assert_eq!(mapper["status_code"], 403);
        let body = &mapper["body_format_override"]["json_format"];
        assert_eq!((&body["error"], &body["policy"]), (&json!("egress_denied"), &json!("shop")));
        // an address may hold what formats take for a command
        assert_eq!(body["docs"], "https://wiki.example/100%%25");
    }
    policy["response"] = json!({"detail": "none"});
    place.save("policy.json", &policy);
    assert_eq!(mappers(&place.objects(&[]))[0]["body_format_override"]["text_format_source"]["inline_string"], "");
}

#[test]
fn connections_and_streams_have_limits() {
    let objects = render(&exact(), &site());
    let text = patches(&objects, "egress-limits").iter().map(ToString::to_string).collect::<String>();
    assert!(text.contains(r#""max_concurrent_streams":1024"#) && text.contains(r#""max_connections":10000"#), "{text}");
    // without EnvoyFilter there are Envoy's own
    let place = Place::new(&policy(&exact()), &with(site(), &[("envoyFilter", json!("forbidden"))]));
    assert!(of_kind(&place.objects_and_findings().0, "EnvoyFilter").is_empty());
}

#[test]
fn hosts_have_clusters_that_no_other_object_can_be_mistaken_for() {
    let to =
        json!([{"hosts": ["a.example.com"], "ports": [443, 8443]}, {"hosts": ["plain.example.com"], "tls": "none"}]);
    for (api, route) in
        [("istio", "tollgate.out|8443|a.example.com"), ("gateway", "istio-egress.egress.a.example.com.1")]
    {
        let objects = render(&to, &with(site(), &[("api", json!(api))]));
        let all = patches(&objects, "egress.a.example.com");
        let cluster = named(&values(all, "CLUSTER"), "tollgate.out|8443|a.example.com");
        let address = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"];
        assert_eq!(address, &json!({"socket_address": {"address": "a.example.com", "port_value": 8443}}));
        let tls = &cluster["transport_socket"]["typed_config"];
        assert_eq!(tls["sni"], "a.example.com");
        let validation = &tls["common_tls_context"]["combined_validation_context"];
        assert_eq!(validation["validation_context_sds_secret_config"]["name"], "file-root:system");
        assert!(validation.to_string().contains(r#"{"matcher":{"exact":"a.example.com"},"san_type":"DNS"}"#), "{tls}");
        let is_of_route = |patch: &&Value| {
            patch["applyTo"] == "HTTP_ROUTE" && patch["match"].to_string().contains(&format!(r#""name":"{route}""#))
        };
        let into = all.iter().find(is_of_route).unwrap();
        // a route of the same name of another Gateway on these pods is not led there
        let listener = match api {
            "istio" => "istio-egress/egress",
            _ => "istio-egress/egress~istio-autogenerated-k8s-gateway~https-mesh",
        };
        assert_eq!(into["match"]["routeConfiguration"]["gateway"], listener);
        assert_eq!(into["patch"]["value"], json!({"route": {"cluster": "tollgate.out|8443|a.example.com"}}));
        let plain = values(patches(&objects, "egress.plain.example.com"), "CLUSTER")[0];
        assert_eq!(
            (&plain["name"], plain.get("transport_socket")),
            (&json!("tollgate.out|80|plain.example.com"), None)
        );
    }
    let objects = render(&to, &site());
    let service = of_kind(&objects, "VirtualService")[0];
    assert!(service.to_string().contains(r#""name":"tollgate.out|8443|a.example.com""#), "{service}");
    // without them, what proves no name is not rendered
    let mut policy = policy(&to);
    policy["tripwire"] = json!({"header": "x-egress-guard", "values": ["an-example-of-a-secret"]});
    let output = Place::new(&policy, &with(site(), &[("envoyFilter", json!("forbidden"))])).render(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("TG429"), "{}", said(&output));
}

#[test]
fn requests_go_where_they_were_decided_to_go() {
    let mut policy = policy(&exact());
    policy["authority"] = json!({"verifyRoute": "off"});
    let place = Place::new(&policy, &site());
    let objects = place.objects_and_findings().0;
    let bound = &of_kind(&objects, "WasmPlugin")[0]["spec"]["pluginConfig"];
    assert_eq!(bound["authority"], json!({"verifyRoute": "host"}));
    assert_eq!(bound["requestHeaders"], json!({"by": "routes"}));
    // the filter behind compares what was judged with what is used, and lets nothing pass that it cannot compare
    let http = values(patches(&objects, "egress-tripwire"), "HTTP_FILTER");
    let rules = &named(&http, "tollgate.tripwire")["typed_config"]["rules"];
    assert_eq!(rules["action"], "ALLOW");
    let condition = rules["policies"]["decided-by-tollgate"]["condition"].to_string();
    assert!(condition.contains("wasm.tollgate_route") && condition.contains("cluster_name"), "{condition}");
    assert!(condition.contains("startsWith"), "{condition}");
    let foreign = &named(&http, "tollgate.routes")["typed_config"]["rules"];
    assert_eq!(foreign["action"], "DENY");
    assert!(foreign["policies"]["tollgate-route"]["condition"].to_string().contains("startsWith"), "{foreign}");
    // more headers than a rule of the Gateway API removes, and no EnvoyFilter: the filter removes them
    let many: Vec<String> = (0..12).map(|number| format!("x-internal-{number}")).collect();
    policy["requestHeaders"] = json!({"remove": many});
    policy["tripwire"] = json!({"header": "x-egress-guard", "values": ["an-example-of-a-secret"]});
    let place = Place::new(&policy, &with(site(), &[("api", json!("gateway")), ("envoyFilter", json!("forbidden"))]));
    let output = place.render(&["--format", "json"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(r#""verifyRoute": "host""#) && !text.contains(r#""by": "routes""#), "{}", said(&output));
}
