//! Findings as workflow commands of GitHub Actions, which shows them at their lines in a pull request.

use super::{Report, severity};
use crate::read::escape;
use std::io::{self, Write};
use tollgate::policy::Severity;

pub(super) fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    for located in report.findings {
        let finding = &located.finding;
        let command = match finding.severity {
            Severity::Note => "notice",
            other => severity(other),
        };
        write!(out, "::{command} title={}", finding.code)?;
        if let Some((file, at)) = located.position(report.files) {
            write!(out, ",file={},line={},col={}", property(file.path()), at.line, at.column)?;
        }
        writeln!(out, "::{}", data(&finding.to_string()))?;
    }
    Ok(())
}

/// The message of a workflow command.
fn data(text: &str) -> String {
    escape::line(text).replace('%', "%25")
}

/// A value before the message, where two characters more have a meaning.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
