//! YAML's merge key, `<<`, for files in which people repeat requests. Policies do without: there, everything stands where
//! it is said.

use super::tree::{Entry, Node, Value};
use std::rc::Rc;

/// The key.
const MERGE: &str = "<<";

/// Puts what merge keys stand for in their place: entries that the map does not have itself.
pub(super) fn resolve(node: &mut Node<'_>) {
    match &mut node.value {
        Value::List(items) => Rc::make_mut(items).iter_mut().for_each(resolve),
        Value::Map(entries) => {
            let entries = Rc::make_mut(entries);
            entries.iter_mut().for_each(|entry| resolve(&mut entry.value));
            let is_merge = |entry: &Entry<'_>| entry.key.text() == Some(MERGE) && merged(&entry.value).is_some();
            let (merges, mut own): (Vec<_>, Vec<_>) = std::mem::take(entries).into_iter().partition(is_merge);
            for entry in merges.iter().filter_map(|merge| merged(&merge.value)).flatten() {
                if !own.iter().any(|known| known.key.text() == entry.key.text()) {
                    own.push(entry.clone());
                }
            }
            *entries = own;
        }
        _ => {}
    }
}

/// The entries of the map or the maps that are merged; none if it is neither.
fn merged<'n, 't>(value: &'n Node<'t>) -> Option<Vec<&'n Entry<'t>>> {
    match &value.value {
        Value::Map(entries) => Some(entries.iter().collect()),
        Value::List(items) => {
            let maps: Option<Vec<_>> = items.iter().map(merged).collect();
            maps.map(|maps| maps.into_iter().flatten().collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::source::file::File;
    use crate::cli::source::{json, yaml};

    fn resolved(text: &str) -> String {
        let file = File::new(0, "t.yaml".into(), text.as_bytes().to_vec());
        let mut root = yaml::parse(&file).unwrap();
        super::resolve(&mut root);
        json::write(&root).unwrap()
    }

    #[test]
    fn a_map_keeps_what_it_says_itself_and_gets_the_rest() {
        let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {y: 3, <<: [{z: 1, y: 4}, *a]}\nd: [{<<: *a}]";
        let expected = r#"{"a":{"x":1,"y":2},"b":{"y":3,"x":1},"c":{"y":3,"z":1,"x":1},"d":[{"x":1,"y":2}]}"#;
        assert_eq!(resolved(text), expected);
    }

    #[test]
    fn what_is_no_map_is_not_merged() {
        assert_eq!(resolved("{<<: 1, a: 2}"), r#"{"<<":1,"a":2}"#);
    }
}
