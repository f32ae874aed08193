//! `tollgate check`: is this a policy?

use super::advice::{Advice, suppress};
use super::exit::Exit;
use super::lint::habits;
use super::report::{self, Format, Report};
use super::{Trouble, source};
use crate::policy::Severity;
use std::path::PathBuf;

/// Parse and cross-check a policy
///
/// Several files or folders are one policy. Everything that is wrong is reported in one run.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// YAML or JSON files, or folders of them; `-` for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let loaded = super::load(&arguments.files, arguments.format)?;
    let document = super::document(&loaded)?;
    let mut advice = Advice::default();
    habits(&document, &mut advice);
    let mut findings = loaded.advice.clone();
    findings.append(&mut source::locate(advice.findings, &loaded.files));
    let findings = suppress::only(findings, &loaded.files);
    report::write(arguments.format, &Report::of_lint(&loaded, &findings))?;
    let has_warnings = findings.iter().any(|located| located.finding.severity >= Severity::Warning);
    Ok(if has_warnings { Exit::Findings } else { Exit::Fine })
}
