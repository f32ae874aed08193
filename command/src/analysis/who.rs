//! Selectors to which an identity belongs. For showing it; decisions ask the index.

use crate::read::document::{Document, Selector};
use tollgate::policy::Settings;
use tollgate::request::Identity;

/// Tells whether a selector (a set's own selectors in its place) selects an identity, read as `from` of a rule reads
/// it. None is a request without one.
pub(crate) fn selects(
    document: &Document,
    settings: &Settings,
    selector: &Selector,
    identity: Option<&Identity<'_>>,
) -> bool {
    if let Some(set) = &selector.workloads {
        let set = document.workloads.get(set).map(Vec::as_slice).unwrap_or_default();
        return set.iter().any(|selector| selects(document, settings, selector, identity));
    }
    let own = settings.trust_domains.first().map_or("", String::as_str);
    selector.typed(own).is_some_and(|selector| selector.contains(identity))
}

/// Tells whether any selector of a list selects an identity.
pub(crate) fn any_selects(
    document: &Document,
    settings: &Settings,
    selectors: &[Selector],
    identity: Option<&Identity<'_>>,
) -> bool {
    selectors.iter().any(|selector| selects(document, settings, selector, identity))
}

/// The least selector that selects an identity.
pub(crate) fn selector_of(settings: &Settings, identity: Option<&Identity<'_>>) -> serde_json::Value {
    let Some(identity) = identity else { return serde_json::json!({"anonymous": true}) };
    match identity.service_account_key().and_then(|key| key.split_once("/sa/")) {
        None => serde_json::json!({"spiffe": identity.id()}),
        Some((namespace, name)) => {
            let account = format!("{namespace}/{name}");
            match settings.trust_domains.first().map(String::as_str) == Some(identity.trust_domain()) {
                true => serde_json::json!({"serviceAccount": account}),
                false => serde_json::json!({"serviceAccount": account, "trustDomain": identity.trust_domain()}),
            }
        }
    }
}
