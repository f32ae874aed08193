//! `tollgate test --watch` tests again when a file changes.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const TESTS: &str = "policyFiles: [policy.yaml]\ntests:\n  - name: t\n    request: {authority: a.example.com}\n    expect: {decision: allow}\n";

fn policy(host: &str) -> String {
    format!("version: 1\nname: p\nrules:\n  - {{id: r, from: [{{anonymous: true}}], to: [{{hosts: [{host}]}}]}}\n")
}

/// A command that is stopped, whatever happens.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(folder: &Path) -> Watching {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["test", "--watch", "tests.yaml"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Watching { child, lines }
    }

    /// Waits for a summary.
    fn until(&mut self, summary: &str) {
        assert!(self.lines.any(|line| line.unwrap() == summary), "the command ended before it said `{summary}`");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_change_of_the_policy_or_of_the_tests_is_tested() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("policy.yaml", &policy("b.example.com"));
    write("tests.yaml", TESTS);
    let mut watching = Watching::start(folder.path());
    watching.until("0 passed, 1 failed");
    write("policy.yaml", &policy("a.example.com"));
    watching.until("1 passed, 0 failed");
    write("tests.yaml", &TESTS.replace("allow", "deny"));
    watching.until("0 passed, 1 failed");
    // a mistake does not end it
    write("policy.yaml", "version: 2\n");
    write("policy.yaml", &policy("b.example.com"));
    watching.until("1 passed, 0 failed");
    // as editors do it
    write("new", &policy("a.example.com"));
    fs::rename(folder.path().join("new"), folder.path().join("policy.yaml")).unwrap();
    watching.until("0 passed, 1 failed");
}
