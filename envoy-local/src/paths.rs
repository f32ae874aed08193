//! Where things lie in the repository.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Downloaded tools; not under version control.
pub fn tools() -> PathBuf {
    root().join(".tools")
}

/// What the demo and the background gateway leave behind.
pub fn local() -> PathBuf {
    root().join("target/local")
}
