//! Findings as SARIF 2.1.0 (OASIS), which code scanning takes.

use super::{Report, severity};
use crate::read::{File, Located};
use serde_json::{Value, json};
use std::io::{self, Write};

pub(super) fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let results: Vec<Value> = report.findings.iter().map(|located| result(located, report.files)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "tollgate", "version": env!("CARGO_PKG_VERSION"), "rules": rules(report) } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    super::pretty(&log, out)
}

/// The codes that occur, each once.
fn rules(report: &Report<'_>) -> Vec<Value> {
    let codes: std::collections::BTreeSet<_> = report.findings.iter().map(|located| located.finding.code).collect();
    codes.into_iter().map(|code| json!({ "id": code })).collect()
}

fn result(located: &Located, files: &[File]) -> Value {
    let finding = &located.finding;
    let mut location = json!({ "logicalLocations": [{ "fullyQualifiedName": finding.pointer }] });
    if let (Some((file, at)), Some(location)) = (located.position(files), location.as_object_mut()) {
        let place = json!({
            "artifactLocation": { "uri": uri(file.path()) },
            "region": { "startLine": at.line, "startColumn": at.column },
        });
        location.insert("physicalLocation".to_owned(), place);
    }
    let text = match &finding.fix {
        Some(fix) => format!("{}; {fix}", finding.message),
        None => finding.message.clone(),
    };
    json!({
        "ruleId": finding.code,
        "level": severity(finding.severity),
        "message": { "text": text },
        "locations": [location],
    })
}

/// A path as a relative or absolute URI reference (RFC 3986 §4.2).
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
