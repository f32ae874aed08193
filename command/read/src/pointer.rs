//! Finding what a pointer such as `rules[3].to[0].hosts[1]` points at.

use super::finding::Located;
use super::span::Span;
use super::tree::{Entry, Node, Value};
use std::borrow::Cow;
use tollgate::policy::{Finding, Step, code};

/// Finds the place of a finding, as near as the text has it: of a missing key, the map around it.
pub(super) fn resolve(finding: Finding, root: &Node<'_>) -> Located {
    let second = finding.code == code::DUPLICATE_KEY;
    let about_key = second || finding.code == code::UNKNOWN_KEY;
    let (place, other) = follow(&finding.pointer, root, about_key, second);
    Located { finding, place: Some(place), other }
}

/// The place of what a pointer points at.
pub(super) fn place(pointer: &str, root: &Node<'_>) -> Span {
    follow(pointer, root, false, false).0
}

/// The values on the way of a pointer.
pub(super) struct Trail<'n, 't> {
    hops: Vec<Hop<'n, 't>>,
}

/// A value, and the key under which it stands; none in a list.
#[derive(Clone, Copy)]
struct Hop<'n, 't> {
    key: Option<&'n str>,
    node: &'n Node<'t>,
}

impl<'n, 't> Trail<'n, 't> {
    /// Follows a pointer; none where it does not lead to the end.
    pub(super) fn of(pointer: &str, root: &'n Node<'t>) -> Option<Self> {
        let mut hops = vec![Hop { key: None, node: root }];
        let (mut node, mut rest) = (root, pointer);
        while !rest.is_empty() {
            match step(node, rest)? {
                Found::Entries(entries, behind) => {
                    let entry: &'n Entry<'t> = entries.first()?;
                    hops.push(Hop { key: entry.key.text(), node: &entry.value });
                    (node, rest) = (&entry.value, behind);
                }
                Found::Item(item, behind) => {
                    hops.push(Hop { key: None, node: item });
                    (node, rest) = (item, behind);
                }
            }
        }
        Some(Trail { hops })
    }

    /// The value that the pointer leads to.
    pub(super) fn node(&self) -> Option<&'n Node<'t>> {
        self.hops.last().map(|hop| hop.node)
    }

    /// Tells whether it is an element of a list.
    pub(super) fn is_element(&self) -> bool {
        self.hops.len() > 1 && self.hops.last().is_some_and(|hop| hop.key.is_none())
    }

    /// The keys from the root, those of lists once.
    pub(super) fn keys(&self) -> Vec<&'n str> {
        self.hops.iter().filter_map(|hop| hop.key).collect()
    }
}

/// Follows a pointer as far as it leads. Returns the place of the value there; of a list or a map, and with
/// `about_key`, that of its key. With `second` it takes the last use of a key, and returns the place of the first as
/// well.
fn follow(pointer: &str, root: &Node<'_>, about_key: bool, second: bool) -> (Span, Option<Span>) {
    let mut place = root.place;
    let mut other = None;
    let mut node = root;
    let mut rest = pointer;
    while !rest.is_empty() {
        match step(node, rest) {
            Some(Found::Entries(entries, behind)) => {
                let entry = if second { entries.last() } else { entries.first() };
                let Some(entry) = entry else { break };
                let key = about_key && behind.is_empty();
                place = if entry.value.is_scalar() && !key { entry.value.place } else { entry.key.place };
                other = first_of(&entries, entry).filter(|_| second);
                (node, rest) = (&entry.value, behind);
            }
            Some(Found::Item(item, behind)) => {
                place = item.place;
                (node, rest) = (item, behind);
            }
            None => break,
        }
    }
    (place, other)
}

/// The first use of a key, when `entry` is not it.
fn first_of(entries: &[&Entry<'_>], entry: &Entry<'_>) -> Option<Span> {
    entries.first().map(|first| first.key.place).filter(|first| *first != entry.key.place)
}

enum Found<'n, 't, 'p> {
    /// Every entry of that key.
    Entries(Vec<&'n Entry<'t>>, &'p str),
    Item(&'n Node<'t>, &'p str),
}

/// The first step of a pointer and what is behind it.
fn step<'n, 't, 'p>(node: &'n Node<'t>, pointer: &'p str) -> Option<Found<'n, 't, 'p>> {
    match &node.value {
        Value::List(items) => {
            let (index, behind) = pointer.strip_prefix('[')?.split_once(']')?;
            items.get(index.parse::<usize>().ok()?).map(|item| Found::Item(item, behind))
        }
        Value::Map(entries) => {
            let pointer = pointer.strip_prefix('.').unwrap_or(pointer);
            let (of_key, behind) = keyed(entries, pointer)?;
            Some(Found::Entries(of_key, behind))
        }
        _ => None,
    }
}

/// The entries whose key the pointer begins with.
fn keyed<'n, 't, 'p>(entries: &'n [Entry<'t>], pointer: &'p str) -> Option<(Vec<&'n Entry<'t>>, &'p str)> {
    let behind = |entry: &&Entry<'_>| {
        let key = entry.key.text()?;
        // of many keys few are written out
        let begins = pointer.strip_prefix("[\"").unwrap_or(pointer).as_bytes().first();
        if begins != key.as_bytes().first() && !key.is_empty() && !key.starts_with(['"', '\\']) {
            return None;
        }
        let mut written = String::new();
        Step::Key(Cow::Borrowed(key)).write(&mut written);
        let behind = pointer.strip_prefix(written.as_str())?;
        (behind.is_empty() || behind.starts_with(['.', '['])).then_some(behind)
    };
    let behind_key = entries.iter().find_map(|entry| behind(&entry))?;
    Some((entries.iter().filter(|entry| behind(entry) == Some(behind_key)).collect(), behind_key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::File;
    use crate::yaml;
    use tollgate::policy::Severity;

    const TEXT: &str = r#"
name: p
rules:
  - id: first
    to:
      - hosts: [a.example.com, "b.example.com"]
        ports: []
  - id: second
    id: third
destinations:
  a.b: {hosts: [c.example.com]}
  a: {hosts: [d.example.com]}
  a-b:
    hosts:
"#;

    /// The text that a finding points at, and that of its other place.
    fn shown(code: &'static str, pointer: &str) -> (String, Option<String>) {
        let file = File::new(0, "p.yaml".into(), TEXT.as_bytes().to_vec());
        let root = yaml::parse(&file).unwrap();
        let finding = Finding {
            severity: Severity::Error,
            code,
            pointer: pointer.to_owned(),
            message: String::new(),
            fix: None,
            offset: None,
        };
        let located = resolve(finding, &root);
        let text =
            |place: Span| format!("{} {}", file.position(place.start).line, TEXT.get(place.start..place.end).unwrap());
        (text(located.place.unwrap()), located.other.map(text))
    }

    #[test]
    fn a_pointer_leads_to_the_word_it_speaks_of() {
        for (pointer, expected) in [
            ("", "2 name"),
            ("name", "2 p"),
            ("rules", "3 rules"),
            ("rules[0]", "4 id"),
            ("rules[0].id", "4 first"),
            ("rules[0].to[0].hosts", "6 hosts"),
            ("rules[0].to[0].hosts[1]", "6 \"b.example.com\""),
            ("rules[0].to[0].ports", "7 ports"),
            ("destinations.a", "12 a"),
            ("destinations.a.hosts[0]", "12 d.example.com"),
            ("destinations[\"a.b\"].hosts[0]", "11 c.example.com"),
            ("destinations.a-b.hosts", "14 hosts"),
        ] {
            assert_eq!(shown(code::TYPE, pointer), (expected.to_owned(), None), "{pointer}");
        }
    }

    #[test]
    fn what_is_missing_is_shown_at_the_map_that_lacks_it() {
        assert_eq!(shown(code::TYPE, "rules[0].from").0, "4 id");
        assert_eq!(shown(code::TYPE, "rules[7].from").0, "3 rules");
        assert_eq!(shown(code::TYPE, "version").0, "2 name");
    }

    #[test]
    fn an_unknown_key_is_shown_as_the_key() {
        assert_eq!(shown(code::UNKNOWN_KEY, "rules[0].id").0, "4 id");
    }

    #[test]
    fn a_key_given_twice_is_shown_at_its_second_use() {
        assert_eq!(shown(code::DUPLICATE_KEY, "rules[1].id"), ("9 id".to_owned(), Some("8 id".to_owned())));
    }

    #[test]
    fn a_pointer_is_written_and_read_alike() {
        for key in ["a", "a-b_9", "a.b", "", "\"quoted\"", "[0]", "ü", "new\nline"] {
            let mut pointer = String::new();
            for step in [Step::Key(Cow::Borrowed("map")), Step::Key(Cow::Borrowed(key)), Step::Item(1)] {
                step.write(&mut pointer);
            }
            let text = format!("{{\"map\": {{{key:?}: [1, 2]}}}}");
            let file = File::new(0, "p.yaml".into(), text.into_bytes());
            let root = yaml::parse(&file).unwrap();
            let finding = Finding {
                severity: Severity::Error,
                code: code::TYPE,
                pointer,
                message: String::new(),
                fix: None,
                offset: None,
            };
            let place = resolve(finding, &root).place.unwrap();
            assert_eq!(file.text().unwrap().get(place.start..place.end), Some("2"), "{key:?}");
        }
    }
}
