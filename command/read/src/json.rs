//! Writing a tree as the JSON text that the checker reads. Nothing is lost that the checker must see: order, duplicate
//! keys, nulls, the spelling of numbers.

use super::finding::Located;
use super::remedy::{self, Shape};
use super::span::Span;
use super::tree::{Node, Value};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tollgate::decision::json;
use tollgate::policy::{Step, code};

/// Limit of findings of one text: after that, more are no help.
const MOST: usize = 1000;

/// Writes a policy's tree as JSON.
///
/// # Errors
/// Everything in it that JSON has no word for.
pub(super) fn write(root: &Node<'_>) -> Result<String, Vec<Located>> {
    write_with_places(root).map(|(json, _)| json)
}

/// Like [`write`], plus the spans of the elements of the root's lists.
pub(super) fn write_with_places(root: &Node<'_>) -> Result<(String, Entries), Vec<Located>> {
    let mut writer = Writer { json: Vec::new(), way: Vec::new(), findings: Vec::new(), entries: Entries::new() };
    writer.node(root);
    if !writer.findings.is_empty() {
        return Err(writer.findings);
    }
    // strings are written as they are read, and those are text
    Ok((String::from_utf8(writer.json).unwrap_or_default(), writer.entries))
}

/// Spans of the elements of a policy's lists, by the list's key.
pub(super) type Entries = BTreeMap<String, Vec<Span>>;

/// Finds the elements of the root's lists in a text that is JSON itself. None if it is no map, or no JSON.
///
/// The text is only skipped through, which takes a tenth of reading it.
pub(super) fn entries(text: &str) -> Option<Entries> {
    let root: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let offset = |piece: &str| piece.as_ptr().addr().checked_sub(text.as_ptr().addr());
    let place = |element: &RawValue| {
        let start = offset(element.get())?;
        Some(Span { file: 0, start, end: start.checked_add(element.get().len())? })
    };
    let list = |value: &RawValue| -> Option<Vec<Span>> {
        serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.into_iter().map(place).collect()
    };
    Some(root.into_iter().filter_map(|(key, value)| Some((key, list(value)?))).collect())
}

struct Writer<'n> {
    json: Vec<u8>,
    /// The steps of the pointer to where the writing stands.
    way: Vec<Step<'n>>,
    findings: Vec<Located>,
    entries: Entries,
}

impl<'n> Writer<'n> {
    fn node(&mut self, node: &'n Node<'_>) {
        match &node.value {
            Value::Null => self.json.extend(b"null"),
            Value::Bool(true) => self.json.extend(b"true"),
            Value::Bool(false) => self.json.extend(b"false"),
            Value::Number(number) => self.json.extend(number.as_bytes()),
            Value::Text(text) => self.text(text),
            Value::List(items) => {
                self.json.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index);
                    self.inside(Step::Item(index), item);
                }
                self.json.push(b']');
            }
            Value::Map(entries) => {
                self.json.push(b'{');
                for (index, entry) in entries.iter().enumerate() {
                    self.separate(index);
                    self.key(&entry.key);
                    self.json.push(b':');
                    let key = entry.key.text().unwrap_or_default();
                    self.inside(Step::Key(Cow::Borrowed(key)), &entry.value);
                }
                self.json.push(b'}');
            }
            Value::Tagged => {
                self.complain(node, "tags are not part of a policy", "remove it; put quotes around a string");
            }
            Value::OddNumber(word) => {
                let fix = self.number(word);
                self.complain(node, "this spelling of a number is not read alike everywhere", &fix);
            }
        }
    }

    fn key(&mut self, key: &'n Node<'_>) {
        match key.text() {
            Some(text) => self.text(text),
            None if matches!(key.value, Value::Map(_) | Value::List(_)) => {
                self.complain(key, "a map stands where a key belongs", "if this is a template, render it first");
            }
            None => self.complain(key, "the key is not a string", "put quotes around it"),
        }
    }

    /// A number in JSON's spelling; as text, where text may be meant.
    fn number(&self, word: &str) -> String {
        let keys: Vec<&str> = self
            .way
            .iter()
            .filter_map(|step| if let Step::Key(key) = step { Some(key.as_ref()) } else { None })
            .collect();
        let element = matches!(self.way.last(), Some(Step::Item(_)));
        let is_number = Shape::under(&keys, element).is_some_and(|expected| expected.shape.is_number());
        match remedy::number(word) {
            Some(number) if is_number => format!("write `{number}`"),
            Some(number) => format!("write `{number}`; if it is no number, `\"{word}\"`"),
            None => "write it as JSON would, or put quotes around it".to_owned(),
        }
    }

    fn text(&mut self, text: &str) {
        json::text(&mut self.json, text);
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.json.push(b',');
        }
    }

    fn inside(&mut self, step: Step<'n>, node: &'n Node<'_>) {
        if let ([Step::Key(key)], Step::Item(item)) = (self.way.as_slice(), &step) {
            let of_key = self.entries.entry(key.to_string()).or_default();
            // a policy that gives a key twice is not valid
            if of_key.len() == *item {
                of_key.push(node.place);
            }
        }
        self.way.push(step);
        self.node(node);
        self.way.pop();
    }

    fn complain(&mut self, node: &Node<'_>, message: &str, fix: &str) {
        if self.findings.len() >= MOST {
            return;
        }
        let finding = Located::error(code::SYNTAX, node.place, message.to_owned(), Some(fix.to_owned()));
        let mut pointer = String::new();
        self.way.iter().for_each(|step| step.write(&mut pointer));
        self.findings.push(finding.with_pointer(pointer));
    }
}
