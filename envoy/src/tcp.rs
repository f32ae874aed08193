//! The chain of a connection: the filter for connections, the tripwire, and a proxy that leads nowhere by itself.

use crate::tripwire::network_tripwire;
use crate::type_url;
use serde_json::{Value, json};

/// The name of Envoy's proxy filter.
pub const PROXY: &str = "envoy.filters.network.tcp_proxy";
/// The cluster without a server that every chain has: the filter names the one that a connection goes to.
pub const NOWHERE: &str = "tollgate-nowhere";
/// Bytes that the proxy holds before it connects: more than the filter holds, and needed for it to hold any.
const EARLY: u32 = 16_896;

/// Settings by which the proxy connects to nothing before the caller's first bytes were decided about.
pub fn waiting() -> Value {
    json!({
        "@type": type_url("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
        "upstream_connect_mode": "ON_DOWNSTREAM_DATA",
        "max_early_data_bytes": EARLY,
    })
}

/// The proxy, the last filter of a chain.
pub fn proxy(name: &str, access_logs: &[Value]) -> Value {
    named(waiting(), name, NOWHERE, access_logs)
}

/// A proxy that connects to a cluster at once, without any filter's word.
pub fn plain_proxy(name: &str, cluster: &str, access_logs: &[Value]) -> Value {
    let plain = json!({"@type": type_url("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy")});
    named(plain, name, cluster, access_logs)
}

fn named(mut proxy: Value, name: &str, cluster: &str, access_logs: &[Value]) -> Value {
    if let Some(proxy) = proxy.as_object_mut() {
        proxy.insert("stat_prefix".to_owned(), name.into());
        proxy.insert("cluster".to_owned(), cluster.into());
        proxy.insert("access_log".to_owned(), access_logs.into());
    }
    json!({"name": PROXY, "typed_config": proxy})
}

/// The cluster that has no server.
pub fn nowhere() -> Value {
    json!({"name": NOWHERE, "type": "STATIC", "load_assignment": {"cluster_name": NOWHERE}})
}

/// The tripwire of a chain without HTTP: it closes what carries no record of a filter that let it through.
pub fn tripwire() -> Value {
    json!({
        "name": "tollgate.tripwire",
        "typed_config": {
            "@type": type_url("envoy.extensions.filters.network.rbac.v3.RBAC"),
            "stat_prefix": "tollgate_tripwire.",
            "rules": network_tripwire(),
        },
    })
}
