//! Alerts and queries of the audit layer for Prometheus: each fires or answers as `rules.test.yaml` says, by promtool.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tollgate_tests::root;

const FOLDER: &str = "istio/layers/6-audit";
/// Pages that ask Prometheus something.
const PAGES: [&str; 2] = ["istio/layers/6-audit/README.md", "docs/operations.md"];

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&read(&format!("{FOLDER}/{file}"))).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap()
}

/// The backticked words of a page that are more than the name of a metric with labels: a function of one.
fn queries(page: &str) -> BTreeSet<String> {
    let words = page.split('`').skip(1).step_by(2);
    let is_query = |word: &&str| word.contains("tollgate_") && word.contains('(') && !word.contains('\n');
    words.filter(is_query).map(str::to_owned).collect()
}

#[test]
fn every_rule_is_seen_to_fire_and_to_be_silent() {
    let (rules, tests) = (yaml("rules.yaml"), yaml("rules.test.yaml"));
    let seen: Vec<(&str, bool)> = list(&tests, "tests")
        .iter()
        .flat_map(|test| list(test, "alert_rule_test"))
        .map(|alert| (text(alert, "alertname"), list(alert, "exp_alerts").is_empty()))
        .collect();
    let alerts: Vec<&str> =
        list(&rules, "groups").iter().flat_map(|group| list(group, "rules")).map(|rule| text(rule, "alert")).collect();
    assert!(alerts.len() >= 6, "{alerts:?}");
    for alert in alerts {
        for is_silent in [true, false] {
            assert!(
                seen.contains(&(alert, is_silent)),
                "{alert} is never seen silent or never seen to fire: {is_silent}"
            );
        }
    }
}

#[test]
fn every_query_that_a_page_shows_is_tested() {
    let tests = yaml("rules.test.yaml");
    let tested: BTreeSet<&str> = list(&tests, "tests")
        .iter()
        .flat_map(|test| list(test, "promql_expr_test"))
        .map(|query| text(query, "expr"))
        .collect();
    let shown: BTreeSet<String> = PAGES.iter().flat_map(|page| queries(&read(page))).collect();
    assert!(shown.len() >= 2, "{shown:?}");
    for query in shown {
        assert!(tested.contains(query.as_str()), "`{query}` is not tested");
    }
}

#[test]
fn the_rules_and_queries_answer_as_told() {
    let fetched = root().join(".tools/prometheus/usr/bin/promtool");
    let promtool = if fetched.is_file() { fetched } else { PathBuf::from("promtool") };
    let run = |arguments: &[&str]| Command::new(&promtool).args(arguments).current_dir(root().join(FOLDER)).output();
    let Ok(check) = run(&["check", "rules", "rules.yaml"]) else {
        eprintln!("SKIPPED, the rules for Prometheus: promtool is missing (`make setup` fetches it)");
        return;
    };
    assert!(check.status.success(), "{check:?}");
    let tested = run(&["test", "rules", "rules.test.yaml"]).unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
}
