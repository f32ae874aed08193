//! Parsing the text of one file into its tree.

use super::file::File;
use super::finding::Located;
use super::span::Span;
use super::tree::{Entry, Node, Value};
use super::{merged_keys, scalar, syntax};
use granit_parser::{Event, Parser, ScalarStyle, Span as ParsedSpan, options};
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::rc::Rc;
use tollgate::policy::code;

/// Collections inside one another.
const MAX_DEPTH: usize = 100;
/// Values that aliases may add to a policy.
const MOST_NODES: usize = 1_000_000;
/// Bytes that aliases may add to a policy.
const MOST_BYTES: usize = 256 << 20;

/// Reads a file as one document. JSON is read by the same parser, once it has proved to be JSON.
///
/// # Errors
/// Text that is no YAML, or that this reader refuses: nothing of the file can be relied on.
pub(super) fn parse(file: &File) -> Result<Node<'_>, Box<Located>> {
    let Documents { mut roots, second } = documents(file)?;
    match (roots.pop().filter(|_| roots.is_empty()), second) {
        (Some(root), _) => Ok(root),
        (None, Some(place)) => Err(second_document(place)),
        (None, None) => Err(empty(file)),
    }
}

/// The documents of a file.
pub(super) struct Documents<'t> {
    /// Roots of the documents, at least one.
    pub(super) roots: Vec<Node<'t>>,
    /// Beginning of the second document, if there is one.
    pub(super) second: Option<Span>,
}

/// A policy is one document.
pub(super) fn second_document(place: Span) -> Box<Located> {
    stop(place, "there is a second document", "put it into a file of its own")
}

fn empty(file: &File) -> Box<Located> {
    let fix = "write a policy, or remove the file".to_owned();
    Box::new(Located::error(code::SYNTAX, file.place(0), "the file is empty".to_owned(), Some(fix)))
}

/// Reads all documents of a file.
///
/// # Errors
/// As [`parse`].
pub(super) fn documents(file: &File) -> Result<Documents<'_>, Box<Located>> {
    let text = file.text().map_err(|bad| Box::new(Located::not_utf8(file, bad)))?;
    if file.is_json() {
        json(file, text)?;
    }
    let options = options! {
        disallow_directives: true,
        emit_comments: false,
    };
    let mut builder = Builder::new(file);
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => return Err(Box::new(syntax::explain(&error, text, file))),
        }
    }
    if builder.merges && !file.is_json() {
        let mut findings = Vec::new();
        builder.roots.iter_mut().for_each(|root| merged_keys::resolve(root, &mut findings));
        if let Some(finding) = findings.into_iter().next() {
            return Err(Box::new(finding));
        }
    }
    match builder.roots.is_empty() {
        true => Err(empty(file)),
        false => Ok(Documents { roots: builder.roots, second: builder.second }),
    }
}

/// Refuses what YAML has and JSON has not.
fn json(file: &File, text: &str) -> Result<(), Box<Located>> {
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|error| {
        let (start, line) = file.line(error.line());
        // the column counts bytes up to and with the one that is wrong
        let offset = start.saturating_add(error.column().saturating_sub(1).min(line.len()));
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        Box::new(Located::error(code::SYNTAX, file.place(offset), message, None))
    })
}

/// A collection that is being read.
struct Frame<'t> {
    collection: Collection<'t>,
    anchor: usize,
    /// Its tag, or where it begins.
    start: Span,
    tagged: bool,
}

enum Collection<'t> {
    List(Vec<Node<'t>>),
    Map(Vec<Entry<'t>>, Option<Node<'t>>),
}

struct Builder<'t> {
    file: &'t File,
    open: Vec<Frame<'t>>,
    roots: Vec<Node<'t>>,
    second: Option<Span>,
    anchors: HashMap<usize, Node<'t>>,
    /// Values, and bytes, that aliases added.
    nodes: usize,
    bytes: usize,
    /// There are merge keys.
    merges: bool,
}

impl<'t> Builder<'t> {
    fn new(file: &'t File) -> Self {
        Builder {
            file,
            open: Vec::new(),
            roots: Vec::new(),
            second: None,
            anchors: HashMap::new(),
            nodes: 0,
            bytes: 0,
            merges: false,
        }
    }

    fn take(&mut self, event: Event<'t>, span: ParsedSpan) -> Result<(), Box<Located>> {
        // what is wrong with a tagged value is the tag
        let place = match span.tag_span().unwrap_or(span).byte_range() {
            Some(range) => self.file.stretch(range.start, range.end),
            None => self.file.place(0),
        };
        match event {
            Event::Scalar(word, style, anchor, tag) => {
                let value = match (tag, style) {
                    (Some(_), _) => Value::Tagged,
                    (None, ScalarStyle::Plain) => scalar::plain(word),
                    (None, _) => Value::Text(word),
                };
                self.put(Node { value, place }, anchor);
            }
            Event::SequenceStart(_, anchor, tag) => {
                let collection = Collection::List(Vec::new());
                return self.open(Frame { collection, anchor, start: place, tagged: tag.is_some() });
            }
            Event::MappingStart(_, anchor, tag) => {
                let collection = Collection::Map(Vec::new(), None);
                return self.open(Frame { collection, anchor, start: place, tagged: tag.is_some() });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(place),
            Event::Alias(anchor) => return self.repeat(anchor, place),
            Event::DocumentStart(..) if !self.roots.is_empty() => {
                self.second.get_or_insert(place);
            }
            // the parser emits the rest of its events only when asked to
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, frame: Frame<'t>) -> Result<(), Box<Located>> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(frame.start));
        }
        self.open.push(frame);
        Ok(())
    }

    fn close(&mut self, end: Span) {
        let Some(frame) = self.open.pop() else { return };
        let (value, first) = match frame.collection {
            Collection::List(mut items) => {
                items.shrink_to_fit();
                let first = items.first().map(|item| item.place);
                (Value::List(Rc::new(items)), first)
            }
            Collection::Map(mut entries, _) => {
                entries.shrink_to_fit();
                let first = entries.first().map(|entry| entry.key.place);
                (Value::Map(Rc::new(entries)), first)
            }
        };
        let bracketed = end.end > end.start;
        let node = match first {
            _ if frame.tagged => Node { value: Value::Tagged, place: frame.start },
            // a block of lines has no first and last character of its own
            Some(place) if !bracketed => Node { value, place },
            _ => Node { value, place: Span { end: end.end, ..frame.start } },
        };
        self.put(node, frame.anchor);
    }

    /// Repeats the value of an anchor. The copy keeps the places of the original, where there is something to mend.
    fn repeat(&mut self, anchor: usize, place: Span) -> Result<(), Box<Located>> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(stop(place, "the alias stands inside what it repeats", "write the value out"));
        };
        let weight = node.weight();
        self.nodes = self.nodes.saturating_add(weight.nodes);
        self.bytes = self.bytes.saturating_add(weight.bytes);
        if self.nodes > MOST_NODES {
            return Err(stop(place, "aliases add more than 1,000,000 values to the policy", "repeat less"));
        }
        if self.bytes > MOST_BYTES {
            return Err(stop(place, "aliases add more than 256 MiB to the policy", "repeat less"));
        }
        if self.open.len().saturating_add(node.height()) > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let node = node.clone();
        self.put(node, 0);
        Ok(())
    }

    /// Takes a finished node to where it belongs.
    fn put(&mut self, node: Node<'t>, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|frame| &mut frame.collection) {
            None => self.roots.push(node),
            Some(Collection::List(items)) => items.push(node),
            Some(Collection::Map(entries, key)) => match key.take() {
                None => {
                    self.merges |= node.text() == Some(merged_keys::MERGE);
                    *key = Some(node);
                }
                Some(key) => entries.push(Entry { key, value: node }),
            },
        }
    }
}

fn too_deep(place: Span) -> Box<Located> {
    stop(place, "lists and maps stand more than 100 deep in one another", "no policy needs more than ten")
}

fn stop(place: Span, message: &str, fix: &str) -> Box<Located> {
    Box::new(Located::error(code::SYNTAX, place, message.to_owned(), Some(fix.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn file(text: &str) -> File {
        File::new(0, "p.yaml".into(), text.as_bytes().to_vec())
    }

    #[test]
    fn what_the_checker_must_see_survives_the_translation() {
        for (yaml, json) in [
            ("a: 1\na: 2", r#"{"a":1,"a":2}"#),
            ("{b: 1, a: 2, b: 3}", r#"{"b":1,"a":2,"b":3}"#),
            ("a:\nb: ~", r#"{"a":null,"b":null}"#),
            ("a: 1.0\nb: 1e3", r#"{"a":1.0,"b":1e3}"#),
            ("a: 99999999999999999999", r#"{"a":99999999999999999999}"#),
            ("a: yes\nb: on\nc: NO", r#"{"a":"yes","b":"on","c":"NO"}"#),
            ("a: \"443\"\nb: '443'", r#"{"a":"443","b":"443"}"#),
            ("a: |\n  x\n  y\n", r#"{"a":"x\u000ay\u000a"}"#),
            ("a: \"\\0\\u00e9\\\"\"", "{\"a\":\"\\u0000é\\\"\"}"),
            ("<<: {a: 1}", r#"{"a":1}"#),
            ("a: &x [1, {b: c}]\nd: *x", r#"{"a":[1,{"b":"c"}],"d":[1,{"b":"c"}]}"#),
            ("&k a: 1\nb: *k", r#"{"a":1,"b":"a"}"#),
            ("[]", "[]"),
            ("{}", "{}"),
            ("\u{feff}a: 1", r#"{"a":1}"#),
        ] {
            let file = file(yaml);
            assert_eq!(json::write(&parse(&file).unwrap()).unwrap(), json, "{yaml:?}");
        }
    }

    #[test]
    fn a_cut_text_is_refused_or_read_and_nothing_else() {
        let text = "a: &x [1, \"é\\n\"]\nb:\n  - {c: 'd', e: *x}\n  - |\n    text\n? f\n: !t g\n--- h\n";
        for start in (0..=text.len()).filter_map(|end| text.get(..end)) {
            let file = file(start);
            let _ = parse(&file).map(|root| json::write(&root));
        }
    }
}
