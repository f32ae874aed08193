//! `tollgate diff`: what became reachable or unreachable for whom.

use super::error::CommandError;
use super::exit::Exit;
use super::input;
use crate::analysis::diff::Difference;
use crate::analysis::edge::own_domain;
use crate::output::report::{self, Plain};
use crate::output::{diff, progress};
use crate::read::clock;
use std::path::PathBuf;
use tollgate::decision::Timestamp;

/// Compare what two policies let through
///
/// Says for whom which hosts, ports, methods and paths became reachable or unreachable, and what changed of quotas and
/// settings. Order, ids, files, and how a rule is put make no difference. Each line has a request that was decided by
/// both policies.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArguments {
    /// A YAML or JSON file, or a folder of them: the policy as it was
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The policy as it is to be
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// End with exit code 1 on a change of this kind
    #[arg(long, value_enum, value_name = "KIND")]
    fail_on: Option<FailOn>,
    /// The time at which requests are decided (RFC 3339); now unless given
    #[arg(long, value_name = "TIME", value_parser = clock::moment)]
    now: Option<Timestamp>,
    /// Show every line, however many there are
    #[arg(long)]
    all: bool,
    /// How to write the changes
    #[arg(long, value_enum, default_value_t)]
    format: Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Anything became reachable, a quota looser, or a denial a would-be denial
    Widen,
}

pub(crate) fn run(arguments: &DiffArguments) -> Result<Exit, CommandError> {
    let now = clock::seconds(arguments.now.unwrap_or_else(clock::now));
    let (old, new) = (input::side(&arguments.old)?, input::side(&arguments.new)?);
    let difference = progress::during("comparing the policies", || Difference::between(&old, &new, now))?;
    let mut out = arguments.format.out();
    match arguments.format {
        Plain::Human => {
            let [before, after] = [&old, &new].map(|side| own_domain(side.policy.settings()));
            let own = if before == after { before } else { "" };
            diff::write(&difference, arguments.all, own, &mut out)?;
        }
        Plain::Json => report::pretty(&difference, &mut out)?,
    }
    out.finish()?;
    let fails = arguments.fail_on == Some(FailOn::Widen) && difference.widens;
    Ok(if fails { Exit::Findings } else { Exit::Fine })
}
