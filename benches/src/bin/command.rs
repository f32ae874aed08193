//! The `tollgate` command on large policies, as people run it: a process each, from its start to its end.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a program that only developers run: a panic here tells of a bug and harms nobody"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use tollgate_bench::report::{Bars, Section, Table, root, trim};
use tollgate_bench::shapes::Shape;
use tollgate_bench::timing::median;

/// Runs of each command.
const RUNS: usize = 5;
const LARGE: usize = 10_000;
const LARGEST: usize = 100_000;

fn main() -> Result<()> {
    let command = build()?;
    let folder = tempfile::tempdir()?;
    let stage = Stage { command, folder: folder.path() };
    let mut section = Section::new("command", "The command");
    section.say(&format!(
        "Shape A: each rule one identity, one host and one path. Medians of {RUNS} runs, from the start of the process to its \
         end, on the wall clock; what is printed is thrown away. Policies are YAML in block style where that is said, else JSON."
    ));
    let mut table = Table::new(&["command", "rules", "ms"]);
    let mut bars = Bars::default();
    for case in stage.cases()? {
        let times: Vec<f64> = (0..RUNS).map(|_| stage.run(&case.arguments)).collect::<Result<_>>()?;
        let time = median(times);
        table.row([case.what.to_owned(), case.rules.to_string(), trim(time)]);
        if let Some(bar) = case.bar {
            bars.at_most(&format!("{}, {} rules", case.what, case.rules), bar, time, " ms");
        }
    }
    section.table("Time", &table);
    section.bars(bars);
    section.save()?;
    Ok(())
}

/// The command in its release form.
fn build() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    let status = cargo.args(["build", "--release", "--quiet", "--bin", "tollgate"]).current_dir(root()).status()?;
    ensure!(status.success(), "the command could not be built");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release/tollgate"))
}

struct Case {
    what: &'static str,
    rules: usize,
    arguments: Vec<String>,
    /// Milliseconds.
    bar: Option<f64>,
}

/// The command, and the folder of the policies it is run on.
struct Stage<'a> {
    command: PathBuf,
    folder: &'a Path,
}

impl Stage<'_> {
    fn cases(&self) -> Result<Vec<Case>> {
        let policy: Value = serde_json::from_str(&Shape::A.policy(LARGE))?;
        let largest: Value = serde_json::from_str(&Shape::A.policy(LARGEST))?;
        let yaml = self.write("large.yaml", &block(&policy))?;
        let largest_yaml = self.write("largest.yaml", &block(&largest))?;
        let old = self.write("old.json", &policy.to_string())?;
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut changed = policy.clone();
            change(&mut changed);
            changed.to_string()
        };
        let methods_of_every = |step: usize| {
            move |policy: &mut Value| {
                let rules = policy["rules"].as_array_mut().into_iter().flatten();
                rules.step_by(step).for_each(|rule| rule["to"][0]["methods"] = json!(["DELETE"]));
            }
        };
        let few = self.write("few.json", &changed(&methods_of_every(1_000)))?;
        let half = self.write("half.json", &changed(&methods_of_every(2)))?;
        let mode = self.write("mode.json", &changed(&|policy| policy["mode"] = "dry-run".into()))?;
        let wide = json!({"id": "wide", "from": [{"any": true}], "to": [{"hosts": ["**"]}]});
        let wide = self.write(
            "wide.json",
            &changed(&|policy| policy["rules"].as_array_mut().into_iter().for_each(|rules| rules.push(wide.clone()))),
        )?;
        let site = |routes| {
            json!({
                "site": 1,
                "istio": {"version": "1.31"},
                "gateways": [{
                    "name": "egress", "api": "istio", "namespace": "istio-egress", "selector": {"istio": "egressgateway"},
                    "service": "gateway.istio-egress.svc.cluster.local", "ports": {"http": 8443}, "routes": routes,
                }],
                "module": {"image": "registry.example/tollgate"},
            })
        };
        let listed = self.write("listed.json", &site("listed").to_string())?;
        let dynamic = self.write("dynamic.json", &site("catch-all").to_string())?;
        let asked = Shape::A.request(LARGE, LARGE / 2, 0);
        let url = format!("https://{}{}", asked.authority, asked.path);
        let case = |what, rules, arguments: &[&str], bar| Case {
            what,
            rules,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            bar,
        };
        Ok(vec![
            case("`--version`", 0, &["--version"], Some(10.0)),
            case("`check`, YAML", LARGE, &["check", &yaml], Some(150.0)),
            case("`check`, YAML", LARGEST, &["check", &largest_yaml], Some(1_500.0)),
            case("`check`", LARGE, &["check", &old], None),
            case("`lint`, YAML", LARGE, &["lint", &yaml], Some(1_000.0)),
            case("`lint`, YAML", LARGEST, &["lint", &largest_yaml], None),
            case("`explain`", LARGE, &["explain", &old, "--as", &asked.account, &url], Some(50.0)),
            case("`explain --why-not`", LARGE, &["explain", &old, "--as", &asked.account, "--why-not", "x.test"], None),
            case("`diff`, 10 rules changed", LARGE, &["diff", &old, &few], Some(2_000.0)),
            case("`diff`, every second rule changed", LARGE, &["diff", &old, &half], Some(2_000.0)),
            case("`diff`, one rule more: any to `**`", LARGE, &["diff", &old, &wide], Some(2_000.0)),
            case("`diff`, another mode", LARGE, &["diff", &old, &mode], Some(2_000.0)),
            case("`render`, each host listed", LARGE, &["render", &old, "--site", &listed], Some(1_000.0)),
            case("`render`, one dynamic route", LARGE, &["render", &old, "--site", &dynamic], Some(1_000.0)),
            case("`who-can`", LARGE, &["who-can", &old, &asked.authority], None),
            case("`what-can`", LARGE, &["what-can", &old, &asked.account], None),
        ])
    }

    fn write(&self, name: &str, text: &str) -> Result<String> {
        let file = self.folder.join(name);
        fs::write(&file, text)?;
        Ok(file.display().to_string())
    }

    /// Runs the command. Returns milliseconds from its start to its end.
    fn run(&self, arguments: &[String]) -> Result<f64> {
        let mut command = Command::new(&self.command);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        let before = Instant::now();
        let code = command.status()?.code().context("it was killed")?;
        let milliseconds = before.elapsed().as_secs_f64() * 1e3;
        // findings, and what is denied, are answers too
        ensure!(matches!(code, 0..=2), "{arguments:?} ended with {code}");
        Ok(milliseconds)
    }
}

/// A document as YAML in block style.
fn block(value: &Value) -> String {
    let mut out = String::new();
    write_block(value, 0, &mut out);
    out
}

fn write_block(value: &Value, indent: usize, out: &mut String) {
    let entries: Vec<(String, &Value)> = match value {
        Value::Array(elements) => elements.iter().map(|element| ("-".to_owned(), element)).collect(),
        Value::Object(entries) => entries.iter().map(|(key, entry)| (format!("{key}:"), entry)).collect(),
        scalar => {
            // writing into memory does not fail
            let _ = writeln!(out, " {scalar}");
            return;
        }
    };
    for (number, (head, entry)) in entries.iter().enumerate() {
        // the first key of an element stands in the line of its dash
        let is_in_line = number == 0 && out.ends_with("- ");
        let _ = write!(out, "{}{head}", if is_in_line { String::new() } else { " ".repeat(indent) });
        match entry {
            Value::Object(_) if head == "-" => {
                out.push(' ');
                write_block(entry, indent + 2, out);
            }
            Value::Array(_) | Value::Object(_) => {
                out.push('\n');
                write_block(entry, indent + 2, out);
            }
            scalar => write_block(scalar, 0, out),
        }
    }
}
