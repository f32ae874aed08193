//! Where an entry stands.

use crate::cli::source::Place;
use serde::Serialize;

/// Where something stands in the policy, and in its files.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct Spot {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(in crate::cli) pointer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
    #[serde(skip)]
    pub(in crate::cli) place: Option<Place>,
}

impl Spot {
    pub(super) fn at(pointer: String) -> Spot {
        Spot { pointer, ..Spot::default() }
    }
}
