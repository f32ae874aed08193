//! Dynamic forward proxies: the cache of names that a filter and a cluster share, and both of these.

use crate::{internal, tcp, type_url};
use serde_json::{Value, json};

/// Names that are held at once; beyond that, requests are refused.
const MOST_NAMES: u32 = 65_536;
/// The time for which a name is held that nobody asks for.
const HELD: &str = "60s";
/// Requests that wait for names at once.
const MOST_WAITING: u32 = 1_024;

/// A cache of names. It stands alike in the cluster and in the filter, or Envoy refuses the one that comes second.
#[derive(Debug)]
pub struct Cache<'a> {
    /// Its name, which is the cluster's too.
    pub name: &'a str,
    /// Families of addresses that are asked for (`dns_lookup_family`).
    pub family: &'a str,
    /// Ranges of addresses that are dropped from answers (`CidrRange`): of an answer with nothing else, the request is
    /// refused.
    pub refused: &'a [Value],
}

impl Cache<'_> {
    fn config(&self) -> Value {
        let mut cache = json!({
            "name": self.name,
            "dns_lookup_family": self.family,
            "max_hosts": MOST_NAMES,
            "host_ttl": HELD,
            "dns_cache_circuit_breaker": {"max_pending_requests": MOST_WAITING},
            "typed_dns_resolver_config": resolver(),
        });
        if let Some(cache) = cache.as_object_mut().filter(|_| !self.refused.is_empty()) {
            cache.insert("resolved_address_filter".to_owned(), json!({"ranges": self.refused}));
        }
        cache
    }

    /// The HTTP filter that looks names up, under a name of its own.
    pub fn filter(&self, name: &str) -> Value {
        json!({
            "name": name,
            "typed_config": {
                "@type": type_url("envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig"),
                "dns_cache_config": self.config(),
                "save_upstream_address": true,
            },
        })
    }

    /// The network filter that looks up the server name of a connection's TLS, for a port. It never stands in a chain that
    /// undecided connections come to: it looks up every name.
    fn sni_filter(&self, port: u16) -> Value {
        json!({
            "name": "envoy.filters.network.sni_dynamic_forward_proxy",
            "typed_config": {
                "@type": type_url("envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig"),
                "port_value": port,
                "dns_cache_config": self.config(),
            },
        })
    }

    /// The internal listener for connections to a port that no rule's host names exactly: it looks up the server name of
    /// their own TLS, and leads them there. Its name is [`tcp::dynamic`]'s, and so is that of the cluster that leads to it.
    pub fn tls_listener(&self, port: u16, access_logs: &[Value]) -> Value {
        let name = tcp::dynamic(port);
        let proxy = tcp::plain_proxy(&name, self.name, access_logs);
        internal::listener(&name, &[tcp::tls_inspector()], &[self.sni_filter(port), proxy])
    }

    /// The cluster of such connections, which passes their bytes on as they come.
    pub fn tcp_cluster(&self) -> Value {
        json!({
            "name": self.name,
            "connect_timeout": "10s",
            "lb_policy": "CLUSTER_PROVIDED",
            "cluster_type": self.cluster_type(),
        })
    }

    fn cluster_type(&self) -> Value {
        json!({
            "name": "envoy.clusters.dynamic_forward_proxy",
            "typed_config": {
                "@type": type_url("envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig"),
                "dns_cache_config": self.config(),
            },
        })
    }

    /// The cluster, which speaks TLS to the name that is asked for and has it prove that name. The authorities whose
    /// certificates count are a secret (`SdsSecretConfig`).
    pub fn cluster(&self, authorities: &Value) -> Value {
        json!({
            "name": self.name,
            "connect_timeout": "10s",
            "lb_policy": "CLUSTER_PROVIDED",
            "cluster_type": self.cluster_type(),
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": type_url("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
                    "upstream_http_protocol_options": {"auto_sni": true, "auto_san_validation": true},
                    "auto_config": {"http_protocol_options": {}, "http2_protocol_options": {}},
                },
            },
            "transport_socket": {
                "name": "envoy.transport_sockets.tls",
                "typed_config": {
                    "@type": type_url("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
                    "common_tls_context": {
                        "combined_validation_context": {
                            "default_validation_context": {},
                            "validation_context_sds_secret_config": authorities,
                        },
                    },
                },
            },
        })
    }
}

/// Names are asked for as they are, and no longer: a pod's search domains would lead `redis.payments` to a Service.
pub fn resolver() -> Value {
    json!({
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {
            "@type": type_url("envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"),
            "dns_resolver_options": {"no_default_search_domain": true},
        },
    })
}
