//! Advice on the policy as a whole, and on parts of it that nothing uses.

use super::subject::Subject;
use crate::analysis::advice::{Advice, code, named};
use crate::read::document::{Detail, Document, Mode, Selector, Target};
use std::collections::HashSet;
use tollgate::decision::Timestamp;

/// Bytes of an object that Kubernetes' store takes (etcd's `--max-request-bytes`, 1.5 MiB), less what surrounds the policy in
/// it, and room for what servers add.
const OBJECT: usize = 1 << 20;
/// Time before its end from which a rule is told of: 30 days, in nanoseconds.
const SOON: u64 = 30 * 24 * 3_600 * 1_000_000_000;

pub(crate) fn lint(subject: &Subject<'_>, advice: &mut Advice) {
    let document = subject.document;
    if document.mode == Mode::DryRun {
        let message = "the whole policy is in dry-run: nothing but deny entries and bad hosts is denied".to_owned();
        advice.add(
            code::DRY_RUN,
            "mode".to_owned(),
            message,
            "remove it once its records were seen to be right".to_owned(),
        );
    }
    onboarding(subject, advice);
    if document.response.detail == Detail::Full {
        let message =
            "`full` tells a denied caller which rule comes nearest: what it would take to get through".to_owned();
        let fix = "write `reason`; people who may know ask `tollgate explain`".to_owned();
        advice.add(code::FULL_DETAIL, "response.detail".to_owned(), message, fix);
    }
    size(subject, advice);
    people(subject, advice);
    unused(document, advice);
}

/// Identities that are still being onboarded, and until when.
fn onboarding(subject: &Subject<'_>, advice: &mut Advice) {
    for (item, entry) in subject.document.dry_run_for.iter().enumerate() {
        let at = format!("dryRunFor[{item}]");
        let who = "what no rule admits of these identities is let through and recorded";
        match entry.until.as_deref().and_then(|until| Some((until, Timestamp::parse(until)?))) {
            None => {
                let fix = "say until when: `until: \"YYYY-MM-DDThh:mm:ssZ\"`; then write rules for them".to_owned();
                advice.add(code::ONBOARDING, at, format!("{who}, for ever"), fix);
            }
            Some((until, end)) if end.has_come(subject.now) => {
                let fix = "write rules for them and remove the entry, or move its end".to_owned();
                advice.add(code::ONBOARDING, format!("{at}.until"), format!("{who}, though {until} has passed"), fix);
            }
            Some((until, _)) => {
                let fix = "write rules for them until then".to_owned();
                advice.add(code::ONBOARDED_SOON, format!("{at}.until"), format!("{who} until {until}"), fix);
            }
        }
    }
}

fn size(subject: &Subject<'_>, advice: &mut Advice) {
    let percent = subject.size.saturating_mul(100).div_euclid(OBJECT);
    if percent < 70 {
        return;
    }
    let (kib, most) = (subject.size.div_euclid(1024), OBJECT.div_euclid(1024));
    let message =
        format!("the policy is {kib} KiB as JSON, {percent} % of the {most} KiB that a Kubernetes object can carry");
    let fix = "name what repeats (`destinations`, `workloads`), or pack it".to_owned();
    advice.add(code::LARGE, String::new(), message, fix);
}

/// Advises on what people want to know of a rule later, and on its end.
fn people(subject: &Subject<'_>, advice: &mut Advice) {
    for (number, rule) in subject.document.rules.iter().enumerate() {
        let missing = match (&rule.owner, &rule.reason) {
            (Some(_), Some(_)) => None,
            (None, Some(_)) => Some("`owner`"),
            (Some(_), None) => Some("`reason`"),
            (None, None) => Some("`owner` and no `reason`"),
        };
        if let Some(missing) = missing {
            let message = format!("`{}` has no {missing}", rule.id);
            let fix = "say who answers for it and why it is there".to_owned();
            advice.add(code::NO_OWNER, format!("rules[{number}].id"), message, fix);
        }
        let ends = rule.expires_at.as_deref().and_then(Timestamp::parse);
        let left = ends.and_then(|ends| ends.0.checked_sub(subject.now.0)).filter(|left| (1..SOON).contains(left));
        if let Some(left) = left {
            let days = left.div_euclid(24 * 3_600 * 1_000_000_000);
            let message = format!("`{}` ends in {days} days", rule.id);
            advice.add(
                code::EXPIRES_SOON,
                format!("rules[{number}].expiresAt"),
                message,
                "move its end, or let it end".to_owned(),
            );
        }
    }
}

/// Names that nothing uses.
fn unused(document: &Document, advice: &mut Advice) {
    let targets = document.rules.iter().flat_map(|rule| &rule.to);
    let targets = targets.chain(document.deny.iter().flat_map(|deny| deny.to.iter().chain(&deny.except)));
    let targets = targets.chain(document.quotas.iter().flat_map(|quota| &quota.to));
    let destinations: HashSet<&str> = targets.filter_map(|target: &Target| target.destination.as_deref()).collect();
    for name in document.destinations.keys().filter(|name| !destinations.contains(name.as_str())) {
        let message = format!("nothing uses the destination `{name}`");
        advice.add(code::UNUSED_DESTINATION, named("destinations", name), message, "remove it".to_owned());
    }
    let selectors = document.rules.iter().flat_map(|rule| &rule.from).chain(&document.dry_run_for);
    let selectors = selectors.chain(document.deny.iter().flat_map(|deny| deny.from.iter().chain(&deny.not_from)));
    let selectors = selectors.chain(document.residency.iter().flat_map(|entry| &entry.from));
    let selectors = selectors.chain(document.quotas.iter().flat_map(|quota| &quota.from));
    let sets: HashSet<&str> = selectors.filter_map(|selector: &Selector| selector.workloads.as_deref()).collect();
    for name in document.workloads.keys().filter(|name| !sets.contains(name.as_str())) {
        let message = format!("nothing uses the set `{name}`");
        advice.add(code::UNUSED_SET, named("workloads", name), message, "remove it".to_owned());
    }
}
