//! Objects that shut the gateway where the filter is missing: a plugin that was deleted, a selector that selects nothing, a listener that
//! somebody else opened on these pods.

use super::api;
use super::envoy_filter::{before, before_router, filters, into, into_manager};
use super::object::{Maker, Object, ObjectKind, ObjectPart};
use super::replies;
use crate::analysis::advice::{Advice, code};
use crate::mesh::site::{Permission, Site};
use crate::read::document::Document;
use serde_json::{Value, json};
use tollgate_envoy::{tcp, tripwire as rules};

/// Istio whose API knows how to keep a TCP proxy from connecting before the first byte.
const WAITING: u32 = 31;

/// The filters that end a filter chain without HTTP, or stands before what does.
const PROTOCOLS: [&str; 4] = [
    "envoy.filters.network.tcp_proxy",
    "envoy.filters.network.redis_proxy",
    "envoy.filters.network.mongo_proxy",
    "envoy.filters.network.mysql_proxy",
];

/// Both forms, as far as the site lets and the policy has them.
pub(super) fn objects(maker: &Maker<'_>, site: &Site, document: &Document, advice: &mut Advice) -> Vec<Object> {
    let mut objects = Vec::new();
    if maker.gateway.envoy_filter == Permission::Allowed {
        let mut patches: Vec<Value> = of_requests().iter().map(before_router).collect();
        patches.extend(without_http(site));
        patches.push(into_manager(&replies::replies(document)));
        objects.push(filters(maker, "tripwire", ObjectPart::Tripwire, 10, patches));
    } else if document.tripwire.is_none() {
        let message = "nothing shuts the gateway if the filter is missing: the site forbids EnvoyFilter".to_owned();
        let fix = "give the policy a `tripwire` header, which an AuthorizationPolicy then demands".to_owned();
        advice.add(code::NO_GUARD, String::new(), message, fix);
    }
    if let Some(tripwire) = &document.tripwire {
        let mut spec = by_header(maker, &tripwire.header, &tripwire.values);
        api::of(maker.gateway).attach(maker.gateway, &mut spec);
        objects.push(maker.object(ObjectPart::Secret, ObjectKind::AuthorizationPolicy, &maker.name("tripwire"), spec));
    }
    objects
}

/// The filters that stand behind Tollgate in a chain of HTTP.
pub(super) fn of_requests() -> [Value; 2] {
    [("tollgate.routes", rules::foreign_routes()), ("tollgate.tripwire", rules::bound_tripwire())]
        .map(|(name, rules)| rules::filter(name, &rules))
}

/// A DENY, since whatever else allows does not open it. Ports that nobody rendered are shut, whoever opened them.
fn by_header(maker: &Maker<'_>, header: &str, values: &[String]) -> Value {
    let ports = &maker.gateway.ports;
    let rendered: Vec<String> = ports.rendered().map(|port| port.to_string()).collect();
    let header = format!("request.headers[{header}]");
    json!({
        "action": "DENY",
        "rules": [
            {"to": [{"operation": {"ports": [ports.http.to_string()]}}], "when": [{"key": header, "notValues": values}]},
            {"to": [{"operation": {"notPorts": rendered}}]},
        ],
    })
}

/// Chains that speak no HTTP, of whatever listener: nothing passes, and nothing is connected to, without a record.
fn without_http(site: &Site) -> Vec<Value> {
    let tripwire = tcp::tripwire();
    let mut patches: Vec<Value> = PROTOCOLS.into_iter().map(|name| before(name, &tripwire)).collect();
    if site.istio.minor().is_some_and(|minor| minor >= WAITING) {
        let [proxy, ..] = PROTOCOLS;
        patches.push(into(proxy, &tcp::waiting()));
    }
    patches
}
