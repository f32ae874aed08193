//! Findings, for people and for machines.

mod github;
mod human;
mod json;
mod sarif;
mod summary;
pub(crate) mod table;

pub(crate) use human::{Tone, error, findings, statement};
pub(crate) use json::pretty;
pub(crate) use summary::Summary;

use crate::output::Out;
use crate::read::{File, Located, Rejected};
use std::io;
use tollgate::policy::Severity;

/// Formats of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people: findings with the lines they speak of, on stderr
    #[default]
    Human,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands of GitHub Actions
    Github,
}

/// Formats of results that are no findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Plain {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

impl Plain {
    /// The standard output for such results.
    pub(crate) fn out(self) -> Out {
        match self {
            Plain::Human => Out::text(),
            Plain::Json => Out::data(),
        }
    }
}

/// Result of checking one policy.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    /// None where it is rejected.
    policy: Option<Summary>,
    /// Name of what the files should have been, such as `policy`.
    noun: &'static str,
    findings: &'a [Located],
    files: &'a [File],
}

impl<'a> Report<'a> {
    pub(crate) fn of_policy(summary: Summary, findings: &'a [Located], files: &'a [File]) -> Self {
        Report { policy: Some(summary), noun: "policy", findings, files }
    }

    pub(crate) fn of_rejection(rejected: &'a Rejected) -> Self {
        Report { policy: None, noun: rejected.noun, findings: &rejected.findings, files: &rejected.files }
    }
}

pub(crate) fn write(format: Format, report: &Report<'_>) -> io::Result<()> {
    let mut out = match format {
        Format::Human | Format::Github => Out::text(),
        Format::Json | Format::Sarif => Out::data(),
    };
    match format {
        Format::Human => human::write(report, &mut out)?,
        Format::Json => json::write(report, &mut out)?,
        Format::Sarif => sarif::write(report, &mut out)?,
        Format::Github => github::write(report, &mut out)?,
    }
    out.finish()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}
