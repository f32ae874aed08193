//! The entries of one or two policies, target by target: what they tell apart, and whether both policies have them.

use super::place::Place;
use super::who::Who;
use crate::read::document::{Document, Mode, Quota, Rule, Selector, Target};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::decision::Timestamp;
use tollgate::policy::{Reading, TargetTerms};

/// Callers and hosts that are treated alike by some part of an entry, and others that are not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) from: Vec<Who>,
    pub(super) to: Vec<Place>,
    /// None for what speaks of every request.
    pub(super) terms: Option<TargetTerms>,
    pub(super) expires: Option<Timestamp>,
    /// Only one of two policies has it.
    pub(super) changed: bool,
}

/// An entry in its normal form: two policies have the same if they say the same, in whatever order and under whatever id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Rule {
        from: Vec<Who>,
        to: Vec<Place>,
        terms: TargetTerms,
        region: Option<String>,
        expires: Option<Timestamp>,
    },
    Deny {
        enforced: bool,
        from: Vec<Who>,
        to: Vec<(Vec<Place>, TargetTerms)>,
        except: Vec<(Vec<Place>, TargetTerms)>,
        not_from: Vec<Who>,
    },
    Residency {
        from: Vec<Who>,
        regions: BTreeSet<String>,
    },
    Onboarding(Who),
    Quota {
        from: Vec<Who>,
        to: Vec<(Vec<Place>, TargetTerms)>,
    },
}

/// The requests that a quota counts.
#[derive(Debug)]
pub(crate) struct Reach {
    from: Vec<Who>,
    to: Vec<(Vec<Place>, TargetTerms)>,
}

impl Reach {
    pub(crate) fn of_quota(document: &Document, quota: &Quota) -> Reach {
        let everything = [Target::default()];
        let to = if quota.to.is_empty() { &everything[..] } else { &quota.to };
        Reach {
            from: if quota.from.is_empty() {
                Who::everyone(document)
            } else {
                Who::listed(document, &quota.from, false)
            },
            to: to.iter().map(|target| aim(document, target)).collect(),
        }
    }

    /// Tells whether this one surely counts every request that the other does.
    pub(crate) fn covers(&self, other: &Reach) -> bool {
        let who = |who: &Who| self.from.iter().any(|wide| wide.covers(who));
        let place = |place: &Place, terms: &TargetTerms| {
            self.to.iter().any(|(to, wide)| wide.covers(terms) && to.iter().any(|to| to.covers(place)))
        };
        other.from.iter().all(who) && other.to.iter().all(|(to, terms)| to.iter().all(|to| place(to, terms)))
    }
}

/// All entries of the policies, each once; `with_quotas` also what their quotas tell apart.
pub(super) fn entries(documents: &[&Document], with_quotas: bool) -> Vec<Entry> {
    let mut held: BTreeMap<Unit, usize> = BTreeMap::new();
    for document in documents {
        let quotas = document.quotas.iter().filter(|_| with_quotas);
        let quotas = quotas.map(|quota| {
            let Reach { from, to } = Reach::of_quota(document, quota);
            Unit::Quota { from, to }
        });
        for unit in units(document).into_iter().chain(quotas) {
            let count = held.entry(unit).or_default();
            *count = count.saturating_add(1);
        }
    }
    held.into_iter().flat_map(|(unit, count)| unit.entries(count < documents.len())).collect()
}

fn units(document: &Document) -> BTreeSet<Unit> {
    let mut units = BTreeSet::new();
    for rule in &document.rules {
        let from = Who::listed(document, &rule.from, false);
        let expires = rule.expires_at.as_deref().and_then(Timestamp::parse);
        for target in &rule.to {
            let region = document.place(target).region.map(str::to_owned);
            let (to, terms) = aim(document, target);
            units.insert(Unit::Rule { from: from.clone(), to, terms, region, expires });
        }
    }
    for deny in &document.deny {
        let listed = |list: &[Selector]| Who::listed(document, list, true);
        let aims = |targets: &[Target]| {
            let aims: BTreeSet<_> = targets.iter().map(|target| aim(document, target)).collect();
            aims.into_iter().collect::<Vec<_>>()
        };
        let everything = Target::default();
        units.insert(Unit::Deny {
            enforced: deny.mode == Mode::Enforce,
            from: if deny.from.is_empty() { Who::everyone(document) } else { listed(&deny.from) },
            to: if deny.to.is_empty() { vec![aim(document, &everything)] } else { aims(&deny.to) },
            except: aims(&deny.except),
            not_from: listed(&deny.not_from),
        });
    }
    for residency in &document.residency {
        let from = Who::listed(document, &residency.from, false);
        units.insert(Unit::Residency { from, regions: residency.regions.iter().cloned().collect() });
    }
    units.extend(Who::listed(document, &document.dry_run_for, false).into_iter().map(Unit::Onboarding));
    units
}

/// Places that the targets of a rule point at, and the conditions of each on requests to them.
pub(super) fn targets_of(document: &Document, rule: &Rule) -> Vec<(Vec<Place>, TargetTerms)> {
    rule.to.iter().map(|target| aim(document, target)).collect()
}

/// Hosts of a target, and its conditions on requests to them.
fn aim(document: &Document, target: &Target) -> (Vec<Place>, TargetTerms) {
    let (place, terms) = (document.place(target), target.terms());
    let to = Place::listed(place.patterns, place.networks, terms.context().reading() == Reading::Wide);
    (to, terms.clone())
}

impl Unit {
    fn entries(self, changed: bool) -> Vec<Entry> {
        let plain = |from, to| Entry { from, to, terms: None, expires: None, changed };
        let aimed = |from: &[Who], to, terms| Entry { terms: Some(terms), ..plain(from.to_vec(), to) };
        match self {
            Unit::Rule { from, to, terms, expires, region: _ } => {
                let entry = |to| Entry { expires, ..aimed(&from, to, terms.clone()) };
                by_precision(to).into_iter().map(entry).collect()
            }
            Unit::Deny { from, to, except, not_from, enforced: _ } => {
                let places: BTreeSet<Place> = to.iter().flat_map(|(to, _)| to.iter().cloned()).collect();
                let exempt = (!not_from.is_empty()).then(|| plain(not_from, places.into_iter().collect()));
                let targets = to.into_iter().chain(except);
                let targets = targets.map(|(to, terms)| aimed(&from, to, terms));
                targets.chain(exempt).collect()
            }
            Unit::Residency { from, regions: _ } => vec![plain(from, Place::everywhere())],
            Unit::Quota { from, to } => to.into_iter().map(|(to, terms)| aimed(&from, to, terms)).collect(),
            Unit::Onboarding(who) => vec![plain(vec![who], Place::everywhere())],
        }
    }
}

/// Hosts parted as far as it matters to which of several rules is named: the one that says the host most precisely.
fn by_precision(to: Vec<Place>) -> Vec<Vec<Place>> {
    let mut parts: BTreeMap<Option<Place>, Vec<Place>> = BTreeMap::new();
    for place in to {
        let wildcard = matches!(place, Place::Star(_) | Place::Below(_) | Place::Inside(..) | Place::Dotted)
            .then(|| place.clone());
        parts.entry(wildcard).or_default().push(place);
    }
    parts.into_values().collect()
}
