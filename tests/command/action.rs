//! The GitHub action's script, in a repository of its own: what it asks, what it prints, and how it ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/question");
const TESTS: &str = "tests:\n  - name: t\n    request: {identity: \"spiffe://cluster.local/ns/a/sa/b\", authority: a.example.com, path: /x}\n    expect: {decision: allow}\n";

fn policy(hosts: &str) -> String {
    format!(
        "version: 1\nname: p\nrules:\n  - id: r\n    from: [{{serviceAccount: a/b}}]\n    to: [{{hosts: [{hosts}]}}]\n    owner: team\n    reason: work\n"
    )
}

/// A repository whose first commit has the policy of one host.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policy")).unwrap();
    fs::write(folder.path().join("policy/p.yaml"), policy("a.example.com")).unwrap();
    fs::write(folder.path().join("t.yaml"), TESTS).unwrap();
    for arguments in [
        ["init", "--quiet", "--initial-branch=main", "."].as_slice(),
        &["add", "."],
        &["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=first"],
    ] {
        assert!(Command::new("git").args(arguments).current_dir(folder.path()).status().unwrap().success());
    }
    folder
}

fn ask(folder: &Path, settings: &[(&str, &str)]) -> Output {
    Command::new(SCRIPT)
        .current_dir(folder)
        .env_remove("GITHUB_STEP_SUMMARY")
        .envs([("TOLLGATE", env!("CARGO_BIN_EXE_tollgate")), ("TOLLGATE_POLICY", "policy"), ("TOLLGATE_BASE", "HEAD")])
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn a_good_policy_that_did_not_change_passes() {
    let folder = repository();
    let output = ask(
        folder.path(),
        &[("TOLLGATE_TESTS", "t.yaml"), ("TOLLGATE_FAIL_ON", "widen"), ("TOLLGATE_MIN_COVERAGE", "100")],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains("1 passed, 0 failed"), "{output:?}");
}

#[test]
fn a_policy_that_is_none_is_annotated_and_nothing_else_is_asked() {
    let folder = repository();
    fs::write(folder.path().join("policy/p.yaml"), policy("https://a.example.com")).unwrap();
    let output = ask(folder.path(), &[("TOLLGATE_TESTS", "t.yaml")]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).starts_with("::error title=TG010,file=policy/p.yaml,line=6,col="), "{output:?}");
    assert!(!stdout(&output).contains("passed"), "{output:?}");
}

#[test]
fn a_test_that_fails_fails_and_the_rest_is_asked_all_the_same() {
    let folder = repository();
    fs::write(folder.path().join("policy/p.yaml"), policy("b.example.com")).unwrap();
    let output = ask(folder.path(), &[("TOLLGATE_TESTS", "t.yaml")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("0 passed, 1 failed"), "{output:?}");
    assert!(stdout(&output).contains("b.example.com"), "{output:?}");
}

#[test]
fn what_is_opened_is_summarised_and_fails_where_that_is_wanted() {
    let folder = repository();
    fs::write(folder.path().join("policy/p.yaml"), policy("a.example.com, b.example.com")).unwrap();
    let summary = folder.path().join("summary.md");
    let with = ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap());
    assert_eq!(ask(folder.path(), &[with]).status.code(), Some(0));
    assert!(fs::read_to_string(&summary).unwrap().contains("b.example.com"));
    assert_eq!(ask(folder.path(), &[("TOLLGATE_FAIL_ON", "widen")]).status.code(), Some(1));
}

#[test]
fn advice_can_be_left_out() {
    let folder = repository();
    fs::write(folder.path().join("policy/p.yaml"), policy("\"**\"")).unwrap();
    assert_eq!(ask(folder.path(), &[("TOLLGATE_BASE", "")]).status.code(), Some(1));
    assert_eq!(ask(folder.path(), &[("TOLLGATE_BASE", ""), ("TOLLGATE_LINT", "false")]).status.code(), Some(0));
}

#[test]
fn a_base_that_is_not_there_is_said() {
    let folder = repository();
    let output = ask(folder.path(), &[("TOLLGATE_BASE", "0123456789012345678901234567890123456789")]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stdout(&output).contains("fetch-depth: 0"), "{output:?}");
    // a policy that is new has no base
    fs::rename(folder.path().join("policy"), folder.path().join("new")).unwrap();
    let output = ask(folder.path(), &[("TOLLGATE_POLICY", "new")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains("the policy is new"), "{output:?}");
}

#[test]
fn a_base_is_a_commit_and_nothing_else() {
    let folder = repository();
    let written = folder.path().join("F");
    for base in ["--output=F", "--output=F HEAD", "--exec=touch F", "HEAD; touch F", "HEAD:policy", "-h"] {
        let output = ask(folder.path(), &[("TOLLGATE_BASE", base)]);
        assert_eq!(output.status.code(), Some(64), "{base}: {output:?}");
        assert!(!written.exists(), "{base} wrote a file");
    }
    // a line of the log is one command
    let output = ask(folder.path(), &[("TOLLGATE_BASE", "none\n::warning title=x::y")]);
    assert!(stdout(&output).lines().all(|line| !line.starts_with("::warning")), "{output:?}");
    assert!(stdout(&output).contains("none%0A::warning"), "{output:?}");
}

#[test]
fn a_policy_is_a_file_and_never_an_option() {
    let folder = repository();
    let output = ask(folder.path(), &[("TOLLGATE_POLICY", "--help"), ("TOLLGATE_BASE", "")]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    fs::rename(folder.path().join("policy"), folder.path().join("--help")).unwrap();
    let output = ask(folder.path(), &[("TOLLGATE_POLICY", "--help"), ("TOLLGATE_TESTS", "t.yaml")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        stdout(&output).contains("1 passed, 0 failed") && stdout(&output).contains("the policy is new"),
        "{output:?}"
    );
}
