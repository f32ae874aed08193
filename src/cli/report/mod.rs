//! Findings, for people and for machines.

mod github;
mod human;
mod json;
mod sarif;
pub(super) mod table;

pub(super) use human::{Tone, error, findings, statement};
pub(super) use json::pretty;

use super::source::{File, Loaded, Located, Rejected};
use crate::policy::{Policy, Severity};
use std::io;

/// How findings are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
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

/// How results that are no findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Plain {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

/// What there is to say of a policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    /// None where it is rejected.
    policy: Option<&'a Policy>,
    /// What it should have been.
    noun: &'static str,
    findings: &'a [Located],
    files: &'a [File],
}

impl<'a> Report<'a> {
    pub(super) fn of_policy(loaded: &'a Loaded) -> Self {
        Report { policy: Some(&loaded.policy), noun: "policy", findings: &loaded.advice, files: &loaded.files }
    }

    pub(super) fn of_lint(loaded: &'a Loaded, findings: &'a [Located]) -> Self {
        Report { findings, ..Report::of_policy(loaded) }
    }

    pub(super) fn of_rejection(rejected: &'a Rejected) -> Self {
        Report { policy: None, noun: rejected.noun, findings: &rejected.findings, files: &rejected.files }
    }
}

pub(super) fn write(format: Format, report: &Report<'_>) -> io::Result<()> {
    match format {
        Format::Human => human::write(report),
        Format::Json => json::write(report, &mut io::stdout().lock()),
        Format::Sarif => sarif::write(report, &mut io::stdout().lock()),
        Format::Github => github::write(report, &mut io::stdout().lock()),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}
