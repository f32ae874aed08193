//! Differences of two policies: what became reachable or unreachable for whom.

mod changes;
mod quotas;
mod settings;

pub(crate) use self::changes::{Change, Kind};
use super::atoms::{Found, Side};
use super::unconfirmed::Unconfirmed;
use serde::{Serialize, Serializer};

/// All that differs.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    /// True if anything may be done that could not before.
    pub(crate) widens: bool,
    /// True if every change is in the list; else it is a sample.
    pub(crate) complete: bool,
    #[serde(serialize_with = "written")]
    pub(crate) changes: Vec<Found<Change>>,
    pub(crate) quotas: Vec<quotas::Changed>,
    pub(crate) settings: Vec<settings::Changed>,
}

impl Difference {
    /// Compares two policies at a time, in seconds since 1970.
    ///
    /// # Errors
    /// A line is not borne out by the decisions on its own request.
    pub(crate) fn between(old: &Side, new: &Side, now: u64) -> Result<Difference, Unconfirmed> {
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
    identities: &'d [crate::analysis::atoms::Part<crate::analysis::atoms::Who>],
    hosts: &'d [crate::analysis::atoms::Part<crate::analysis::atoms::Place>],
    #[serde(flatten)]
    ask: &'d crate::analysis::atoms::Ask,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except: Vec<Pair<'d>>,
    /// In the form of `tollgate eval --raw`.
    witness: &'d crate::analysis::atoms::Witness,
}

#[derive(Debug, Serialize)]
struct Pair<'d> {
    identity: &'d crate::analysis::atoms::Part<crate::analysis::atoms::Who>,
    host: &'d crate::analysis::atoms::Part<crate::analysis::atoms::Place>,
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
