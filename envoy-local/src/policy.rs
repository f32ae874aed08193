//! A policy as people write it, on its way to Envoy.

use std::path::Path;

use anyhow::{Result, anyhow};
use tollgate_read::{self as policies, Loaded};

/// The policy in this file or folder, as the JSON text that the filter is configured with.
///
/// # Errors
/// See [`load`].
pub fn read(path: &Path) -> Result<String> {
    load(path).map(|loaded| loaded.json)
}

/// The policy in this file or folder.
///
/// # Errors
/// It cannot be read, or is invalid: everything that is wrong with it, a line each, with its place.
pub fn load(path: &Path) -> Result<Loaded> {
    policies::load(&[path]).map_err(|failure| anyhow!("{failure}"))
}
