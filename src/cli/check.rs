//! `tollgate check`: is this a policy?

use super::Trouble;
use super::exit::Exit;
use super::report::{self, Format, Report};
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
    report::write(arguments.format, &Report::of_policy(&loaded))?;
    let has_warnings = loaded.advice.iter().any(|advice| advice.finding.severity >= Severity::Warning);
    Ok(if has_warnings { Exit::Findings } else { Exit::Fine })
}
