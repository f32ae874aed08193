//! Places in the repository. The checkout is found from where the program runs and never from where it was built: a
//! folder may be moved, copied or cached with what was built in it.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};

/// The root of the workspace; the working directory where there is none (see [`check`]).
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| found().unwrap_or_else(|| PathBuf::from(".")));
    &ROOT
}

/// Makes sure that there is a checkout to run in.
///
/// # Errors
/// There is none.
pub fn check() -> Result<()> {
    found().map(drop).context("there is no checkout of tollgate here: run it in one")
}

/// The checkout of the package that cargo runs, or else the one around the working directory, or around the program.
fn found() -> Option<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let starts = [package, env::current_dir().ok(), env::current_exe().ok()];
    starts
        .into_iter()
        .flatten()
        .find_map(|start| start.ancestors().find(|folder| is_checkout(folder)).map(Path::to_owned))
}

fn is_checkout(folder: &Path) -> bool {
    folder.join("envoy-local/scenarios.yaml").is_file() && folder.join("wasm/Cargo.toml").is_file()
}

/// Downloaded tools; not under version control.
pub fn tools() -> PathBuf {
    root().join(".tools")
}

/// Names another directory than [`local`]'s own.
pub const LOCAL: &str = "TOLLGATE_LOCAL_DIR";

/// Folder in which the demo and the gateway in the background leave their files; it holds one of each.
pub fn local() -> PathBuf {
    root().join(env::var_os(LOCAL).unwrap_or_else(|| "target/local".into()))
}
