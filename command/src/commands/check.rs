//! `tollgate check`: is this a policy?

use super::error::CommandError;
use super::exit::Exit;
use super::input;
use crate::analysis::advice::{Advice, suppress};
use crate::analysis::lint;
use crate::analysis::lint::habits;
use crate::output::report::{self, Format, Report};
use crate::read;
use crate::read::clock;
use std::path::PathBuf;
use tollgate::decision::Timestamp;
use tollgate::policy::Severity;

/// Parse and cross-check a policy
///
/// Several files or folders are one policy. Everything that is wrong is reported in one run, and rules that have ended. The summary names the
/// revision, by which records and metrics know the policy, and counts what stands where.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// YAML or JSON files, or folders of them; `-` for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The time that the ends of rules are compared with (RFC 3339); now if not given
    #[arg(long, value_name = "TIME", value_parser = clock::moment)]
    now: Option<Timestamp>,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(arguments: &CheckArguments) -> Result<Exit, CommandError> {
    let loaded = input::load(&arguments.files, arguments.format)?;
    let document = input::document(&loaded)?;
    let mut advice = Advice::default();
    habits(&document, &mut advice);
    let mut findings = loaded.advice.clone();
    findings.append(&mut read::locate(advice.findings, &loaded.files));
    let mut findings = suppress::only(findings, &loaded.files);
    findings.extend(lint::ended(&loaded, &document, arguments.now.unwrap_or_else(clock::now)));
    let summary = input::summary(&loaded, &document)?;
    report::write(arguments.format, &Report::of_policy(summary, &findings, &loaded.files))?;
    let has_warnings = findings.iter().any(|located| located.finding.severity >= Severity::Warning);
    Ok(if has_warnings { Exit::Findings } else { Exit::Fine })
}
