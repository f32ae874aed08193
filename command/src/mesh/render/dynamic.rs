//! `routes: catch-all`: one dynamic route for every host. A new host is a line of the policy, and no object.
//!
//! Clusters resolve the authority's host behind Tollgate, so that a denied name is never looked up; speak TLS to it, and have it prove
//! that name. Each is a [`Way`] of its own: for names, for addresses that stand in the authority, and for names that the site lets inside.

use super::api;
use super::destinations::Destinations;
use super::envoy_filter::{before_router, filters, into_route};
use super::literals;
use super::object::{Maker, Object, ObjectPart, insert};
use super::way::{self, DynamicWay};
use crate::mesh::site::Site;
use serde_json::{Map, Value, json};
use tollgate_envoy::type_url;

pub(super) fn objects(maker: &Maker<'_>, site: &Site, destinations: &Destinations, strip: &[String]) -> Vec<Object> {
    let ways = way::all(maker.gateway);
    let into_routes = ways.iter().enumerate().flat_map(|(number, way)| to_way(maker, number, way, &ways));
    let mut patches: Vec<Value> =
        ways.iter().map(|way| way.cluster(&site.ca_certificates)).chain(into_routes).collect();
    patches.extend(filters_of(&ways, destinations).iter().map(before_router));
    // the clusters are patched in, since no object can name them: without the patch the route leads nowhere
    let route = api::of(maker.gateway).route_of_any(maker, &ways, strip);
    vec![route, filters(maker, "dynamic", ObjectPart::Dynamic, 20, patches)]
}

/// The filters of a chain of HTTP that look names up and refuse addresses.
pub(super) fn filters_of(ways: &[DynamicWay], destinations: &Destinations) -> Vec<Value> {
    ways.iter().map(DynamicWay::resolving).chain([literals::refusing(destinations)]).collect()
}

/// Leads a route to the way's cluster, and keeps the look-ups of other ways out of it.
fn to_way(maker: &Maker<'_>, number: usize, way: &DynamicWay, ways: &[DynamicWay]) -> Vec<Value> {
    let name = api::of(maker.gateway).name_of_any(maker, number, way);
    let mut value = json!({"route": {"cluster": way.name}});
    let off: Map<String, Value> =
        ways.iter().filter(|other| other.name != way.name).map(|other| (other.filter_name(), off())).collect();
    insert(&mut value, "typed_per_filter_config", off.into());
    into_route(maker, &name, &value)
}

/// A filter that does not stand in a route's chain.
fn off() -> Value {
    json!({"@type": type_url("envoy.config.route.v3.FilterConfig"), "disabled": true})
}
