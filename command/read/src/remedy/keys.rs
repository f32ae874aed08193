//! Keys that the language does not have, and keys that are not given.

use super::written::{flow, text};
use crate::pointer::Trail;
use crate::tree::Node;
use tollgate::policy::{Finding, TARGET_KEYS};

/// Keys of selectors.
const OF_SELECTORS: [&str; 7] =
    ["spiffe", "serviceAccount", "namespace", "workloads", "any", "anonymous", "trustDomain"];
const ENTRIES: [&str; 4] = ["rules", "deny", "residency", "quotas"];

/// Words of other tools and their words here.
const SYNONYMS: [(&str, &str); 45] = [
    ("allow", "rules"),
    ("allowlist", "rules"),
    ("whitelist", "rules"),
    ("egress", "rules"),
    ("policies", "rules"),
    ("policy", "rules"),
    ("block", "deny"),
    ("blocklist", "deny"),
    ("denylist", "deny"),
    ("limits", "quotas"),
    ("groups", "workloads"),
    ("url", "hosts"),
    ("urls", "hosts"),
    ("domain", "hosts"),
    ("domains", "hosts"),
    ("fqdn", "hosts"),
    ("fqdns", "hosts"),
    ("dnsNames", "hosts"),
    ("address", "hosts"),
    ("ip", "cidrs"),
    ("ips", "cidrs"),
    ("ipBlock", "cidrs"),
    ("ipBlocks", "cidrs"),
    ("verb", "methods"),
    ("verbs", "methods"),
    ("prefix", "paths"),
    ("prefixes", "paths"),
    ("source", "from"),
    ("sources", "from"),
    ("subjects", "from"),
    ("who", "from"),
    ("identities", "from"),
    ("target", "to"),
    ("targets", "to"),
    ("what", "to"),
    ("name", "id"),
    ("expires", "expiresAt"),
    ("expiry", "expiresAt"),
    ("until", "expiresAt"),
    ("validUntil", "expiresAt"),
    ("description", "reason"),
    ("comment", "reason"),
    ("ns", "namespace"),
    ("sa", "serviceAccount"),
    ("principal", "spiffe"),
];

/// Adds to the finding of an unknown key where it belongs, or its name here.
pub(super) fn unknown(finding: &mut Finding, root: &Node<'_>) {
    let Some(key) = finding.message.strip_prefix("unknown key `").and_then(|rest| rest.strip_suffix('`')) else {
        return;
    };
    // the map around it: its keys from the root say what it is in
    let around = finding.pointer.len().saturating_sub(key.len());
    let around = finding.pointer.get(..around).map(|pointer| pointer.trim_end_matches(['.', '['])).unwrap_or_default();
    let Some(trail) = Trail::of(around, root) else { return };
    let keys = trail.keys();
    let known: &[&str] = &keys;
    let value = trail.node().and_then(|map| map.get(key));
    let fix = match known {
        [list] if ENTRIES.contains(list) && trail.is_element() => in_entry(list, key, value),
        [] if key.starts_with("x-") || key.starts_with('.') => {
            Some("put an anchor in front of the first value that it is for: policies have no other keys".to_owned())
        }
        _ => None,
    };
    if let Some(fix) = fix {
        finding.fix = Some(fix);
        return;
    }
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == key).map(|(_, word)| *word);
    // the checker lists the keys that there are
    let listed = finding.fix.as_deref().unwrap_or_default();
    if let Some(word) =
        synonym.filter(|word| listed.starts_with("the keys here") && listed.contains(&format!("`{word}`")))
    {
        finding.fix = Some(format!("did you mean `{word}`?"));
    }
}

/// A key that no entry of this list has.
fn in_entry(list: &str, key: &str, value: Option<&Node<'_>>) -> Option<String> {
    let written = |key: &str| match value.and_then(flow) {
        Some(value) => format!("{key}: {value}"),
        None => format!("{key}: …"),
    };
    match key {
        "action" | "effect" | "decision" | "verdict" => Some(match list {
            "rules" => "remove it: rules only admit; what is to be denied stands in `deny`".to_owned(),
            "deny" => "remove it: entries of `deny` only deny; what is to be let through stands in `rules`".to_owned(),
            _ => "remove it".to_owned(),
        }),
        "except" | "notFrom" if list != "deny" => {
            Some(format!("only entries of `deny` have `{key}`: write a `deny` entry, or list what is meant"))
        }
        "expiresAt" if list != "rules" => Some("only rules end: remove it".to_owned()),
        "mode" => Some("rules and residency have no mode of their own: `mode` stands at the top, or with a `deny` entry or a quota".to_owned()),
        "limit" => Some("limits stand in `quotas`: `{id: …, to: […], limit: {requests: 100, per: 1s}}`".to_owned()),
        _ if TARGET_KEYS.contains(&key) && list != "residency" => {
            Some(format!("put it into `to`: `to: [{{{}}}]`", written(key)))
        }
        "host" | "port" | "path" | "method" | "cidr" if list != "residency" => {
            let one = value.and_then(|node| flow(node)).map_or("…".to_owned(), |value| value);
            Some(format!("put it into `to`: `to: [{{{key}s: [{one}]}}]`"))
        }
        _ if OF_SELECTORS.contains(&key) => Some(format!("put it into `from`: `from: [{{{}}}]`", written(key))),
        _ => None,
    }
}

/// Advises what to write for a missing key.
pub(super) fn missing(message: &str, trail: &Trail<'_, '_>) -> Option<String> {
    let key = message.strip_prefix('`')?.strip_suffix("` is missing")?;
    Some(match key {
        "version" => "write `version: 1`".to_owned(),
        "name" => "write `name: …`, the name that records show".to_owned(),
        "id" => {
            match trail.node().and_then(|entry| entry.get("owner").or_else(|| entry.get("ticket"))).and_then(Node::text)
            {
                Some(owner) => format!("write `id: {}`, a name of its own", text(&owner.to_ascii_lowercase())),
                None => "write `id: …`, a name of its own".to_owned(),
            }
        }
        "from" => {
            "say who: `from: [{serviceAccount: NAMESPACE/NAME}]`, `[{namespace: …}]` or `[{any: true}]`".to_owned()
        }
        "to" => "say where to: `to: [{hosts: […]}]`".to_owned(),
        "regions" => "list the regions: `regions: [eu]`".to_owned(),
        "limit" => "say how much: `limit: {requests: 100, per: 1s}`".to_owned(),
        "header" => "name it: `header: x-egress-guard`".to_owned(),
        "values" => "list a secret: `values: [\"…\"]`".to_owned(),
        _ => return None,
    })
}
