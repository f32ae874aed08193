//! Quotas that never refuse, and quotas that a restart forgets.

use super::cover::{List, Where, Who};
use super::reach::EVERYTHING;
use super::subject::Subject;
use crate::analysis::advice::{Advice, code};
use crate::read::document::{By, Document, Mode, Quota, Target};
use std::collections::HashSet;
use tollgate::policy::HostPattern;
use tollgate::quota::Limit;

/// Quotas that are compared with one another.
const COMPARED: usize = 200;

pub(crate) fn lint(subject: &Subject<'_>, advice: &mut Advice) {
    let document = subject.document;
    let reached = (!document.quotas.is_empty()).then(|| Reached::of(subject));
    for (number, quota) in document.quotas.iter().enumerate() {
        if quota.mode == Some(Mode::DryRun) {
            let message = format!("`{}` only records what it would refuse", quota.id);
            advice.add(
                code::DRY_RUN,
                format!("quotas[{number}].mode"),
                message,
                "remove it once it was seen to be right".to_owned(),
            );
        }
        if let Some(per @ ("day" | "week" | "month")) = quota.limit.per.as_deref() {
            let message = format!("`{}` counts over a {per}, and a gateway that restarts begins anew", quota.id);
            let fix = "count what must outlive a gateway elsewhere, or accept it: `# tollgate: allow TG306 because …`"
                .to_owned();
            advice.add(code::FORGETFUL, format!("quotas[{number}].limit.per"), message, fix);
        }
        if reached.as_ref().is_some_and(|reached| !reached.by(subject, quota)) {
            let message = format!("`{}` is about requests that no rule admits", quota.id);
            let fix = "name callers and places of some rule, or remove it".to_owned();
            advice.add(code::IDLE_QUOTA, format!("quotas[{number}]"), message, fix);
        }
        if let Some(other) = stricter(subject, number, quota) {
            let message =
                format!("`{}` never refuses first: `{}` allows less, of all that it counts", quota.id, other.id);
            advice.add(
                code::WEAK_QUOTA,
                format!("quotas[{number}]"),
                message,
                "remove it, or lower its limit".to_owned(),
            );
        }
    }
}

fn targets(quota: &Quota) -> impl Iterator<Item = &Target> {
    quota.to.iter().chain(std::iter::once(&EVERYTHING).filter(|_| quota.to.is_empty()))
}

/// Callers and places that rules admit, arranged so that look-ups find what has nothing in common with them.
struct Reached {
    /// Pairs of a rule; pairs that hold one on the first side, on the second, on both.
    own: HashSet<(Who, Where)>,
    wider_who: HashSet<(Who, Where)>,
    wider_where: HashSet<(Who, Where)>,
    wider: HashSet<(Who, Where)>,
    /// Not all pairs were kept, or requests are let through that no rule admits: nothing is sure.
    unsure: bool,
}

/// Pairs of callers and places that are kept.
const MOST: usize = 200_000;

impl Reached {
    fn of(subject: &Subject<'_>) -> Reached {
        let Document { rules, mode, dry_run_for, .. } = subject.document;
        let mut reached = Reached {
            own: HashSet::new(),
            wider_who: HashSet::new(),
            wider_where: HashSet::new(),
            wider: HashSet::new(),
            unsure: *mode == Mode::DryRun || !dry_run_for.is_empty(),
        };
        for rule in rules {
            let who = Who::all(subject.document, subject.policy.settings(), &rule.from, List::Rules);
            for target in &rule.to {
                let places = Where::all(subject.document.place(target), List::Rules);
                for who in &who {
                    for place in &places {
                        reached.add(who, place);
                    }
                }
                if reached.unsure {
                    return reached;
                }
            }
        }
        reached
    }

    fn add(&mut self, who: &Who, place: &Where) {
        if self.own.len() >= MOST {
            self.unsure = true;
            return;
        }
        if !self.own.insert((who.clone(), place.clone())) {
            return;
        }
        let places = place.holders();
        for holder in who.holders() {
            self.wider_who.insert((holder.clone(), place.clone()));
            self.wider.extend(places.iter().map(|place| (holder.clone(), place.clone())));
        }
        self.wider_where.extend(places.into_iter().map(|place| (who.clone(), place)));
    }

    /// Tells whether some rule and a quota have a caller and a place in common.
    fn by(&self, subject: &Subject<'_>, quota: &Quota) -> bool {
        let document = subject.document;
        let who = Who::all(document, subject.policy.settings(), &quota.from, List::Quotas);
        self.unsure
            || targets(quota).any(|target| {
                let places = Where::all(document.place(target), List::Quotas);
                who.iter().any(|who| places.iter().any(|place| self.meets(who, place)))
            })
    }

    fn meets(&self, who: &Who, place: &Where) -> bool {
        if matches!(place, Where::Network(_) | Where::Names(HostPattern::All)) {
            // addresses inside others, and names of one label, are met in ways that are not looked up here
            return true;
        }
        let (whos, places) = (who.holders(), place.holders());
        self.wider.contains(&(who.clone(), place.clone()))
            || places.iter().any(|place| self.wider_who.contains(&(who.clone(), place.clone())))
            || whos.iter().any(|who| self.wider_where.contains(&(who.clone(), place.clone())))
            || whos.iter().any(|who| places.iter().any(|place| self.own.contains(&(who.clone(), place.clone()))))
    }
}

/// A quota that counts all that this one counts, in buckets of the same key, and allows no more.
fn stricter<'s>(subject: &Subject<'s>, number: usize, quota: &Quota) -> Option<&'s Quota> {
    let document = subject.document;
    let quotas = document.quotas.iter().enumerate().take(COMPARED);
    let mut others = quotas.filter(|(other, _)| *other != number);
    let found = others.find(|(other, candidate)| {
        let equal = allows_as_much(subject, *other, number) && covers(subject, quota, candidate);
        allows_as_much(subject, number, *other) && covers(subject, candidate, quota) && (!equal || *other < number)
    });
    found.map(|(_, other)| other)
}

/// Tells whether a quota's limit is of the same kind as another's and allows as much or more.
fn allows_as_much(subject: &Subject<'_>, more: usize, less: usize) -> bool {
    let written = &subject.document.quotas;
    let (Some(more_written), Some(less_written)) = (written.get(more), written.get(less)) else { return false };
    let by = |quota: &Quota| -> Vec<By> { quota.by.clone().unwrap_or_else(|| vec![By::Identity]) };
    let entries = subject.policy.quotas();
    let (Some(more), Some(less)) = (entries.get(more), entries.get(less)) else { return false };
    let modes_fit = less.mode == more.mode || less.mode == Some(tollgate::policy::Mode::Enforce);
    // which destination a bucket is for depends on the targets
    let same_key = by(more_written) == by(less_written) && !by(more_written).contains(&By::Destination);
    if more.quota.unit != less.quota.unit || !same_key || !modes_fit {
        return false;
    }
    match (&more.quota.limit, &less.quota.limit) {
        (Limit::Window(more_window, more), Limit::Window(less_window, less)) => {
            more_window == less_window && more >= less
        }
        (Limit::Concurrent(more), Limit::Concurrent(less)) => more >= less,
        // never dearer, and with as much room for debt
        (Limit::Rate(more), Limit::Rate(less)) => {
            let is_cheaper = |n| more.cost(n) <= less.cost(n);
            is_cheaper(1) && is_cheaper(1 << 40) && more.burst_tolerance() >= less.burst_tolerance()
        }
        _ => false,
    }
}

/// Tells whether a quota counts all that another counts.
fn covers(subject: &Subject<'_>, outer: &Quota, inner: &Quota) -> bool {
    let document = subject.document;
    let settings = subject.policy.settings();
    let outer_who = Who::all(document, settings, &outer.from, List::Quotas);
    let who = Who::all(document, settings, &inner.from, List::Quotas);
    let is_in = |who: &Who| who.holders().iter().any(|holder| outer_who.contains(holder));
    who.iter().all(is_in)
        && targets(inner).all(|target| {
            Where::all(document.place(target), List::Quotas).iter().all(|place| {
                let holders = place.holders();
                targets(outer).any(|outer| {
                    let places = Where::all(document.place(outer), List::Quotas);
                    places.iter().any(|place| holders.contains(place)) && counts(outer, target)
                })
            })
        })
}

/// Tells whether a quota's target counts all that another does, once the places of both match: what else it asks for is nothing,
/// or the same.
fn counts(outer: &Target, inner: &Target) -> bool {
    outer.terms().takes_everything() || outer.terms() == inner.terms()
}
