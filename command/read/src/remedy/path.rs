//! Paths in the languages of others: templates, routes of web frameworks, regular expressions, prefixes.

use super::written::quoted;

/// Advises what to write instead of an invalid path.
pub(super) fn fix(word: &str) -> Option<String> {
    if let Some(path) = meant(word) {
        return Some(format!("write `{}`", quoted(&path)));
    }
    if let Some(rest) = word.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..))) {
        return Some(format!("write `{rest}`; hosts stand in `hosts`"));
    }
    if let Some((path, _)) = word.split_once('?').filter(|(path, _)| path.starts_with('/')) {
        return Some(format!("write `{path}`: queries are not judged"));
    }
    if !word.is_empty() && !word.starts_with(['/', '*', '.', '{', '$']) && !word.contains("//") {
        return Some(format!("write `/{word}`"));
    }
    match word {
        "*" | "**" => Some("write `\"/**\"`, or leave `paths` out for every path".to_owned()),
        _ => None,
    }
}

/// The pattern that was meant, where a path is of another language.
pub fn meant(word: &str) -> Option<String> {
    let (mut body, mut changed) = (word, false);
    for (anchored, rest) in [(body.starts_with('^'), body.strip_prefix('^')), (true, body.strip_suffix('$'))] {
        if let Some(rest) = rest.filter(|_| anchored) {
            body = rest;
            changed = true;
        }
    }
    // both ends
    if word.starts_with('^') && word.ends_with('$') {
        body = word.trim_start_matches('^').trim_end_matches('$');
    }
    if !body.starts_with('/') {
        return None;
    }
    let count = body.split('/').count();
    let mut segments: Vec<String> = Vec::with_capacity(count);
    for (at, segment) in body.split('/').enumerate() {
        let last = at.saturating_add(1) == count;
        match foreign(segment, last) {
            Some(right) => {
                changed = true;
                segments.push(right);
            }
            None => segments.push(segment.to_owned()),
        }
    }
    changed.then(|| segments.join("/"))
}

/// Translates a segment of another tool's pattern language.
fn foreign(segment: &str, last: bool) -> Option<String> {
    let any = || Some("*".to_owned());
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    // `{id}`, `{id:[0-9]+}`, `<id>`, `<int:id>`, `:id`, `$id`
    if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let name = name.split(':').next().unwrap_or(name);
        let deep = name.ends_with('*') || name.ends_with("...") || name == "**";
        let name = name.trim_end_matches(['*', '.']);
        return match (is_name(name) || name.is_empty(), deep) {
            (true, true) => Some("**".to_owned()),
            (true, false) => any(),
            _ => None,
        };
    }
    if segment.starts_with('<') && segment.ends_with('>') {
        return any();
    }
    if segment.strip_prefix([':', '$']).is_some_and(is_name) {
        return any();
    }
    match segment {
        ".*" | ".+" | "(.*)" | "(.+)" | "..." => return Some(if last { "**" } else { "*" }.to_owned()),
        "[^/]+" | "[^/]*" | "[0-9]+" | "\\d+" | "\\w+" | "(\\d+)" | "([0-9]+)" | "([^/]+)" | "[a-z0-9-]+"
        | "[a-z]+" => {
            return any();
        }
        _ => {}
    }
    if segment.contains(".*") && !segment.contains("/") {
        return Some(segment.replace(".*", "*"));
    }
    // one alternative is no choice
    let (before, rest) = segment.split_once('{')?;
    let (name, behind) = rest.split_once('}')?;
    (is_name(name) && !name.contains(',')).then(|| format!("{before}*{behind}"))
}
