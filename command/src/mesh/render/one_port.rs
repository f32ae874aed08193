//! One port for everything: what is HTTP goes on to an internal listener with the filter for HTTP, and TLS to names that have no objects
//! of their own goes on to one that looks the names up, behind the decision.

use super::api;
use super::cluster_patch::added;
use super::destinations::Destinations;
use super::dynamic;
use super::envoy_filter::{before, filters};
use super::limits;
use super::object::{Maker, Object, ObjectPart};
use super::replies;
use super::tripwire;
use super::way;
use crate::mesh::site::{PathNormalization, Routes, Site};
use crate::read::document::Document;
use serde_json::{Map, Value, json};
use std::path::Path;
use tollgate_envoy::{access_log, crossing, internal, tcp, type_url};

/// The patches; none where the gateway has no such port.
pub(super) fn objects(
    maker: &Maker<'_>,
    site: &Site,
    document: &Document,
    destinations: &Destinations,
) -> Option<Object> {
    maker.gateway.ports.all?;
    let mut patches = vec![
        listening(&internal::listener(tcp::HTTP, &[], &[manager(maker, site, document, destinations)])),
        added(&internal::cluster(tcp::HTTP, tcp::HTTP)),
        before(tcp::PROXY, &crossing::principal()),
    ];
    if destinations.has_dynamic_tls {
        let port = document.tcp_port();
        let names = way::names_of_tls(maker.gateway);
        let log = access_log::tcp_file(Path::new(LOG));
        patches.extend([
            listening(&names.tls_listener(port, &[log])),
            added(&names.tls_cluster()),
            added(&internal::cluster(&tcp::dynamic(port), &tcp::dynamic(port))),
        ]);
    }
    Some(filters(maker, "one-port", ObjectPart::Gateway, 25, patches))
}

/// The log of the gateway's own pods.
const LOG: &str = "/dev/stdout";

fn listening(listener: &Value) -> Value {
    json!({
        "applyTo": "LISTENER",
        "match": {"context": "GATEWAY"},
        "patch": {"operation": "ADD", "value": listener},
    })
}

/// The filter that speaks HTTP behind the port: the chain of the rendered listener for HTTP, with its routes, its filter and its walls.
fn manager(maker: &Maker<'_>, site: &Site, document: &Document, destinations: &Destinations) -> Value {
    let gateway = maker.gateway;
    let api = api::of(gateway);
    let from_istio = json!({"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"});
    let types = ["wasm.v3.Wasm", "rbac.v3.RBAC"].map(|name| type_url(&format!("envoy.extensions.filters.http.{name}")));
    let own = json!({
        "name": api.filter_resource(gateway),
        "config_discovery": {"config_source": from_istio, "type_urls": types},
    });
    let mut all = vec![own];
    all.extend(tripwire::of_requests());
    if gateway.routes == Routes::CatchAll {
        all.extend(dynamic::filters_of(&way::all(gateway), destinations));
    }
    all.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": type_url("envoy.extensions.filters.http.router.v3.Router")},
    }));
    let settings = json!({
        "@type": type_url("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": tcp::HTTP,
        "rds": {"config_source": from_istio, "route_config_name": api.route_configuration(gateway)},
        "http_filters": all,
        "access_log": [access_log::file(Path::new(LOG))],
        "use_remote_address": true,
        "forward_client_cert_details": "SANITIZE",
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": "0s",
    });
    let parts = [settings, paths(site.istio.path_normalization), limits::of_manager(), replies::replies(document)];
    let config: Map<String, Value> = parts.into_iter().filter_map(|part| part.as_object().cloned()).flatten().collect();
    json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": config})
}

/// The mesh's normalization of paths, as Istio writes it for listeners of its own.
fn paths(normalization: PathNormalization) -> Value {
    let merges = matches!(normalization, PathNormalization::MergeSlashes | PathNormalization::DecodeAndMergeSlashes);
    json!({
        "normalize_path": normalization != PathNormalization::None,
        "merge_slashes": merges,
        "path_with_escaped_slashes_action": match normalization {
            PathNormalization::DecodeAndMergeSlashes => "UNESCAPE_AND_FORWARD",
            _ => "KEEP_UNCHANGED",
        },
    })
}
