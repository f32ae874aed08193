//! Rules that admit nothing, or nothing that others do not.

use super::cover::{Entry, List, Stars, Targets, Where, Who};
use super::subject::Subject;
use crate::analysis::advice::{Advice, code, target};
use crate::read::document::{Mode, Rule, Target};
use std::collections::HashSet;
use tollgate::decision::Timestamp;
use tollgate::policy::nearest;

/// Advises on rules. Returns the targets that are denied, for others who ask.
pub(crate) fn lint<'s>(subject: &Subject<'s>, advice: &mut Advice) -> Targets<'s> {
    let (rules, denied) = (open(subject), closed(subject));
    // A target that was found to be too much covers nothing else, so that all of them can be removed at once. From the
    // end, since of two that say the same the later is the one too many.
    let mut removed = HashSet::new();
    for (number, rule) in subject.document.rules.iter().enumerate().rev() {
        if ended(number, rule, subject.now, advice) {
            continue;
        }
        let who = Who::all(subject.document, subject.policy.settings(), &rule.from, List::Rules);
        for (item, target) in rule.to.iter().enumerate().rev() {
            let entry = Entry { entry: number, item, target };
            if !impossible(rule, &entry, advice) && !is_closed(subject, &denied, &who, rule, &entry, advice) {
                covered(subject, &rules, &who, &entry, &mut removed, advice);
            }
        }
    }
    denied
}

/// Says of a rule that it has ended, if it has.
pub(crate) fn ended(number: usize, rule: &Rule, now: Timestamp, advice: &mut Advice) -> bool {
    let has_ended = expiry(rule).is_some_and(|expiry| expiry.has_come(now));
    if has_ended {
        let message = format!("`{}` has ended: it admits nothing any more", rule.id);
        let fix = "remove the rule, or move its end".to_owned();
        advice.add(code::EXPIRED, format!("rules[{number}].expiresAt"), message, fix);
    }
    has_ended
}

/// The targets of all rules that have not ended.
fn open<'s>(subject: &Subject<'s>) -> Targets<'s> {
    let document = subject.document;
    let mut targets = Targets::default();
    for (number, rule) in document.rules.iter().enumerate() {
        if expiry(rule).is_some_and(|expiry| expiry.has_come(subject.now)) {
            continue;
        }
        let who = Who::all(document, subject.policy.settings(), &rule.from, List::Rules);
        for (item, target) in rule.to.iter().enumerate() {
            let places = Where::all(document.place(target), List::Rules);
            targets.add(&who, &places, Entry { entry: number, item, target });
        }
    }
    targets
}

/// The targets of all deny entries that leave nothing out.
fn closed<'s>(subject: &Subject<'s>) -> Targets<'s> {
    let document = subject.document;
    let mut targets = Targets::default();
    for (number, deny) in document.deny.iter().enumerate() {
        if deny.mode == Mode::DryRun || !deny.not_from.is_empty() || !deny.except.is_empty() {
            continue;
        }
        let who = Who::all(document, subject.policy.settings(), &deny.from, List::Deny);
        let everything = std::iter::once(&EVERYTHING).filter(|_| deny.to.is_empty());
        for (item, target) in deny.to.iter().chain(everything).enumerate() {
            let places = Where::all(document.place(target), List::Deny);
            targets.add(&who, &places, Entry { entry: number, item, target });
        }
    }
    targets
}

/// The target of an entry that gives none.
pub(crate) static EVERYTHING: Target = Target::NOTHING_GIVEN;

fn expiry(rule: &Rule) -> Option<Timestamp> {
    rule.expires_at.as_deref().and_then(Timestamp::parse)
}

/// A target whose own parts cannot hold together.
fn impossible(rule: &Rule, entry: &Entry<'_>, advice: &mut Advice) -> bool {
    let Target { methods, paths, .. } = entry.target;
    let only_connect = !methods.is_empty() && methods.iter().all(|method| method == "CONNECT");
    if !only_connect || paths.is_empty() {
        return false;
    }
    let message = format!("`{}` admits nothing here: a CONNECT request has no path", rule.id);
    let fix = "remove `paths`, or list the methods of requests that have one".to_owned();
    advice.add(code::IMPOSSIBLE, target("rules", entry.entry, entry.item, "paths"), message, fix);
    true
}

/// A target that deny entries or residency close wholly.
fn is_closed(
    subject: &Subject<'_>,
    denied: &Targets<'_>,
    who: &[Who],
    rule: &Rule,
    entry: &Entry<'_>,
    advice: &mut Advice,
) -> bool {
    let document = subject.document;
    let places = Where::all(document.place(entry.target), List::Rules);
    let fits = |deny: &Entry<'_>| deny.target.terms().covers(entry.target.terms());
    if let Some(deny) = denied.covering(who, &places, fits).and_then(|deny| document.deny.get(deny.entry)) {
        let message = format!("`{}` admits nothing here: `{}` denies all of it", rule.id, deny.id);
        let fix = "remove the target, or let the deny entry leave it out (`except`, `notFrom`)".to_owned();
        advice.add(code::DENIED, target("rules", entry.entry, entry.item, ""), message, fix);
        return true;
    }
    let region = document.place(entry.target).region;
    let settings = subject.policy.settings();
    let closing = |who: &Who| {
        let holders = who.holders();
        document.residency.iter().find(|entry| {
            let bound = Who::all(document, settings, &entry.from, List::Rules);
            bound.iter().any(|bound| holders.contains(bound))
                && !entry.regions.iter().any(|listed| Some(listed.as_str()) == region)
        })
    };
    let mut closing = who.iter().map(closing);
    let first = closing.next().flatten();
    if let Some(residency) = first.filter(|_| closing.all(|entry| entry.is_some())) {
        let region = region.map_or("no region".to_owned(), |region| format!("the region `{region}`"));
        let allowed = residency.regions.join("`, `");
        let message =
            format!("`{}` admits nothing here: it is in {region}, and `{}` wants `{allowed}`", rule.id, residency.id);
        let listed: Vec<&str> = residency.regions.iter().map(String::as_str).collect();
        let near = document.place(entry.target).region.and_then(|label| nearest(label, &listed));
        let fix = match near {
            Some(near) => format!("did you mean `{near}`? label and list have to spell it alike"),
            None => "label the target with its region, or remove it".to_owned(),
        };
        advice.add(code::NO_REGION, target("rules", entry.entry, entry.item, ""), message, fix);
        return true;
    }
    false
}

/// A target all of whose requests others admit, too.
fn covered(
    subject: &Subject<'_>,
    rules: &Targets<'_>,
    who: &[Who],
    entry: &Entry<'_>,
    removed: &mut HashSet<(usize, usize)>,
    advice: &mut Advice,
) {
    let document = subject.document;
    let Some(rule) = document.rules.get(entry.entry) else { return };
    let places = Where::all(document.place(entry.target), List::Rules);
    let own = (entry.entry, entry.item);
    let fits = |other: &Entry<'_>| {
        let number = (other.entry, other.item);
        number != own && !removed.contains(&number) && holds(subject, other, entry)
    };
    let Some(other) = rules.covering(who, &places, fits) else { return };
    removed.insert(own);
    let Some(wider) = document.rules.get(other.entry) else { return };
    let (code, message) = if !entry.target.paths.is_empty() && other.target.paths.is_empty() {
        let message = format!("the paths of `{}` limit nothing here: `{}` opens all of them", rule.id, wider.id);
        (code::PATHS_OPENED, message)
    } else if holds(subject, entry, &other) && same_pairs(subject, who, &places, &other) {
        (code::DUPLICATE, format!("`{}` says here what `{}` says already", rule.id, wider.id))
    } else {
        (code::COVERED, format!("`{}` adds nothing here to what `{}` admits", rule.id, wider.id))
    };
    let fix = match code {
        code::PATHS_OPENED => format!("narrow `{}`, or remove this target", wider.id),
        _ => "remove it; if it is there for people to read, say so in `reason` of the other".to_owned(),
    };
    advice.add(code, target("rules", entry.entry, entry.item, ""), message, fix);
}

/// Tells whether a target admits all that another does, for the callers and places that both speak of, and for as long.
fn holds(subject: &Subject<'_>, outer: &Entry<'_>, inner: &Entry<'_>) -> bool {
    let document = subject.document;
    let ends = |entry: &Entry<'_>| document.rules.get(entry.entry).and_then(expiry).unwrap_or(Timestamp::NEVER);
    let region = document.place(inner.target).region;
    // without residency nobody looks at regions
    let regions = document.residency.is_empty() || region.is_none() || region == document.place(outer.target).region;
    ends(outer) >= ends(inner) && regions && outer.target.terms().covers(inner.target.terms())
}

/// Tells whether another target speaks of just these callers and places.
fn same_pairs(subject: &Subject<'_>, who: &[Who], places: &[Where], other: &Entry<'_>) -> bool {
    let document = subject.document;
    let Some(rule) = document.rules.get(other.entry) else { return false };
    let other_who = Who::all(document, subject.policy.settings(), &rule.from, List::Rules);
    let other_places = Where::all(document.place(other.target), List::Rules);
    let all_in =
        |who: &[Who], others: &[Who]| who.iter().all(|who| who.holders().iter().any(|holder| others.contains(holder)));
    let places_in = |places: &[Where], others: &[Where]| {
        let mut stars = Stars::default();
        others.iter().for_each(|place| stars.add(place));
        places.iter().all(|place| stars.holders(place).iter().any(|holder| others.contains(holder)))
    };
    all_in(&other_who, who) && places_in(&other_places, places)
}
