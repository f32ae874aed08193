//! The examples of whole setups that are shipped. Each is a policy without a finding, and its tests pass. Its
//! rendering, with objects for each host and with one dynamic route, is what `tests/command/examples/` holds.
//!
//! After a change on purpose, `EXAMPLES=overwrite cargo test -p tollgate-cli --test command examples::` writes that
//! anew; read the difference.

use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tollgate_tests::root;

/// The folders of the examples, by name.
fn examples() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("istio/examples")).unwrap();
    let mut examples: Vec<_> = folder.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    examples.sort();
    assert!(examples.len() >= 6, "{examples:?}");
    examples
}

fn tollgate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollgate")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_example_is_without_a_finding_and_passes_its_tests() {
    for folder in examples() {
        for arguments in [
            &["check", "policy.yaml"][..],
            &["lint", "policy.yaml", "--site", "site.yaml", "--now", "2026-07-01T00:00:00Z"],
            &["test", "policy.tests.yaml"],
            &["render", "policy.yaml", "--site", "site.yaml", "--plan"],
        ] {
            let output = tollgate(&folder, arguments);
            let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(0), "{}: {arguments:?}\n{said}", folder.display());
        }
        let readme = fs::read_to_string(folder.join("README.md")).unwrap();
        assert!(readme.starts_with("# "), "{}", folder.display());
    }
}

#[test]
fn what_is_rendered_of_the_examples_is_what_it_was() {
    for folder in examples() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        for mode in ["listed", "catch-all"] {
            let now = rendered(&folder, mode);
            let file = root().join("tests/command/examples").join(format!("{name}.{mode}.txt"));
            if std::env::var_os("EXAMPLES").is_some_and(|set| set == "overwrite") {
                fs::write(file, now).unwrap();
                continue;
            }
            let before = fs::read_to_string(&file).unwrap_or_default();
            if let Some((number, (was, is))) =
                before.lines().zip(now.lines()).enumerate().find(|(_, (was, is))| was != is)
            {
                panic!("{}:{}\nwas {was}\nis  {is}", file.display(), number.saturating_add(1));
            }
            assert_eq!(before.lines().count(), now.lines().count(), "{}", file.display());
        }
    }
}

/// Renders an example with these routes: its warnings, and its objects, a line each.
fn rendered(folder: &Path, mode: &str) -> String {
    let site = fs::read_to_string(folder.join("site.yaml")).unwrap();
    let routes = site.lines().find(|line| line.trim_start().starts_with("routes: ")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let site = site.replace(routes, &format!("    routes: {mode}"));
    fs::write(place.path().join("site.yaml"), site).unwrap();
    fs::copy(folder.join("policy.yaml"), place.path().join("policy.yaml")).unwrap();
    let output = tollgate(place.path(), &["render", "policy.yaml", "--site", "site.yaml", "--format", "json"]);
    let mut lines = format!("exit {}\n", output.status.code().unwrap());
    for line in text(&output.stderr).lines().filter(|line| line.contains("[TG")) {
        writeln!(lines, "{line}").unwrap();
    }
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    for object in list["items"].as_array().unwrap() {
        writeln!(lines, "{}", line(object)).unwrap();
    }
    lines
}

/// `KIND NAMESPACE/NAME`; for an object that leads to a host, its way there as well.
fn line(object: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let mut line = format!("{} {}/{}", word(&object["kind"]), word(&metadata["namespace"]), word(&metadata["name"]));
    let spec = &object["spec"];
    for (key, detail) in [
        ("ports", ports(&spec["ports"])),
        ("http", routes(&spec["http"])),
        ("tls", settings(&spec["trafficPolicy"]["portLevelSettings"])),
        ("to", spec["exportTo"].as_array().map(|to| to.iter().map(word).collect::<Vec<_>>().join(" "))),
    ] {
        if let Some(detail) = detail {
            write!(line, "; {key} {detail}").unwrap();
        }
    }
    line
}

fn joined(list: &Value, show: impl Fn(&Value) -> String) -> Option<String> {
    Some(list.as_array()?.iter().map(show).collect::<Vec<_>>().join(" "))
}

/// `80→443`: the port that a workload connects to, and the port of the host.
fn ports(list: &Value) -> Option<String> {
    joined(list, |port| match port.get("targetPort") {
        Some(target) => format!("{}→{target}", port["number"]),
        None => port["number"].to_string(),
    })
}

/// `NAME→HOST:PORT` of every route.
fn routes(list: &Value) -> Option<String> {
    joined(list, |route| {
        let to = &route["route"][0]["destination"];
        format!("{}→{}:{}", route["name"], to["host"], to["port"]["number"]).replace('"', "")
    })
}

/// `80:SIMPLE:HOST` of every port.
fn settings(list: &Value) -> Option<String> {
    joined(list, |setting| {
        let tls = &setting["tls"];
        let mut parts = vec![setting["port"]["number"].to_string(), tls["mode"].to_string()];
        parts.extend(tls.get("sni").map(ToString::to_string));
        parts.join(":").replace('"', "")
    })
}
