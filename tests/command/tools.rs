//! The tasks of the Makefile and the tools behind them: what they run, what they leave out, and what they say first.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tollgate_tests::root;

fn program(folder: &Path, name: &str, script: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_module_is_optimised_again_only_if_something_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let optimiser = program(
        folder.path(),
        "wasm-opt",
        r#"echo once >> "$(dirname "$0")/runs"; cp "$2" "$4"; echo optimised >> "$4""#,
    );
    let optimise = |optimiser: &Path| {
        let mut script = Command::new(root().join("tools/wasm-opt/optimise"));
        assert!(script.arg(optimiser).args([at("linked"), at("module")]).status().unwrap().success());
        let runs = fs::read_to_string(at("runs")).unwrap_or_default().lines().count();
        (runs, fs::read_to_string(at("module")).unwrap())
    };
    fs::write(at("linked"), "one\n").unwrap();
    assert_eq!(optimise(&optimiser), (1, "one\noptimised\n".to_owned()));
    assert_eq!(optimise(&optimiser), (1, "one\noptimised\n".to_owned()), "nothing has changed");
    fs::write(at("linked"), "two\n").unwrap();
    assert_eq!(optimise(&optimiser), (2, "two\noptimised\n".to_owned()), "another module was linked");
    fs::write(at("module"), "stray\n").unwrap();
    assert_eq!(optimise(&optimiser), (3, "two\noptimised\n".to_owned()), "the module was written by something else");
    fs::remove_file(at("module")).unwrap();
    assert_eq!(optimise(&optimiser), (4, "two\noptimised\n".to_owned()), "the module is gone");
    assert_eq!(optimise(&at("none")), (4, "two\n".to_owned()), "there is no optimiser");
    assert_eq!(optimise(&optimiser), (5, "two\noptimised\n".to_owned()), "there is one again");
}

/// A task, with these programs found first, and a `cargo` that tells that it ran.
fn make(arguments: &[&str], programs: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in [("cargo", "echo cargo was run"), ("rustup", "echo wasm32-wasip1")].iter().chain(programs) {
        program(folder.path(), name, script);
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut make = Command::new("make");
    // a make that runs the tests is none of this one's
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("CARGO_TARGET_DIR");
    make.args(arguments).current_dir(root()).env("PATH", path).output().unwrap()
}

#[test]
fn compose_without_a_daemon_says_so_before_anything_is_built() {
    let output = make(&["compose"], &[("docker", "exit 1"), ("docker-compose", "exit 1")]);
    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.starts_with("no docker daemon answers; `make up` needs none\n"), "{said}");
    assert!(!said.contains("cargo was run"), "{said}");
}

#[test]
fn a_push_without_a_target_is_refused_before_anything_is_built() {
    let output = make(&["push"], &[]);
    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.starts_with("name a repository and a tag: make push TO=oci://HOST/NAME:TAG\n"), "{said}");
    assert!(!said.contains("cargo was run"), "{said}");
}

#[test]
fn what_is_fetched_by_npm_is_held_to_a_hash_and_to_no_address() {
    let lock = fs::read_to_string(root().join("tools/wasm-opt/package-lock.json")).unwrap();
    assert!(!lock.contains("://"), "{lock}");
    let lock: Value = serde_json::from_str(&lock).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    assert!(packages.len() >= 2, "{packages:?}");
    for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
        let integrity = package["integrity"].as_str().unwrap();
        assert!(integrity.starts_with("sha512-"), "{name}: {integrity}");
    }
    let pinned: Value =
        serde_json::from_str(&fs::read_to_string(root().join("tools/wasm-opt/package.json")).unwrap()).unwrap();
    assert_eq!(pinned["dependencies"], packages[""]["dependencies"]);
}
