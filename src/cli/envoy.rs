//! What an Envoy has to be told about Tollgate, wherever it runs.

use serde_json::{Value, json};

/// Where the filter leaves its record (Envoy puts `wasm.` in front).
const RECORD: &str = "wasm.tollgate";
/// Where the filter for connections leaves its record.
const TCP_RECORD: &str = "wasm.tollgate-tcp";
/// Where the filter leaves the name of the cluster that it judged: a String, and empty where no cluster was chosen.
pub const ROUTE_KEY: &str = "wasm.tollgate_route";
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

/// The same rules, which also demand that the request goes where it was judged to go: a change of headers behind the judging has
/// Envoy choose the route anew. What cannot be compared is refused.
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

/// `xds.cluster_name == filter_state["wasm.tollgate_route"] || !has(xds.cluster_name) && filter_state["wasm.tollgate_route"] == ""`,
/// parsed: RBAC takes nothing else. Asking for the route has Envoy choose it, so that it is the one that will be used.
fn is_route_judged() -> Value {
    let name = |name: &str| json!({"ident_expr": {"name": name}});
    let text = |text: &str| json!({"const_expr": {"string_value": text}});
    let call = |function: &str, args: Vec<Value>| json!({"call_expr": {"function": function, "args": args}});
    let cluster = json!({"select_expr": {"operand": name("xds"), "field": "cluster_name"}});
    let has_cluster = json!({"select_expr": {"operand": name("xds"), "field": "cluster_name", "test_only": true}});
    let judged = call("_[_]", vec![name("filter_state"), text(ROUTE_KEY)]);
    let is_same = call("_==_", vec![cluster, judged.clone()]);
    let is_none = call("_&&_", vec![call("!_", vec![has_cluster]), call("_==_", vec![judged, text("")])]);
    call("_||_", vec![is_same, is_none])
}
