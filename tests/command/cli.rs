//! The command as people run it. `tests/command/transcripts/` holds commands with their output and exit codes; here is
//! what takes more than a command line.
//!
//! After a change on purpose, `TRYCMD=overwrite cargo test -p tollgate-cli --test command cli::` writes the outputs
//! anew.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const TOLLGATE: &str = env!("CARGO_BIN_EXE_tollgate");
const POLICY: &str =
    "version: 1\nname: p\nrules: [{id: r, from: [{namespace: shop}], to: [{hosts: [b.example.com]}]}]\n";
const REQUEST: &str = "{\"authority\":\"api.example.com\"}\n";

fn tollgate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(TOLLGATE).args(arguments).current_dir(folder).output().unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn commands_print_what_their_transcripts_say() {
    trycmd::TestCases::new()
        .register_bin("tollgate", Path::new(TOLLGATE))
        .case("../tests/command/transcripts/*.trycmd");
}

#[test]
fn a_folder_stands_for_every_policy_file_below_it_but_hidden_ones() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("policy/teams/a")).unwrap();
    fs::create_dir_all(folder.path().join("policy/.old")).unwrap();
    for (path, text) in [
        ("base.yaml", POLICY),
        ("teams/a/rules.yml", "rules: []\n"),
        ("teams/deny.json", "{\"deny\": []}"),
        (".old/base.yaml", POLICY),
        ("teams/.rules.yaml", POLICY),
        ("README.md", "no policy"),
    ] {
        fs::write(folder.path().join("policy").join(path), text).unwrap();
    }
    let output = tollgate(folder.path(), &["check", "--format", "json", "policy"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = ["policy/base.yaml", "policy/teams/a/rules.yml", "policy/teams/deny.json"];
    assert_eq!(report["files"], serde_json::json!(files));
}

#[test]
fn a_file_named_twice_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.yaml"), POLICY).unwrap();
    let output = tollgate(folder.path(), &["check", "p.yaml", "./p.yaml", "."]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn a_link_back_to_its_own_folder_is_refused_and_not_followed_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.yaml"), POLICY).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("again")).unwrap();
    let output = tollgate(folder.path(), &["check", "."]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("leads back"), "{}", stderr(&output));
}

#[test]
fn aliases_that_multiply_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    fs::write(folder.path().join("p.yaml"), bomb).unwrap();
    let output = tollgate(folder.path(), &["check", "p.yaml"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("aliases add more than 1,000,000 values"), "{}", stderr(&output));
}

#[test]
fn deep_nesting_is_refused_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let depth = 200_000;
    let block: String = (0..2_000).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    let mut aliases = String::from("a0: &a0 [x]\n");
    for level in 1..200 {
        aliases.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    for (name, text) in [
        ("list.yaml", "[".repeat(depth)),
        ("map.yaml", "{a: ".repeat(depth)),
        ("block.yaml", block),
        ("dashes.yaml", "- ".repeat(depth)),
        ("aliases.yaml", aliases),
        ("list.json", "[".repeat(depth)),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        let output = tollgate(folder.path(), &["check", name]);
        assert_eq!(output.status.code(), Some(3), "{name}: {}", stderr(&output));
    }
}

#[test]
fn every_question_is_answered_before_the_next_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.yaml"), POLICY).unwrap();
    let mut child = Command::new(TOLLGATE)
        .args(["eval", "p.yaml", "--requests", "-"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut questions = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        questions.write_all(REQUEST.as_bytes()).unwrap();
        questions.flush().unwrap();
        assert!(answers.next().unwrap().unwrap().starts_with("{\"decision\":"));
    }
    drop(questions);
    assert!(answers.next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_case_files_are_tests_that_pass() {
    let output = tollgate(&tollgate_tests::root(), &["test", "tests/cases", "--raw", "--min-coverage", "85"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert!(stdout.ends_with(" passed, 0 failed\n"), "{stdout}");
}

#[test]
fn damaged_files_are_answered_and_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let policy = include_str!("transcripts/charges.in/policy.yaml");
    let tests = "policyFiles: [p.yaml]\nnow: \"2026-07-01T00:00:00Z\"\ntests:\n  - name: t\n    after: 5s\n    repeat: 2\n    request: &r {authority: a.example.com, path: /x, headers: {a: [b]}}\n    expect: {decision: deny, reason: NO_MATCH, also: [], used: {q: 1}}\n  - {name: u, request: {<<: *r}, expect: {decision: deny}}\n";
    let rng = &mut fastrand::Rng::with_seed(7);
    for _ in 0..150 {
        for (name, text, arguments) in [
            ("p.yaml", policy, ["lint", "p.yaml"].as_slice()),
            ("p.yaml", policy, &["explain", "p.yaml", "a.example.com", "--why-not"]),
            ("t.yaml", tests, &["test", "t.yaml", "--coverage"]),
        ] {
            fs::write(folder.path().join("p.yaml"), policy).unwrap();
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..bytes.len());
                match rng.u8(0..3) {
                    0 => drop(bytes.remove(at)),
                    1 => bytes.insert(at, *rng.choice(b"{}[]:,-#&*<\"'\n\t a0\xff").unwrap()),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            fs::write(folder.path().join(name), &bytes).unwrap();
            let output = tollgate(folder.path(), arguments);
            let status = output.status.code().unwrap();
            assert!([0, 1, 2, 3, 64].contains(&status), "{status}: {}", String::from_utf8_lossy(&bytes));
        }
    }
}

/// Runs a command that reads this.
fn tollgate_reading(folder: &Path, arguments: &[&str], text: &str) -> Output {
    let mut child = Command::new(TOLLGATE)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_policy_is_read_from_stdin_where_the_file_is_a_dash() {
    let folder = tempfile::tempdir().unwrap();
    let output = tollgate_reading(folder.path(), &["check", "-"], POLICY);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let output = tollgate_reading(folder.path(), &["check", "-"], "version: 1\nname: p\nrulez: []\n");
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("--> <stdin>:3:1"), "{}", stderr(&output));

    fs::write(folder.path().join("r.jsonl"), REQUEST).unwrap();
    let output = tollgate_reading(folder.path(), &["eval", "-", "--requests", "r.jsonl"], POLICY);
    assert!(output.stdout.starts_with(b"{\"decision\":\"deny\""), "{output:?}");

    // a file may be called so too
    fs::write(folder.path().join("-"), POLICY).unwrap();
    let output = tollgate_reading(folder.path(), &["check", "./-"], "nonsense");
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}

#[test]
fn one_input_is_not_two_things() {
    let folder = tempfile::tempdir().unwrap();
    let output = tollgate(folder.path(), &["eval", "-", "--requests", "-"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("not both"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.yaml"), POLICY).unwrap();
    fs::write(folder.path().join("r.jsonl"), REQUEST.repeat(100_000)).unwrap();
    let mut child = Command::new(TOLLGATE)
        .args(["eval", "p.yaml", "--requests", "r.jsonl"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.yaml"), POLICY).unwrap();
    let full = fs::File::create("/dev/full").unwrap();
    let output =
        Command::new(TOLLGATE).args(["check", "p.yaml"]).current_dir(folder.path()).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(70));
    assert!(stderr(&output).starts_with("error: cannot write: "), "{}", stderr(&output));
}
