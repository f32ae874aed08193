//! Tree of one file's values, each with its span.

use super::span::Span;
use std::borrow::Cow;
use std::rc::Rc;

/// A value and the text that it was read from.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    pub(super) value: Value<'t>,
    /// Span of the value; for a block of lines, that of its first key or element.
    pub(super) place: Span,
}

/// A value of JSON, or something of YAML that JSON has no word for and policies do without.
#[derive(Clone, Debug)]
pub(super) enum Value<'t> {
    Null,
    Bool(bool),
    /// A number in JSON's spelling.
    Number(Cow<'t, str>),
    Text(Cow<'t, str>),
    // shared, since an alias repeats them
    List(Rc<Vec<Node<'t>>>),
    Map(Rc<Vec<Entry<'t>>>),
    /// `0x1f`, `0o17`, `007`, `+1`, `.5`, `.inf`: a number to YAML, read differently elsewhere or not at all.
    OddNumber(Cow<'t, str>),
    /// `!!str x`, `!custom x`.
    Tagged,
}

/// A key and its value. A map keeps what it was given: order, duplicates, keys that are no strings.
#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    pub(super) key: Node<'t>,
    pub(super) value: Node<'t>,
}

impl<'t> Node<'t> {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Tells whether the value is one word, which a finding can underline as a whole.
    pub(super) fn is_scalar(&self) -> bool {
        match self.value {
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::OddNumber(_) | Value::Tagged => true,
            // nothing may stand where a null stands
            Value::Null | Value::List(_) | Value::Map(_) => false,
        }
    }

    /// Collections inside one another: 0 for a scalar.
    pub(super) fn height(&self) -> usize {
        let inside = match &self.value {
            Value::List(items) => items.iter().map(Node::height).max(),
            Value::Map(entries) => entries.iter().map(|entry| entry.value.height()).max(),
            _ => return 0,
        };
        inside.unwrap_or_default().saturating_add(1)
    }

    /// Size of the value once it is written out, aliases expanded.
    pub(super) fn weight(&self) -> Weight {
        let mut weight = Weight { nodes: 1, bytes: 2 };
        match &self.value {
            Value::Number(text) | Value::Text(text) | Value::OddNumber(text) => {
                weight.bytes = weight.bytes.saturating_add(text.len())
            }
            Value::List(items) => items.iter().for_each(|item| weight.add(item.weight())),
            Value::Map(entries) => entries.iter().for_each(|entry| {
                weight.add(entry.key.weight());
                weight.add(entry.value.weight());
            }),
            Value::Null | Value::Bool(_) | Value::Tagged => weight.bytes = 6,
        }
        weight
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key.text() == Some(key)).map(|entry| &entry.value)
    }

    /// The entries of a map; none of anything else.
    pub(super) fn entries(&self) -> &[Entry<'t>] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list; none of anything else.
    pub(super) fn items(&self) -> &[Node<'t>] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }
}

/// Size of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    /// Values and keys in it, and itself.
    pub(super) nodes: usize,
    /// About the bytes that it takes as JSON.
    pub(super) bytes: usize,
}

impl Weight {
    fn add(&mut self, other: Weight) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}
