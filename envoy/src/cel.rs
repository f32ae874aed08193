//! Expressions of CEL, parsed: RBAC takes nothing else.

use serde_json::{Value, json};

/// The cluster that the route chose.
pub(super) fn cluster() -> Value {
    json!({"select_expr": {"operand": name("xds"), "field": "cluster_name"}})
}

/// A name of the environment.
pub(super) fn name(name: &str) -> Value {
    json!({"ident_expr": {"name": name}})
}

/// A constant.
pub(super) fn text(text: &str) -> Value {
    json!({"const_expr": {"string_value": text}})
}

/// A call of a function or an operator.
pub(super) fn call(function: &str, args: Vec<Value>) -> Value {
    json!({"call_expr": {"function": function, "args": args}})
}
