//! Checks of a mesh. They run in this order; each leaves the gateways as it found them.

use super::grpc;
use super::lab::{LISTED, Lab, OPEN, push, push_with};
use super::pod::Pod;
use super::process::wait;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tollgate_local::wire::Response;

pub type Check = fn(&Lab);

/// Functions under their own names.
macro_rules! checks {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}
pub(crate) use checks;

pub const ALL: &[(&str, Check)] = checks![
    allowed_with_its_record,
    no_internal_header_gets_out,
    another_port_and_plain_http,
    a_host_in_another_spelling_arrives,
    a_grpc_call_arrives_and_its_trailers_come_back,
    denied_by_identity_host_path_and_method,
    a_dry_run_lets_through_and_records,
    denied_by_quota,
    servers_that_cannot_prove_their_name,
    servers_whose_certificate_has_a_wildcard,
    any_host_that_the_policy_names,
    any_address_that_the_policy_names,
    a_denied_name_is_never_resolved,
    names_of_inner_addresses_are_refused,
    objects_are_accepted_and_analysed,
    what_the_repository_ships_is_accepted,
    callers_are_kept_out_by_the_gateway_too,
    what_is_invalid_is_refused,
    a_policy_updated_under_load,
    a_bad_policy_leaves_the_last_good_one,
    an_image_updated_under_load_keeps_quotas,
    a_moved_tag_moves_only_what_is_not_pinned,
    an_image_that_is_not_there_lets_nothing_through,
    what_is_said_of_an_image_is_listed_by_the_registry,
    a_registry_that_is_down_lets_nothing_through,
    a_deleted_plugin_shuts_the_gateway,
    a_wrong_selector_shuts_the_gateway,
    a_header_shuts_the_gateway_too,
];

pub const PATIENCE: Duration = Duration::from_secs(60);
const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";

pub fn is_ok(answer: &Response) -> bool {
    answer.status == 200
}

pub fn reason(answer: &Response) -> Value {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body["reason"].clone()
}

fn allowed_with_its_record(lab: &Lab) {
    let answer = lab.checkout.until("GET", "api.ext.example", "/v1/allowed", is_ok);
    assert_eq!(answer.header("x-origin"), Some(b"reached".as_slice()));
    let record = lab.listed.record("/v1/allowed");
    assert_eq!(record["d"], "allow");
    assert_eq!(record["rule"], "checkout-charges");
    assert_eq!(record["id"], CHECKOUT);
    assert_eq!(record["src"], "peer-certificate");
    let line = lab.listed.logged("/v1/allowed");
    assert_eq!(line["egress.upstream.connected"], "203.0.113.10:443");
}

/// Names of headers that tell of the mesh, whoever adds them.
const INTERNAL: [&str; 7] =
    ["x-forwarded-client-cert", "x-forwarded-for", "x-envoy-", "x-istio-", "x-b3-", "cluster.local", "10.244."];

fn no_internal_header_gets_out(lab: &Lab) {
    let listed = lab.checkout.until("GET", "api.ext.example", "/v1/headers", is_ok);
    let plain = lab.checkout.until("GET", "plain.ext.example", "/headers", is_ok);
    let open = lab.batch.until("GET", "new.any.example", "/v1/headers", is_ok);
    for answer in [listed, plain, open] {
        let sent = String::from_utf8_lossy(&answer.body).to_lowercase();
        for header in INTERNAL {
            assert!(!sent.contains(header), "{header} got out: {sent}");
        }
    }
}

fn another_port_and_plain_http(lab: &Lab) {
    lab.checkout.until("POST", "api.ext.example:8443", "/v1/port", is_ok);
    assert_eq!(lab.listed.record("/v1/port")["port"], 8443);
    assert_eq!(lab.listed.logged("/v1/port")["egress.upstream.connected"], "203.0.113.10:8443");
    let answer = lab.checkout.until("GET", "plain.ext.example", "/plain", is_ok);
    assert_eq!(lab.listed.record("/plain")["port"], 80);
    let head = String::from_utf8_lossy(&answer.body).to_lowercase();
    assert!(head.contains("host: plain.ext.example\r\n"), "{head}");
}

fn a_host_in_another_spelling_arrives(lab: &Lab) {
    for (pod, gateway, spelling, host) in [
        (&lab.checkout, &lab.listed, "api.ext.example.", "api.ext.example"),
        (&lab.checkout, &lab.listed, "API.Ext.example", "api.ext.example"),
        (&lab.batch, &lab.open, "new.any.example.", "new.any.example"),
    ] {
        let path = format!("/v1/spelled-{spelling}");
        let answer = pod.until("GET", spelling, &path, is_ok);
        let sent = String::from_utf8_lossy(&answer.body).to_lowercase();
        assert!(sent.contains(&format!("host: {host}\r\n")), "{spelling}: {sent}");
        assert_eq!(gateway.record(&path)["host"], host);
    }
}

fn a_grpc_call_arrives_and_its_trailers_come_back(lab: &Lab) {
    for (pod, gateway) in [(&lab.checkout, &lab.listed), (&lab.batch, &lab.open)] {
        wait("an answer of a gRPC server", PATIENCE, || {
            let end = pod.call("grpc.ext.example", "/v1/Call").map_err(|error| error.to_string())?;
            // what a refusal of the gateway has in its headers comes behind the data
            let is_served = end.whole && end.has_trailers && end.data == grpc::MESSAGE.len();
            if is_served { Ok(()) } else { Err(format!("{end:?}")) }
        });
        let line = gateway.logged("/v1/Call");
        assert_eq!((&line["egress.protocol"], &line["http.response.status_code"]), (&"HTTP/2".into(), &200.into()));
        assert_eq!(gateway.record("/v1/Call")["host"], "grpc.ext.example");
    }
}

fn denied_by_identity_host_path_and_method(lab: &Lab) {
    let denied = [
        (&lab.web, "GET", "api.ext.example", "/v1/by-identity"),
        (&lab.checkout, "GET", "api.ext.example", "/v2/by-path"),
        (&lab.checkout, "DELETE", "api.ext.example", "/v1/by-method"),
        (&lab.checkout, "GET", "api.ext.example", "/v1/%2e%2e/by-form"),
    ];
    for (pod, method, host, path) in denied {
        let answer = pod.ask(method, host, path);
        assert_eq!(answer.status, 403, "{method} {host}{path}");
        let record = lab.listed.record(path.rsplit('/').next().unwrap());
        assert_eq!(record["d"], "deny");
        assert_eq!(record["r"], reason(&answer));
    }
    // past the routes of the mesh: whoever talks to the gateway itself is decided about all the same
    let at_host = gateway_asked_by(&lab.checkout, lab, "unlisted.ext.example", "/by-host");
    assert!(at_host.is_err() || at_host.is_ok_and(|answer| answer.status != 200));
}

/// Without the workload's certificate there is no answer: the gateway speaks mTLS only.
fn gateway_asked_by(pod: &Pod, lab: &Lab, host: &str, path: &str) -> std::io::Result<Response> {
    let gateway: SocketAddr = format!("{}:8443", lab.listed.pod.net.address).parse().unwrap();
    pod.ask_at(gateway, "GET", host, path)
}

fn a_dry_run_lets_through_and_records(lab: &Lab) {
    lab.listed.enforce(&lab.cluster, &LISTED.replace("name: listed", "name: listed\nmode: dry-run"));
    lab.web.until("GET", "api.ext.example", "/v1/would-be-denied", is_ok);
    let record = lab.listed.record("/v1/would-be-denied");
    assert_eq!((&record["d"], &record["r"]), (&"would-deny".into(), &"NO_MATCH".into()));
    lab.listed.enforce(&lab.cluster, LISTED);
    lab.web.until("GET", "api.ext.example", "/v1/denied-again", |answer| answer.status == 403);
}

fn denied_by_quota(lab: &Lab) {
    for number in 0..3 {
        lab.checkout.until("GET", "limited.ext.example", &format!("/{number}"), is_ok);
    }
    let answer = lab.checkout.ask("GET", "limited.ext.example", "/one-too-many");
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some());
    let record = lab.listed.record("/one-too-many");
    assert_eq!(record["rule"], "three-an-hour");
    assert_eq!(record["q"][0]["limit"], 3);
}

fn servers_that_cannot_prove_their_name(lab: &Lab) {
    for (pod, host, path) in [
        (&lab.checkout, "wrong.ext.example", "/wrong"),
        (&lab.checkout, "expired.ext.example", "/expired"),
        (&lab.batch, "wrong.ext.example", "/v1/wrong"),
        (&lab.batch, "expired.ext.example", "/v1/expired"),
    ] {
        let answer = pod.until("GET", host, path, |answer| answer.status == 503);
        let said = String::from_utf8_lossy(&answer.body);
        assert!(
            said.contains("CERTIFICATE_VERIFY_FAILED") || said.contains("remote connection failure"),
            "{host}: {said}"
        );
    }
    for line in [lab.listed.logged("/expired"), lab.open.logged("/v1/expired")] {
        assert_eq!(line["egress.upstream.attempts"], 1, "{line}");
    }
    let line = lab.listed.logged("/wrong");
    assert!(line["egress.response_code_details"].as_str().unwrap().contains("CERTIFICATE_VERIFY_FAILED"), "{line}");
}

fn servers_whose_certificate_has_a_wildcard(lab: &Lab) {
    lab.checkout.until("GET", "wildcard.ext.example", "/v1/wildcard", is_ok);
    lab.batch.until("GET", "wildcard.ext.example", "/v1/wildcard", is_ok);
}

fn any_host_that_the_policy_names(lab: &Lab) {
    lab.batch.until("GET", "new.any.example", "/v1/any", is_ok);
    let line = lab.open.logged("/v1/any");
    assert_eq!(line["egress.upstream.connected"], "203.0.113.10:443");
    assert_eq!(lab.open.record("/v1/any")["id"], "spiffe://cluster.local/ns/batch/sa/job");
    // a host more is a line more
    let policy = OPEN.replace("[new.any.example,", "[new.any.example, unlisted.ext.example,");
    lab.open.enforce(&lab.cluster, &policy);
    lab.batch.until("GET", "unlisted.ext.example", "/v1/a-line-more", is_ok);
    lab.open.enforce(&lab.cluster, OPEN);
    lab.batch.until("GET", "unlisted.ext.example", "/v1/a-line-less", |answer| answer.status == 403);
}

fn any_address_that_the_policy_names(lab: &Lab) {
    for address in ["203.0.113.10", "10.244.0.1"] {
        let path = format!("/v1/at-{address}");
        lab.batch.until("GET", address, &path, is_ok);
        assert_eq!(lab.open.record(&path)["host"], address);
    }
    // there, but nobody admits it
    let denied = lab.batch.ask("GET", "203.0.113.11", "/v1/another");
    assert_eq!((denied.status, reason(&denied)), (403, "NO_MATCH".into()));
}

fn a_denied_name_is_never_resolved(lab: &Lab) {
    let lookups = || lab.open.pod.stat("host_added");
    lab.batch.until("GET", "new.any.example", "/v1/resolved", is_ok);
    let before = lookups();
    assert!(before > 0);
    let answer = lab.batch.ask("GET", "denied.any.example", "/v1/unresolved");
    assert_eq!(answer.status, 403);
    assert_eq!(reason(&answer), "NO_MATCH");
    assert_eq!(lookups(), before);
}

fn names_of_inner_addresses_are_refused(lab: &Lab) {
    let answer = lab.batch.until("GET", "inside.any.example", "/v1/inside", |answer| answer.status == 403);
    assert_eq!(reason(&answer), "ADDRESS_INSIDE");
    let line = lab.open.logged("/v1/inside");
    assert!(line["egress.response_code_details"].as_str().unwrap().contains("address_denied"), "{line}");
    let record = lab.open.record("/v1/inside");
    assert_eq!((&record["d"], &record["r"]), (&"deny".into(), &"ADDRESS_INSIDE".into()), "{record}");
}

fn objects_are_accepted_and_analysed(lab: &Lab) {
    let (is_fine, said) = lab.analysis();
    assert!(is_fine, "{said}");
    assert!(!said.contains("Error ["), "{said}");
    for (namespace, name) in
        [("istio-egress", "egress-gateway"), ("payments", "egress-only-way-out"), ("batch", "open-only-way-out")]
    {
        lab.cluster.kubectl(&["get", "networkpolicy", "-n", namespace, name]);
    }
}

/// Folders of `istio/` that need nothing but Kubernetes and Istio.
const SHIPPED: [&str; 5] = ["base", "overlays/sidecar", "overlays/gateway-api", "layers/1-network", "layers/4-gateway"];

fn what_the_repository_ships_is_accepted(lab: &Lab) {
    for folder in SHIPPED {
        let path = tollgate_local::paths::root().join("istio").join(folder);
        let objects = lab.cluster.kubectl(&["kustomize", path.to_str().unwrap()]);
        assert_eq!(lab.cluster.refusal(&objects), None, "{folder}");
        let (is_fine, said) = lab.analysis_of(&objects);
        // an overlay's gateway is called as the lab's is, and its Service has subsets for the hosts of its own policy alone
        let of_the_lab = |line: &str| line.contains("+s") && line.contains("-ext-example");
        let wrong = said.lines().find(|line| line.contains("Error [") && !of_the_lab(line));
        assert!(is_fine || wrong.is_none(), "{folder}: {said}");
    }
}

fn callers_are_kept_out_by_the_gateway_too(lab: &Lab) {
    // a policy that lets in whom it should not
    let open = LISTED.replace("[{serviceAccount: payments/checkout}]", "[{any: true}]");
    lab.listed.enforce(&lab.cluster, &open);
    lab.web.until("GET", "api.ext.example", "/v1/open", is_ok);
    // as it is shipped, checkout is of a known namespace, and web is not
    let path = tollgate_local::paths::root().join("istio/layers/4-gateway/gateway.yaml");
    lab.cluster.apply(&fs::read_to_string(path).unwrap());
    let answer = lab.web.until("GET", "api.ext.example", "/v1/unknown", |answer| answer.status == 403);
    assert_eq!(String::from_utf8_lossy(&answer.body), "RBAC: access denied");
    lab.checkout.until("GET", "api.ext.example", "/v1/known", is_ok);
    lab.cluster.delete("authorizationpolicy", "istio-egress", "known-namespaces");
    lab.cluster.delete("peerauthentication", "istio-egress", "mtls-only");
    lab.listed.enforce(&lab.cluster, LISTED);
    lab.web.until("GET", "api.ext.example", "/v1/unknown", |answer| reason(answer) == "NO_MATCH");
}

fn what_is_invalid_is_refused(lab: &Lab) {
    let plugin = lab.listed.rendered("plugin.yaml");
    assert_eq!(lab.cluster.refusal(&plugin), None);
    for (right, wrong) in
        [("FAIL_RELOAD", "FAIL_NEVER"), ("phase: AUTHZ", "phase: LATER"), ("url: oci://", "url: ftp://")]
    {
        assert!(plugin.contains(right));
        assert!(lab.cluster.refusal(&plugin.replace(right, wrong)).is_some(), "{wrong} was accepted");
    }
}

/// Asks on and on while something is done. Returns all answers.
fn under_load(pod: &Pod, host: &str, work: impl FnOnce()) -> Vec<Response> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = Vec::new();
            while !done.load(Ordering::Relaxed) {
                answers.push(pod.ask("GET", host, "/v1/load"));
            }
            answers
        });
        let stop = Stop(&done);
        work();
        drop(stop);
        asking.join().unwrap()
    })
}

/// Says that it is done, also where something fails.
struct Stop<'d>(&'d AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn a_policy_updated_under_load(lab: &Lab) {
    let answers = under_load(&lab.checkout, "api.ext.example", || {
        lab.listed.enforce(&lab.cluster, &LISTED.replace("[\"/v1/**\"]", "[\"/v1/**\", \"/v2/new\"]"));
        lab.checkout.until("GET", "api.ext.example", "/v2/new", is_ok);
        lab.listed.enforce(&lab.cluster, LISTED);
        lab.checkout.until("GET", "api.ext.example", "/v2/new", |answer| answer.status == 403);
    });
    assert!(answers.len() > 10, "{}", answers.len());
    let wrong = answers.iter().find(|answer| answer.status != 200);
    assert!(wrong.is_none(), "{wrong:?}");
}

fn a_bad_policy_leaves_the_last_good_one(lab: &Lab) {
    let loads = || lab.listed.pod.page("/stats?filter=tollgate_policy_loads");
    let patch = json!({"spec": {"pluginConfig": {"rules": [{"id": "Not An Id"}]}}}).to_string();
    lab.cluster.kubectl(&["patch", "wasmplugin", "egress", "-n", "istio-egress", "--type=merge", "-p", &patch]);
    wait("a rejected policy", PATIENCE, || {
        let page = loads();
        if page.lines().any(|line| line.contains("rejected") && !line.ends_with(": 0")) { Ok(()) } else { Err(page) }
    });
    assert_eq!(lab.checkout.ask("GET", "api.ext.example", "/v1/last-good").status, 200);
    assert_eq!(lab.web.ask("GET", "api.ext.example", "/v1/last-good").status, 403);
    lab.listed.apply(&lab.cluster);
    lab.checkout.until("GET", "api.ext.example", "/v1/good-again", is_ok);
}

/// Writes the filter as other bytes: with one more custom section, which does nothing.
fn variant(lab: &Lab, name: &str) -> PathBuf {
    let mut module = fs::read(tollgate_local::module::HTTP.find_or_build().unwrap()).unwrap();
    let length = u8::try_from(name.len()).unwrap();
    module.extend([0, length.checked_add(1).unwrap(), length]);
    module.extend(name.bytes());
    let file = lab.folder().join(format!("{name}.wasm"));
    fs::write(&file, module).unwrap();
    file
}

const IMAGE: &str = "10.244.0.3:5000/tollgate";

/// Number of images that the gateway has fetched.
fn fetched(lab: &Lab) -> usize {
    lab.listed.pod.log().matches("fetching image").count()
}

fn an_image_updated_under_load_keeps_quotas(lab: &Lab) {
    let before = fetched(lab);
    let digest = push(&format!("oci://{IMAGE}:2"), &variant(lab, "second"));
    let answers = under_load(&lab.checkout, "api.ext.example", || {
        lab.listed.run_image(&lab.cluster, IMAGE, Some(&digest));
        wait("another image", PATIENCE, || {
            let page = lab.listed.pod.page("/config_dump?resource=ecds_filters");
            let hash = digest.trim_start_matches("sha256:");
            if fetched(lab) > before && page.contains(hash) { Ok(()) } else { Err(page) }
        });
    });
    let wrong = answers.iter().find(|answer| answer.status != 200);
    assert!(wrong.is_none(), "{wrong:?}");
    // spent before, and still
    assert_eq!(lab.checkout.ask("GET", "limited.ext.example", "/still-spent").status, 429);
}

fn a_moved_tag_moves_only_what_is_not_pinned(lab: &Lab) {
    let before = fetched(lab);
    push(&format!("oci://{IMAGE}:2"), &variant(lab, "third"));
    lab.listed.enforce(&lab.cluster, &LISTED.replace("[\"/v1/**\"]", "[\"/v1/**\", \"/v2/moved\"]"));
    lab.checkout.until("GET", "api.ext.example", "/v2/moved", is_ok);
    assert_eq!(fetched(lab), before, "what is pinned was fetched anew");
    lab.listed.run_image(&lab.cluster, &format!("{IMAGE}:2"), None);
    wait("the image of the tag", PATIENCE, || {
        if fetched(lab) > before { Ok(()) } else { Err("it was not fetched".to_owned()) }
    });
    lab.listed.enforce(&lab.cluster, LISTED);
    lab.checkout.until("GET", "api.ext.example", "/v2/moved", |answer| answer.status == 403);
}

fn an_image_that_is_not_there_lets_nothing_through(lab: &Lab) {
    let digest = push(&format!("oci://{IMAGE}:1"), &tollgate_local::module::HTTP.find_or_build().unwrap());
    let absent = format!("sha256:{}", "0".repeat(64));
    shuts(lab, "/v1/no-image", || lab.listed.run_image(&lab.cluster, IMAGE, Some(&absent)));
    lab.listed.run_image(&lab.cluster, IMAGE, Some(&digest));
    lab.checkout.until("GET", "api.ext.example", "/v1/image-again", is_ok);
}

fn what_is_said_of_an_image_is_listed_by_the_registry(lab: &Lab) {
    let registry = lab.registry_with_referrers();
    let sbom = lab.folder().join("sbom.json");
    fs::write(&sbom, r#"{"bomFormat": "CycloneDX"}"#).unwrap();
    let module = tollgate_local::module::HTTP.find_or_build().unwrap();
    let digest = push_with(&format!("oci://{}/tollgate:1", registry.address), &module, &[Path::new("--sbom"), &sbom]);
    let listed: Value =
        serde_json::from_slice(&registry.get(&format!("/v2/tollgate/referrers/{digest}")).body).unwrap();
    let own = listed["manifests"][0]["digest"].as_str().unwrap();
    let manifest: Value = serde_json::from_slice(&registry.get(&format!("/v2/tollgate/manifests/{own}")).body).unwrap();
    assert_eq!(manifest["artifactType"], "application/vnd.cyclonedx+json", "{listed}");
    assert_eq!(manifest["subject"]["digest"], digest.as_str());
    // and so no tag has to
    let tag = digest.replace(':', "-");
    assert_eq!(registry.get(&format!("/v2/tollgate/manifests/{tag}")).status, 404);
}

fn a_registry_that_is_down_lets_nothing_through(lab: &Lab) {
    lab.without_registry(|| {
        let mut late = lab.another_gateway("late", "10.244.1.11");
        late.ready();
        let chain = late.page("/config_dump?resource=ecds_filters");
        assert!(chain.contains("envoy.extensions.filters.http.rbac.v3.RBAC"), "{chain}");
        assert!(!chain.contains("envoy.extensions.filters.http.wasm.v3.Wasm"), "{chain}");
    });
}

/// Does something after which the gateway refuses what it let through; the refusal is the proxy's own, and has no
/// record.
fn shuts(lab: &Lab, path: &str, work: impl FnOnce()) {
    let refusals = || lab.listed.pod.log().matches("rbac_access_denied").count();
    let before = refusals();
    work();
    let answer = lab.checkout.until("GET", "api.ext.example", path, |answer| answer.status == 403);
    assert_eq!(String::from_utf8_lossy(&answer.body), "RBAC: access denied");
    wait("the log of the refusal", PATIENCE, || {
        if refusals() > before { Ok(()) } else { Err("there is none".to_owned()) }
    });
    assert_eq!(lab.listed.logged("rbac_access_denied")["egress.record"], Value::Null);
}

fn a_deleted_plugin_shuts_the_gateway(lab: &Lab) {
    shuts(lab, "/v1/deleted", || lab.cluster.delete("wasmplugin", "istio-egress", "egress"));
    lab.listed.apply(&lab.cluster);
    lab.checkout.until("GET", "api.ext.example", "/v1/restored", is_ok);
}

fn a_wrong_selector_shuts_the_gateway(lab: &Lab) {
    let patch = json!({"spec": {"selector": {"matchLabels": {"istio": "nobody"}}}}).to_string();
    shuts(lab, "/v1/unselected", || {
        lab.cluster.kubectl(&["patch", "wasmplugin", "egress", "-n", "istio-egress", "--type=merge", "-p", &patch]);
    });
    lab.listed.apply(&lab.cluster);
    lab.checkout.until("GET", "api.ext.example", "/v1/selected", is_ok);
}

fn a_header_shuts_the_gateway_too(lab: &Lab) {
    let with_header = format!("{LISTED}tripwire: {{header: x-egress-guard, values: [a-secret-of-the-lab]}}\n");
    lab.listed.enforce(&lab.cluster, &with_header);
    lab.cluster.delete("envoyfilter", "istio-egress", "egress-tripwire");
    wait("the header in the chain", PATIENCE, || {
        let page = lab.listed.pod.page("/config_dump");
        let (has_header, has_filter) = (page.contains("x-egress-guard"), page.contains("tollgate.tripwire"));
        if has_header && !has_filter { Ok(()) } else { Err(format!("header {has_header}, filter {has_filter}")) }
    });
    let answer = lab.checkout.until("GET", "api.ext.example", "/v1/guarded", is_ok);
    assert!(!String::from_utf8_lossy(&answer.body).contains("x-egress-guard"));
    shuts(lab, "/v1/unguarded", || lab.cluster.delete("wasmplugin", "istio-egress", "egress"));
    lab.cluster.delete("authorizationpolicy", "istio-egress", "egress-tripwire");
    lab.listed.enforce(&lab.cluster, LISTED);
    lab.checkout.until("GET", "api.ext.example", "/v1/unguarded-again", is_ok);
}
