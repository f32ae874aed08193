//! Output of `tollgate render`. The lab (tests/mesh) shows that Kubernetes and Istio take it, and that it does what it
//! should.

mod connections;
mod walls;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use tollgate::decision::{Authorizer, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, Presented, Source};

const NOW: Timestamp = Timestamp(1_782_864_000_000_000_000);

/// A policy and a site, in a folder of their own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(policy: &Value, site: &Value) -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        place.save("policy.json", policy);
        place.save("site.json", site);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn save(&self, name: &str, value: &Value) {
        fs::write(self.path(name), value.to_string()).unwrap();
    }

    fn render(&self, more: &[&str]) -> Output {
        self.run("render", more)
    }

    fn run(&self, command: &str, more: &[&str]) -> Output {
        let mut tollgate = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        tollgate.current_dir(self.folder.path()).args([command, "policy.json", "--site", "site.json"]).args(more);
        tollgate.output().unwrap()
    }

    /// The objects; the rendering is fine, or the test fails.
    fn objects(&self, more: &[&str]) -> Vec<Value> {
        let output = self.render(&[&["--format", "json"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        items(&output)
    }

    /// The objects, whatever is said besides.
    fn objects_and_findings(&self) -> (Vec<Value>, String) {
        let output = self.render(&["--format", "json"]);
        (items(&output), said(&output))
    }
}

/// The objects of a rendering in JSON.
fn items(output: &Output) -> Vec<Value> {
    let list: Value = serde_json::from_slice(&output.stdout).map_err(|_| said(output)).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A digest that is of no image, and no placeholder.
const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// The codes of the findings, in the order in which they were shown.
fn codes(output: &Output) -> Vec<String> {
    let said = said(output);
    let titles = said.lines().filter_map(|line| line.split_once("[TG"));
    titles.filter_map(|(_, rest)| rest.split_once("]: ")).map(|(code, _)| format!("TG{code}")).collect()
}

fn site() -> Value {
    json!({
        "site": 1,
        "istio": {"version": "1.31"},
        "gateways": [{
            "name": "egress", "api": "istio", "namespace": "istio-egress", "selector": {"istio": "egressgateway"},
            "service": "gateway.istio-egress.svc.cluster.local", "ports": {"http": 8443},
        }],
        "module": {"image": "registry.example/tollgate:1", "digest": DIGEST},
        "workloadNamespaces": ["payments"],
    })
}

fn with(mut site: Value, changes: &[(&str, Value)]) -> Value {
    for (key, value) in changes {
        site["gateways"][0][*key] = value.clone();
    }
    site
}

fn policy(to: &Value) -> Value {
    json!({"version": 1, "name": "shop", "rules": [{"id": "r", "from": [{"serviceAccount": "payments/checkout"}], "to": to}]})
}

fn of_kind<'o>(objects: &'o [Value], kind: &str) -> Vec<&'o Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn plugin(objects: &[Value]) -> &Value {
    &of_kind(objects, "WasmPlugin").first().unwrap()["spec"]
}

/// Decision of a policy about a GET of the checkout.
fn decide(policy: &Value, host: &str, path: &str) -> &'static str {
    let policy = Policy::load(policy.to_string().as_bytes()).unwrap();
    let headers = [(":authority", host), (":method", "GET"), (":path", path)];
    let mut arrival = Arrival::from_headers(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let id = b"spiffe://cluster.local/ns/payments/sa/checkout";
    arrival.identity = Some(Presented { source: Source::PeerCertificate, id });
    Authorizer::new(&policy).decide(&arrival, NOW, &mut Scratch::default()).decision.reason.as_str()
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let place = Place::new(&policy(&json!([{"hosts": ["b.example.com", "a.example.com"]}])), &site());
    let first = place.render(&[]);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert_eq!(first.stdout, place.render(&[]).stdout);
    for folder in ["one", "two"] {
        assert!(place.render(&["-o", folder]).status.success());
    }
    let names: BTreeSet<_> = walkdir::WalkDir::new(place.path("one"))
        .into_iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(place.path("one")).unwrap().to_owned())
        .collect();
    assert!(names.len() > 6, "{names:?}");
    for name in names {
        assert_eq!(fs::read(place.path("one").join(&name)).unwrap(), fs::read(place.path("two").join(&name)).unwrap());
    }
}

#[test]
fn the_streams_documents_are_the_objects() {
    let place = Place::new(&policy(&json!([{"hosts": ["a.example.com"], "paths": ["/{a,b}-*"]}])), &site());
    let text = printed(&place.render(&[]));
    let documents: Vec<Value> =
        text.split("---\n").skip(1).map(|document| serde_saphyr::from_str(document).unwrap()).collect();
    assert_eq!(documents, place.objects(&[]));
}

#[test]
fn the_policy_gets_a_revision_and_the_sites_replicas() {
    let plain = policy(&json!([{"hosts": ["a.example.com"]}]));
    let place = Place::new(&plain, &with(site(), &[("replicas", json!(3))]));
    let objects = place.objects(&[]);
    let config = &plugin(&objects)["pluginConfig"];
    assert_eq!(config["replicas"], 3);
    // RFC 8785 of the policy as it is written
    let form = r#"{"name":"shop","rules":[{"from":[{"serviceAccount":"payments/checkout"}],"id":"r","to":[{"hosts":["a.example.com"]}]}],"version":1}"#;
    let file = place.path("form");
    fs::write(&file, form).unwrap();
    let sum = Command::new("sha256sum").arg(&file).output().unwrap();
    assert_eq!(config["revision"], printed(&sum).get(..12).unwrap());
    assert_eq!(plugin(&objects)["url"], format!("oci://registry.example/tollgate@{DIGEST}"));

    let mut own = plain.clone();
    own["revision"] = json!("mine");
    own["replicas"] = json!(3);
    place.save("policy.json", &own);
    assert_eq!(plugin(&place.objects(&[]))["pluginConfig"]["revision"], "mine");
    own["replicas"] = json!(2);
    place.save("policy.json", &own);
    let output = place.render(&[]);
    assert_eq!((output.status.code(), printed(&output)), (Some(1), String::new()));
    assert!(said(&output).contains("TG412"), "{}", said(&output));
}

#[test]
fn ten_thousand_rules_fit_and_decide_what_they_did() {
    let rules: Vec<Value> = (0..10_000)
        .map(|number| {
            json!({
                "id": format!("rule-{number}"), "from": [{"serviceAccount": "payments/checkout"}],
                "to": [{"hosts": [format!("h{number}.example.com")], "paths": [format!("/v{number}/**")]}],
                "owner": "payments", "reason": format!("because of {number}"), "ticket": "SEC-1",
            })
        })
        .collect();
    let large = json!({"version": 1, "name": "shop", "rules": rules});
    let place = Place::new(&large, &with(site(), &[("routes", json!("catch-all"))]));
    let objects = place.objects(&[]);
    let object = of_kind(&objects, "WasmPlugin")[0];
    assert!(object.to_string().len() < 1 << 20, "{}", object.to_string().len());
    let config = &object["spec"]["pluginConfig"];
    let keys: Vec<&String> = config.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["name", "packed", "revision", "version"]);
    for (host, path) in [("h17.example.com", "/v17/x"), ("h17.example.com", "/v18/x"), ("other.example.com", "/v17/x")]
    {
        assert_eq!(decide(config, host, path), decide(&large, host, path), "{host}{path}");
    }
    let output = Place::new(&large, &site()).render(&["--pack", "never", "--plan"]);
    assert_eq!((output.status.code(), printed(&output)), (Some(1), String::new()));
    assert!(said(&output).contains("TG408"), "{}", said(&output));
}

#[test]
fn what_is_packed_already_is_unpacked_first() {
    let mut policy = policy(&json!([{"hosts": ["a.example.com"]}]));
    policy["rules"][0]["owner"] = json!("payments");
    let place = Place::new(&policy, &site());
    let packed = plugin(&place.objects(&["--pack", "always"]))["pluginConfig"].clone();
    assert!(packed["packed"].as_str().unwrap().starts_with("deflate;"));
    place.save("policy.json", &packed);
    let config = plugin(&place.objects(&[]))["pluginConfig"].clone();
    policy["rules"][0].as_object_mut().unwrap().remove("owner");
    assert_eq!(config["rules"], policy["rules"]);
    assert_eq!(config["revision"], packed["revision"]);
}

#[test]
fn a_route_that_somebody_patched_is_told() {
    for api in ["istio", "gateway"] {
        let place = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &with(site(), &[("api", json!(api))]));
        assert!(place.render(&["-o", "out"]).status.success());
        let routes = place.path("out/routes.yaml");
        let text = fs::read_to_string(&routes).unwrap();
        let told = || codes(&place.render(&["--check", "out"])).iter().filter(|code| *code == "TG428").count();
        assert_eq!(told(), 0, "{api}");
        let patches: &[(&str, &str)] = match api {
            "istio" => &[
                ("    route:\n", "    mirror: {host: b.example.com}\n    route:\n"),
                ("    route:\n", "    rewrite: {uri: /}\n    route:\n"),
                ("attempts: 0", "attempts: 3"),
            ],
            _ => &[("  - backendRefs:\n", "  - retry: {attempts: 3}\n    backendRefs:\n")],
        };
        for (of, by) in patches {
            let patched = text.replacen(of, by, 1);
            assert_ne!(patched, text, "{api}: {of}");
            fs::write(&routes, patched).unwrap();
            assert_eq!(told(), 1, "{api}: {by}");
        }
        // what sends nothing elsewhere is a difference, and no more
        fs::write(&routes, text.replacen("resolution: DNS", "resolution: NONE", 1)).unwrap();
        assert_eq!(told(), 0, "{api}");
    }
}

#[test]
fn a_folder_is_written_compared_and_tidied() {
    let place = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &site());
    let check = || {
        let output = place.render(&["--check", "out"]);
        (output.status.code(), printed(&output))
    };
    assert_eq!(check().0, Some(1));
    assert!(check().1.lines().all(|line| line.starts_with("missing: ")), "{}", check().1);
    assert!(place.render(&["-o", "out"]).status.success());
    assert_eq!(check(), (Some(0), String::new()));

    let routes = place.path("out/routes.yaml");
    let text = fs::read_to_string(&routes).unwrap();
    fs::write(&routes, text.replace("resolution: DNS", "resolution: NONE")).unwrap();
    assert_eq!(check(), (Some(1), "changed: ServiceEntry egress.a.example.com of routes.yaml\n".to_owned()));

    // what is no longer needed goes, and what is not ours stays
    fs::write(place.path("out/own.yaml"), "kind: Own\n").unwrap();
    place.save("site.json", &with(site(), &[("envoyFilter", json!("forbidden"))]));
    place.render(&["-o", "out"]);
    assert!(!place.path("out/tripwire.yaml").exists());
    assert!(place.path("out/own.yaml").exists());
    assert!(text.starts_with(&fs::read_to_string(&routes).unwrap()), "only what patches Envoy is gone");
    let text = fs::read_to_string(&routes).unwrap();

    let mut other = policy(&json!([{"hosts": ["a.example.com"]}]));
    other["name"] = json!("another");
    place.save("policy.json", &other);
    let output = place.render(&["-o", "out"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(said(&output).contains("is of another policy or gateway"), "{}", said(&output));
    assert_eq!(fs::read_to_string(&routes).unwrap(), text);
}

#[test]
fn hosts_are_reached_as_they_are_asked_for() {
    let to = json!([
        {"hosts": ["both.example.com"], "ports": [80, 443, 8443]},
        {"hosts": ["plain.example.com"], "tls": "none"},
    ]);
    let objects = Place::new(&policy(&to), &site()).objects(&[]);
    let entries = of_kind(&objects, "ServiceEntry");
    let ports = |entry: &Value| {
        let ports = entry["spec"]["ports"].as_array().unwrap().iter();
        ports.map(|port| (port["number"].clone(), port["targetPort"].clone())).collect::<Vec<_>>()
    };
    // port 80 with TLS is nothing that anybody asks for; an authority without a port means 443
    assert_eq!(ports(entries[0]), [(json!(80), json!(443)), (json!(8443), Value::Null)]);
    assert_eq!(ports(entries[1]), [(json!(80), Value::Null)]);
    for entry in &entries {
        assert_eq!(entry["spec"]["exportTo"], json!([".", "payments"]));
    }
    let rules = of_kind(&objects, "DestinationRule");
    let settings = |host: &str| {
        let rule = rules.iter().find(|rule| rule["spec"]["host"] == host).unwrap();
        rule["spec"]["trafficPolicy"]["portLevelSettings"].as_array().unwrap().clone()
    };
    for setting in settings("both.example.com") {
        assert_eq!(
            setting["tls"],
            json!({
                "mode": "SIMPLE", "sni": "both.example.com", "subjectAltNames": ["both.example.com"],
                "caCertificates": "system",
            })
        );
    }
    assert_eq!(settings("plain.example.com")[0]["tls"], json!({"mode": "DISABLE"}));
    for service in of_kind(&objects, "VirtualService") {
        for route in service["spec"]["http"].as_array().unwrap() {
            assert_eq!(route["retries"]["attempts"], 0);
        }
    }
}

#[test]
fn names_of_hosts_cannot_meet_and_are_never_too_long() {
    let label = "a".repeat(61);
    let longest = format!("{label}.{label}.{label}.{}.example", "b".repeat(55));
    let almost = format!("{label}.{label}.{label}.{}.example", "c".repeat(55));
    assert!(longest.len() <= 253 && longest.len() > 246);
    let output = Place::new(&policy(&json!([{"hosts": [longest, almost]}])), &site());
    let objects = output.objects(&[]);
    let names = of_kind(&objects, "ServiceEntry").into_iter().map(|entry| entry["metadata"]["name"].as_str().unwrap());
    let names: BTreeSet<&str> = names.filter(|name| *name != "egress-anchor").collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| name.len() <= 253 && name.starts_with("egress.")), "{names:?}");
    assert!(said(&output.render(&["--plan"])).contains("TG406"));
    // so are those that lead to the gateway, which are longer
    output.save("site.json", &with(site(), &[("api", json!("gateway"))]));
    for object in output.objects(&[]) {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(name.len() <= 253, "{name}");
    }
}

#[test]
fn admitted_inner_networks_are_open_by_address_alone() {
    let to = json!([{"cidrs": ["10.1.0.0/16"], "ports": [8443]}]);
    let inside = json!([{"cidrs": ["10.1.0.0/16"], "hosts": ["db.corp.example"]}]);
    let site = with(site(), &[("routes", json!("catch-all")), ("inside", inside)]);
    let place = Place::new(&policy(&to), &site);
    let objects = place.objects(&[]);
    let gateway = of_kind(&objects, "NetworkPolicy")[0];
    let egress = gateway["spec"]["egress"].to_string();
    assert!(
        egress.contains(r#"{"ports":[{"port":8443,"protocol":"TCP"}],"to":[{"ipBlock":{"cidr":"10.1.0.0/16"}}]}"#),
        "{egress}"
    );
}

#[test]
fn what_is_wrong_with_a_site_is_shown_where_it_stands() {
    let rejected = |site: &Value, says: &str| {
        let output = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), site).render(&[]);
        assert_eq!((output.status.code(), printed(&output)), (Some(3), String::new()), "{}", said(&output));
        assert!(said(&output).contains(says), "{}", said(&output));
    };
    let mut wrong = site();
    wrong["gateway"] = json!([]);
    rejected(&wrong, "unknown key `gateway`");
    rejected(&with(site(), &[("selector", json!({}))]), "select every pod");
    rejected(
        &with(site(), &[("service", json!("gateway.other.svc.cluster.local"))]),
        "write the Service of this namespace",
    );
    rejected(&with(site(), &[("name", json!("a.b"))]), "a gateway's name");
    rejected(&with(site(), &[("ports", json!({"http": 0}))]), "0 is no port");
    let mut wrong = site();
    wrong["module"]["digest"] = json!("sha256:abc");
    rejected(&wrong, "a digest is");
    let of_site = |key: &str, value: Value| {
        let mut site = site();
        site[key] = value;
        site
    };
    rejected(&of_site("istio", json!({"version": "2"})), "write a version");
    rejected(&of_site("istio", json!({"version": 1.31})), "expected a string");
    rejected(&of_site("istio", json!({"version": "1.31", "pathNormalization": "base"})), "`BASE`");
    rejected(&of_site("lockdown", json!("workload")), "`workloads`");
    rejected(&of_site("lockDown", json!("workloads")), "did you mean `lockdown`?");
    let mut nobody = of_site("lockdown", json!("workloads"));
    nobody["workloadNamespaces"] = json!([]);
    rejected(&nobody, "there is nobody to lock down");
    rejected(&of_site("caCertificates", json!("corp.pem")), "write `system`");
    rejected(&of_site("maxOverride", json!("24h")), "unknown key `maxOverride`");
    for (ports, says) in [
        (json!({"http": 8443, "also": [8080, 0]}), "0 is no port"),
        (json!({"http": 8443, "proxy": 3128}), "unknown key `proxy`"),
    ] {
        rejected(&with(site(), &[("ports", ports)]), says);
    }
    for (dns, says) in [
        (json!({"namespace": "Openshift"}), "a namespace is"),
        (json!({"ports": []}), "without a port no name is resolved"),
        (json!({"ports": [0]}), "0 is no port"),
        (json!({"cidrs": ["private"]}), "write an address or a network"),
        (json!({"cidrs": ["node-local"]}), "write an address or a network"),
        (json!({"label": {}}), "did you mean `labels`?"),
        (json!({"family": "v4"}), "v4-preferred"),
    ] {
        rejected(&with(site(), &[("dns", dns)]), says);
    }
    for (inside, says) in [
        (json!({"cidrs": [], "hosts": ["a.example"]}), "name the networks"),
        (json!({"cidrs": ["10.0.0.0/8"], "hosts": []}), "name the hosts"),
        (json!({"cidrs": ["10.0.0.1/8"], "hosts": ["a.example"]}), "write an address or a network"),
        (json!({"cidrs": ["10.0.0.0/8"], "hosts": ["https://a.example"]}), "write `a.example`"),
        (json!({"cidrs": ["10.0.0.0/8"], "host": ["a.example"]}), "did you mean `hosts`?"),
    ] {
        rejected(&with(site(), &[("inside", json!([inside]))]), says);
    }

    let mut several = site();
    let mut second = several["gateways"][0].clone();
    second["name"] = json!("second");
    several["gateways"].as_array_mut().unwrap().push(second);
    let place = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &several);
    let output = place.render(&[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(said(&output).contains("egress, second"), "{}", said(&output));
    assert_eq!(place.render(&["--gateway", "second"]).status.code(), Some(0));
}

#[test]
fn lint_reports_a_wrong_site_in_its_format() {
    let place = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &with(site(), &[("selector", json!({}))]));
    let output = place.run("lint", &["--format", "json"]);
    assert_eq!((output.status.code(), said(&output)), (Some(3), String::new()));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["valid"], &report["files"]), (&json!(false), &json!(["site.json"])));
    assert_eq!(report["findings"][0]["pointer"], "gateways[0].selector");
}

#[test]
fn a_policy_that_is_refused_is_never_rendered() {
    let place = Place::new(&json!({"version": 1, "name": "shop", "rules": [{"id": "r"}]}), &site());
    let output = place.render(&["-o", "out"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(!Path::new(&place.path("out")).exists());
}

#[test]
fn what_the_repository_ships_is_what_is_rendered() {
    for overlay in ["sidecar", "gateway-api"] {
        let folder = tollgate_tests::root().join("istio/overlays").join(overlay);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.current_dir(folder).args(["render", "../../policy.yaml", "--site", "site.yaml", "--check", "rendered"]);
        let output = command.output().unwrap();
        // nothing differs, and the one thing to say is that the image is nobody's
        assert_eq!((printed(&output).as_str(), output.status.code()), ("", Some(1)), "{overlay}: {}", said(&output));
        let findings = codes(&output);
        assert_eq!(findings, ["TG413"], "{overlay}: {}", said(&output));
    }
}

#[test]
fn workloads_reach_the_gateway_and_nothing_else() {
    let mut locked = site();
    locked["lockdown"] = json!("workloads");
    let objects = Place::new(&policy(&json!([{"hosts": ["a.example.com"], "ports": [8443]}])), &locked).objects(&[]);
    let policies = of_kind(&objects, "NetworkPolicy");
    let workload = policies.iter().find(|object| object["metadata"]["namespace"] == "payments").unwrap();
    assert_eq!(workload["spec"]["podSelector"], json!({}));
    assert_eq!(workload["spec"]["policyTypes"], json!(["Egress"]));
    let ports = |rule: &Value| {
        rule["ports"].as_array().unwrap().iter().map(|port| port["port"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let egress = workload["spec"]["egress"].as_array().unwrap();
    assert_eq!(egress.iter().map(ports).collect::<Vec<_>>(), [vec![53, 53], vec![15012], vec![8443]]);
    for rule in egress {
        assert!(rule["to"][0].get("namespaceSelector").is_some(), "{rule}");
    }
    let gateway = policies.iter().find(|object| object["metadata"]["namespace"] == "istio-egress").unwrap();
    let out = gateway["spec"]["egress"].as_array().unwrap().last().unwrap();
    assert_eq!(ports(out), [443, 8443]);
    for network in ["10.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32"] {
        assert!(out["to"][0]["ipBlock"]["except"].as_array().unwrap().contains(&json!(network)), "{out}");
    }
    let from = &gateway["spec"]["ingress"][0];
    assert_eq!(ports(from), [8443]);
    assert!(from.to_string().contains(r#""values":["payments"]"#), "{from}");
}

#[test]
fn nobody_is_locked_down_unless_the_site_says_so() {
    let place = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &site());
    for lockdown in [None, Some("none")] {
        let mut site = site();
        if let Some(lockdown) = lockdown {
            site["lockdown"] = json!(lockdown);
        }
        place.save("site.json", &site);
        let objects = place.objects(&[]);
        let policies = of_kind(&objects, "NetworkPolicy");
        assert_eq!(policies.len(), 1, "{policies:?}");
        assert_eq!(policies[0]["metadata"]["namespace"], "istio-egress");
    }
}

#[test]
fn names_are_resolved_where_the_site_says() {
    let dns = json!({"namespace": "openshift-dns", "labels": {"dns": "default"}, "cidrs": ["169.254.20.10"], "ports": [53, 5353]});
    let mut site = with(site(), &[("dns", dns)]);
    site["lockdown"] = json!("workloads");
    let objects = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &site).objects(&[]);
    let policies = of_kind(&objects, "NetworkPolicy");
    assert_eq!(policies.len(), 2);
    for policy in policies {
        let dns = &policy["spec"]["egress"][0];
        let pods = json!({
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}},
            "podSelector": {"matchLabels": {"dns": "default"}},
        });
        assert_eq!(dns["to"], json!([pods, {"ipBlock": {"cidr": "169.254.20.10/32"}}]));
        let port = |protocol: &str, port: u16| json!({"protocol": protocol, "port": port});
        assert_eq!(dns["ports"], json!([port("UDP", 53), port("TCP", 53), port("UDP", 5353), port("TCP", 5353)]));
    }
}

#[test]
fn a_token_stands_in_the_file_of_secrets_alone() {
    let mut policy = policy(&json!([{"hosts": ["a.example.com"]}]));
    policy["tripwire"] =
        json!({"header": "x-egress-guard", "values": ["an-example-of-a-secret", "and-the-one-before-it"]});
    let place = Place::new(&policy, &with(site(), &[("envoyFilter", json!("forbidden"))]));
    assert!(place.render(&["-o", "out"]).status.success());
    let holds =
        |file: &str| fs::read_to_string(place.path("out").join(file)).unwrap().contains("an-example-of-a-secret");
    assert!(holds("secret.yaml"));
    assert!(!place.path("out/plugin.yaml").exists() && !place.path("out/tripwire.yaml").exists());
    for file in ["gateway.yaml", "routes.yaml", "network.yaml", "kustomization.yaml", "patches/mesh-config.yaml"] {
        assert!(!holds(file), "{file}");
    }
}

#[test]
fn the_default_port_is_the_policys() {
    let mut policy = policy(&json!([{"hosts": ["a.example.com"], "ports": [443, 8080]}]));
    policy["authority"] = json!({"defaultPort": 8080});
    let objects = Place::new(&policy, &site()).objects(&[]);
    let ports = &of_kind(&objects, "ServiceEntry")[0]["spec"]["ports"];
    assert_eq!(
        (&ports[0]["number"], &ports[1]["number"], &ports[1]["targetPort"]),
        (&json!(443), &json!(80), &json!(8080))
    );
    let routes = of_kind(&objects, "VirtualService")[0]["spec"]["http"].to_string();
    assert!(routes.contains(r#""regex":"[^:]+(:8080)?""#) && routes.contains(r#""regex":"[^:]+:443""#), "{routes}");
    // one dynamic route goes to 443
    let place = Place::new(&policy, &with(site(), &[("routes", json!("catch-all"))]));
    let output = place.render(&[]);
    assert_eq!((output.status.code(), printed(&output)), (Some(1), String::new()));
    assert!(said(&output).contains("TG409"), "{}", said(&output));
}

#[test]
fn a_large_object_is_told() {
    let rules: Vec<Value> = (0..9_000)
        .map(|number| json!({"id": format!("rule-{number}"), "from": [{"any": true}], "to": [{"hosts": [format!("h{number}.example.com")], "paths": ["/v1/**"]}]}))
        .collect();
    let large = json!({"version": 1, "name": "shop", "rules": rules});
    let place = Place::new(&large, &with(site(), &[("routes", json!("catch-all"))]));
    let plain = place.render(&["--pack", "never", "--plan"]);
    assert_eq!(plain.status.code(), Some(1));
    assert!(said(&plain).contains("TG407"), "{}", said(&plain));
    assert_eq!(place.render(&["--plan"]).status.code(), Some(0));
}

#[test]
fn a_host_has_one_set_of_objects_however_it_is_spelled() {
    let hosts = ["Trace.Agent.Metrics.example.", "trace.agent.metrics.example", "TRACE.agent.metrics.example"];
    for api in ["istio", "gateway"] {
        let mut policy = policy(&json!([{"hosts": hosts}, {"hosts": [hosts[2]], "ports": [8443]}]));
        let again = json!({"id": "again", "from": [{"namespace": "payments"}], "to": [{"destination": "trace"}]});
        policy["rules"].as_array_mut().unwrap().push(again);
        policy["destinations"] = json!({"trace": {"hosts": ["trace.agent.Metrics.example."], "ports": [9443]}});
        let objects = Place::new(&policy, &with(site(), &[("api", json!(api))])).objects(&[]);
        let text = Value::from(objects.clone()).to_string();
        for wrong in ["Trace", "TRACE", "Metrics", "metrics.example.\""] {
            let plugin = ["WasmPlugin", "TrafficExtension"].iter().flat_map(|kind| of_kind(&objects, kind));
            let in_policy: usize = plugin.map(|plugin| plugin.to_string().matches(wrong).count()).sum();
            assert_eq!(text.matches(wrong).count(), in_policy, "{api}: {wrong}");
        }
        let entries: Vec<_> = of_kind(&objects, "ServiceEntry")
            .into_iter()
            .filter(|entry| entry["spec"]["hosts"] == json!(["trace.agent.metrics.example"]))
            .collect();
        assert_eq!(entries.len(), 1);
        let ports = entries[0]["spec"]["ports"].as_array().unwrap().iter();
        let ports: Vec<_> = ports.map(|port| port["number"].as_u64().unwrap()).collect();
        assert_eq!(ports, [80, 8443, 9443]);
    }
}

#[test]
fn a_host_with_plain_http_and_tls_gets_both() {
    let to = json!([{"hosts": ["a.example.com"], "ports": [80], "tls": "none"}, {"hosts": ["a.example.com"], "ports": [443]}]);
    let objects = Place::new(&policy(&to), &site()).objects(&[]);
    let service = of_kind(&objects, "VirtualService")[0]["spec"]["http"].as_array().unwrap();
    let out = |authority: &str| {
        let route = service.iter().find(|route| route["match"][0]["authority"]["regex"] == authority).unwrap();
        route["route"][0]["destination"]["port"]["number"].clone()
    };
    // without a port in its authority a request is for 443, whatever else there is
    let (tls, plain) = (out("[^:]+(:443)?"), out("[^:]+:80"));
    assert_eq!(tls, 80);
    let entry = &of_kind(&objects, "ServiceEntry")[0]["spec"]["ports"];
    let target = |number: &Value| {
        let port = entry.as_array().unwrap().iter().find(|port| port["number"] == *number).unwrap();
        port["targetPort"].clone()
    };
    assert_eq!((target(&tls), target(&plain)), (json!(443), json!(80)));
    let rules = of_kind(&objects, "DestinationRule");
    let rule = rules.iter().find(|rule| rule["spec"]["host"] == "a.example.com").unwrap();
    let mode = |number: &Value| {
        let settings = rule["spec"]["trafficPolicy"]["portLevelSettings"].as_array().unwrap();
        settings.iter().find(|setting| setting["port"]["number"] == *number).unwrap()["tls"]["mode"].clone()
    };
    assert_eq!((mode(&tls), mode(&plain)), (json!("SIMPLE"), json!("DISABLE")));
}

#[test]
fn a_host_is_spoken_to_as_its_caller_or_its_destination_speaks() {
    let mut policy = policy(&json!([{"hosts": ["any.example.com"]}, {"destination": "h2"}, {"destination": "rpc"}]));
    policy["destinations"] = json!({
        "h2": {"hosts": ["h2.example.com"], "ports": [443], "protocol": "http2"},
        "rpc": {"hosts": ["rpc.example.com"], "ports": [50051], "protocol": "grpc", "tls": "none"},
    });
    let objects = Place::new(&policy, &site()).objects(&[]);
    let http = |host: &str| {
        let rules = of_kind(&objects, "DestinationRule");
        let rule = rules.iter().find(|rule| rule["spec"]["host"] == host).unwrap();
        rule["spec"]["trafficPolicy"]["portLevelSettings"][0]["connectionPool"]["http"].clone()
    };
    assert_eq!(http("any.example.com"), json!({"useClientProtocol": true}));
    assert_eq!(http("gateway.istio-egress.svc.cluster.local"), json!({"useClientProtocol": true}));
    for host in ["h2.example.com", "rpc.example.com"] {
        assert_eq!(http(host), json!({"h2UpgradePolicy": "UPGRADE"}), "{host}");
    }
}

#[test]
fn hosts_are_exported_to_those_whose_rules_name_them() {
    let to = |host: &str| json!([{"hosts": [host]}]);
    let rule = |id: &str, from: Value| json!({"id": id, "from": from, "to": to(&format!("{id}.example.com"))});
    let policy = json!({
        "version": 1, "name": "shop",
        "identity": {"trustDomains": ["cluster.local", "other.example"]},
        "workloads": {"ci": [{"serviceAccount": "ci/runner"}, {"namespace": "payments"}]},
        "rules": [
            rule("namespace", json!([{"namespace": "ci"}])),
            rule("account", json!([{"serviceAccount": "payments/checkout"}])),
            rule("own-domain", json!([{"namespace": "ci", "trustDomain": "cluster.local"}])),
            rule("set", json!([{"workloads": "ci"}])),
            rule("any", json!([{"any": true}])),
            rule("spiffe", json!([{"spiffe": "spiffe://cluster.local/ns/ci/sa/x"}])),
            rule("foreign", json!([{"namespace": "ci", "trustDomain": "other.example"}])),
            rule("both", json!([{"namespace": "ci"}])),
            {"id": "both-too", "from": [{"namespace": "frontend"}], "to": to("Both.example.com")},
        ],
    });
    let mut site = site();
    site["workloadNamespaces"] = json!(["payments", "frontend", "ci"]);
    let place = Place::new(&policy, &site);
    let objects = place.objects(&[]);
    let exported = |objects: &[Value], kind: &str, id: &str| {
        let objects = of_kind(objects, kind);
        let host = json!([format!("{id}.example.com")]);
        objects.iter().find(|object| object["spec"]["hosts"] == host).unwrap()["spec"]["exportTo"].clone()
    };
    let all = json!([".", "payments", "frontend", "ci"]);
    for (id, namespaces) in [
        ("namespace", json!([".", "ci"])),
        ("account", json!([".", "payments"])),
        ("own-domain", json!([".", "ci"])),
        ("set", json!([".", "payments", "ci"])),
        ("any", all.clone()),
        ("spiffe", all.clone()),
        ("foreign", all),
        ("both", json!([".", "frontend", "ci"])),
    ] {
        for kind in ["ServiceEntry", "VirtualService"] {
            assert_eq!(exported(&objects, kind, id), namespaces, "{kind} {id}");
        }
    }
    // and the rest goes to the gateway, which says why not
    for namespace in ["payments", "frontend", "ci"] {
        let sidecars = of_kind(&objects, "Sidecar");
        let sidecar = sidecars.iter().find(|sidecar| sidecar["metadata"]["namespace"] == namespace).unwrap();
        let proxy = &sidecar["spec"]["outboundTrafficPolicy"]["egressProxy"];
        assert_eq!(proxy, &json!({"host": "gateway.istio-egress.svc.cluster.local", "port": {"number": 8443}}));
    }
    // with one dynamic route there is nothing to export
    place.save("site.json", &with(site, &[("routes", json!("catch-all"))]));
    let objects = place.objects(&[]);
    assert_eq!(of_kind(&objects, "ServiceEntry").len(), 1);
    assert!(of_kind(&objects, "ServiceEntry")[0]["spec"]["hosts"][0].as_str().unwrap().ends_with(".invalid"));
}

#[test]
fn what_is_rendered_grows_with_hosts_and_namespaces_and_not_with_both() {
    let lines = |namespaces: usize, hosts: usize| {
        let rules: Vec<Value> = (0..hosts)
            .map(|host| {
                json!({"id": format!("r{host}"), "from": [{"namespace": format!("n{}", host % namespaces)}],
                       "to": [{"hosts": [format!("h{host}.example.com")], "ports": [443]}]})
            })
            .collect();
        let mut site = site();
        site["workloadNamespaces"] = (0..namespaces).map(|namespace| json!(format!("n{namespace}"))).collect();
        let policy = json!({"version": 1, "name": "big", "rules": rules});
        let output = Place::new(&policy, &site).render(&["--pack", "always"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        printed(&output).lines().count()
    };
    let (few, many) = (lines(2, 60), lines(30, 60));
    let each = (many - few) / 28;
    assert!(each <= 40, "{each} lines for each namespace more");
}

/// Renders, and gives the codes and the exit code.
fn judged(policy: &Value, site: &Value) -> (Vec<String>, Option<i32>, String) {
    let output = Place::new(policy, site).render(&[]);
    (codes(&output), output.status.code(), printed(&output))
}

#[test]
fn what_a_site_cannot_do_is_said_and_nothing_is_rendered() {
    let plain = policy(&json!([{"hosts": ["a.example.com"]}]));
    let with_version = |version: &str, changes: &[(&str, Value)]| {
        let mut site = with(site(), changes);
        site["istio"]["version"] = json!(version);
        site
    };
    let catch_all = ("routes", json!("catch-all"));
    let inside = ("inside", json!([{"cidrs": ["10.20.0.0/24"], "hosts": ["**.corp.example"]}]));
    for (site, expected) in [
        (with_version("1.26.9", &[]), "TG422"),
        (with_version("1.30.2", std::slice::from_ref(&catch_all)), "TG422"),
        (with_version("1.30", &[inside]), "TG422"),
        (with_version("1.30", &[("ports", json!({"http": 8443, "tls": 9443}))]), "TG422"),
        (with(site(), &[("inside", json!([{"cidrs": ["10.20.0.0/24"], "hosts": ["**"]}]))]), "TG426"),
        (with(site(), &[("inside", json!([{"cidrs": ["10.20.0.0/24"], "hosts": ["*.co.uk"]}]))]), "TG426"),
        (with(site(), &[("inside", json!([{"cidrs": ["10.20.0.0/24"], "hosts": ["**.amazonaws.com"]}]))]), "TG426"),
        (with(site(), &[("inside", json!([{"cidrs": ["private"], "hosts": ["**.corp.example"]}]))]), "TG426"),
        (with(site(), &[("inside", json!([{"cidrs": ["0.0.0.0/0"], "hosts": ["**.corp.example"]}]))]), "TG426"),
        (with(site(), &[("inside", json!([{"cidrs": ["127.0.0.1"], "hosts": ["**.corp.example"]}]))]), "TG426"),
        (with(site(), &[("inside", json!([{"cidrs": ["169.254.0.0/16"], "hosts": ["**.corp.example"]}]))]), "TG426"),
    ] {
        let (codes, code, out) = judged(&plain, &site);
        assert!(codes.iter().all(|code| code == expected) && !codes.is_empty(), "{expected}: {codes:?} {site}");
        assert_eq!((code, out), (Some(1), String::new()), "{site}");
        assert_eq!(Place::new(&plain, &site).run("lint", &[]).status.code(), Some(1), "{site}");
    }
    let (codes, code, _) = judged(&plain, &with(site(), &[("api", json!("waypoint"))]));
    assert!(codes.contains(&"TG409".to_owned()), "{codes:?}");
    assert_eq!(code, Some(1));
    for site in [with_version("1.27", &[]), with_version("1.31.2", &[catch_all]), with_version("1.40", &[])] {
        assert_eq!(judged(&plain, &site).1, Some(0), "{site}");
    }
}

#[test]
fn ports_that_speak_no_http_are_no_routes() {
    let list = [
        21, 22, 23, 25, 110, 143, 389, 465, 587, 636, 993, 995, 1433, 1521, 2049, 3306, 5432, 5671, 5672, 6379, 9042,
        9092, 11211, 27017,
    ];
    for routes in ["listed", "catch-all"] {
        let site = with(site(), &[("routes", json!(routes))]);
        for port in list {
            let place = Place::new(&policy(&json!([{"hosts": ["db.example.com"], "ports": [443, port]}])), &site);
            let output = place.render(&[]);
            assert_eq!((output.status.code(), printed(&output)), (Some(1), String::new()), "{port}");
            assert!(said(&output).contains("error[TG424]"), "{port}: {}", said(&output));
            let output = place.run("lint", &[]);
            assert_eq!(output.status.code(), Some(1));
            assert!(said(&output).contains("warning[TG424]"), "{port}: {}", said(&output));
        }
        let speaking = |protocol: &str| {
            let mut policy = policy(&json!([{"destination": "d"}]));
            policy["destinations"] = json!({"d": {"hosts": ["d.example.com"], "ports": [9092], "protocol": protocol}});
            judged(&policy, &site).0
        };
        assert_eq!(speaking("http"), Vec::<String>::new());
        for protocol in ["tcp", "kafka", "postgres"] {
            assert_eq!(speaking(protocol), ["TG424"], "{protocol}");
        }
    }
}

#[test]
fn a_gateway_has_as_many_ports_as_it_can_hold() {
    let policy = |ports: usize| {
        let ports: Vec<usize> = (0..ports).map(|number| 20_000 + number).collect();
        policy(&json!([{"hosts": ["a.example.com"], "ports": ports}]))
    };
    assert_eq!(judged(&policy(64), &site()).1, Some(0));
    let (codes, code, out) = judged(&policy(65), &site());
    assert_eq!((codes, code, out), (vec!["TG425".to_owned()], Some(1), String::new()));
    let also = with(site(), &[("ports", json!({"http": 8443, "also": [8080]})), ("routes", json!("catch-all"))]);
    assert_eq!(judged(&policy(64), &also).0, ["TG425"]);
    let objects = Place::new(&policy(1), &also).objects(&[]);
    let anchor = &of_kind(&objects, "ServiceEntry")[0]["spec"]["ports"];
    let ports: Vec<_> = anchor.as_array().unwrap().iter().map(|port| port["number"].as_u64().unwrap()).collect();
    assert_eq!(ports, [80, 8080, 20_000]);
}

#[test]
fn ranges_are_rendered_port_by_port_and_any_is_what_the_site_says() {
    let policy = |ports: &Value| policy(&json!([{"hosts": ["a.example.com"], "ports": ports}]));
    assert_eq!(judged(&policy(&json!(["20000-20063"])), &site()).1, Some(0));
    assert_eq!(judged(&policy(&json!(["20000-20064"])), &site()).0, ["TG425"]);
    assert_eq!(judged(&policy(&json!([443, "20000-30000"])), &site()).0, ["TG425", "TG424"]);
    assert_eq!(judged(&policy(&json!("any")), &site()).0, ["TG425"]);
    let also = with(site(), &[("ports", json!({"http": 8443, "also": [8080]})), ("routes", json!("catch-all"))]);
    assert_eq!(judged(&policy(&json!("any")), &also).0, Vec::<String>::new());
    let objects = Place::new(&policy(&json!("any")), &also).objects(&[]);
    let anchor = &of_kind(&objects, "ServiceEntry")[0]["spec"]["ports"];
    let ports: Vec<_> = anchor.as_array().unwrap().iter().map(|port| port["number"].as_u64().unwrap()).collect();
    assert_eq!(ports, [80, 8080]);
}

#[test]
fn what_of_a_policy_a_site_does_not_carry_is_warned_of() {
    let catch_all = || with(site(), &[("routes", json!("catch-all"))]);
    let outside = json!({"version": 1, "name": "shop", "workloads": {"set": [{"namespace": "vault"}]}, "rules": [
        {"id": "a", "from": [{"namespace": "payments"}, {"serviceAccount": "vault/x"}, {"namespace": "vault"}], "to": [{"hosts": ["a.example.com"]}]},
        {"id": "b", "from": [{"workloads": "set"}], "to": [{"hosts": ["a.example.com"]}]},
    ]});
    assert_eq!(judged(&outside, &site()).0, ["TG420", "TG420"]);
    let mut everybody = site();
    everybody["workloadNamespaces"] = json!([]);
    assert_eq!(judged(&outside, &everybody).0, Vec::<String>::new());

    let mut dry = policy(&json!([{"hosts": ["a.example.com"]}]));
    dry["mode"] = json!("dry-run");
    assert_eq!((judged(&dry, &site()).0, judged(&dry, &catch_all()).0), (vec!["TG421".to_owned()], vec![]));
    dry["mode"] = json!("enforce");
    dry["dryRunFor"] = json!([{"namespace": "payments"}]);
    assert_eq!((judged(&dry, &site()).0, judged(&dry, &catch_all()).0), (vec!["TG421".to_owned()], vec![]));

    let mut zeros = site();
    zeros["module"]["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
    let plain = policy(&json!([{"hosts": ["a.example.com"]}]));
    let (codes, code, out) = judged(&plain, &zeros);
    assert_eq!((codes, code, out.is_empty()), (vec!["TG413".to_owned()], Some(1), false));
}

#[test]
fn a_wildcard_wants_a_quota_that_holds_the_cache_of_names() {
    let site = with(site(), &[("routes", json!("catch-all"))]);
    let mut policy = policy(&json!([{"hosts": ["**.example.com", "*.example.org"], "ports": [443]}]));
    assert_eq!(judged(&policy, &site).0, ["TG423", "TG423"]);
    for (quota, is_held) in [
        (json!({"limit": {"requests": 1000, "per": "1m"}}), true),
        (json!({"limit": {"requests": 1001, "per": "1m"}}), false),
        (json!({"limit": {"requests": 10, "per": "1s", "burst": 1400}}), true),
        (json!({"limit": {"requests": 10, "per": "1s", "burst": 1401}}), false),
        (json!({"limit": {"requests": 1000, "per": "minute"}}), true),
        (json!({"limit": {"requests": 1900, "per": "hour"}}), true),
        (json!({"limit": {"requests": 2100, "per": "day"}}), false),
        (json!({"limit": {"requests": 10, "per": "1s"}, "by": ["namespace"]}), true),
        (json!({"limit": {"requests": 10, "per": "1s"}, "by": []}), false),
        (json!({"limit": {"requests": 10, "per": "1s"}, "by": ["identity", "destination"]}), false),
        (json!({"limit": {"requests": 10, "per": "1s"}, "mode": "dry-run"}), false),
        (json!({"limit": {"bytesOut": "1MiB", "per": "1s"}}), false),
        (json!({"limit": {"requests": 10, "per": "1s"}, "from": [{"any": true}]}), true),
        (json!({"limit": {"requests": 10, "per": "1s"}, "from": [{"namespace": "payments"}]}), true),
        (json!({"limit": {"requests": 10, "per": "1s"}, "from": [{"serviceAccount": "payments/checkout"}]}), true),
        (json!({"limit": {"requests": 10, "per": "1s"}, "from": [{"namespace": "ci"}]}), false),
        (
            json!({"limit": {"requests": 10, "per": "1s"}, "to": [{"hosts": ["**.example.com", "**.example.org"]}]}),
            true,
        ),
        (json!({"limit": {"requests": 10, "per": "1s"}, "to": [{"hosts": ["**"]}]}), true),
        (json!({"limit": {"requests": 10, "per": "1s"}, "to": [{"hosts": ["**"], "methods": ["GET"]}]}), false),
        (json!({"limit": {"requests": 10, "per": "1s"}, "to": [{"hosts": ["**"], "ports": [80]}]}), false),
    ] {
        let mut quota = quota;
        quota["id"] = json!("q");
        policy["quotas"] = json!([quota]);
        assert_eq!(judged(&policy, &site).0.is_empty(), is_held, "{quota}");
    }
    // one of the two
    policy["quotas"] =
        json!([{"id": "q", "limit": {"requests": 10, "per": "1s"}, "to": [{"hosts": ["**.example.com"]}]}]);
    assert_eq!(judged(&policy, &site).0, ["TG423"]);
    // by listed names nobody makes up any
    let policy = self::policy(&json!([{"hosts": ["a.example.com"]}]));
    assert_eq!(judged(&policy, &site).0, Vec::<String>::new());
}

#[test]
fn what_a_rule_admits_and_the_walls_refuse_is_said() {
    let catch_all = with(site(), &[("routes", json!("catch-all"))]);
    let reach = |to: Value, deny: Value, site: &Value| {
        let mut policy = policy(&json!([to]));
        policy["deny"] = json!([deny]);
        judged(&policy, site).0
    };
    let nothing = json!({"id": "d", "to": [{"hosts": ["x.example"]}]});
    let private = json!({"id": "d", "to": [{"cidrs": ["private"]}, {"hosts": ["localhost"]}]});
    for (to, is_refused) in [
        (json!({"cidrs": ["10.20.0.5"], "ports": [443]}), true),
        (json!({"cidrs": ["0.0.0.0/0"], "ports": [443]}), true),
        (json!({"hosts": ["localhost"], "ports": [443]}), true),
        (json!({"hosts": ["a.localhost"], "ports": [443]}), true),
        (json!({"cidrs": ["203.0.113.0/24"], "ports": [443]}), false),
    ] {
        let expected = if is_refused { vec!["TG427"] } else { vec![] };
        assert_eq!(reach(to.clone(), nothing.clone(), &catch_all), expected, "{to}");
        if to["hosts"][0] != "a.localhost" {
            assert_eq!(reach(to.clone(), private.clone(), &catch_all), Vec::<String>::new(), "{to}");
        }
    }
    let inside = json!([{"cidrs": ["10.20.0.0/24"], "hosts": ["git.corp.example"]}]);
    let inside = with(catch_all, &[("inside", inside)]);
    assert_eq!(reach(json!({"cidrs": ["10.20.0.5"], "ports": [443]}), nothing, &inside), Vec::<String>::new());
}

#[test]
fn what_applying_cuts_and_what_comes_first_is_said_last() {
    let mut site = site();
    site["lockdown"] = json!("workloads");
    site["workloadNamespaces"] = json!(["payments", "frontend"]);
    let place = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &site);
    let cut = "- payments, frontend reach nothing but DNS, istiod and the gateway\n";
    let first = "- apply patches/mesh-config.yaml (whoever operates Istio, in the MeshConfig: the format of the gateway's access log): without it decisions are made, and none is recorded\n";
    for arguments in [&["--plan"][..], &["-o", "out"]] {
        let said = printed(&place.render(arguments));
        let end = said.split_once("\nfirst\n").unwrap().1;
        assert!(end.starts_with(first) && end.contains(cut), "{said}");
    }
    let plan: Value = serde_json::from_slice(&place.render(&["--plan", "--format", "json"]).stdout).unwrap();
    assert_eq!(format!("- {}\n", plan["cuts"][0].as_str().unwrap()), cut);
    assert!(plan["first"][0].as_str().unwrap().starts_with("apply patches/mesh-config.yaml"));
    site["lockdown"] = json!("none");
    place.save("site.json", &site);
    let said = printed(&place.render(&["--plan"]));
    assert!(!said.contains("reach nothing but DNS, istiod and the gateway\n"), "{said}");
    assert!(said.contains("payments, frontend send what no Service"), "{said}");
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_symbolic_link() {
    use std::os::unix::fs::symlink;
    let place = Place::new(&policy(&json!([{"hosts": ["a.example.com"]}])), &site());
    let precious = place.path("precious");
    let elsewhere = place.path("elsewhere");
    let refused = |arguments: &[&str], link: &str| {
        let output = place.render(arguments);
        assert_eq!((output.status.code(), printed(&output)), (Some(64), String::new()), "{link}");
        assert!(said(&output).contains(&format!("`{link}` is a symbolic link")), "{}", said(&output));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        assert!(!place.path("dangling").exists());
    };
    fs::write(&precious, "precious").unwrap();
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(place.path("out")).unwrap();

    symlink(&precious, place.path("out/plugin.yaml")).unwrap();
    refused(&["-o", "out"], "out/plugin.yaml");
    fs::remove_file(place.path("out/plugin.yaml")).unwrap();
    symlink(place.path("dangling"), place.path("out/routes.yaml")).unwrap();
    refused(&["-o", "out"], "out/routes.yaml");
    fs::remove_file(place.path("out/routes.yaml")).unwrap();
    symlink(&elsewhere, place.path("out/patches")).unwrap();
    refused(&["-o", "out"], "out/patches");
    fs::remove_file(place.path("out/patches")).unwrap();
    assert_eq!(fs::read_dir(place.path("out")).unwrap().count(), 0, "nothing is written before all is looked at");
    symlink(&elsewhere, place.path("folder")).unwrap();
    refused(&["-o", "folder"], "folder");
    refused(&["-o", "folder/"], "folder");
    // the name of the file that takes another's place is no way through either
    symlink(&precious, place.path("out/.plugin.yaml.new")).unwrap();
    assert_eq!(place.render(&["-o", "out"]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert!(place.path("out/plugin.yaml").is_file() && !place.path("out/.plugin.yaml.new").exists());
}

#[cfg(unix)]
#[test]
fn a_secret_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let mut policy = policy(&json!([{"hosts": ["a.example.com"]}]));
    policy["tripwire"] = json!({"header": "x-egress-guard", "values": ["an-example-of-a-secret"]});
    let place = Place::new(&policy, &site());
    let file = place.path("out/secret.yaml");
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert!(place.render(&["-o", "out"]).status.success());
    assert_eq!(mode(), 0o600);
    // one that was open is closed, though nothing in it changes
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(place.render(&["-o", "out"]).status.success());
    assert_eq!(mode(), 0o600);
}
