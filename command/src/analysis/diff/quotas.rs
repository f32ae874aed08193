//! Changes of quotas. Those of the same id are compared.

use crate::analysis::atoms::{Reach, Side};
use crate::read::document::{By, Limit, Mode, Overrun, Quota};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use tollgate::policy::QuotaEntry;
use tollgate::quota;

/// A quota that only one policy has, or that differs.
#[derive(Debug, Serialize)]
pub(crate) struct Changed {
    pub(crate) id: String,
    pub(crate) direction: Direction,
    /// Each difference.
    pub(crate) what: Vec<String>,
}

/// Direction in which a quota changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Direction {
    Added,
    Removed,
    Tightened,
    Loosened,
    /// Both, or nobody can say.
    Changed,
}

impl Changed {
    /// Tells whether more may be used than before; true if nobody can say.
    pub(crate) fn widens(&self) -> bool {
        matches!(self.direction, Direction::Removed | Direction::Loosened | Direction::Changed)
    }
}

pub(crate) fn between(old: &Side, new: &Side) -> Vec<Changed> {
    let [before, after] = [old, new].map(by_id);
    let ids: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    ids.into_iter()
        .filter_map(|id| {
            let whole =
                |direction, quota: &Quota| Changed { id: id.to_owned(), direction, what: vec![limit(&quota.limit)] };
            match (before.get(id), after.get(id)) {
                (Some((quota, _)), None) => Some(whole(Direction::Removed, quota)),
                (None, Some((quota, _))) => Some(whole(Direction::Added, quota)),
                (Some(before), Some(after)) => compared(id, (old, *before), (new, *after)),
                (None, None) => None,
            }
        })
        .collect()
}

/// A quota as it is written, and as it is enforced.
type Both<'s> = (&'s Quota, &'s QuotaEntry);

fn by_id(side: &Side) -> BTreeMap<&str, Both<'_>> {
    let compiled: BTreeMap<&str, &QuotaEntry> =
        side.policy.quotas().iter().map(|entry| (&*entry.quota.id, entry)).collect();
    let pairs = side.document.quotas.iter().filter_map(|quota| {
        let id = quota.id.as_str();
        Some((id, (quota, *compiled.get(id)?)))
    });
    pairs.collect()
}

fn compared(id: &str, (old, was): (&Side, Both<'_>), (new, is): (&Side, Both<'_>)) -> Option<Changed> {
    let mut differences: Vec<(Direction, String)> = Vec::new();
    let [before, after] = [was.1.quota.limit, is.1.quota.limit];
    let mut add = |direction, what: String| differences.push((direction, what));
    if was.1.quota.unit != is.1.quota.unit || before != after {
        let same_unit = was.1.quota.unit == is.1.quota.unit;
        let direction = if same_unit { of_limits(&before, &after) } else { Direction::Changed };
        let written = [was.0, is.0].map(|quota| limit(&quota.limit));
        let [from, to] = if written[0] == written[1] { [before, after].map(|limit| share(&limit)) } else { written };
        add(direction, format!("limit {from} → {to}"));
    }
    if was.1.quota.by != is.1.quota.by {
        add(Direction::Changed, format!("by {} → {}", by(was.0), by(is.0)));
    }
    if was.1.quota.overrun != is.1.quota.overrun {
        let finishes = is.0.overrun == Some(Overrun::Finish);
        let direction = if finishes { Direction::Loosened } else { Direction::Tightened };
        add(direction, format!("overrun is {}", if finishes { "finish" } else { "cut" }));
    }
    let rank = |mode: Option<Mode>| match mode {
        Some(Mode::DryRun) => 0,
        None => 1,
        Some(Mode::Enforce) => 2,
    };
    match rank(was.0.mode).cmp(&rank(is.0.mode)) {
        std::cmp::Ordering::Equal => {}
        std::cmp::Ordering::Less => add(Direction::Tightened, format!("mode {} → {}", mode(was.0), mode(is.0))),
        std::cmp::Ordering::Greater => add(Direction::Loosened, format!("mode {} → {}", mode(was.0), mode(is.0))),
    }
    let [covered, covers] = [Reach::of_quota(&old.document, was.0), Reach::of_quota(&new.document, is.0)];
    match (covers.covers(&covered), covered.covers(&covers)) {
        (true, true) => {}
        (true, false) => add(Direction::Tightened, "it counts more requests".to_owned()),
        (false, true) => add(Direction::Loosened, "it counts fewer requests".to_owned()),
        (false, false) => add(Direction::Changed, "it counts other requests".to_owned()),
    }
    let directions: Vec<Direction> = differences.iter().map(|(direction, _)| *direction).collect();
    let first = *directions.first()?;
    let direction = if directions.iter().all(|direction| *direction == first) { first } else { Direction::Changed };
    Some(Changed { id: id.to_owned(), direction, what: differences.into_iter().map(|(_, what)| what).collect() })
}

/// Limits of the same unit.
fn of_limits(old: &quota::Limit, new: &quota::Limit) -> Direction {
    // amount × other period, burst: each no less is looser
    let pairs = match (old, new) {
        (quota::Limit::Rate(old), quota::Limit::Rate(new)) => {
            let product = |amount: u64, per: u64| u128::from(amount).saturating_mul(u128::from(per));
            vec![
                (product(old.amount(), new.per()), product(new.amount(), old.per())),
                (u128::from(old.burst()), u128::from(new.burst())),
            ]
        }
        (quota::Limit::Window(old, was), quota::Limit::Window(new, is)) if old == new => {
            vec![(u128::from(*was), u128::from(*is))]
        }
        (quota::Limit::Concurrent(was), quota::Limit::Concurrent(is)) => vec![(u128::from(*was), u128::from(*is))],
        _ => return Direction::Changed,
    };
    if pairs.iter().all(|(old, new)| new >= old) {
        Direction::Loosened
    } else if pairs.iter().all(|(old, new)| new <= old) {
        Direction::Tightened
    } else {
        Direction::Changed
    }
}

/// A limit as it is written.
fn limit(limit: &Limit) -> String {
    let amounts = [
        ("requests", limit.requests.map(|amount| amount.to_string())),
        ("bytesOut", limit.bytes_out.as_ref().map(ToString::to_string)),
        ("bytesIn", limit.bytes_in.as_ref().map(ToString::to_string)),
        ("bytes", limit.bytes.as_ref().map(ToString::to_string)),
        ("concurrent", limit.concurrent.map(|amount| amount.to_string())),
    ];
    let mut words: Vec<String> =
        amounts.into_iter().filter_map(|(key, amount)| Some(format!("{} {key}", amount?))).collect();
    words.extend(limit.per.as_ref().map(|per| format!("per {per}")));
    words.extend(limit.burst.as_ref().map(|burst| format!("burst {burst}")));
    words.join(" ")
}

/// Amount of a limit that one gateway allows, in words.
fn share(limit: &quota::Limit) -> String {
    format!("{} in each gateway", limit.amount())
}

fn by(quota: &Quota) -> String {
    let names = |by: &By| match by {
        By::Identity => "identity",
        By::Namespace => "namespace",
        By::Destination => "destination",
    };
    match &quota.by {
        None => "identity".to_owned(),
        Some(by) if by.is_empty() => "nothing".to_owned(),
        Some(by) => by.iter().map(names).collect::<Vec<_>>().join(" and "),
    }
}

fn mode(quota: &Quota) -> &'static str {
    match quota.mode {
        None => "of the policy",
        Some(Mode::Enforce) => "enforce",
        Some(Mode::DryRun) => "dry-run",
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Added => "added",
            Direction::Removed => "removed",
            Direction::Tightened => "tighter",
            Direction::Loosened => "looser",
            Direction::Changed => "different",
        })
    }
}
