//! Modules that measurements need, built of the sources.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::report::root;

/// Builds a package as the filter is built, and returns the module of that name; cargo says where it lies.
///
/// # Errors
/// The package does not build.
pub fn build(package: &str, module: &str) -> Result<PathBuf> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", package, "--profile", "filter", "--target", "wasm32-wasip1"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root())
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{package} does not build for wasm32-wasip1");
    }
    let messages = String::from_utf8(output.stdout)?;
    let artifact = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut paths = artifact.filter_map(|message| {
        let mut files = message.get("filenames")?.as_array()?.iter().filter_map(|file| file.as_str());
        files.find(|file| file.ends_with(module)).map(PathBuf::from)
    });
    paths.next_back().with_context(|| format!("cargo built no {module}"))
}
