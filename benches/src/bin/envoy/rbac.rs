//! Envoy's RBAC filter, with the rules that Tollgate is measured with.

use serde_json::{Value, json};
use tollgate_bench::shapes::Shape;
use tollgate_local::config::filter;

/// The rules of shape A as Istio writes an AuthorizationPolicy into Envoy's filter.
pub(crate) fn rbac(rules: usize) -> Value {
    let policies = (0..rules).map(|i| {
        let rule = Shape::A.request(rules, i, 0);
        let principal = json!({"authenticated": {"principal_name": {"exact": rule.spiffe()}}});
        let host =
            json!({"header": {"name": ":authority", "string_match": {"exact": rule.authority, "ignore_case": true}}});
        let (prefix, _) = rule.path.split_at(rule.path.rfind("/items").unwrap_or(rule.path.len()));
        let path = json!({"url_path": {"path": {"prefix": format!("{prefix}/")}}});
        let policy = json!({
            "permissions": [{"and_rules": {"rules": [host, path]}}],
            "principals": [{"and_ids": {"ids": [principal]}}],
        });
        (format!("rule-{i:06}"), policy)
    });
    filter::rbac(&json!({"action": "ALLOW", "policies": policies.collect::<serde_json::Map<_, _>>()}))
}
