//! A way out for hosts that no object names: a route, a cluster, and the cache of names that both the cluster and its filter use.

use super::addresses::{self, Range};
use super::object::insert;
use crate::mesh::site::{Family, Gateway, Inside};
use serde_json::{Value, json};
use tollgate::policy::networks;

/// Names that are held at once; beyond that, requests are refused.
const MOST_NAMES: u32 = 65_536;
/// The time for which a name is held that nobody asks for.
const HELD: &str = "60s";
/// Requests that wait for names at once.
const MOST_WAITING: u32 = 1_024;

/// Authorities that are addresses in any spelling (RE2, the whole of it). No name is one: its last label has a letter.
pub(super) const LITERAL: &str = r"([0-9.]+|\[[^\]]*\])(:[0-9]+)?";

pub(super) struct Way {
    /// Of the route, the cluster, and its cache.
    pub(super) name: &'static str,
    /// The authorities that go this way (RE2, the whole of it); all that go no other, if there is none.
    pub(super) authority: Option<String>,
    /// Answers that are dropped: of an answer with nothing else, the request is refused.
    refused: Vec<Range>,
    family: Family,
}

/// The ways of a gateway. The first that an authority matches is taken.
pub(super) fn all(gateway: &Gateway) -> Vec<Way> {
    let way = |name, authority, refused| Way { name, authority, refused, family: gateway.dns.family };
    let literal = way("tollgate-dynamic-literal", Some(LITERAL.to_owned()), Vec::new());
    let inside = (!gateway.inside.is_empty()).then(|| {
        let open: Vec<_> =
            gateway.inside.iter().flat_map(|inside| &inside.cidrs).flat_map(|cidr| networks(cidr)).collect();
        way("tollgate-dynamic-inside", Some(names(&gateway.inside)), addresses::outside(&open))
    });
    let any = way("tollgate-dynamic", None, addresses::inside());
    std::iter::once(literal).chain(inside).chain([any]).collect()
}

/// Authorities whose host is one of these, in any spelling.
fn names(inside: &[Inside]) -> String {
    let one = |host: &String| {
        let escaped = |name: &str| name.replace('.', r"\.");
        match (host.strip_prefix("**."), host.strip_prefix("*.")) {
            (Some(parent), _) => format!(r".+\.{}", escaped(parent)),
            (None, Some(parent)) => format!(r"[^.]+\.{}", escaped(parent)),
            (None, None) => escaped(host),
        }
    };
    let hosts: Vec<String> = inside.iter().flat_map(|inside| &inside.hosts).map(one).collect();
    format!(r"(?i)({})\.?(:[0-9]+)?", hosts.join("|"))
}

/// How the gateway asks for addresses.
pub(super) struct Lookup(pub(super) Family);

impl Lookup {
    pub(super) fn family(&self) -> &'static str {
        match self.0 {
            Family::V4Preferred => "V4_PREFERRED",
            Family::V6Only => "V6_ONLY",
            Family::All => "ALL",
        }
    }

    /// As names are, and no longer: a pod's search domains would lead `redis.payments` to a Service.
    pub(super) fn resolver() -> Value {
        json!({
            "name": "envoy.network.dns_resolver.cares",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
                "dns_resolver_options": {"no_default_search_domain": true},
            },
        })
    }
}

impl Way {
    /// How its filter is called in the chain.
    pub(super) fn filter_name(&self) -> String {
        self.name.replacen('-', ".", 1)
    }

    /// The same in the cluster and in the filter, or Envoy refuses the one that comes second.
    fn cache(&self) -> Value {
        let mut cache = json!({
            "name": self.name,
            "dns_lookup_family": Lookup(self.family).family(),
            "max_hosts": MOST_NAMES,
            "host_ttl": HELD,
            "dns_cache_circuit_breaker": {"max_pending_requests": MOST_WAITING},
            "typed_dns_resolver_config": Lookup::resolver(),
        });
        if !self.refused.is_empty() {
            let ranges: Vec<Value> = self.refused.iter().map(|range| range.envoy()).collect();
            insert(&mut cache, "resolved_address_filter", json!({"ranges": ranges}));
        }
        cache
    }

    /// Looks names up, behind Tollgate.
    pub(super) fn resolving(&self) -> Value {
        json!({
            "name": self.filter_name(),
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
                "dns_cache_config": self.cache(),
                "save_upstream_address": true,
            },
        })
    }

    /// The patch that adds its cluster.
    pub(super) fn cluster(&self, trusted: &str) -> Value {
        let cluster = json!({
            "name": self.name,
            "connect_timeout": "10s",
            "lb_policy": "CLUSTER_PROVIDED",
            "cluster_type": {
                "name": "envoy.clusters.dynamic_forward_proxy",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
                    "dns_cache_config": self.cache(),
                },
            },
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "upstream_http_protocol_options": {"auto_sni": true, "auto_san_validation": true},
                    "auto_config": {"http_protocol_options": {}, "http2_protocol_options": {}},
                },
            },
            "transport_socket": {
                "name": "envoy.transport_sockets.tls",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    "common_tls_context": {
                        "combined_validation_context": {
                            "default_validation_context": {},
                            "validation_context_sds_secret_config": authorities(trusted),
                        },
                    },
                },
            },
        });
        json!({
            "applyTo": "CLUSTER",
            "match": {"context": "GATEWAY"},
            "patch": {"operation": "ADD", "value": cluster},
        })
    }
}

/// Certificate authorities of the gateway's own files, `system` or a path.
pub(super) fn authorities(trusted: &str) -> Value {
    json!({
        "name": format!("file-root:{trusted}"),
        "sds_config": {
            "resource_api_version": "V3",
            "api_config_source": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "sds-grpc"}}],
            },
        },
    })
}
