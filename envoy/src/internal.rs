//! Internal listeners: chains of filters that another chain of the same Envoy leads to, and nothing else can reach.

use crate::type_url;
use serde_json::{Value, json};

/// The extension of the bootstrap without which Envoy takes none (`bootstrap_extensions`). Istio's bootstrap has it.
pub fn extension() -> Value {
    json!({
        "name": "envoy.bootstrap.internal_listener",
        "typed_config": {"@type": type_url("envoy.extensions.bootstrap.internal_listener.v3.InternalListener")},
    })
}

/// Runtime settings of an Envoy with internal listeners (`layered_runtime`; `runtimeValues` of Istio's proxy configuration).
/// Envoy 1.40.0 takes the end of a connection from an internal listener for a reset, passes that on, and so loses the bytes that
/// came last: a response with `connection: close` never arrives. Without resets being passed on, a connection that its
/// destination resets ends in order. Envoy 1.39 knows the setting, too; one that does not logs an error.
pub fn runtime() -> Value {
    json!({"envoy.reloadable_features.propagate_upstream_rst_through_tunneled_tcp_proxy": false})
}

/// An internal listener with one chain of network filters.
pub fn listener(name: &str, listener_filters: &[Value], filters: &[Value]) -> Value {
    json!({
        "name": name,
        "internal_listener": {},
        "listener_filters": listener_filters,
        "filter_chains": [{"filters": filters}],
    })
}

/// The cluster that leads to an internal listener. Filter state that is shared with the upstream crosses with a connection.
pub fn cluster(name: &str, listener: &str) -> Value {
    let address = json!({"envoy_internal_address": {"server_listener_name": listener}});
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "transport_socket": {
            "name": "envoy.transport_sockets.internal_upstream",
            "typed_config": {
                "@type": type_url("envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport"),
                "transport_socket": {
                    "name": "envoy.transport_sockets.raw_buffer",
                    "typed_config": {"@type": type_url("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer")},
                },
            },
        },
    })
}
