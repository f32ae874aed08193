//! YAML as the rendered files have it.

use serde::Serialize;
use serde_saphyr::{SerializerOptions, to_string_with_options};
use std::io;

/// A value as YAML, strings on one line each.
///
/// # Errors
/// None that values of JSON have.
pub(super) fn yaml(value: &impl Serialize) -> io::Result<String> {
    let mut options = SerializerOptions::default();
    options.prefer_block_scalars = false;
    to_string_with_options(value, options).map_err(io::Error::other)
}
