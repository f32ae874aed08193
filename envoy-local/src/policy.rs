//! A policy as people write it, on its way to Envoy.

use std::path::Path;

use anyhow::{Result, anyhow};
use tollgate::cli::source;

/// The policy in this file or folder, as the JSON text that the filter is configured with.
///
/// # Errors
/// It cannot be read, or is no policy: everything that is wrong with it, a line each, with its place.
pub fn read(path: &Path) -> Result<String> {
    source::load(&[path]).map(|loaded| loaded.json).map_err(|failure| anyhow!("{failure}"))
}
