//! Provenance of the module: its bill of materials, and the record of its build. `tollgate push` sends both along with
//! the image.

use crate::paths;
use anyhow::{Context, Result, bail};
use cargo_lock::{Checksum, Lockfile};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const PACKAGE: &str = "tollgate-wasm";
const TARGET: &str = "wasm32-wasip1";
/// The profile of `Cargo.toml` that `make wasm` builds with.
const PROFILE: &str = "filter";
/// Sources and tools of the module and of its image: a change of anything else changes neither.
const SOURCES: [&str; 9] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "Makefile",
    "filter",
    "rust-toolchain.toml",
    "src",
    "tools/wasm-opt",
    "wasm",
];

/// Bill of materials of the module, as CycloneDX 1.6: the packages that are linked into it, with their licences and
/// checksums.
///
/// # Errors
/// Cargo does not answer, or its lock file does not have what it names.
pub fn bill_of_materials() -> Result<Value> {
    let lock = Lockfile::load(paths::root().join("Cargo.lock"))?;
    let checksums: BTreeMap<(&str, String), &Checksum> = lock
        .packages
        .iter()
        .filter_map(|package| Some(((package.name.as_str(), package.version.to_string()), package.checksum.as_ref()?)))
        .collect();
    let tree = said_by(
        paths::root(),
        "cargo",
        &[
            "tree",
            "--locked",
            "--package",
            PACKAGE,
            "--target",
            TARGET,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}|{l}",
        ],
    )?;
    let lines: BTreeSet<&str> = tree.lines().filter(|line| !line.is_empty()).collect();
    let component = |line: &str| -> Result<Value> {
        let (package, licence) = line.split_once('|').context("cargo tree names no licence")?;
        let mut words = package.split(' ');
        let (name, version) = words.next().zip(words.next()).context("cargo tree names no version")?;
        let version = version.trim_start_matches('v');
        let purl = format!("pkg:cargo/{name}@{version}");
        // packages of the workspace have none
        let checksum = checksums.get(&(name, version.to_owned())).into_iter();
        let hashes: Vec<Value> =
            checksum.map(|checksum| json!({"alg": "SHA-256", "content": checksum.to_string()})).collect();
        Ok(json!({
            "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
            "licenses": [{"expression": licence}], "hashes": hashes,
        }))
    };
    let components: Vec<Value> = lines.into_iter().map(component).collect::<Result<_>>()?;
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "tollgate.wasm", "version": env!("CARGO_PKG_VERSION")}},
        "components": components,
    }))
}

/// The build of the module, as the predicate of a SLSA provenance 1.0; only of sources as they were committed, since nothing
/// else can be built again.
///
/// # Errors
/// The module's sources have changes, or git or the compiler does not answer.
pub fn provenance() -> Result<Value> {
    provenance_of(paths::root())
}

fn provenance_of(root: &Path) -> Result<Value> {
    let status = [&["status", "--porcelain", "--"], SOURCES.as_slice()].concat();
    let changes = said_by(root, "git", &status).context(WAY_OUT)?;
    if !changes.is_empty() {
        let files: Vec<&str> = changes.lines().take(5).filter_map(|line| line.get(3..)).collect();
        bail!("{} changed since the commit that a provenance would name; {WAY_OUT}", files.join(", "));
    }
    let commit = said_by(root, "git", &["rev-parse", "HEAD"])?;
    let compiler = said_by(root, "rustc", &["--version"])?;
    Ok(json!({
        "buildDefinition": {
            "buildType": "urn:tollgate:make-wasm:1",
            "externalParameters": {"target": TARGET, "profile": PROFILE},
            "internalParameters": {"rustc": compiler.trim()},
            "resolvedDependencies": [{"name": "source", "digest": {"gitCommit": commit.trim()}}],
        },
        "runDetails": {"builder": {"id": "urn:tollgate:make"}},
    }))
}

/// The way out where there is no provenance.
const WAY_OUT: &str = "commit the changes, or push without a provenance: make push PROVENANCE=no TO=…";

fn said_by(folder: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.with_context(|| format!("{program} cannot be run"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::{SOURCES, provenance_of};
    use std::path::Path;
    use std::process::Command;

    fn git(folder: &Path, arguments: &[&str]) {
        let who = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        assert!(Command::new("git").args(who).args(arguments).current_dir(folder).status().unwrap().success());
    }

    #[test]
    fn a_provenance_minds_what_the_module_is_built_of_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in ["wasm/lib.rs", "istio/site.yaml"] {
            std::fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            std::fs::write(root.join(file), "as committed").unwrap();
        }
        git(root, &["init", "--quiet"]);
        git(root, &["add", "."]);
        git(root, &["commit", "--quiet", "--message=first"]);
        std::fs::write(root.join("istio/site.yaml"), "as told by the installation").unwrap();
        let provenance = provenance_of(root).unwrap();
        let commit = &provenance["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"];
        assert_eq!(commit.as_str().unwrap().len(), 40, "{provenance}");
        // a new file counts as well as a changed one
        for file in ["wasm/lib.rs", "wasm/more.rs"] {
            std::fs::write(root.join(file), "changed").unwrap();
            let error = provenance_of(root).unwrap_err().to_string();
            assert!(error.contains(file) && error.contains("PROVENANCE=no"), "{error}");
        }
    }

    #[test]
    fn a_folder_without_a_repository_has_no_provenance_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", provenance_of(folder.path()).unwrap_err());
        assert!(error.contains("PROVENANCE=no"), "{error}");
    }

    #[test]
    fn every_source_that_a_provenance_minds_is_there() {
        for source in SOURCES {
            assert!(super::paths::root().join(source).exists(), "{source}");
        }
    }

    #[test]
    fn the_bill_names_what_is_linked_and_nothing_of_this_machine() {
        let bill = super::bill_of_materials().unwrap();
        let names: Vec<&str> =
            bill["components"].as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"miniz_oxide") && names.contains(&"tollgate"), "{names:?}");
        // the command's own libraries are not in the filter
        assert!(!names.contains(&"clap"), "{names:?}");
        assert!(!bill.to_string().contains(super::paths::root().to_str().unwrap()));
        let hashed =
            bill["components"].as_array().unwrap().iter().filter(|of| of["hashes"] != serde_json::json!([])).count();
        assert!(hashed + 3 == names.len(), "all but the workspace's own have a checksum");
    }
}
