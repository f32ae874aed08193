//! Classes of names that patterns with a `*` inside tell apart.
//!
//! Patterns with the same labels around the `*` share a frame; of two with different frames, only single names match both. Within a
//! frame a pattern is what a label begins with and what it ends with. A label that is long enough is told apart by the
//! longest such beginning and the longest such end that it has; the few shorter ones are names of their own.

use super::place::{Place, suffixes};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::policy::{HostPattern, Reading, StarName, host_pattern};
use tollgate::request::check_name;

/// Beginnings times ends of one frame that are looked at.
const MOST: usize = 40_000;
/// Beginning of labels that only wide readings take for part of one.
const ENCODED: &str = "xn--";

/// Names that the same patterns match, and no entry names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Class {
    /// The pattern that all of them match.
    pub(super) of: Place,
    /// Patterns that none of them matches.
    pub(super) but: Vec<Place>,
    /// One of them.
    pub(super) witness: String,
}

/// Patterns with a `*` inside, by frame.
#[derive(Debug)]
pub(super) struct Stars {
    frames: BTreeMap<(String, String), Frame>,
    /// True if all classes are looked at.
    pub(super) are_all: bool,
}

/// The patterns of one frame.
#[derive(Debug, Default)]
struct Frame {
    patterns: BTreeSet<(Ends, Reading)>,
    /// Classes by the patterns that match them: the ends of a label of the class, and true if all its labels are
    /// encoded.
    classes: BTreeMap<Vec<usize>, (Ends, bool)>,
    /// Names that are too short for what they begin and end with.
    short: BTreeSet<String>,
}

/// Beginning and end of a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Ends {
    before: String,
    behind: String,
}

impl Ends {
    fn covers(&self, other: &Ends) -> bool {
        other.before.starts_with(&self.before) && other.behind.ends_with(&self.behind)
    }

    /// The ends of labels that have both; none if no label does.
    fn and(&self, other: &Ends) -> Option<Ends> {
        let before = longer(&self.before, &other.before, |long, short| long.starts_with(short))?;
        let behind = longer(&self.behind, &other.behind, |long, short| long.ends_with(short))?;
        Some(Ends { before: before.to_owned(), behind: behind.to_owned() })
    }

    fn fit(&self, label: &str) -> bool {
        label.len() > self.before.len().saturating_add(self.behind.len())
            && label.starts_with(&self.before)
            && label.ends_with(&self.behind)
    }

    /// Labels that begin and end so, with nothing between: the ends touch, or have bytes in common.
    fn short(&self) -> impl Iterator<Item = String> + '_ {
        let most = self.before.len().min(self.behind.len());
        (0..=most).filter_map(|common| {
            let (kept, shared) = self.before.split_at_checked(self.before.len().checked_sub(common)?)?;
            self.behind.starts_with(shared).then(|| format!("{kept}{}", self.behind))
        })
    }
}

fn longer<'t>(one: &'t str, other: &'t str, holds: impl Fn(&str, &str) -> bool) -> Option<&'t str> {
    if holds(one, other) { Some(one) } else { holds(other, one).then_some(other) }
}

impl Stars {
    pub(super) fn of<'p>(places: impl Iterator<Item = &'p Place>) -> Stars {
        let mut stars = Stars { frames: BTreeMap::new(), are_all: true };
        for place in places {
            if let Place::Inside(name, reading) = place {
                let (head, before, behind, tail) = name.parts();
                let ends = Ends { before: before.to_owned(), behind: behind.to_owned() };
                let frame = stars.frames.entry((head.to_owned(), tail.to_owned())).or_default();
                frame.patterns.insert((ends, *reading));
            }
        }
        for frame in stars.frames.values_mut() {
            stars.are_all &= frame.part();
        }
        stars
    }

    /// Labels before the starred ones.
    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.frames.keys().flat_map(|(head, _)| head.split('.'))
    }

    /// Tells whether a label has the ends of some pattern that is no whole label.
    pub(super) fn fit(&self, label: &str) -> bool {
        let ends = self.frames.values().flat_map(|frame| &frame.patterns).map(|(ends, _)| ends);
        ends.filter(|ends| **ends != Ends::default()).any(|ends| ends.fit(label))
    }

    /// Adds the names at which patterns of several frames meet, patterns and names below which there are others, and those that
    /// are too short.
    pub(super) fn extend(&self, names: &mut BTreeSet<String>) {
        let mut new: Vec<String> = Vec::new();
        for ((head, tail), frame) in &self.frames {
            new.extend(frame.short.iter().map(|label| format!("{head}{label}.{tail}")));
        }
        let mut by_tail: BTreeMap<&str, Vec<(&str, &Frame)>> = BTreeMap::new();
        for ((head, tail), frame) in &self.frames {
            by_tail.entry(tail).or_default().push((head, frame));
        }
        new.retain(|name| is_name(name));
        let mut left: Vec<String> = names.iter().cloned().chain(new.iter().cloned()).collect();
        names.extend(new);
        while let Some(name) = left.pop() {
            for tail in suffixes(&name).skip(1) {
                let label = name.strip_suffix(tail).and_then(|rest| rest.strip_suffix('.')).unwrap_or_default();
                let label = label.rsplit('.').next().unwrap_or_default();
                for (head, frame) in by_tail.get(tail).into_iter().flatten() {
                    let starred = format!("{head}{label}.{tail}");
                    if frame.patterns.iter().any(|(ends, _)| ends.fit(label)) && names.insert(starred.clone()) {
                        left.push(starred);
                    }
                }
            }
        }
    }

    /// The classes of names that some pattern matches, none of `names` among them.
    pub(super) fn classes<'s>(&'s self, names: &'s BTreeSet<String>) -> impl Iterator<Item = Class> + 's {
        self.frames.iter().flat_map(move |((head, tail), frame)| {
            frame.classes.iter().filter_map(move |(matching, (cell, is_encoded))| {
                let spell = |label: &str| format!("{head}{label}.{tail}");
                let is_free = |label: &str| !names.contains(&spell(label)) && is_name(&spell(label));
                let witness = spell(&frame.label(cell, is_free)?);
                let (of, but) = frame.words(matching, *is_encoded);
                let place = |(ends, reading): (Ends, Reading)| {
                    let text = spell(&format!("{}*{}", ends.before, ends.behind));
                    match host_pattern(&text) {
                        Ok(HostPattern::Star(name)) => Place::inside(name.into_owned(), reading == Reading::Wide),
                        // a `*` for the whole of a first label is `*.`, as which it matches nothing here
                        _ => Place::Star(tail.clone()),
                    }
                };
                Some(Class { of: place(of), but: but.into_iter().map(place).collect(), witness })
            })
        })
    }
}

impl Frame {
    /// Finds the classes. Returns true if they are all.
    fn part(&mut self) -> bool {
        let two_ways = self.patterns.iter().any(|(_, reading)| *reading == Reading::Wide);
        let befores: BTreeSet<&str> = self.patterns.iter().map(|(ends, _)| ends.before.as_str()).collect();
        let behinds: BTreeSet<&str> = self.patterns.iter().map(|(ends, _)| ends.behind.as_str()).collect();
        let befores: BTreeSet<&str> = befores.into_iter().chain([""]).chain(two_ways.then_some(ENCODED)).collect();
        let behinds: BTreeSet<&str> = behinds.into_iter().chain([""]).collect();
        let cells = befores.iter().flat_map(|before| behinds.iter().map(move |behind| (*before, *behind)));
        let mut classes: BTreeMap<Vec<usize>, (Ends, bool)> = BTreeMap::new();
        for (before, behind) in cells.take(MOST) {
            let cell = Ends { before: before.to_owned(), behind: behind.to_owned() };
            let is_encoded = cell.before.starts_with(ENCODED);
            let matches = |(ends, reading): &(Ends, Reading)| {
                ends.covers(&cell) && (!is_encoded || *reading == Reading::Wide || *ends == Ends::default())
            };
            let matching = self.patterns.iter().enumerate().filter(|(_, pattern)| matches(pattern));
            let matching: Vec<usize> = matching.map(|(number, _)| number).collect();
            if !matching.is_empty() {
                let (known, all_encoded) = classes.entry(matching).or_insert_with(|| (cell.clone(), is_encoded));
                // the one with the least in common with longer ones
                if cell.before.len().saturating_add(cell.behind.len())
                    < known.before.len().saturating_add(known.behind.len())
                {
                    *known = cell;
                }
                *all_encoded &= is_encoded;
            }
        }
        self.classes = classes;
        let mut short: BTreeSet<String> = self.patterns.iter().flat_map(|(ends, _)| ends.short()).collect();
        for (matching, (_, is_encoded)) in &self.classes {
            let (of, but) = self.words(matching, *is_encoded);
            short.extend(std::iter::once(&of).chain(&but).flat_map(|(ends, _)| ends.short()));
        }
        self.short = short;
        befores.len().saturating_mul(behinds.len()) <= MOST
    }

    /// The narrowest pattern that a class is within, and those that it is outside of.
    fn words(&self, matching: &[usize], is_encoded: bool) -> ((Ends, Reading), Vec<(Ends, Reading)>) {
        let mut of = Ends::default();
        let mut reading = Reading::Wide;
        let mut others: BTreeSet<(Ends, Reading)> = BTreeSet::new();
        for (number, (ends, own)) in self.patterns.iter().enumerate() {
            if matching.binary_search(&number).is_ok() {
                of = of.and(ends).unwrap_or(of);
                if *own == Reading::Narrow && *ends != Ends::default() {
                    reading = Reading::Narrow;
                }
            }
        }
        let encoded = Ends { before: ENCODED.to_owned(), behind: String::new() };
        if is_encoded {
            of = of.and(&encoded).unwrap_or(of);
            reading = Reading::Wide;
        }
        for (number, (ends, own)) in self.patterns.iter().enumerate() {
            let is_apart = is_encoded && *own == Reading::Narrow && *ends != Ends::default();
            if matching.binary_search(&number).is_err() && !is_apart {
                others.extend(of.and(ends).map(|both| (both, *own)));
            }
        }
        let all: Vec<(Ends, Reading)> = others.iter().cloned().collect();
        let is_inner = |(ends, own): &(Ends, Reading)| {
            let wider = |(wide, of_wide): &&(Ends, Reading)| wide.covers(ends) && wide != ends && of_wide >= own;
            all.iter().any(|other| wider(&other))
        };
        let but = all.iter().filter(|other| !is_inner(other) && other.0 != of).cloned().collect();
        ((of, reading), but)
    }

    /// A label with these ends and with none that is longer.
    fn label(&self, cell: &Ends, is_free: impl Fn(&str) -> bool) -> Option<String> {
        let longer = |label: &str| {
            self.patterns.iter().any(|(ends, _)| {
                ends.before.len() > cell.before.len() && label.starts_with(&ends.before)
                    || ends.behind.len() > cell.behind.len() && label.ends_with(&ends.behind)
            }) || cell.before.len() < ENCODED.len() && label.starts_with(ENCODED)
        };
        fillers()
            .map(|filler| format!("{}{filler}{}", cell.before, cell.behind))
            .find(|label| !longer(label) && is_free(label))
    }
}

/// Words that begin and end in many ways.
fn fillers() -> impl Iterator<Item = String> {
    const ENDS: &[u8] = b"oqzjkvwxyabcdefghilmnprstu0123456789_";
    let all = || ENDS.iter().copied().map(char::from);
    let pairs = all().flat_map(move |first| all().map(move |last| format!("{first}ther{last}")));
    let longer = all().flat_map(move |first| {
        all().flat_map(move |second| all().map(move |last| format!("{first}{second}ther{last}{second}")))
    });
    ["other".to_owned()].into_iter().chain(pairs).chain(longer)
}

/// A label that is not taken.
pub(super) fn fresh(is_taken: impl Fn(&str) -> bool) -> Option<String> {
    fillers().find(|word| !is_taken(word))
}

fn is_name(name: &str) -> bool {
    check_name(name.as_bytes()).is_ok()
}

/// Tells whether a pattern is one with a `*` inside whose starred label is directly behind no other: the first.
pub(super) fn is_of_first_label(name: &StarName<'_>) -> bool {
    name.parts().0.is_empty()
}
