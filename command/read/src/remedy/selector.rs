//! Selectors as people write them.

use super::written::text;
use crate::pointer::Trail;
use crate::tree::{Node, Value};

/// The selector that a word stands for.
pub(super) fn of(word: &str, root: &Node<'_>) -> Option<String> {
    let is_set = root.get("workloads").is_some_and(|sets| sets.get(word).is_some());
    Some(match word {
        "*" | "**" | "any" | "all" | "everyone" => "{any: true}".to_owned(),
        "anonymous" | "none" => "{anonymous: true}".to_owned(),
        _ if is_set => format!("{{workloads: {}}}", text(word)),
        _ if word.starts_with("spiffe://") => format!("{{spiffe: {word}}}"),
        _ => {
            let (namespace, account) = account(word)?;
            match account {
                None | Some("*") => format!("{{namespace: {}}}", text(namespace)),
                Some(account) => format!("{{serviceAccount: {}}}", text(&format!("{namespace}/{account}"))),
            }
        }
    })
}

/// Namespace and account of `ns/name`, `ns`, `system:serviceaccount:ns:name` and `cluster.local/ns/NS/sa/NAME`.
fn account(word: &str) -> Option<(&str, Option<&str>)> {
    let is_name = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if let Some((namespace, name)) = word.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        return Some((namespace, Some(name)));
    }
    let parts: Vec<&str> = word.split('/').collect();
    match parts.as_slice() {
        [.., "ns", namespace, "sa", name] => Some((*namespace, Some(*name))),
        [namespace] => Some((*namespace, None)).filter(|_| is_name(namespace)),
        [namespace, name] => {
            Some((*namespace, Some(*name))).filter(|_| is_name(namespace) && (is_name(name) || *name == "*"))
        }
        _ => None,
    }
}

/// A selector with several keys.
pub(super) fn combined(trail: &Trail<'_, '_>) -> Option<String> {
    let entries = trail.node()?.entries();
    let value = |key: &str| entries.iter().find(|entry| entry.key.text() == Some(key))?.value.text();
    let keys: Vec<&str> = entries.iter().filter_map(|entry| entry.key.text()).collect();
    let is_selector = ["spiffe", "serviceAccount", "namespace", "workloads", "any", "anonymous"];
    let given: Vec<&str> = keys.iter().copied().filter(|key| is_selector.contains(key)).collect();
    if given.len() < 2 {
        return None;
    }
    if let (["serviceAccount", "namespace"] | ["namespace", "serviceAccount"], Some(namespace), Some(account)) =
        (given.as_slice(), value("namespace"), value("serviceAccount"))
    {
        let name = account.rsplit('/').next().unwrap_or(account);
        return Some(format!("write `{{serviceAccount: {}}}`", text(&format!("{namespace}/{name}"))));
    }
    let each: Option<Vec<String>> = entries
        .iter()
        .filter(|entry| entry.key.text().is_some_and(|key| given.contains(&key)))
        .map(|entry| Some(format!("{{{}: {}}}", entry.key.text()?, super::written::flow(&entry.value)?)))
        .collect();
    each.map(|each| format!("write a selector for each: `{}`", each.join(", ")))
}

/// A value that is no identity, namespace or account.
pub(super) fn identity(trail: &Trail<'_, '_>, node: &Node<'_>) -> Option<String> {
    let Value::Text(word) = &node.value else { return None };
    let word = word.as_ref();
    let key = *trail.keys().last()?;
    if key == "trustDomains" {
        let bare = word.strip_prefix("spiffe://")?.split('/').next()?;
        return Some(format!("write `{bare}`"));
    }
    if word == "*" || word == "*/*" {
        return Some("write `{any: true}`".to_owned());
    }
    if word.trim_end_matches("/*").contains('*') {
        return None;
    }
    match (key, account(word)?) {
        ("serviceAccount", (name, None)) => {
            Some(format!("write `NAMESPACE/{name}`: the namespace of the account, a slash, its name"))
        }
        ("serviceAccount" | "namespace" | "spiffe", (namespace, Some("*"))) => {
            Some(format!("write `{{namespace: {}}}`", text(namespace)))
        }
        ("serviceAccount", (namespace, Some(name))) => Some(format!("write `{namespace}/{name}`")),
        ("namespace" | "spiffe", (namespace, Some(name))) => {
            Some(format!("write `{{serviceAccount: {namespace}/{name}}}`"))
        }
        ("spiffe", (namespace, None)) => Some(format!("write `{{namespace: {}}}`", text(namespace))),
        _ => None,
    }
}
