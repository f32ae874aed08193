//! `routes: catch-all`: one dynamic route for every host. A new host is a line of the policy, and no object.
//!
//! The cluster resolves the authority's host behind Tollgate, so that a denied name is never looked up; speaks TLS to it, and has it prove
//! that name. What resolves to an address of the inside is refused once more, by address.

use super::destinations::Destinations;
use super::envoy_filter::{before_router, filters, rbac};
use super::object::{Kind, Maker, Object, Part};
use super::rest::anchor_host;
use crate::cli::site::Api;
use crate::index::Network;
use crate::policy::networks;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Of the cluster, and of its cache of names.
const NAME: &str = "tollgate-dynamic";
/// The route that the cluster is patched into.
const ROUTE: &str = "tollgate-dynamic";
/// Hosts that are held at once; beyond that, requests are refused.
const MOST_HOSTS: u32 = 8_192;
/// Requests that wait for names at once.
const MOST_WAITING: u32 = 1_024;

pub(super) fn objects(maker: &Maker<'_>, destinations: &Destinations, strip: &[&str]) -> Vec<Object> {
    let patches =
        vec![cluster(), into_route(maker), before_router(&resolving()), before_router(&refusing(destinations))];
    vec![route(maker, strip), filters(maker, "dynamic", Part::Dynamic, 20, patches)]
}

/// Out of the gateway: the cluster is patched in, since no object can name it. Without the patch it leads nowhere.
fn route(maker: &Maker<'_>, strip: &[&str]) -> Object {
    let gateway = maker.gateway;
    let host = anchor_host(maker);
    match gateway.api {
        Api::Istio => maker.object(
            Part::Dynamic,
            Kind::VirtualService,
            &maker.name("any"),
            json!({
                "hosts": ["*"],
                "exportTo": ["."],
                "gateways": [gateway.name],
                "http": [{
                    "name": ROUTE,
                    "headers": {"request": {"remove": strip}},
                    "route": [{"destination": {"host": host, "port": {"number": 80}}}],
                    "retries": {"attempts": 0},
                }],
            }),
        ),
        Api::Gateway | Api::Waypoint => maker.object(
            Part::Dynamic,
            Kind::HttpRoute,
            &maker.name("any"),
            json!({
                "parentRefs": [{"name": gateway.name}],
                "rules": [{
                    "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": strip}}],
                    "backendRefs": [{"group": "networking.istio.io", "kind": "Hostname", "name": host, "port": 80}],
                }],
            }),
        ),
    }
}

fn cache() -> Value {
    json!({
        "name": NAME,
        "dns_lookup_family": "V4_PREFERRED",
        "max_hosts": MOST_HOSTS,
        "host_ttl": "300s",
        "dns_cache_circuit_breaker": {"max_pending_requests": MOST_WAITING},
    })
}

fn cluster() -> Value {
    let authorities = json!({
        "name": "file-root:system",
        "sds_config": {
            "resource_api_version": "V3",
            "api_config_source": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "sds-grpc"}}],
            },
        },
    });
    let cluster = json!({
        "name": NAME,
        "connect_timeout": "10s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.dynamic_forward_proxy",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
                "dns_cache_config": cache(),
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
                        "validation_context_sds_secret_config": authorities,
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

fn into_route(maker: &Maker<'_>) -> Value {
    let gateway = maker.gateway;
    let name = match gateway.api {
        Api::Istio => ROUTE.to_owned(),
        Api::Gateway | Api::Waypoint => format!("{}.{}.0", gateway.namespace, maker.name("any")),
    };
    json!({
        "applyTo": "HTTP_ROUTE",
        "match": {"context": "GATEWAY", "routeConfiguration": {"vhost": {"route": {"name": name}}}},
        "patch": {"operation": "MERGE", "value": {"route": {"cluster": NAME}}},
    })
}

/// Looks names up, behind Tollgate.
fn resolving() -> Value {
    json!({
        "name": "tollgate.dynamic",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
            "dns_cache_config": cache(),
            "save_upstream_address": true,
        },
    })
}

/// Refuses names that resolve to addresses of the inside: whoever owns a name says what it resolves to. An address that a
/// rule admits is reached as that address, and no name leads to it.
fn refusing(destinations: &Destinations) -> Value {
    let inside = any_of(networks("private"));
    let permission = match destinations.private.keys().flat_map(|network| networks(network)).collect::<Vec<_>>() {
        none if none.is_empty() => inside,
        admitted => {
            let literal = json!({"header": {"name": ":authority", "string_match": {"safe_regex": {"regex": LITERAL}}}});
            let admitted = json!({"and_rules": {"rules": [any_of(admitted), literal]}});
            json!({"and_rules": {"rules": [inside, {"not_rule": admitted}]}})
        }
    };
    let rules = json!({
        "action": "DENY",
        "policies": {"addresses-of-the-inside": {"permissions": [permission], "principals": [{"any": true}]}},
    });
    rbac("tollgate.addresses", &rules)
}

/// Authorities that are addresses (RE2, the whole of it); which of them, Tollgate has decided before.
const LITERAL: &str = r"([0-9.]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?";

/// That a request is led into one of these networks.
fn any_of(networks: Vec<Network>) -> Value {
    let one = |network| {
        let (address, bits) = match network {
            Network::V4(address, bits) => (IpAddr::from(Ipv4Addr::from_bits(address)), bits),
            Network::V6(address, bits) => (IpAddr::from(Ipv6Addr::from_bits(address)), bits),
        };
        json!({
            "matcher": {
                "name": "envoy.rbac.matchers.upstream_ip_port",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher",
                    "upstream_ip": {"address_prefix": address, "prefix_len": bits},
                },
            },
        })
    };
    json!({"or_rules": {"rules": networks.into_iter().map(one).collect::<Vec<_>>()}})
}
