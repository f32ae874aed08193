//! From the tree to the JSON text that the checker reads. Nothing is lost on the way that it must see: order,
//! duplicate keys, nulls, the spelling of numbers.

use super::finding::Located;
use super::tree::{Node, Unsupported, Value};
use crate::policy::{Step, code};
use std::borrow::Cow;

/// Writes a policy's tree as JSON.
///
/// # Errors
/// Everything in it that JSON has no word for.
pub(super) fn write(root: &Node<'_>) -> Result<String, Vec<Located>> {
    let mut writer = Writer { json: String::new(), pointer: String::new(), findings: Vec::new() };
    writer.node(root);
    if writer.findings.is_empty() { Ok(writer.json) } else { Err(writer.findings) }
}

struct Writer {
    json: String,
    pointer: String,
    findings: Vec<Located>,
}

impl Writer {
    fn node(&mut self, node: &Node<'_>) {
        match &node.value {
            Value::Null => self.json.push_str("null"),
            Value::Bool(true) => self.json.push_str("true"),
            Value::Bool(false) => self.json.push_str("false"),
            Value::Number(number) => self.json.push_str(number),
            Value::Text(text) => self.text(text),
            Value::List(items) => {
                self.json.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index);
                    self.inside(&Step::Item(index), item);
                }
                self.json.push(']');
            }
            Value::Map(entries) => {
                self.json.push('{');
                for (index, entry) in entries.iter().enumerate() {
                    self.separate(index);
                    self.key(&entry.key);
                    self.json.push(':');
                    let key = entry.key.text().unwrap_or_default();
                    self.inside(&Step::Key(Cow::Borrowed(key)), &entry.value);
                }
                self.json.push('}');
            }
            Value::Unsupported(Unsupported::Tag) => {
                self.complain(node, "tags are not part of a policy", "remove it; put quotes around a string");
            }
            Value::Unsupported(Unsupported::Number) => {
                self.complain(
                    node,
                    "this spelling of a number is not read alike everywhere",
                    "write it as JSON would, or put quotes around it",
                );
            }
        }
    }

    fn key(&mut self, key: &Node<'_>) {
        match key.text() {
            Some(text) => self.text(text),
            None => self.complain(key, "the key is not a string", "put quotes around it"),
        }
    }

    fn text(&mut self, text: &str) {
        self.json.push_str(&serde_json::Value::from(text).to_string());
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.json.push(',');
        }
    }

    fn inside(&mut self, step: &Step<'_>, node: &Node<'_>) {
        let outside = self.pointer.len();
        step.write(&mut self.pointer);
        self.node(node);
        self.pointer.truncate(outside);
    }

    fn complain(&mut self, node: &Node<'_>, message: &str, fix: &str) {
        let finding = Located::error(code::SYNTAX, node.place, message.to_owned(), Some(fix.to_owned()));
        self.findings.push(finding.with_pointer(self.pointer.clone()));
    }
}
