//! The filter's `.wasm`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::paths;

/// Names a module that is there already, such as the optimised one of `make wasm`.
pub const OVERRIDE: &str = "TOLLGATE_WASM";

/// The module that `TOLLGATE_WASM` names, or else the one that cargo builds of the sources as they are.
///
/// # Errors
/// The named one does not exist, or the build failed.
pub fn find_or_build() -> Result<PathBuf> {
    match std::env::var_os(OVERRIDE) {
        Some(path) => {
            let path = paths::root().join(path);
            if !path.is_file() {
                bail!("{OVERRIDE} names {}, which is no file", path.display());
            }
            Ok(path)
        }
        None => build(),
    }
}

fn build() -> Result<PathBuf> {
    // The messages name the file wherever the target directory is.
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--package", "tollgate-wasm", "--lib", "--profile", "filter", "--target", "wasm32-wasip1"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(paths::root())
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the filter does not build; is the target there? `rustup target add wasm32-wasip1`");
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| Some(message.get("filenames")?.as_array()?.clone()))
        .flatten()
        .filter_map(|file| Some(PathBuf::from(file.as_str()?)))
        .find(|file| file.ends_with("tollgate_wasm.wasm"))
        .context("cargo built no tollgate_wasm.wasm")
}
