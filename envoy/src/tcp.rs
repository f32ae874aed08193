//! The chain of a connection: the filter for connections, the tripwire, and a proxy that leads nowhere by itself.

use crate::tripwire::network_tripwire;
use crate::type_url;
use serde_json::{Value, json};

/// The name of Envoy's proxy filter.
pub const PROXY: &str = "envoy.filters.network.tcp_proxy";
/// The cluster without a server that every chain has: the filter names the one that a connection goes to.
pub const NOWHERE: &str = "tollgate-nowhere";
/// The cluster of what begins as HTTP, on a port for everything. It leads to an internal listener with the filter for HTTP.
pub const HTTP: &str = "tollgate-http";
/// The cluster of what callers of an explicit proxy send within CONNECT. It leads to an internal listener with the filter for
/// connections, which leads them on where the authority said.
pub const TUNNEL: &str = "tollgate-dynamic-tunnel";
/// Bytes that the proxy holds before it connects: more than the filter holds, and needed for it to hold any.
const EARLY: u32 = 16_896;

/// Settings by which the proxy connects to nothing before the caller's first bytes were decided about.
pub fn waiting() -> Value {
    connecting("ON_DOWNSTREAM_DATA")
}

/// Settings by which the proxy connects as soon as the filter lets a connection go, before its caller has sent anything: for
/// servers that speak first. Until then it has to hold early bytes, or the caller's handshake would not be read.
pub fn immediate() -> Value {
    connecting("IMMEDIATE")
}

fn connecting(mode: &str) -> Value {
    json!({"@type": proxy_type(), "upstream_connect_mode": mode, "max_early_data_bytes": EARLY})
}

fn proxy_type() -> String {
    type_url("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy")
}

/// The settings of [`waiting`], with the cluster that has no server in the place of whatever one there is.
pub fn leading_nowhere() -> Value {
    let mut proxy = waiting();
    if let Some(proxy) = proxy.as_object_mut() {
        proxy.insert("cluster".to_owned(), NOWHERE.into());
    }
    proxy
}

/// The proxy, the last filter of a chain.
pub fn proxy(name: &str, access_logs: &[Value]) -> Value {
    named(waiting(), name, NOWHERE, access_logs)
}

/// The proxy of a chain for servers that speak first.
pub fn immediate_proxy(name: &str, access_logs: &[Value]) -> Value {
    named(immediate(), name, NOWHERE, access_logs)
}

/// A proxy that connects to a cluster at once, without any filter's word.
pub fn plain_proxy(name: &str, cluster: &str, access_logs: &[Value]) -> Value {
    named(json!({"@type": proxy_type()}), name, cluster, access_logs)
}

/// The listener filter that reads the server name of TLS.
pub fn tls_inspector() -> Value {
    json!({
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {"@type": type_url("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector")},
    })
}

/// The name of the cluster, and of its internal listener, for connections that no rule's host names exactly.
pub fn dynamic(port: u16) -> String {
    format!("tollgate-dynamic-{port}")
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
