//! Everything that several test binaries share: the format of case files, tables of vectors, random policies and
//! requests, and what holds of canonical values. A test that cannot go on panics, and so does this.

use std::path::{Path, PathBuf};

pub mod cases;
pub mod hello;
pub mod invariants;
pub mod oracle;
pub mod vectors;

/// Folder of the checkout, from which a test names files; a test runs in the folder of its package.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
