//! What a file says, and where it says it.

use super::finding::Place;
use std::borrow::Cow;
use std::rc::Rc;

/// A value and the text that it was read from.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    pub(super) value: Value<'t>,
    /// Of a block of lines: its first key or element.
    pub(super) place: Place,
}

/// A value of JSON, or something of YAML that JSON has no word for.
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
    Unsupported(Unsupported),
}

/// A key and its value. A map keeps what it was given: order, duplicates, keys that are no strings.
#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    pub(super) key: Node<'t>,
    pub(super) value: Node<'t>,
}

/// What policies do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsupported {
    /// `!!str x`, `!custom x`.
    Tag,
    /// `0x1f`, `0o17`, `007`, `+1`, `.5`, `.inf`: a number to YAML, read differently elsewhere or not at all.
    Number,
}

impl Node<'_> {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is one word, which can be pointed at as a whole.
    pub(super) fn is_scalar(&self) -> bool {
        match self.value {
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Unsupported(_) => true,
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

    /// About the bytes that it takes as JSON.
    pub(super) fn weight(&self) -> usize {
        let inside = match &self.value {
            Value::Number(text) | Value::Text(text) => text.len(),
            Value::List(items) => items.iter().map(Node::weight).fold(0, usize::saturating_add),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| entry.key.weight().saturating_add(entry.value.weight()))
                .fold(0, usize::saturating_add),
            Value::Null | Value::Bool(_) | Value::Unsupported(_) => 4,
        };
        inside.saturating_add(2)
    }
}
