//! Bounds of what one caller can hold at the gateway.

use super::envoy_filter::{filters, first, into_manager};
use super::object::{Maker, Object, ObjectPart};
use crate::mesh::site::Permission;
use serde_json::{Value, json};
use tollgate_envoy::type_url;

/// Requests at once on one connection. A sidecar that needs more opens another connection.
const STREAMS: u32 = 1_024;
/// Bytes that a caller may send ahead of being read: of one request, and of all on a connection.
const STREAM_WINDOW: u32 = 262_144;
const CONNECTION_WINDOW: u32 = 1_048_576;
/// Connections at once to one port of a pod.
const CONNECTIONS: u32 = 10_000;
/// The longest time that the headers of one request may take.
const HEADERS: &str = "10s";

/// None where nobody may patch Envoy: then its own bounds are all there is.
pub(super) fn objects(maker: &Maker<'_>) -> Option<Object> {
    let connections = json!({
        "name": "tollgate.connections",
        "typed_config": {
            "@type": type_url("envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit"),
            "stat_prefix": "tollgate",
            "max_connections": CONNECTIONS,
        },
    });
    let patches = vec![into_manager(&of_manager()), first(&connections)];
    (maker.gateway.envoy_filter == Permission::Allowed)
        .then(|| filters(maker, "limits", ObjectPart::Gateway, 5, patches))
}

/// Those of what speaks HTTP.
pub(super) fn of_manager() -> Value {
    json!({
        "http2_protocol_options": {
            "max_concurrent_streams": STREAMS,
            "initial_stream_window_size": STREAM_WINDOW,
            "initial_connection_window_size": CONNECTION_WINDOW,
        },
        "request_headers_timeout": HEADERS,
    })
}
