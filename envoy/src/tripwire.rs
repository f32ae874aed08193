//! Rules of Envoy's RBAC filter that stand behind Tollgate: without its record, nothing passes.

use super::cel::{call, cluster, name, text};
use super::names::{OWN, RECORD, ROUTE_KEY, ROUTE_POLICY, TCP_RECORD};
use crate::type_url;
use serde_json::{Value, json};

/// Envoy's RBAC filter for HTTP, under a name, with these rules.
pub fn filter(name: &str, rules: &Value) -> Value {
    json!({
        "name": name,
        "typed_config": {"@type": type_url("envoy.extensions.filters.http.rbac.v3.RBAC"), "rules": rules},
    })
}

/// Rules of Envoy's RBAC filter that let through only what carries the record of a filter that decided to let it
/// through. Behind Tollgate they never refuse anything; without Tollgate they refuse everything.
pub fn tripwire() -> Value {
    json!({"action": "ALLOW", "policies": {DECIDED: {"permissions": [{"any": true}], "principals": let_through(RECORD)}}})
}

/// Rules that refuse requests to clusters that nobody rendered, under a policy name of their own.
///
/// A Gateway of another namespace on these pods has routes of its own, and an older ServiceEntry there makes a cluster
/// that is called after a host of the policy. The tripwire demands the same, so that nothing passes where this cannot
/// be evaluated.
pub fn foreign_routes() -> Value {
    let policy = json!({
        "permissions": [{"any": true}], "principals": [{"any": true}], "condition": call("!_", vec![is_own_cluster()]),
    });
    json!({"action": "DENY", "policies": {ROUTE_POLICY: policy}})
}

/// Rules of the tripwire with one more demand: the request goes where it was judged to go, and to a cluster that was
/// rendered.
///
/// A change of headers behind the judging has Envoy choose the route anew. What cannot be compared is refused.
pub fn bound_tripwire() -> Value {
    let mut rules = tripwire();
    if let Some(policy) = rules.pointer_mut("/policies/decided-by-tollgate").and_then(Value::as_object_mut) {
        policy.insert("condition".to_owned(), is_route_judged());
    }
    rules
}

/// RBAC rules for connections without HTTP: they let through what has the record of the filter for connections.
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
/// `filter_state["wasm.tollgate_route"]`, parsed: RBAC takes nothing else. Asking for the route has Envoy choose it, so
/// that it is the one that will be used.
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
