//! Values of another type than belongs there, written as what was meant.

use super::shape::{Expected, Shape};
use super::written::{flow, number, quoted, text};
use super::{host, selector};
use crate::pointer::Trail;
use crate::tree::{Node, Value};

/// Advises what to write instead of a value of another type.
pub(super) fn fix(trail: &Trail<'_, '_>, root: &Node<'_>) -> Option<String> {
    let node = trail.node()?;
    let Some(Expected { shape, list }) = Shape::at(trail) else { return Some(document(node)) };
    let key = *trail.keys().last()?;
    if key == "version" {
        return Some("write `version: 1`".to_owned());
    }
    if matches!(&node.value, Value::Null) || matches!(&node.value, Value::List(items) if items.is_empty()) {
        return None;
    }
    if list {
        return whole_list(key, shape, node, root);
    }
    if let (Shape::Port, Value::Text(word)) = (shape, &node.value) {
        return Some(port(word));
    }
    if let (Shape::Method, Value::Text(word)) = (shape, &node.value) {
        return method(word);
    }
    let right = element(key, shape, node, root)?;
    Some(match trail.is_element() || right.starts_with("{") && matches!(shape, Shape::Selector | Shape::Text) {
        true => format!("write `{right}`"),
        false => format!("write `{key}: {right}`"),
    })
}

/// The document itself is no map.
fn document(node: &Node<'_>) -> String {
    match &node.value {
        Value::List(_) => "write `version: 1` and `name: …` first, and the list under `rules:`",
        _ => "a policy begins `version: 1` and `name: …`",
    }
    .to_owned()
}

/// One value where a list stands.
fn whole_list(key: &str, shape: Shape, node: &Node<'_>, root: &Node<'_>) -> Option<String> {
    match &node.value {
        Value::Map(entries) if shape == Shape::Entry => {
            let by_name =
                node.get("id").is_none() && entries.iter().all(|entry| matches!(entry.value.value, Value::Map(_)));
            let first = entries.first().and_then(|entry| entry.key.text()).filter(|_| by_name);
            Some(match first {
                Some(name) => format!("write a list: `- id: {}`, and below it what stands under that name", text(name)),
                None => match node.get("id").and_then(Node::text) {
                    Some(id) => {
                        format!("write `- ` in front of the entry, as `- id: {}`, and indent what follows", text(id))
                    }
                    None => format!("write `- ` in front of each entry of `{key}`"),
                },
            })
        }
        Value::Map(_) => Some(match flow(node) {
            Some(map) => format!("write `{key}: [{map}]`"),
            None => format!("write `- ` in front of each element of `{key}`"),
        }),
        Value::Text(words) if shape == Shape::Port => {
            let words: Vec<&str> = words.split([',', ' ']).filter(|word| !word.is_empty()).collect();
            let one = |word: &&str| number(word).map(|port| port.to_string()).or_else(|| range(word));
            let ports: Option<Vec<String>> = words.iter().map(one).collect();
            Some(match (ports, words.as_slice()) {
                (Some(ports), _) => format!("write `ports: [{}]`", ports.join(", ")),
                (None, [word]) => port(word),
                (None, _) => "write `ports: [443]`, a number for each port".to_owned(),
            })
        }
        Value::Text(words) => {
            let words: Vec<&str> = words.split([',', ' ']).filter(|word| !word.is_empty()).collect();
            let of_text = |word: &&str| match shape {
                Shape::Selector => selector::of(word, root),
                Shape::Target => target(word, root),
                Shape::Entry => None,
                _ => Some(text(word).into_owned()),
            };
            let right: Option<Vec<String>> = words.iter().map(of_text).collect();
            match right {
                Some(right) if !right.is_empty() => Some(format!("write `{key}: [{}]`", right.join(", "))),
                _ => Some(format!("write a list: `- ` in front of each element of `{key}`")),
            }
        }
        _ => Some(format!("write `{key}: [{}]`", element(key, shape, node, root)?)),
    }
}

/// A value as it belongs there.
fn element(key: &str, shape: Shape, node: &Node<'_>, root: &Node<'_>) -> Option<String> {
    match (shape, &node.value) {
        // `[[a, b]]` and `key: [a]`
        (_, Value::List(items)) => match (shape, items.as_slice()) {
            (Shape::Destination, _) => Some(format!("{{hosts: {}}}", flow(node)?)),
            (_, [one]) => element(key, shape, one, root).or_else(|| flow(one)),
            (Shape::Host | Shape::Port | Shape::Method | Shape::Selector | Shape::Target, _) => {
                let each: Option<Vec<String>> =
                    items.iter().map(|item| element(key, shape, item, root).or_else(|| flow(item))).collect();
                each.map(|each| each.join(", "))
            }
            (Shape::Text, _)
                if ["destination", "serviceAccount", "namespace", "spiffe", "workloads"].contains(&key) =>
            {
                let each: Option<Vec<String>> =
                    items.iter().map(|item| Some(format!("{{{key}: {}}}", flow(item)?))).collect();
                each.map(|each| each.join(", "))
            }
            _ => None,
        },
        (Shape::Selector, Value::Text(word)) => selector::of(word, root),
        (Shape::Selector, _) => None,
        (Shape::Target, Value::Text(word)) => target(word, root),
        (Shape::Destination, Value::Text(word)) => Some(format!("{{hosts: [{}]}}", host_of(word))),
        (Shape::Entry, Value::Text(word)) => Some(format!("{{id: {}, from: […], to: […]}}", text(word))),
        (Shape::Port | Shape::Number | Shape::Count, Value::Text(word)) => Some(number(word)?.to_string()),
        (Shape::Port | Shape::Number | Shape::Count, Value::Number(word)) => Some(number(word)?.to_string()),
        (Shape::True, Value::Text(word)) => {
            ["true", "yes", "on", "y"].contains(&word.to_ascii_lowercase().as_str()).then(|| "true".to_owned())
        }
        (Shape::True, Value::Number(word)) => (word == "1").then(|| "true".to_owned()),
        (Shape::Limit, _) => limit(node),
        (Shape::Text | Shape::Host | Shape::Method, Value::Number(word)) => Some(quoted(word)),
        (Shape::Text | Shape::Host | Shape::Method, Value::Bool(boolean)) => {
            Some(quoted(if *boolean { "true" } else { "false" }))
        }
        // `{host: a.example.com}` and `{name: GET}`
        (Shape::Text | Shape::Host | Shape::Method, Value::Map(entries)) => match entries.as_slice() {
            [one] => one.value.text().map(|word| text(word).into_owned()),
            _ => None,
        },
        _ => None,
    }
}

/// Guesses the target that a word stands for where a map belongs: a host, a URL, the name of a destination.
fn target(word: &str, root: &Node<'_>) -> Option<String> {
    let is_destination = root.get("destinations").is_some_and(|destinations| destinations.get(word).is_some());
    Some(match is_destination || !word.contains(['.', '*', '/', ':']) {
        true => format!("{{destination: {}}}", text(word)),
        false => format!("{{hosts: [{}]}}", host_of(word)),
    })
}

fn host_of(word: &str) -> String {
    text(host::bare(word)).into_owned()
}

/// Guesses the port that a word stands for.
fn port(word: &str) -> String {
    if let Some(port) = number(word) {
        return format!("write `{port}` without quotes");
    }
    match range(word) {
        Some(range) => format!("write `{range}`: a range is two ports with `-` between, in quotes"),
        None if ["any", "all", "*"].contains(&word.to_ascii_lowercase().as_str()) => {
            "write `ports: any`, in place of the list".to_owned()
        }
        None => {
            let known = [("https", 443), ("http", 80), ("ssh", 22), ("smtp", 25), ("postgres", 5432)];
            match known.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)) {
                Some((_, port)) => format!("write `{port}`"),
                None => "write a number from 1 to 65535, as `443`".to_owned(),
            }
        }
    }
}

/// A range of ports as it belongs there, however it was written: `8000:8100`, `8000..8100`, `8000 to 8100`.
fn range(word: &str) -> Option<String> {
    let between = ["...", "..", "-", ":", "–", "/", " to "];
    let (from, to) = between.iter().find_map(|sign| word.split_once(sign))?;
    let (from, to) = (number(from.trim())?, number(to.trim())?);
    (from <= to).then(|| format!("\"{from}-{to}\""))
}

/// Guesses the method that a word stands for; none if nothing better can be said.
pub(super) fn method(word: &str) -> Option<String> {
    if ["*", "any", "all"].contains(&word.to_ascii_lowercase().as_str()) {
        return Some("leave `methods` out: that is every method".to_owned());
    }
    let words: Vec<String> =
        word.split([',', ' ', '|']).filter(|word| !word.is_empty()).map(str::to_ascii_uppercase).collect();
    let are_methods =
        words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_uppercase() || b"-_".contains(&byte)));
    (are_methods && words.len() > 1).then(|| format!("write `{}`", words.join("`, `")))
}

/// An id, or the policy's name, in the spelling of the language.
pub(super) fn id(key: &str, word: &str) -> Option<String> {
    let mut id = String::new();
    for character in word.to_ascii_lowercase().chars() {
        let fits = character.is_ascii_alphanumeric() || "._-".contains(character);
        id.push(if fits { character } else { '-' });
    }
    let id = id.trim_matches(['-', '.', '_']);
    let id = id.get(..id.len().min(63))?.trim_end_matches(['-', '.', '_']);
    let allowed = "1 to 63 of `a-z`, `0-9`, `.`, `_` and `-`, with a letter or digit at both ends";
    (!id.is_empty()).then(|| format!("write `{key}: {}`: {allowed}", text(id)))
}

/// `limit: 100` and `limit: 100/s`.
fn limit(node: &Node<'_>) -> Option<String> {
    let word = match &node.value {
        Value::Number(word) | Value::Text(word) => word.as_ref(),
        _ => return None,
    };
    let (amount, per) = match word.split_once('/') {
        Some((amount, per)) => (amount, per.trim()),
        None => (word, "1s"),
    };
    let per = match per.to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" => "1s",
        "m" | "min" => "minute",
        "h" => "hour",
        "d" => "day",
        _ => per,
    };
    match number(amount) {
        Some(requests) => Some(format!("{{requests: {requests}, per: {per}}}")),
        None => Some(format!("{{bytes: {}, per: {per}}}", amount.trim().replace(' ', ""))),
    }
}
