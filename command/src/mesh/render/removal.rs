//! Request headers that end at the gateway: routes take them away, behind the decision and behind the choice of the route.

use super::api;
use crate::mesh::site::{Gateway, Permission};
use crate::read::document::Document;

/// Headers that tell of the mesh, or mean another host than the one that was decided about.
const DEFAULT: [&str; 6] =
    ["x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-host", "x-host", "x-original-host", "forwarded"];

/// Every header of Envoy's own that a request can have: a route names headers whole.
const ENVOY: &str = "x-envoy-*";
const ENVOYS: [&str; 25] = [
    // the router and Istio add these behind the filter
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-original-path",
    "x-envoy-original-host",
    "x-envoy-original-method",
    "x-envoy-internal",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-ip-tags",
    "x-envoy-is-timeout-retry",
    "x-envoy-max-retries",
    "x-envoy-original-dst-host",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
];

/// Tells whether routes take away every header that is named whole. Those of the Gateway API do so with an EnvoyFilter, or up to a number.
pub(super) fn is_by_routes(gateway: &Gateway, document: &Document) -> bool {
    api::of(gateway).removes_any_number()
        || gateway.envoy_filter == Permission::Allowed
        || names(document).iter().filter(|name| !ENVOYS.contains(&name.as_str())).count() <= api::MOST_OF_A_RULE
}

/// Their names, the most telling first. What a policy writes with a `*` at its end is left to the filter.
pub(super) fn names(document: &Document) -> Vec<String> {
    let keeps = |name: &str| document.request_headers.keep.iter().any(|kept| kept.eq_ignore_ascii_case(name));
    let tripwire = document.tripwire.iter().flat_map(|tripwire| {
        let header = tripwire.header.to_ascii_lowercase();
        [header.replace('-', "_"), header]
    });
    let own = document.request_headers.remove.iter().filter(|name| !name.ends_with('*'));
    let default = DEFAULT.into_iter().filter(|name| !keeps(name));
    let envoys = ENVOYS.into_iter().filter(|_| !keeps(ENVOY));
    let mut names: Vec<String> = Vec::new();
    for name in tripwire
        .chain(default.map(str::to_owned))
        .chain(own.map(|name| name.to_ascii_lowercase()))
        .chain(envoys.map(str::to_owned))
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
