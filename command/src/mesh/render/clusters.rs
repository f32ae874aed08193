//! Clusters of the gateway's own for hosts that have objects: a ServiceEntry of another namespace, older than ours, would be the one
//! that Istio makes its cluster of.

use super::cluster_patch::added;
use super::envoy_filter::{called, into_route};
use super::object::{Maker, Object, ObjectPart, insert};
use super::routed::{carried_cluster, cluster_name};
use super::way::{Lookup, authorities};
use crate::analysis::ports::Upstream;
use serde_json::{Value, json};
use tollgate_envoy::dynamic::resolver;
use tollgate_envoy::type_url;

/// A cluster, and how it is led to.
pub(super) struct Own<'o> {
    pub(super) host: &'o str,
    pub(super) port: u16,
    pub(super) tls: Upstream,
    pub(super) led: Led,
}

/// Ways in which something gets to a cluster.
pub(super) enum Led {
    /// By a route, which is Istio's otherwise.
    Routed {
        /// HTTP/2 is spoken to it, whatever the caller speaks.
        http2: bool,
        /// As Istio calls it.
        route: String,
    },
    /// By the filter for connections, which names the cluster.
    Chosen,
}

/// The patches for one host.
pub(super) fn object(maker: &Maker<'_>, name: &str, own: &[Own<'_>], trusted: &str) -> Object {
    let clusters = own.iter().map(|own| own.cluster(maker, trusted));
    let routes = own.iter().flat_map(|own| own.to_route(maker));
    called(maker, name, ObjectPart::Routes, 20, clusters.chain(routes).collect())
}

impl Own<'_> {
    fn name(&self) -> String {
        match self.led {
            Led::Routed { .. } => cluster_name(self.port, self.host),
            Led::Chosen => carried_cluster(self.port, self.host),
        }
    }

    fn cluster(&self, maker: &Maker<'_>, trusted: &str) -> Value {
        let lookup = Lookup(maker.gateway.dns.family);
        let address = json!({"socket_address": {"address": self.host, "port_value": self.port}});
        let mut cluster = json!({
            "name": self.name(),
            "type": "STRICT_DNS",
            "connect_timeout": "10s",
            "dns_lookup_family": lookup.family(),
            "typed_dns_resolver_config": resolver(),
            "load_assignment": {
                "cluster_name": self.name(),
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
            },
        });
        if let Led::Routed { http2, .. } = self.led {
            let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
            let mut spoken = json!({"@type": type_url(options)});
            match http2 {
                true => insert(&mut spoken, "explicit_http_config", json!({"http2_protocol_options": {}})),
                // what the caller speaks
                false => insert(
                    &mut spoken,
                    "use_downstream_protocol_config",
                    json!({"http_protocol_options": {}, "http2_protocol_options": {}}),
                ),
            }
            insert(&mut cluster, "typed_extension_protocol_options", json!({options: spoken}));
        }
        if self.tls == Upstream::Tls {
            let is_host = json!({"san_type": "DNS", "matcher": {"exact": self.host}});
            let tls = json!({
                "@type": type_url("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
                "sni": self.host,
                "common_tls_context": {
                    "combined_validation_context": {
                        "default_validation_context": {"match_typed_subject_alt_names": [is_host]},
                        "validation_context_sds_secret_config": authorities(trusted),
                    },
                },
            });
            let socket = json!({"name": "envoy.transport_sockets.tls", "typed_config": tls});
            insert(&mut cluster, "transport_socket", socket);
        }
        added(&cluster)
    }

    fn to_route(&self, maker: &Maker<'_>) -> Vec<Value> {
        match &self.led {
            Led::Routed { route, .. } => into_route(maker, route, &json!({"route": {"cluster": self.name()}})),
            Led::Chosen => Vec::new(),
        }
    }
}
