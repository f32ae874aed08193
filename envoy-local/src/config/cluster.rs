//! Clusters.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{address, type_url};

/// One fixed address behind TLS, in whichever version of HTTP the caller spoke.
pub fn fixed(name: &str, to: SocketAddr, tls: &Value) -> Value {
    cluster(name, "STATIC", &address(to), tls)
}

/// One fixed address, to which bytes go as they come.
pub fn plain(name: &str, to: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(to)}}]}],
        },
    })
}

/// A cluster of a host name, which DNS resolves.
pub fn named(name: &str, host: &str, port: u16, tls: &Value) -> Value {
    cluster(name, "STRICT_DNS", &json!({"socket_address": {"address": host, "port_value": port}}), tls)
}

fn cluster(name: &str, discovery: &str, address: &Value, tls: &Value) -> Value {
    json!({
        "name": name,
        "type": discovery,
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "transport_socket": tls,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": type_url("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
                "use_downstream_protocol_config": {
                    "http_protocol_options": {},
                    "http2_protocol_options": {"allow_connect": true},
                },
            },
        },
    })
}
