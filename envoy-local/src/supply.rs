//! Where the module comes from: its bill of materials, and how it was built. `tollgate push` sends both along with the image.

use crate::paths;
use anyhow::{Context, Result, bail};
use cargo_lock::{Checksum, Lockfile};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const PACKAGE: &str = "tollgate-filter";
const TARGET: &str = "wasm32-wasip1";
/// The profile of `Cargo.toml` that `make wasm` builds with.
const PROFILE: &str = "filter";

/// What the module is made of, as CycloneDX 1.6: the packages that are linked into it, with their licences and checksums.
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

/// How the module is built, as the predicate of a SLSA provenance 1.0; from a clean checkout only, since nothing else can be
/// built again.
///
/// # Errors
/// The checkout has changes, or git or the compiler does not answer.
pub fn provenance() -> Result<Value> {
    let changes = said_by("git", &["status", "--porcelain"])?;
    if !changes.is_empty() {
        bail!("the checkout has changes: what is built of it cannot be built again");
    }
    let commit = said_by("git", &["rev-parse", "HEAD"])?;
    let compiler = said_by("rustc", &["--version"])?;
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

fn said_by(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(paths::root()).output();
    let output = output.with_context(|| format!("{program} cannot be run"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
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
        assert!(hashed + 2 == names.len(), "all but the workspace's own have a checksum");
    }
}
