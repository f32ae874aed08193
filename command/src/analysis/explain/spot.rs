//! Places of entries.

use crate::read::Span;
use serde::Serialize;

/// Place in the policy, by pointer, and in its files.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Spot {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) pointer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    #[serde(skip)]
    pub(crate) place: Option<Span>,
}

impl Spot {
    pub(crate) fn at(pointer: String) -> Spot {
        Spot { pointer, ..Spot::default() }
    }
}
