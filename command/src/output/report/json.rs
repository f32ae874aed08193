//! Findings as one JSON object.

use super::{Report, Summary, severity};
use crate::read::{File, Located};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct FindingsOutput<'a> {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a Summary>,
    files: Vec<&'a str>,
    findings: Vec<FindingEntry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FindingEntry<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    pointer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
}

pub(super) fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let output = FindingsOutput {
        valid: report.policy.is_some(),
        policy: report.policy.as_ref(),
        files: report.files.iter().map(File::path).collect(),
        findings: report.findings.iter().map(|located| entry(located, report.files)).collect(),
    };
    pretty(&output, out)
}

/// A value, over several lines.
pub(crate) fn pretty(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn entry<'a>(located: &'a Located, files: &'a [File]) -> FindingEntry<'a> {
    let finding = &located.finding;
    let position = located.position(files);
    FindingEntry {
        code: finding.code,
        severity: severity(finding.severity),
        message: &finding.message,
        file: position.map(|(file, _)| file.path()),
        line: position.map(|(_, at)| at.line),
        column: position.map(|(_, at)| at.column),
        pointer: &finding.pointer,
        fix: finding.fix.as_deref(),
    }
}
