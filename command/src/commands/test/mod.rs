//! `tollgate test`: unit tests of a policy.

mod watch;

use super::edge;
use super::error::{CommandError, rejected};
use super::exit::Exit;
use crate::analysis::edge::Normalization;
use crate::analysis::test::{Coverages, TestedPolicy, file};
use crate::output::report;
use crate::output::test::{self, Run, TestFormat};
use crate::output::{Out, progress};
use crate::read::Failure;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

/// Test a policy
///
/// A test file holds a policy (`policy`), or names its files (`policyFiles`), or neither where `--policy` does; and
/// `tests`, each with a `name`, a `request` as `tollgate eval` takes it, and what to `expect`: `decision`, and where
/// they matter `reason`, `rule`, `also` and `used`, by quota. Requests are taken as a workload sends them, with --raw as the
/// filter sees them. They come one after another to one gateway: with
/// `after: 5s` so much later than the one before, with `repeat: 3` three times. A file's clock starts at `now`
/// (2026-07-01T00:00:00Z); a request may have a time of its own.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArguments {
    /// Test files, or folders of them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The policy of test files that name none: a file or a folder
    #[arg(long, value_name = "POLICY")]
    policy: Option<PathBuf>,
    /// Say which rules, deny entries, residency entries and quotas no test made speak
    #[arg(long)]
    coverage: bool,
    /// Fail if fewer of them spoke, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    min_coverage: f64,
    #[command(flatten)]
    edge: edge::EdgeArguments,
    /// Test again whenever a policy or a test file changes
    #[arg(long)]
    watch: bool,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: TestFormat,
}

/// The end of a run.
struct Ran {
    exit: Exit,
    /// Somebody reads on.
    is_read: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("write a number from 0 to 100".to_owned()),
    }
}

pub(crate) fn run(arguments: &TestArguments) -> Result<Exit, CommandError> {
    if !arguments.watch {
        return once(arguments, &mut BTreeSet::new()).map(|ran| ran.exit);
    }
    let given: BTreeSet<PathBuf> = arguments.files.iter().chain(&arguments.policy).cloned().collect();
    let again = || {
        let mut paths = BTreeSet::new();
        match once(arguments, &mut paths) {
            Ok(Ran { exit, is_read: false }) => return Ok(Err(exit)),
            Ok(_) => {}
            Err(trouble @ CommandError::Rejected(..)) => drop(rejected(trouble)?),
            // it may be back in a moment
            Err(CommandError::Unreadable(unreadable)) => report::error(&unreadable.to_string()),
            Err(trouble) => return Err(trouble),
        }
        Ok(Ok(paths))
    };
    watch::forever(given, again)
}

/// One run. `paths` gets what it depends on.
fn once(arguments: &TestArguments, paths: &mut BTreeSet<PathBuf>) -> Result<Ran, CommandError> {
    let loading = |failure: Failure| CommandError::loading(failure, report::Format::Human);
    let normalization = arguments.edge.settings()?;
    let run = progress::during("testing", || play(arguments, normalization, paths)).map_err(loading)?;
    let mut out = match arguments.format {
        TestFormat::Human | TestFormat::Junit => Out::text(),
        TestFormat::Json => Out::data(),
    };
    run.write(arguments.format, &mut out)?;
    out.flush()?;
    let is_read = !out.is_closed();
    out.finish()?;
    let exit = if run.failed() > 0 || run.is_thin() { Exit::Findings } else { Exit::Fine };
    Ok(Ran { exit, is_read })
}

fn play(
    arguments: &TestArguments,
    normalization: Option<Normalization>,
    paths: &mut BTreeSet<PathBuf>,
) -> Result<Run, Failure> {
    let texts = file::read(&arguments.files)?;
    let mut coverages = Coverages::default();
    let mut files = Vec::with_capacity(texts.len());
    for text in &texts {
        let suite = text.suite(arguments.policy.as_deref()).map_err(Failure::Rejected)?;
        if let file::PolicySource::Files(files) = &suite.policy {
            paths.extend(files.iter().cloned());
        }
        let subject = TestedPolicy::load(&suite.policy, &text.file, normalization)?;
        let played = subject.play(&suite, coverages.of(&suite.policy, &subject.covered()));
        files.push(test::File { path: text.file.path().to_owned(), played });
    }
    let wanted = arguments.coverage || arguments.min_coverage > 0.0;
    Ok(Run { files, coverage: wanted.then(|| coverages.report()), least: arguments.min_coverage })
}
