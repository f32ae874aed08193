//! YAML's merge key, `<<`: entries that a map takes over from others. An entry of its own wins, and of two maps the
//! first.

use super::finding::Located;
use super::tree::{Entry, Node, Value};
use std::collections::HashSet;
use std::rc::Rc;
use tollgate::policy::code;

/// The key.
pub(super) const MERGE: &str = "<<";

/// Replaces merge keys by the entries that they stand for, but for those that the map has itself.
pub(super) fn resolve(node: &mut Node<'_>, findings: &mut Vec<Located>) {
    match &mut node.value {
        Value::List(items) => Rc::make_mut(items).iter_mut().for_each(|item| resolve(item, findings)),
        Value::Map(entries) => {
            let entries = Rc::make_mut(entries);
            entries.iter_mut().for_each(|entry| resolve(&mut entry.value, findings));
            let is_merge = |entry: &Entry<'_>| entry.key.text() == Some(MERGE);
            if !entries.iter().any(is_merge) {
                return;
            }
            let (merges, own): (Vec<_>, Vec<_>) = std::mem::take(entries).into_iter().partition(is_merge);
            *entries = own;
            take_over(entries, &merges, findings);
        }
        _ => {}
    }
}

/// Adds the entries of the maps that one merge key names.
fn take_over<'t>(own: &mut Vec<Entry<'t>>, merges: &[Entry<'t>], findings: &mut Vec<Located>) {
    if let [first, second, ..] = merges {
        let message = "the key `<<` is given twice".to_owned();
        let fix = "write one, with a list of aliases: `<<: [*a, *b]`".to_owned();
        let finding = Located::error(code::DUPLICATE_KEY, second.key.place, message, Some(fix));
        findings.push(finding.with_other(first.key.place));
        return;
    }
    let mut known: HashSet<String> = own.iter().filter_map(|entry| entry.key.text().map(str::to_owned)).collect();
    for merge in merges {
        let Some(taken) = merged(&merge.value) else {
            let message = "`<<` takes over the entries of maps, and this is none".to_owned();
            let fix = "write the alias of a map, as `<<: *name`, or a list of such aliases".to_owned();
            findings.push(Located::error(code::TYPE, merge.key.place, message, Some(fix)));
            continue;
        };
        for map in taken {
            let new = |entry: &&Entry<'_>| entry.key.text().is_none_or(|key| !known.contains(key));
            let added: Vec<Entry<'t>> = map.iter().filter(new).cloned().collect();
            known.extend(added.iter().filter_map(|entry| entry.key.text().map(str::to_owned)));
            own.extend(added);
        }
    }
}

/// The map or the maps that are merged; none if it is neither.
fn merged<'n, 't>(value: &'n Node<'t>) -> Option<Vec<&'n [Entry<'t>]>> {
    let map = |node: &'n Node<'t>| match &node.value {
        Value::Map(entries) => Some(entries.as_slice()),
        _ => None,
    };
    match &value.value {
        Value::Map(entries) => Some(vec![entries]),
        Value::List(items) => items.iter().map(map).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::file::File;
    use crate::{json, yaml};

    fn read(text: &str) -> Result<String, String> {
        let file = File::new(0, "t.yaml".into(), text.as_bytes().to_vec());
        yaml::parse(&file).map(|root| json::write(&root).unwrap()).map_err(|located| located.finding.message)
    }

    #[test]
    fn a_map_keeps_what_it_says_itself_and_gets_the_rest() {
        let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {y: 3, <<: [{z: 1, y: 4}, *a]}\nd: [{<<: *a}]";
        let expected = r#"{"a":{"x":1,"y":2},"b":{"y":3,"x":1},"c":{"y":3,"z":1,"x":1},"d":[{"x":1,"y":2}]}"#;
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn what_is_merged_may_have_merged_itself() {
        let text = "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, x: 3}";
        assert_eq!(read(text).unwrap(), r#"{"a":{"x":1},"b":{"y":2,"x":1},"c":{"x":3,"y":2}}"#);
    }

    #[test]
    fn a_key_that_a_merged_map_gives_twice_stays_double() {
        assert_eq!(read("a: &a {x: 1, x: 2}\nb: {<<: *a}").unwrap(), r#"{"a":{"x":1,"x":2},"b":{"x":1,"x":2}}"#);
    }

    #[test]
    fn what_is_no_map_is_not_merged() {
        for text in ["{<<: 1, a: 2}", "{<<: [1], a: 2}", "{<<: [[{b: 1}]]}", "{<<: null}"] {
            assert_eq!(read(text).unwrap_err(), "`<<` takes over the entries of maps, and this is none", "{text}");
        }
        assert_eq!(read("{<<: {a: 1}, <<: {b: 1}}").unwrap_err(), "the key `<<` is given twice");
    }
}
