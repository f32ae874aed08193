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

/// Names another directory than [`local`]'s own.
pub const LOCAL: &str = "TOLLGATE_LOCAL_DIR";

/// What the demo and the gateway in the background leave behind; one directory holds one of each.
pub fn local() -> PathBuf {
    root().join(std::env::var_os(LOCAL).unwrap_or_else(|| "target/local".into()))
}
