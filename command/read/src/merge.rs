//! Several files as one policy.

use super::finding::Located;
use super::span::Span;
use super::tree::{Entry, Node, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;
use tollgate::policy::{Step, code};

/// Lists that may stand in several files, joined in the files' order.
const LISTS: [&str; 4] = ["deny", "rules", "residency", "quotas"];
/// Maps that may stand in several files, each name in one of them.
const MAPS: [&str; 2] = ["destinations", "workloads"];

/// Joins the files' documents into one.
///
/// # Errors
/// Every key or name that two files give.
pub(super) fn merge(roots: Vec<Node<'_>>) -> Result<Node<'_>, Vec<Located>> {
    let mut roots = roots.into_iter();
    let Some(mut whole) = roots.next() else { return Err(Vec::new()) };
    if roots.len() == 0 {
        return Ok(whole);
    }
    let mut findings = Vec::new();
    let mut joined = entries(&whole, &mut findings);
    for root in roots {
        for entry in entries(&root, &mut findings) {
            join(&mut joined, entry, &mut findings);
        }
    }
    whole.value = Value::Map(Rc::new(joined));
    if findings.is_empty() { Ok(whole) } else { Err(findings) }
}

fn entries<'t>(root: &Node<'t>, findings: &mut Vec<Located>) -> Vec<Entry<'t>> {
    match &root.value {
        Value::Map(entries) => entries.to_vec(),
        _ => {
            let message = "expected a map of a policy's keys".to_owned();
            findings.push(Located::error(code::TYPE, root.place, message, None));
            Vec::new()
        }
    }
}

/// Takes an entry of a further file. A key that its own file gives twice stays double: that is for the checker to say.
fn join<'t>(joined: &mut Vec<Entry<'t>>, entry: Entry<'t>, findings: &mut Vec<Located>) {
    let of_this_key = |old: &&mut Entry<'t>| old.key.text().is_some() && old.key.text() == entry.key.text();
    let earlier = joined.iter_mut().filter(of_this_key).find(|old| old.key.place.file != entry.key.place.file);
    let (Some(earlier), Some(key)) = (earlier, entry.key.text()) else {
        joined.push(entry);
        return;
    };
    match (&mut earlier.value.value, &entry.value.value) {
        (Value::List(old), Value::List(new)) if LISTS.contains(&key) => {
            Rc::make_mut(old).extend(new.iter().cloned());
        }
        (Value::Map(old), Value::Map(new)) if MAPS.contains(&key) => {
            let old = Rc::make_mut(old);
            // from the end, so that the first place of a name is the one that stays
            let names = old.iter().rev().filter_map(|entry| Some((entry.key.text()?.to_owned(), entry.key.place)));
            let first: HashMap<String, Span> = names.collect();
            findings.extend(new.iter().filter_map(|entry| taken(key, &first, entry)));
            old.extend(new.iter().cloned());
        }
        _ if LISTS.contains(&key) || MAPS.contains(&key) => {
            let kind = if LISTS.contains(&key) { "a list" } else { "a map" };
            let message = format!("`{key}` stands in several files, and is not {kind} in each of them");
            findings.push(Located::error(code::TYPE, entry.key.place, message, None).with_other(earlier.key.place));
        }
        _ => {
            let message = format!("the key `{key}` stands in two files");
            let fix =
                "keep one: only deny, rules, residency, quotas, destinations and workloads may be spread over files";
            findings.push(
                Located::error(code::DUPLICATE_KEY, entry.key.place, message, Some(fix.to_owned()))
                    .with_pointer(key.to_owned())
                    .with_other(earlier.key.place),
            );
        }
    }
}

/// A finding if another file defines the name. `first`: where each name stands first in the files before.
fn taken(map: &str, first: &HashMap<String, Span>, new: &Entry<'_>) -> Option<Located> {
    let name = new.key.text()?;
    let first = *first.get(name)?;
    let mut at = map.to_owned();
    Step::Key(Cow::Borrowed(name)).write(&mut at);
    let message = format!("`{name}` is defined in two files");
    let fix = "give one of them another name".to_owned();
    Some(Located::error(code::DUPLICATE, new.key.place, message, Some(fix)).with_pointer(at).with_other(first))
}
