//! What an Envoy has to be told about Tollgate, wherever it runs.

use serde_json::{Value, json};

/// Where the filter leaves its record (Envoy puts `wasm.` in front).
const RECORD: &str = "wasm.tollgate";
/// The key under which the filter for connections leaves its record.
const TCP_RECORD: &str = "wasm.tollgate-tcp";
/// The key under which the filter leaves the name of the cluster that it judged: a String, and empty where no cluster was chosen.
pub const ROUTE_KEY: &str = "wasm.tollgate_route";
/// The beginning of every rendered cluster's name. Istio's own do not, whatever another namespace calls its hosts.
const OWN: &str = "tollgate";
/// The policy that refuses routes to other clusters, as response-code details name it.
pub const ROUTE_POLICY: &str = "tollgate-route";
/// The policy that refuses addresses of the inside, as response-code details name it.
pub const ADDRESS_INSIDE_POLICY: &str = "tollgate-address-inside";

/// Labels of Tollgate's metrics. They travel in the metrics' names, from which Envoy takes those that it is told of.
pub const METRIC_LABELS: [&str; 9] =
    ["decision", "reason", "rule", "caller_namespace", "destination", "quota", "result", "override", "layer"];

/// Rules of Envoy's RBAC filter that let through only what carries the record of a filter that decided to let it through.
/// Behind Tollgate they never refuse anything; without Tollgate they refuse everything.
pub fn tripwire() -> Value {
    json!({"action": "ALLOW", "policies": {DECIDED: {"permissions": [{"any": true}], "principals": let_through(RECORD)}}})
}

/// Rules that refuse, under a name of their own, what is led into a cluster that nobody rendered: a Gateway of another namespace
/// on these pods has routes of its own, and an older ServiceEntry there makes a cluster that is called after a host of the policy.
/// The tripwire demands the same, so that nothing passes where this cannot be evaluated.
pub fn foreign_routes() -> Value {
    let policy = json!({
        "permissions": [{"any": true}], "principals": [{"any": true}], "condition": call("!_", vec![is_own_cluster()]),
    });
    json!({"action": "DENY", "policies": {ROUTE_POLICY: policy}})
}

/// The tripwire's rules, which also demand that the request goes where it was judged to go, and to a cluster that was rendered: a
/// change of headers behind the judging has Envoy choose the route anew. What cannot be compared is refused.
pub fn bound_tripwire() -> Value {
    let mut rules = tripwire();
    if let Some(policy) = rules.pointer_mut("/policies/decided-by-tollgate").and_then(Value::as_object_mut) {
        policy.insert("condition".to_owned(), is_route_judged());
    }
    rules
}

/// The same for connections without HTTP.
pub fn network_tripwire() -> Value {
    let policy = json!({"permissions": [{"any": true}], "principals": let_through(TCP_RECORD)});
    json!({"action": "ALLOW", "policies": {DECIDED: policy}})
}

const DECIDED: &str = "decided-by-tollgate";

/// Principals whose record begins as that of something that was let through.
fn let_through(key: &str) -> Vec<Value> {
    let outcomes = ["allow", "would-deny"].into_iter();
    let prefixes = outcomes.map(|outcome| format!(r#"{{"v":1,"d":"{outcome}""#));
    prefixes.map(|prefix| json!({"filter_state": {"key": key, "string_match": {"prefix": prefix}}})).collect()
}

/// `C == J && C.startsWith("tollgate") || !has(C) && J == ""`, where `C` is `xds.cluster_name` and `J` is
/// `filter_state["wasm.tollgate_route"]`, parsed: RBAC takes nothing else. Asking for the route has Envoy choose it, so that it is
/// the one that will be used.
fn is_route_judged() -> Value {
    let has_cluster = json!({"select_expr": {"operand": name("xds"), "field": "cluster_name", "test_only": true}});
    let judged = call("_[_]", vec![name("filter_state"), text(ROUTE_KEY)]);
    let is_same = call("_&&_", vec![call("_==_", vec![cluster(), judged.clone()]), is_own_cluster()]);
    let is_none = call("_&&_", vec![call("!_", vec![has_cluster]), call("_==_", vec![judged, text("")])]);
    call("_||_", vec![is_same, is_none])
}

/// `xds.cluster_name.startsWith("tollgate")`.
fn is_own_cluster() -> Value {
    json!({"call_expr": {"target": cluster(), "function": "startsWith", "args": [text(OWN)]}})
}

fn cluster() -> Value {
    json!({"select_expr": {"operand": name("xds"), "field": "cluster_name"}})
}

fn name(name: &str) -> Value {
    json!({"ident_expr": {"name": name}})
}

fn text(text: &str) -> Value {
    json!({"const_expr": {"string_value": text}})
}

fn call(function: &str, args: Vec<Value>) -> Value {
    json!({"call_expr": {"function": function, "args": args}})
}
