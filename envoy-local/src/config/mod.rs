//! Envoy configuration, composed of small JSON values.
//!
//! Each function returns one element of Envoy's API, so that a test or a benchmark can put together a chain of its
//! own from the same parts that the demo uses.

pub mod cluster;
pub mod ecds;
pub mod filter;
pub mod listener;
pub mod tls;

use std::net::SocketAddr;

use serde_json::{Value, json};
use tollgate_envoy::internal;
pub use tollgate_envoy::type_url;

/// A bootstrap: admin on loopback, these listeners and clusters, labels in statistics as Istio extracts them.
pub fn bootstrap(admin: SocketAddr, listeners: &[Value], clusters: &[Value]) -> Value {
    json!({
        "node": {"id": "tollgate-local", "cluster": "tollgate-local"},
        "admin": {"address": address(admin)},
        "bootstrap_extensions": [internal::extension()],
        "layered_runtime": {"layers": [{"name": "internal-listeners", "static_layer": internal::runtime()}]},
        "stats_config": {"stats_tags": tollgate_envoy::stats::tags()},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    })
}

pub(crate) fn address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}
