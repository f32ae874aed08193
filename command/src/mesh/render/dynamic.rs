//! `routes: catch-all`: one dynamic route for every host. A new host is a line of the policy, and no object.
//!
//! Clusters resolve the authority's host behind Tollgate, so that a denied name is never looked up; speak TLS to it, and have it prove
//! that name. Each is a [`Way`] of its own: for names, for addresses that stand in the authority, and for names that the site lets inside.

use super::destinations::Destinations;
use super::envoy_filter::{before_router, filters, into_route};
use super::literals;
use super::object::{Kind, Maker, Object, Part, insert};
use super::removal::MOST_OF_A_RULE;
use super::rest::anchor_host;
use super::way::{self, Way};
use crate::mesh::site::{Api, Site};
use serde_json::{Map, Value, json};

pub(super) fn objects(maker: &Maker<'_>, site: &Site, destinations: &Destinations, strip: &[String]) -> Vec<Object> {
    let ways = way::all(maker.gateway);
    let into_routes = ways.iter().enumerate().flat_map(|(number, way)| to_way(maker, number, way, &ways));
    let mut patches: Vec<Value> =
        ways.iter().map(|way| way.cluster(&site.ca_certificates)).chain(into_routes).collect();
    patches.extend(ways.iter().map(|way| before_router(&way.resolving())));
    patches.push(before_router(&literals::refusing(destinations)));
    vec![route(maker, &ways, strip), filters(maker, "dynamic", Part::Dynamic, 20, patches)]
}

/// Out of the gateway: the clusters are patched in, since no object can name them. Without the patch they lead nowhere.
fn route(maker: &Maker<'_>, ways: &[Way], strip: &[String]) -> Object {
    let gateway = maker.gateway;
    let host = anchor_host(maker);
    match gateway.api {
        Api::Istio => {
            let route = |way: &Way| {
                let mut route = json!({
                    "name": way.name,
                    "headers": {"request": {"remove": strip}},
                    "route": [{"destination": {"host": host, "port": {"number": 80}}}],
                    "retries": {"attempts": 0},
                });
                if let Some(authority) = &way.authority {
                    insert(&mut route, "match", json!([{"authority": {"regex": authority}}]));
                }
                route
            };
            let spec = json!({
                "hosts": ["*"],
                "exportTo": ["."],
                "gateways": [gateway.name],
                "http": ways.iter().map(route).collect::<Vec<_>>(),
            });
            maker.object(Part::Dynamic, Kind::VirtualService, &maker.name("any"), spec)
        }
        Api::Gateway | Api::Waypoint => {
            let removed: Vec<&String> = strip.iter().take(MOST_OF_A_RULE).collect();
            let rule = |way: &Way| {
                let mut rule = json!({
                    "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": removed}}],
                    "backendRefs": [{"group": "networking.istio.io", "kind": "Hostname", "name": host, "port": 80}],
                });
                if let Some(authority) = &way.authority {
                    let header = json!({"type": "RegularExpression", "name": "Host", "value": authority});
                    insert(&mut rule, "matches", json!([{"headers": [header]}]));
                }
                rule
            };
            let spec = json!({
                "parentRefs": [{"name": gateway.name}],
                "rules": ways.iter().map(rule).collect::<Vec<_>>(),
            });
            maker.object(Part::Dynamic, Kind::HttpRoute, &maker.name("any"), spec)
        }
    }
}

/// Leads a route to the way's cluster, and keeps the look-ups of other ways out of it.
fn to_way(maker: &Maker<'_>, number: usize, way: &Way, ways: &[Way]) -> Vec<Value> {
    let gateway = maker.gateway;
    let name = match gateway.api {
        Api::Istio => way.name.to_owned(),
        Api::Gateway | Api::Waypoint => format!("{}.{}.{number}", gateway.namespace, maker.name("any")),
    };
    let mut value = json!({"route": {"cluster": way.name}});
    let off: Map<String, Value> =
        ways.iter().filter(|other| other.name != way.name).map(|other| (other.filter_name(), off())).collect();
    insert(&mut value, "typed_per_filter_config", off.into());
    into_route(maker, &name, &value)
}

/// A filter that does not stand in a route's chain.
fn off() -> Value {
    json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true})
}
