//! Changes of settings, which stand besides entries.

use crate::read::document::{Document, Mode, RouteWord};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Debug;

/// A setting that differs.
#[derive(Debug, Serialize)]
pub(crate) struct Changed {
    /// Its key in the policy.
    pub(crate) key: &'static str,
    /// Its value, or the default if it is not given.
    pub(crate) old: String,
    pub(crate) new: String,
    /// True if more may be let through because of it without a line among the changes.
    pub(crate) widens: bool,
}

pub(crate) fn between(old: &Document, new: &Document) -> Vec<Changed> {
    let values = values(old).into_iter().zip(values(new));
    let differing = values.filter(|((_, old), (_, new))| old != new);
    differing.map(|((key, was), (_, is))| Changed { key, old: was, new: is, widens: widens(key, old, new) }).collect()
}

/// Tells whether the change of a setting opens something that no single request shows.
fn widens(key: &str, old: &Document, new: &Document) -> bool {
    match key {
        "mode" => new.mode == Mode::DryRun,
        // quotas are suspended for whom it names
        "dryRunFor" => {
            let [old, new] = [old, new].map(crate::analysis::atoms::Who::onboarding);
            new.iter().any(|who| !old.contains(who))
        }
        "authority.verifyRoute" => {
            // from the most that is compared to the least
            let rank = |document: &Document| match document.verify_route() {
                Some(RouteWord::Full) => 0,
                Some(RouteWord::Host) => 1,
                None => 2,
                Some(RouteWord::Off) => 3,
            };
            rank(new) > rank(old)
        }
        // whoever is led to such a name is decided by the name in its own TLS
        "tcp.self" => true,
        // each gateway has a larger share of every quota
        "replicas" => new.replicas.unwrap_or(1) < old.replicas.unwrap_or(1),
        // every quota starts with new buckets
        "name" => !new.quotas.is_empty(),
        "requestHeaders.remove" => {
            let [old, new] = [old, new].map(|document| lower(&document.request_headers.remove));
            !old.is_subset(&new)
        }
        "requestHeaders.keep" => {
            let [old, new] = [old, new].map(|document| lower(&document.request_headers.keep));
            !new.is_subset(&old)
        }
        "tripwire" => old.tripwire.is_some() && new.tripwire.is_none(),
        _ => false,
    }
}

fn lower(names: &[String]) -> BTreeSet<String> {
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

/// A host name in the one spelling in which it is compared.
fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Every setting in words that are the same if the settings are.
fn values(document: &Document) -> Vec<(&'static str, String)> {
    let given = |text: Option<&str>| text.unwrap_or("none").to_owned();
    let listed = |names: BTreeSet<String>| match names.len() {
        0 => "none".to_owned(),
        _ => names.into_iter().collect::<Vec<_>>().join(" "),
    };
    // secrets are not shown: a digest of them would be one that can be tried out
    let tripwire = document.tripwire.as_ref();
    let sources: Vec<String> = document.sources().iter().map(word).collect();
    vec![
        ("name", document.name.clone()),
        ("mode", word(&document.mode)),
        (
            "dryRunFor",
            listed(crate::analysis::atoms::Who::onboarding(document).iter().map(ToString::to_string).collect()),
        ),
        ("identity.sources", sources.join(" ")),
        ("identity.trustDomains", document.trust_domains().join(" ")),
        ("authority.defaultPort", document.default_port().to_string()),
        ("authority.verifyRoute", document.verify_route().map_or("off".to_owned(), |compared| word(&compared))),
        ("tcp.port", document.connection_port().to_string()),
        ("tcp.http", document.tcp.http.to_string()),
        ("tcp.rendered", document.tcp.rendered.to_string()),
        ("tcp.self", listed(document.tcp.own.iter().map(|name| canonical(name)).collect())),
        ("replicas", document.replicas.unwrap_or(1).to_string()),
        ("response.detail", word(&document.response.detail)),
        ("response.docsUrl", given(document.response.docs_url.as_deref())),
        ("requestHeaders.remove", listed(lower(&document.request_headers.remove))),
        ("requestHeaders.keep", listed(lower(&document.request_headers.keep))),
        ("requestHeaders.by", word(&document.request_headers.by)),
        ("tripwire", given(tripwire.map(|tripwire| tripwire.header.as_str()))),
        ("audit.allowed", word(&document.audit.allowed)),
        ("audit.path", word(&document.audit.path)),
        ("metrics.by", listed(document.metrics.by.iter().map(word).collect())),
    ]
}

/// A value of the language as it is written.
fn word(value: &impl Debug) -> String {
    let mut word = String::new();
    for letter in format!("{value:?}").chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}
