//! `tollgate diff`: what became reachable or unreachable for whom.

mod changes;
mod human;
pub(super) use human::ask;
mod quotas;
mod settings;

use self::changes::{Change, Kind};
use super::atoms::{Found, Side};
use super::edge::own_domain;
use super::exit::Exit;
use super::{Trouble, clock, report};
use serde::{Serialize, Serializer};
use std::path::PathBuf;
use tollgate::decision::Timestamp;

/// Compare what two policies let through
///
/// Says for whom which hosts, ports, methods and paths became reachable or unreachable, and what changed of quotas and
/// settings. Order, ids, files, and how a rule is put make no difference. Each line has a request that was decided by
/// both policies.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
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
    format: report::Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Anything became reachable, a quota looser, or a denial a would-be denial
    Widen,
}

/// All that differs.
#[derive(Debug, Serialize)]
struct Difference {
    /// Whether anything may be done that could not before.
    widens: bool,
    /// Whether every change is in the list; else it is a sample.
    complete: bool,
    #[serde(serialize_with = "written")]
    changes: Vec<Found<Change>>,
    quotas: Vec<quotas::Changed>,
    settings: Vec<settings::Changed>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let now = clock::seconds(arguments.now.unwrap_or_else(clock::now));
    let side = |path| {
        let loaded = super::load(&[path], report::Format::Human)?;
        Side::new(loaded).ok_or_else(|| Trouble::Internal("a valid policy cannot be read again".to_owned()))
    };
    let (old, new) = (side(&arguments.old)?, side(&arguments.new)?);
    let difference = super::progress::during("comparing the policies", || Difference::between(&old, &new, now))?;
    let mut out = arguments.format.out();
    match arguments.format {
        report::Plain::Human => {
            let [before, after] = [&old, &new].map(|side| own_domain(side.policy.settings()));
            let own = if before == after { before } else { "" };
            human::write(&difference, arguments.all, own, &mut out)?;
        }
        report::Plain::Json => report::pretty(&difference, &mut out)?,
    }
    out.finish()?;
    let fails = arguments.fail_on == Some(FailOn::Widen) && difference.widens;
    Ok(if fails { Exit::Findings } else { Exit::Fine })
}

impl Difference {
    fn between(old: &Side, new: &Side, now: u64) -> Result<Difference, Trouble> {
        let (changes, complete) = changes::between(old, new, now)?;
        let quotas = quotas::between(old, new);
        let settings = settings::between(&old.document, &new.document);
        let widens = !complete
            || changes.iter().any(|change| change.verdict.kind == Kind::Reachable)
            || quotas.iter().any(quotas::Changed::widens)
            || settings.iter().any(|setting| setting.widens);
        Ok(Difference { widens, complete, changes, quotas, settings })
    }
}

/// A line of the difference.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'d> {
    #[serde(flatten)]
    change: &'d Change,
    identities: &'d [super::atoms::Part<super::atoms::Who>],
    hosts: &'d [super::atoms::Part<super::atoms::Place>],
    #[serde(flatten)]
    ask: &'d super::atoms::Ask,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except: Vec<Pair<'d>>,
    /// In the form of `tollgate eval --raw`.
    witness: &'d super::atoms::Witness,
}

#[derive(Debug, Serialize)]
struct Pair<'d> {
    identity: &'d super::atoms::Part<super::atoms::Who>,
    host: &'d super::atoms::Part<super::atoms::Place>,
}

fn written<S: Serializer>(changes: &[Found<Change>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(changes.iter().map(|found| Line {
        change: &found.verdict,
        identities: &found.who,
        hosts: &found.places,
        ask: &found.ask,
        except: found.except.iter().map(|(identity, host)| Pair { identity, host }).collect(),
        witness: &found.witness,
    }))
}
