//! Patches of the gateway's Envoy.

use super::api;
use super::object::{Maker, Object, ObjectKind, ObjectPart, insert};
use serde_json::{Value, json};
use tollgate_envoy::type_url;

/// The network filter that every chain of HTTP filters stands in.
const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// Puts an HTTP filter at the end of the gateway's chain.
pub(super) fn before_router(filter: &Value) -> Value {
    json!({
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": "GATEWAY",
            "listener": {
                "filterChain": {"filter": {"name": MANAGER, "subFilter": {"name": "envoy.filters.http.router"}}},
            },
        },
        "patch": {"operation": "INSERT_BEFORE", "value": filter},
    })
}

/// Puts a network filter in front of every chain.
pub(super) fn first(filter: &Value) -> Value {
    json!({
        "applyTo": "NETWORK_FILTER",
        "match": {"context": "GATEWAY"},
        "patch": {"operation": "INSERT_FIRST", "value": filter},
    })
}

/// Puts a network filter in front of another, in every chain that has that one.
pub(super) fn before(name: &str, filter: &Value) -> Value {
    network("INSERT_BEFORE", name, filter)
}

/// Merges settings into a route of the rendered listener. Another Gateway on these pods may have one of the same name, with a
/// mirror of its own: it is left as it is, and leads nowhere.
pub(super) fn into_route(maker: &Maker<'_>, name: &str, value: &Value) -> Vec<Value> {
    let one = |gateway: String| {
        json!({
            "applyTo": "HTTP_ROUTE",
            "match": {"context": "GATEWAY", "routeConfiguration": {"gateway": gateway, "vhost": {"route": {"name": name}}}},
            "patch": {"operation": "MERGE", "value": value},
        })
    };
    api::of(maker.gateway).configurations(maker.gateway).into_iter().map(one).collect()
}

/// Merges settings into every network filter of a name.
pub(super) fn into(name: &str, settings: &Value) -> Value {
    network("MERGE", name, &json!({"name": name, "typed_config": settings}))
}

/// Puts a network filter in the place of those of a name that stand behind one port of the pods. What a merge cannot say is a value that
/// is the default.
pub(super) fn in_place_of(port: u16, name: &str, filter: &Value) -> Value {
    let mut patch = network("REPLACE", name, filter);
    if let Some(listener) = patch.pointer_mut("/match/listener") {
        insert(listener, "portNumber", port.into());
    }
    patch
}

/// Merges settings into everything that speaks HTTP.
pub(super) fn into_manager(settings: &Value) -> Value {
    let mut all = json!({
        "@type": type_url("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    });
    if let (Some(all), Value::Object(settings)) = (all.as_object_mut(), settings.clone()) {
        all.extend(settings);
    }
    into(MANAGER, &all)
}

fn network(operation: &str, name: &str, value: &Value) -> Value {
    json!({
        "applyTo": "NETWORK_FILTER",
        "match": {"context": "GATEWAY", "listener": {"filterChain": {"filter": {"name": name}}}},
        "patch": {"operation": operation, "value": value},
    })
}

/// An EnvoyFilter of the gateway, named after it and what it is for.
pub(super) fn filters(maker: &Maker<'_>, suffix: &str, part: ObjectPart, priority: i32, patches: Vec<Value>) -> Object {
    called(maker, &maker.name(suffix), part, priority, patches)
}

/// Makes an EnvoyFilter with a name of its own.
pub(super) fn called(maker: &Maker<'_>, name: &str, part: ObjectPart, priority: i32, patches: Vec<Value>) -> Object {
    let spec = json!({
        "workloadSelector": {"labels": maker.gateway.selector},
        "priority": priority,
        "configPatches": patches,
    });
    maker.object(part, ObjectKind::EnvoyFilter, name, spec)
}
