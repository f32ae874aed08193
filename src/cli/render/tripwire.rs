//! What shuts the gateway where the filter is missing: a plugin that was deleted, a selector that selects nothing.

use super::envoy_filter::{before_router, filters, rbac};
use super::object::{Kind, Maker, Object, Part, attach};
use crate::cli::advice::{Advice, code};
use crate::cli::document::Document;
use crate::cli::envoy;
use crate::cli::site::Permission;
use serde_json::json;

/// Both forms, as far as the site lets and the policy has them.
pub(super) fn objects(maker: &Maker<'_>, document: &Document, advice: &mut Advice) -> Vec<Object> {
    let mut objects = Vec::new();
    if maker.gateway.envoy_filter == Permission::Allowed {
        let patch = before_router(&rbac("tollgate.tripwire", &envoy::tripwire()));
        objects.push(filters(maker, "tripwire", Part::Tripwire, 10, vec![patch]));
    } else if document.tripwire.is_none() {
        let message = "nothing shuts the gateway if the filter is missing: the site forbids EnvoyFilter".to_owned();
        let fix = "give the policy a `tripwire` header, which an AuthorizationPolicy then demands".to_owned();
        advice.add(code::NO_GUARD, String::new(), message, fix);
    }
    if let Some(tripwire) = &document.tripwire {
        let header = format!("request.headers[{}]", tripwire.header);
        let mut spec = json!({
            "action": "ALLOW",
            "rules": [{"when": [{"key": header, "values": tripwire.values}]}],
        });
        attach(maker.gateway, &mut spec);
        objects.push(maker.object(Part::Secret, Kind::AuthorizationPolicy, &maker.name("tripwire"), spec));
    }
    objects
}
