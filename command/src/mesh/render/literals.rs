//! Addresses that stand in an authority: no name leads to them, and those of the inside are for rules that name them.

use super::addresses::{self, AddressRange};
use super::destinations::Destinations;
use super::way::LITERAL;
use serde_json::{Value, json};
use tollgate::policy::networks;
use tollgate_envoy::{ADDRESS_INSIDE_POLICY, tripwire, type_url};

/// Refuses every address of the inside, and every one of IPv6 that embeds one, but for the networks that rules name. The
/// authority is what Tollgate wrote, and so an address in its one spelling; which of them, Tollgate has decided before.
pub(super) fn refusing(destinations: &Destinations) -> Value {
    let named: Vec<AddressRange> =
        destinations.private.keys().flat_map(|network| networks(network)).map(AddressRange::from).collect();
    let inside = any_of(&addresses::inside());
    let inside = if named.is_empty() { inside } else { all_of([inside, json!({"not_rule": any_of(&named)})]) };
    // an address that nobody can tell is refused
    let unknown = json!({"not_rule": any_of(&AddressRange::EVERY)});
    let is_literal = json!({"header": {"name": ":authority", "string_match": {"safe_regex": {"regex": LITERAL}}}});
    let refused = json!({"or_rules": {"rules": [inside, unknown]}});
    let rules = json!({
        "action": "DENY",
        "policies": {
            ADDRESS_INSIDE_POLICY: {"permissions": [all_of([is_literal, refused])], "principals": [{"any": true}]},
        },
    });
    tripwire::filter("tollgate.addresses", &rules)
}

fn all_of(rules: [Value; 2]) -> Value {
    json!({"and_rules": {"rules": rules}})
}

/// Condition that a request is led into one of these ranges.
fn any_of(ranges: &[AddressRange]) -> Value {
    let one = |range: &AddressRange| {
        json!({
            "matcher": {
                "name": "envoy.rbac.matchers.upstream_ip_port",
                "typed_config": {
                    "@type": type_url("envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher"),
                    "upstream_ip": range.envoy(),
                },
            },
        })
    };
    json!({"or_rules": {"rules": ranges.iter().map(one).collect::<Vec<_>>()}})
}
