//! The command's output, of every command, in every format: a reader who leaves early changes no exit code, and no text
//! of policies, logs, file names or requests speaks to a terminal.

#![cfg(unix)]

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Stdio};

const TOLLGATE: &str = env!("CARGO_BIN_EXE_tollgate");

const GOOD: &str = "version: 1\nname: p\nrules:\n  - {id: r, from: [{any: true}], to: [{hosts: [a.example]}]}\n";
const WIDER: &str =
    "version: 1\nname: p\nrules:\n  - {id: r, from: [{any: true}], to: [{hosts: [a.example, b.example]}]}\n";
const BAD: &str = "version: 1\nname: p\nrules: [{id: r, to: [{hosts: [a b]}]}]\n";
const SITE: &str = r#"site: 1
istio: {version: "1.31"}
gateways:
  - {name: egress, api: istio, namespace: istio-egress, selector: {istio: egress}, service: egress.istio-egress.svc.cluster.local, ports: {http: 8443}, replicas: 1}
module: {image: registry.example/tollgate, digest: "sha256:1111111111111111111111111111111111111111111111111111111111111111"}
workloadNamespaces: [web]
"#;
const PASSING: &str =
    "policyFiles: [good.yaml]\ntests: [{name: t, request: {authority: a.example}, expect: {decision: deny}}]\n";
const FAILING: &str =
    "policyFiles: [good.yaml]\ntests: [{name: t, request: {authority: a.example}, expect: {decision: allow}}]\n";

/// The commands that decide, check and report, each with an exit code of its own.
const RUNS: [(&[&str], i32); 26] = [
    (&["check", "good.yaml"], 0),
    (&["check", "bad.yaml"], 3),
    (&["check", "bad.yaml", "--format", "json"], 3),
    (&["check", "bad.yaml", "--format", "sarif"], 3),
    (&["check", "bad.yaml", "--format", "github"], 3),
    (&["lint", "bad.yaml"], 3),
    (&["test", "passing.yaml"], 0),
    (&["test", "failing.yaml"], 1),
    (&["test", "failing.yaml", "--format", "json"], 1),
    (&["test", "failing.yaml", "--format", "junit"], 1),
    (&["test", "bad.yaml"], 3),
    (&["explain", "good.yaml", "a.example", "--as", "a/b"], 0),
    (&["explain", "good.yaml", "b.example", "--as", "a/b", "--why-not"], 2),
    (&["explain", "good.yaml", "b.example", "--as", "a/b", "--format", "json"], 2),
    (&["explain", "bad.yaml", "b.example"], 3),
    (&["eval", "bad.yaml", "--requests", "requests.jsonl"], 3),
    (&["diff", "good.yaml", "wider.yaml", "--fail-on", "widen"], 1),
    (&["diff", "good.yaml", "wider.yaml", "--fail-on", "widen", "--format", "json"], 1),
    (&["diff", "good.yaml", "good.yaml"], 0),
    (&["who-can", "bad.yaml", "a.example"], 3),
    (&["what-can", "bad.yaml", "a/b"], 3),
    (&["render", "bad.yaml", "--site", "site.yaml"], 3),
    (&["check", "missing.yaml"], 64),
    (&["frobnicate"], 64),
    (&["check", "--format", "xml"], 64),
    (&[], 64),
];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let requests = "{\"authority\":\"a.example\"}\n{\"authority\":1}\n".repeat(20_000);
    for (name, text) in [
        ("good.yaml", GOOD),
        ("wider.yaml", WIDER),
        ("bad.yaml", BAD),
        ("site.yaml", SITE),
        ("passing.yaml", PASSING),
        ("failing.yaml", FAILING),
        ("requests.jsonl", &requests),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The end of a pipe that nobody reads.
fn left() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

fn run(folder: &Path, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Option<i32> {
    let mut command = Command::new(TOLLGATE);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    command.status().unwrap().code()
}

#[test]
fn a_reader_who_leaves_early_takes_no_exit_code_along() {
    let folder = folder();
    for (arguments, expected) in RUNS {
        let run = |stdout, stderr| run(folder.path(), arguments, stdout, stderr);
        assert_eq!(run(Stdio::null(), Stdio::null()), Some(expected), "{arguments:?}");
        for _ in 0..3 {
            assert_eq!(run(left(), Stdio::null()), Some(expected), "{arguments:?}: stdout");
            assert_eq!(run(Stdio::null(), left()), Some(expected), "{arguments:?}: stderr");
            assert_eq!(run(left(), left()), Some(expected), "{arguments:?}: both");
        }
        assert_eq!(run(Stdio::null(), full()), Some(expected), "{arguments:?}: stderr is full");
    }
}

#[test]
fn a_reader_who_leaves_after_a_line_takes_no_exit_code_along() {
    let folder = folder();
    let script = r#""$0" "$@" 2>&1 | head -1 >/dev/null; exit "${PIPESTATUS[0]}""#;
    for (arguments, expected) in RUNS {
        for _ in 0..4 {
            let mut command = Command::new("bash");
            command.args(["-c", script, TOLLGATE]).args(arguments).current_dir(folder.path()).stdin(Stdio::null());
            assert_eq!(command.status().unwrap().code(), Some(expected), "{arguments:?}");
        }
    }
}

#[test]
fn an_evaluation_that_nobody_reads_ends_though_its_input_does_not() {
    let folder = folder();
    let script =
        r#"yes '{"authority":"a.example"}' | "$0" eval good.yaml --requests - | head -1; exit "${PIPESTATUS[1]}""#;
    let mut command = Command::new("bash");
    command.args(["-c", script, TOLLGATE]).current_dir(folder.path());
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn a_result_that_is_lost_for_another_reason_is_an_error() {
    let folder = folder();
    for arguments in
        [&["check", "good.yaml"][..], &["explain", "good.yaml", "a.example", "--as", "a/b"], &["schema"], &["--help"]]
    {
        assert_eq!(run(folder.path(), arguments, full(), Stdio::null()), Some(70), "{arguments:?}");
    }
}

/// Every character that is never printed as it is, and what an escape sequence needs besides.
fn hidden() -> Vec<char> {
    let ranges = [
        '\u{1}'..='\u{1f}',
        '\u{7f}'..='\u{9f}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{2069}',
        '\u{feff}'..='\u{feff}',
    ];
    ranges.into_iter().flatten().collect()
}

fn is_hidden(character: char) -> bool {
    character == '\0' || hidden().contains(&character)
}

/// A word with every hidden character in it.
fn word() -> String {
    hidden().into_iter().flat_map(|character| ['x', character]).collect::<String>() + "\u{1b}[8mx"
}

/// The text as a double-quoted scalar of YAML and JSON alike.
fn quoted(text: &str) -> String {
    let escaped: String = text.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect();
    format!("\"{escaped}\"")
}

/// Policies, tests and requests that hold such words wherever one may stand.
fn hostile_folder() -> tempfile::TempDir {
    let folder = folder();
    let word = quoted(&word());
    let raw: String =
        hidden().into_iter().filter(|character| *character > '\u{7f}').flat_map(|character| ['x', character]).collect();
    let texts = [
        (
            "loud.yaml",
            format!(
                "version: 1\nname: p\nresponse: {{docsUrl: \"https://a.example/\"}}\nrules:\n  - {{id: r, from: [{{any: true}}], to: [{{hosts: [a.example]}}], \
                 owner: {word}, reason: {word}, ticket: {word}, expiresAt: \"2020-01-01T00:00:00Z\"}} # {raw}\nquotas: [{{id: q, limit: {{requests: 1, per: 1m}}}}]\n"
            ),
        ),
        (
            "values.yaml",
            format!(
                "version: 1\nname: {word}\nmode: {word}\nrules: [{{id: {word}, {word}: 1, from: [{{namespace: {word}}}, {{spiffe: {word}}}], to: [{{hosts: [{word}, \"*{raw}\"], cidrs: [{word}], paths: [{word}], methods: [{word}], destination: {word}}}], expiresAt: {word}}}]\n"
            ),
        ),
        ("raw.yaml", format!("version: 1\nname: \"{raw}\"\n{raw}: 1\n")),
        ("syntax.yaml", format!("version: 1\nname: [{raw}\n\u{7f}\n")),
        ("binary.yaml", "version: 1\nname: \"a\u{1}\"\n".to_owned()),
        ("doubled.yaml", format!("version: 1\n{word}: 1\n{word}: 2\n")),
        (
            "tests.yaml",
            format!(
                "policyFiles: [good.yaml]\ntests:\n  - {{name: {word}, request: {{authority: {word}, method: {word}, path: {word}, identity: {word}}}, expect: {{decision: allow, rule: {word}, used: {{{word}: 1}}}}}}\n"
            ),
        ),
        (
            "mistaken.yaml",
            format!("policyFiles: [good.yaml]\n{word}: 1\ntests: [{{name: {word}, expect: {{decision: {word}}}}}]\n"),
        ),
        ("loud-site.yaml", format!("{SITE}{word}: 1\n")),
        (
            "loud.jsonl",
            format!(
                "{{\"authority\":{word},\"method\":{word},\"path\":{word},\"identity\":{word}}}\n{{{word}:1}}\n{{\"authority\":\"a.example\",\"path_b64\":\"L///\"}}\n"
            ),
        ),
    ];
    for (name, text) in texts {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let name = OsString::from_vec([&b"\x1b[31m\x07\n\xc2\x9b\xe2\x80\xae\xff"[..], b".yaml"].concat());
    fs::write(folder.path().join(&name), BAD).unwrap();
    fs::create_dir(folder.path().join("names")).unwrap();
    fs::write(folder.path().join("names").join(&name), BAD).unwrap();
    fs::create_dir(folder.path().join("cases")).unwrap();
    fs::write(folder.path().join("cases").join(&name), FAILING.replace("good", "../good")).unwrap();
    File::create(folder.path().join("empty.wasm")).unwrap();
    folder
}

/// The characters of an output that should not be there. `colours` are sequences that switch colours, and nothing else.
fn shown(output: &[u8], colours: bool) -> Vec<char> {
    let text = String::from_utf8(output.to_vec()).unwrap_or_else(|_| "\u{9b}".to_owned());
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(character) = rest.chars().next() {
        let after = rest.split_at(character.len_utf8()).1;
        let sequence = after.strip_prefix('[').and_then(|codes| codes.split_once('m'));
        match sequence.filter(|(codes, _)| codes.chars().all(|code| code.is_ascii_digit() || code == ';')) {
            // concealed text is nobody's colour
            Some((codes, after)) if colours && character == '\u{1b}' && codes != "8" => rest = after,
            _ => {
                found.extend((character != '\n' && is_hidden(character)).then_some(character));
                rest = after;
            }
        }
    }
    found
}

#[test]
fn nothing_that_anyone_wrote_speaks_to_a_terminal() {
    let folder = hostile_folder();
    let word = word();
    let header = format!("{word}: {word}");
    let policies =
        ["loud.yaml", "values.yaml", "raw.yaml", "syntax.yaml", "binary.yaml", "doubled.yaml", "names", &word];
    let mut runs: Vec<Vec<&str>> = Vec::new();
    for policy in policies {
        for format in ["human", "github"] {
            runs.extend([vec!["check", policy, "--format", format], vec!["lint", policy, "--format", format]]);
        }
        runs.push(vec!["eval", policy, "--requests", "loud.jsonl", "--format", "human"]);
        runs.push(vec!["diff", "good.yaml", policy]);
        runs.push(vec!["who-can", policy, "a.example"]);
        runs.push(vec!["what-can", policy, "a/b"]);
        runs.push(vec!["explain", policy, "a.example", "--as", "a/b", "--why-not"]);
        runs.push(vec!["render", policy, "--site", "site.yaml"]);
        runs.push(vec!["render", policy, "--site", "site.yaml", "--plan"]);
        runs.push(vec!["test", "tests.yaml", "--policy", policy]);
    }
    for format in ["human", "junit"] {
        for tests in ["tests.yaml", "mistaken.yaml", "cases", &word] {
            runs.push(vec!["test", tests, "--coverage", "--format", format]);
        }
    }
    runs.push(vec!["explain", "good.yaml", &word, "-X", &word, "-H", &header, "--as", &word, "--cluster", &word]);
    runs.push(vec!["explain", "good.yaml", &word, "-X", &word, "-H", &header, "--why-not"]);
    runs.push(vec!["explain", "good.yaml", "a.example", "--as", &word, "--now", &word, "--source", &word]);
    runs.push(vec!["who-can", "good.yaml", &word]);
    runs.push(vec!["what-can", "good.yaml", &word]);
    runs.push(vec!["who-can", "good.yaml", "a.example", "--method", &word]);
    runs.push(vec!["eval", "good.yaml", "--requests", &word]);
    runs.push(vec!["eval", "good.yaml", "--requests", "loud.jsonl", "--format", "human"]);
    runs.push(vec!["lint", "good.yaml", "--site", "loud-site.yaml"]);
    runs.push(vec!["lint", "good.yaml", "--site", &word]);
    runs.push(vec!["render", "good.yaml", "--site", "loud-site.yaml", "--gateway", &word]);
    runs.push(vec!["render", "good.yaml", "--site", "site.yaml", "--gateway", &word]);
    runs.push(vec!["render", "good.yaml", "--site", "site.yaml", "--output", &word]);
    runs.push(vec!["push", "--layout", &word, "--module", "empty.wasm"]);
    runs.push(vec!["push", "--module", &word, &word]);
    runs.push(vec!["completion", &word]);
    runs.push(vec!["man", "--output", "good.yaml"]);
    runs.push(vec![&word]);
    runs.push(vec!["check", "--format", &word, &word]);
    let mut differences = Vec::new();
    for arguments in runs {
        for colours in [false, true] {
            let mut command = Command::new(TOLLGATE);
            command.args(&arguments).current_dir(folder.path()).stdin(Stdio::null()).env_remove("NO_COLOR");
            if colours {
                command.env("CLICOLOR_FORCE", "1");
            }
            let output = command.output().unwrap();
            for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
                let found = shown(bytes, colours);
                if !found.is_empty() {
                    differences.push(format!("{arguments:?} {stream}: {found:?}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
