//! HTTP filters.

use std::path::Path;

use serde_json::{Value, json};
use tollgate_envoy::tripwire as rules;

use super::type_url;

/// The name under which the tests and the demo run the filter; statistics are named after it.
pub const NAME: &str = "tollgate";

/// The name under which they run the filter for connections.
pub const TCP_NAME: &str = "tollgate-tcp";

/// The configuration of the filter for HTTP as Istio would send it, but for the reload's pace: Envoy replaces a VM that
/// died at the next request, at most every 100 ms.
pub fn wasm(module: &Path, policy: &str) -> Value {
    configured("envoy.extensions.filters.http.wasm.v3.Wasm", NAME, module, policy)
}

/// The configuration of the filter for connections, likewise.
pub fn tcp_wasm(module: &Path, policy: &str) -> Value {
    configured("envoy.extensions.filters.network.wasm.v3.Wasm", TCP_NAME, module, policy)
}

fn configured(kind: &str, name: &str, module: &Path, policy: &str) -> Value {
    json!({
        "@type": type_url(kind),
        "config": {
            "name": name,
            "failure_policy": "FAIL_RELOAD",
            "reload_config": {"backoff": {"base_interval": "0.1s"}},
            "configuration": {"@type": type_url("google.protobuf.StringValue"), "value": policy},
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": module}},
            },
        },
    })
}

/// A filter whose configuration stands in the listener itself.
pub fn fixed(name: &str, typed_config: &Value) -> Value {
    json!({"name": name, "typed_config": typed_config})
}

/// Lets through only what carries the record of a filter that decided to let it through. Behind Tollgate it never
/// refuses anything; without Tollgate it refuses everything.
pub fn tripwire() -> Value {
    rbac(&rules::tripwire())
}

/// Envoy's own RBAC filter with these rules.
pub fn rbac(with: &Value) -> Value {
    rules::filter("envoy.filters.http.rbac", with)
}

/// Leaves the value of a request header where a waypoint's tunnel leaves the peer's principal.
pub fn principal_from_header(header: &str) -> Value {
    fixed(
        "envoy.filters.http.set_filter_state",
        &json!({
            "@type": type_url("envoy.extensions.filters.http.set_filter_state.v3.Config"),
            "on_request_headers": [{
                "object_key": "io.istio.peer_principal",
                "factory_key": "envoy.string",
                "format_string": {
                    "text_format_source": {"inline_string": format!("%REQ({header})%")},
                    "omit_empty_values": true,
                },
                "skip_if_empty": true,
            }],
        }),
    )
}

/// The last one of every chain. It adds no headers of Envoy's own to what external servers get.
pub fn router() -> Value {
    fixed(
        "envoy.filters.http.router",
        &json!({
            "@type": type_url("envoy.extensions.filters.http.router.v3.Router"),
            "suppress_envoy_headers": true,
        }),
    )
}
