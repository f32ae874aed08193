//! The mistakes of people who write policies: each has one finding, which names what to write instead.

use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// Codes that every small policy gets from lint, whatever it is about.
const ALWAYS: [&str; 1] = ["TG301"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    name: String,
    #[serde(default = "check")]
    command: String,
    #[serde(default = "policy")]
    file: String,
    code: String,
    severity: String,
    /// Part of the help.
    fix: String,
    text: String,
}

fn check() -> String {
    "check".to_owned()
}

fn policy() -> String {
    "policy.yaml".to_owned()
}

impl Mistake {
    fn exit(&self) -> i32 {
        match self.severity.as_str() {
            "error" => 3,
            "warning" => 1,
            _ => 0,
        }
    }

    /// Runs the command on the mistake; returns its output if it is not as expected.
    fn complaint(&self) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(&self.file), &self.text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.arg(&self.command).arg(&self.file).current_dir(folder.path());
        if self.command == "test" {
            // its findings are for people only
            let output = command.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            let right = said.contains(&self.fix) && said.matches("error[").count() == 1 && said.contains(&self.code);
            return (output.status.code() != Some(self.exit()) || !right).then_some(said);
        }
        let output = command.args(["--format", "json"]).output().unwrap();
        let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else {
            return Some(String::from_utf8_lossy(&output.stderr).into_owned());
        };
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let findings = report["findings"].as_array().unwrap().iter();
        let findings: Vec<&Value> =
            findings.filter(|finding| !ALWAYS.contains(&text(finding, "code").as_str())).collect();
        let right = |finding: &Value| {
            text(finding, "code") == self.code
                && text(finding, "severity") == self.severity
                && text(finding, "fix").contains(&self.fix)
                && finding["line"].is_u64()
        };
        let is_right = matches!(findings.as_slice(), [one] if right(one)) && output.status.code() == Some(self.exit());
        (!is_right).then(|| format!("exit code {:?}\n{findings:#?}", output.status.code()))
    }
}

#[test]
fn every_mistake_is_one_finding_that_names_what_to_write() {
    let mistakes: Vec<Mistake> = serde_saphyr::from_str(include_str!("mistakes.yaml")).unwrap();
    assert!(mistakes.len() >= 130, "{}", mistakes.len());
    let mut wrong = String::new();
    for mistake in &mistakes {
        assert!(!mistake.fix.is_empty(), "{}", mistake.name);
        if let Some(complaint) = mistake.complaint() {
            let Mistake { name, code, fix, .. } = mistake;
            writeln!(wrong, "{name}: wanted {code} with {fix:?}, and got\n{complaint}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
