//! The filters' `.wasm`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::paths;

/// A module.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// The variable that names a file which is there already, such as the optimised one of `make wasm`.
    pub variable: &'static str,
    package: &'static str,
    file: &'static str,
}

/// The filter for HTTP.
pub const HTTP: Module = Module { variable: "TOLLGATE_WASM", package: "tollgate-wasm", file: "tollgate_wasm.wasm" };
/// The filter for connections.
pub const TCP: Module =
    Module { variable: "TOLLGATE_TCP_WASM", package: "tollgate-wasm-tcp", file: "tollgate_wasm_tcp.wasm" };

impl Module {
    /// The file that its variable names, or else the one that cargo builds of the sources as they are.
    ///
    /// # Errors
    /// The named one does not exist, or the build failed.
    pub fn find_or_build(&self) -> Result<PathBuf> {
        match std::env::var_os(self.variable) {
            Some(path) => {
                let path = paths::root().join(path);
                if !path.is_file() {
                    bail!("{} names {}, which is no file", self.variable, path.display());
                }
                Ok(path)
            }
            None => self.build(),
        }
    }

    fn build(&self) -> Result<PathBuf> {
        // The messages name the file wherever the target directory is.
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--package", self.package, "--lib", "--profile", "filter", "--target", "wasm32-wasip1"])
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
            .find(|file| file.ends_with(self.file))
            .with_context(|| format!("cargo built no {}", self.file))
    }
}
