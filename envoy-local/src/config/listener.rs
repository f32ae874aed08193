//! Listeners that speak HTTP, and their routes.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{address, type_url};

/// A listener for HTTP/1.1 and HTTP/2, with websocket upgrades and CONNECT.
#[derive(Clone, Debug)]
pub struct HttpListener<'a> {
    /// Its name, which is also the `stat_prefix`.
    pub name: &'a str,
    /// Address to listen at; port 0 takes a free one.
    pub address: SocketAddr,
    /// Transport socket that terminates TLS; none for plain text.
    pub tls: Option<Value>,
    /// HTTP filters in order, the router included.
    pub filters: Vec<Value>,
    /// Routes for every authority, in order.
    pub routes: Vec<Value>,
    /// Access logs.
    pub access_logs: Vec<Value>,
    /// Treatment of headers and paths before the filters.
    pub side: Side,
}

/// Side of the mesh's hop on which a listener stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's: whatever the application sends goes on as it is, as if the application spoke to the gateway
    /// itself, which a compromised one can.
    Client,
    /// The gateway's.
    Gateway(Paths),
}

/// Treatment of paths before the filters see them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    /// Dot segments and backslashes are resolved, as Istio's gateways do by default (`BASE`).
    #[default]
    Normalized,
    /// Empty segments are left out besides, as with `MERGE_SLASHES`.
    Merged,
    /// Escaped slashes are decoded before that, as with `DECODE_AND_MERGE_SLASHES`.
    Decoded,
    /// Nothing is changed: filters see the very bytes.
    Verbatim,
}

/// Limit of a request's headers: a megabyte of them reaches the filters.
const MAX_HEADERS_KB: u32 = 4096;
const MAX_HEADERS: u32 = 20_000;

impl HttpListener<'_> {
    /// The listener, for a bootstrap.
    pub fn build(&self) -> Value {
        let mut chain = json!({"filters": [self.filter()]});
        if let (Some(tls), Some(chain)) = (&self.tls, chain.as_object_mut()) {
            chain.insert("transport_socket".to_owned(), tls.clone());
        }
        json!({"name": self.name, "address": address(self.address), "filter_chains": [chain]})
    }

    /// The network filter that speaks HTTP, for a chain of another listener.
    pub fn filter(&self) -> Value {
        json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": self.manager()})
    }

    fn manager(&self) -> Value {
        let mut manager = json!({
            "@type": type_url(
                "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
            ),
            "stat_prefix": self.name,
            "max_request_headers_kb": MAX_HEADERS_KB,
            "common_http_protocol_options": {"max_headers_count": MAX_HEADERS},
            "http2_protocol_options": {"allow_connect": true},
            // On loopback nobody needs a second to read the last answer of a connection that Envoy gives up.
            "delayed_close_timeout": "0.1s",
            "upgrade_configs": [{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}],
            // A request keeps its id on every hop, so that the demo and the tests find its record.
            "preserve_external_request_id": true,
            "http_filters": self.filters,
            "access_log": self.access_logs,
            "route_config": {
                "name": self.name,
                "virtual_hosts": [{"name": "any", "domains": ["*"], "routes": self.routes}],
            },
        });
        let side = match self.side {
            Side::Client => json!({"forward_client_cert_details": "ALWAYS_FORWARD_ONLY"}),
            Side::Gateway(paths) => json!({
                "use_remote_address": true,
                "normalize_path": paths != Paths::Verbatim,
                "merge_slashes": matches!(paths, Paths::Merged | Paths::Decoded),
                "path_with_escaped_slashes_action": match paths {
                    Paths::Decoded => "UNESCAPE_AND_FORWARD",
                    _ => "KEEP_UNCHANGED",
                },
                // As on Istio's gateways, whose filters must take this header away again.
                "forward_client_cert_details": "SANITIZE_SET",
                "set_current_client_cert_details": {"subject": true, "cert": true, "dns": true, "uri": true},
                // As with Istio's `meshNetworks`: Envoy believes the `x-envoy-*` headers of callers.
                "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
            }),
        };
        merge(&mut manager, side);
        manager
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

/// Routes that lead every request to one cluster, CONNECT included.
pub fn everything_to(cluster: &str) -> Vec<Value> {
    routes(&json!({"cluster": cluster}), &[])
}

/// A route that answers every request by itself.
pub fn answering(body: &str) -> Vec<Value> {
    vec![json!({
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": body}},
    })]
}

/// Routes that lead a request with this header to the cluster that the header names.
pub fn cluster_from_header(header: &str) -> Vec<Value> {
    routes(&json!({"cluster_header": header}), &[json!({"name": header, "present_match": true})])
}

fn routes(action: &Value, headers: &[Value]) -> Vec<Value> {
    let mut action = action.clone();
    merge(&mut action, json!({"timeout": "30s"}));
    let any_path = json!({"prefix": "", "headers": headers});
    let connect = json!({"connect_matcher": {}, "headers": headers});
    [connect, any_path].iter().map(|matches| json!({"match": matches, "route": action})).collect()
}

/// Limits the time in which the servers behind these routes have to answer.
pub fn within(mut routes: Vec<Value>, timeout: &str) -> Vec<Value> {
    for action in routes.iter_mut().filter_map(|route| route.get_mut("route")) {
        merge(action, json!({"timeout": timeout}));
    }
    routes
}

/// Lets Envoy follow redirects of the servers behind these routes, as if the caller had.
pub fn following_redirects(mut routes: Vec<Value>) -> Vec<Value> {
    let policy = json!({
        "internal_redirect_policy": {"max_internal_redirects": 3, "allow_cross_scheme_redirect": true},
    });
    for action in routes.iter_mut().filter_map(|route| route.get_mut("route")) {
        merge(action, policy.clone());
    }
    routes
}
