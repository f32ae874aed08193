//! Habits of other languages: words that are no mistake here, and do nothing.

use crate::analysis::advice::{Advice, code, named};
use crate::read::document::{Document, Selector, Target};
use crate::read::path_meant;
use tollgate::policy::nearest;

/// Methods of the registry of HTTP methods (RFC 9110 §16.1).
const METHODS: [&str; 39] = [
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "OPTIONS",
    "ORDERPATCH",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// Bytes of a namespace's name, and of a service account's (RFC 1123).
const NAMESPACE: usize = 63;
const ACCOUNT: usize = 253;

/// Advice on what a policy takes from other languages.
pub(crate) fn lint(document: &Document, advice: &mut Advice) {
    if document.rules.is_empty() {
        let message = "there are no rules: everything is denied".to_owned();
        let fix = "write a rule: `rules: [{id: …, from: [{namespace: …}], to: [{hosts: […]}]}]`".to_owned();
        advice.add(code::NO_RULES, "rules".to_owned(), message, fix);
    }
    for (at, target) in targets(document) {
        paths(&at, target, advice);
        methods(&at, target, advice);
    }
    for (at, selectors) in selectors(document) {
        for (item, selector) in selectors.iter().enumerate() {
            names(&format!("{at}[{item}]"), selector, advice);
        }
    }
}

/// Every target of a policy, and its pointer.
pub(crate) fn targets(document: &Document) -> impl Iterator<Item = (String, &Target)> {
    fn of<'d>(list: &str, number: usize, key: &str, targets: &'d [Target]) -> Vec<(String, &'d Target)> {
        let at = |(item, target)| (format!("{list}[{number}].{key}[{item}]"), target);
        targets.iter().enumerate().map(at).collect()
    }
    let rules = document.rules.iter().enumerate().flat_map(|(number, rule)| of("rules", number, "to", &rule.to));
    let deny = document.deny.iter().enumerate().flat_map(|(number, deny)| {
        let mut all = of("deny", number, "to", &deny.to);
        all.append(&mut of("deny", number, "except", &deny.except));
        all
    });
    let quotas = document.quotas.iter().enumerate().flat_map(|(number, quota)| of("quotas", number, "to", &quota.to));
    rules.chain(deny).chain(quotas)
}

/// Every list of selectors of a policy, and its pointer.
fn selectors(document: &Document) -> impl Iterator<Item = (String, &[Selector])> {
    let rules = document.rules.iter().enumerate();
    let rules = rules.map(|(number, rule)| (format!("rules[{number}].from"), rule.from.as_slice()));
    let deny = document.deny.iter().enumerate().flat_map(|(number, deny)| {
        [(format!("deny[{number}].from"), deny.from.as_slice()), (format!("deny[{number}].notFrom"), &deny.not_from)]
    });
    let residency = document.residency.iter().enumerate();
    let residency = residency.map(|(number, entry)| (format!("residency[{number}].from"), entry.from.as_slice()));
    let quotas = document.quotas.iter().enumerate();
    let quotas = quotas.map(|(number, quota)| (format!("quotas[{number}].from"), quota.from.as_slice()));
    let sets = document.workloads.iter().map(|(name, set)| (named("workloads", name), set.as_slice()));
    rules.chain(deny).chain(residency).chain(quotas).chain(sets)
}

/// Paths of a template, a regular expression or a prefix.
fn paths(at: &str, target: &Target, advice: &mut Advice) {
    for (item, path) in target.paths.iter().enumerate() {
        let at = format!("{at}.paths[{item}]");
        if let Some(meant) = path_meant(path) {
            let message = format!("`{path}` is a path of another language: {}", as_it_is_read(path));
            let fix = format!("write `{meant}`: `*` is any one segment, `**` any number of them");
            advice.add(code::FOREIGN_PATH, at, message, fix);
        } else if let Some(prefix) = prefix(path).filter(|prefix| !has_below(target, prefix)) {
            let message = format!("`{path}` ends at the segment: it does not match `{prefix}/1`");
            let fix = format!("write `{prefix}` and `{prefix}/**`, if all below it is meant");
            advice.add(code::FOREIGN_PATH, at, message, fix);
        }
    }
}

/// The meaning of such a path here.
fn as_it_is_read(path: &str) -> String {
    match path.contains('{') && !path.contains("{{") && !path.contains(',') {
        true => format!("`{{…}}` has one alternative, so that only `{}` matches", path.replace(['{', '}'], "")),
        false => "it is compared as it stands".to_owned(),
    }
}

/// `/v1/charges` of `/v1/charges*`. A `-` or the like before the star makes it a name that is cut.
fn prefix(path: &str) -> Option<&str> {
    let prefix = path.strip_suffix('*')?;
    let is_word = prefix.ends_with(|character: char| character.is_ascii_alphanumeric());
    (is_word && !prefix.contains(['*', '{'])).then_some(prefix)
}

fn has_below(target: &Target, prefix: &str) -> bool {
    target
        .paths
        .iter()
        .any(|path| path.strip_suffix("/**").is_some_and(|above| above == prefix || above == format!("{prefix}*")))
}

/// Methods that nobody registered.
fn methods(at: &str, target: &Target, advice: &mut Advice) {
    for (item, method) in target.methods.iter().enumerate().filter(|(_, method)| !METHODS.contains(&method.as_str())) {
        let message = format!("`{method}` is no registered method of HTTP");
        let fix = match nearest(method, &METHODS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "list the methods that the server takes".to_owned(),
        };
        advice.add(code::UNKNOWN_METHOD, format!("{at}.methods[{item}]"), message, fix);
    }
}

/// Names that Kubernetes gives to nothing.
fn names(at: &str, selector: &Selector, advice: &mut Advice) {
    let mut add = |key: &str, noun: &str, name: &str, right: String| {
        let message = format!("no {noun} of Kubernetes can have the name `{name}`");
        let fix = match right.is_empty() {
            true => "use `a-z`, `0-9` and `-`, with a letter or digit at both ends".to_owned(),
            false => format!("write `{right}`"),
        };
        advice.add(code::IMPOSSIBLE_NAME, format!("{at}.{key}"), message, fix);
    };
    if let Some(namespace) = selector.namespace.as_deref().filter(|name| !is_label(name, NAMESPACE)) {
        add("namespace", "namespace", namespace, as_label(namespace, NAMESPACE));
    }
    if let Some((namespace, name)) = selector.service_account.as_deref().and_then(|text| text.split_once('/')) {
        let right = format!("{}/{}", as_label(namespace, NAMESPACE), as_subdomain(name));
        if !is_label(namespace, NAMESPACE) {
            add("serviceAccount", "namespace", namespace, right);
        } else if !is_subdomain(name) {
            add("serviceAccount", "service account", name, right);
        }
    }
}

/// A label of a name (RFC 1123).
fn is_label(name: &str, most: usize) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=most).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

fn is_subdomain(name: &str) -> bool {
    name.len() <= ACCOUNT && name.split('.').all(|label| is_label(label, ACCOUNT))
}

fn as_label(name: &str, most: usize) -> String {
    let lower = name.to_ascii_lowercase().replace(['_', '.'], "-");
    let label = lower.get(..lower.len().min(most)).unwrap_or_default().trim_matches('-');
    Some(label).filter(|label| is_label(label, most)).unwrap_or_default().to_owned()
}

fn as_subdomain(name: &str) -> String {
    let labels: Vec<String> = name.split('.').map(|label| as_label(label, ACCOUNT)).collect();
    labels.join(".")
}
