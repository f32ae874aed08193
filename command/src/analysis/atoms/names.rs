//! Classes of hosts in few words: a name stands for what is below it.

use super::address::{self, Range};
use super::host::Host;
use super::part::{Part, rejoined};
use super::place::{Place, parent_of};
use super::star::{Class, is_of_first_label};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// All classes of a region, by name.
pub(super) struct Names<'h> {
    nodes: BTreeMap<&'h str, Node<'h>>,
}

/// Classes of a name, and its neighbours among the names.
#[derive(Default)]
struct Node<'h> {
    has: Held,
    /// The next shorter name that there is.
    above: Option<&'h str>,
    /// Names whose next shorter one this is.
    below: Vec<&'h str>,
    /// Number of classes of it and of all names below.
    classes: usize,
    /// Those that patterns with a `*` before this name tell apart.
    stars: Vec<&'h Class>,
}

/// Classes of a name: itself, one label below, more labels below.
#[derive(Clone, Copy, Default)]
struct Held {
    itself: bool,
    one: bool,
    more: bool,
}

/// Some of the classes.
#[derive(Default)]
struct Chosen<'h> {
    held: BTreeMap<&'h str, Held>,
    /// Number of chosen classes of the name and of all names below.
    classes: HashMap<&'h str, usize>,
    stars: BTreeSet<&'h Class>,
}

/// Share of a name that is said already with a shorter one.
enum Said {
    Nothing,
    AllButItself,
    All,
}

impl Held {
    fn add(&mut self, host: &Host) {
        match host {
            Host::Name(_) => self.itself = true,
            Host::One(..) => self.one = true,
            Host::More(..) => self.more = true,
            Host::Inside(_) | Host::Range(_) => {}
        }
    }
}

impl<'h> Names<'h> {
    pub(super) fn of(all: &'h [Host]) -> Names<'h> {
        let mut nodes: BTreeMap<&str, Node<'_>> = BTreeMap::new();
        for host in all {
            if let Some(name) = host.name() {
                let node = nodes.entry(name).or_default();
                node.has.add(host);
                if let Host::Inside(class) = host {
                    node.stars.push(class);
                }
            }
        }
        let names: Vec<&str> = nodes.keys().copied().filter(|name| !name.is_empty()).collect();
        for name in names {
            let longer = std::iter::successors(parent_of(name), |name| parent_of(name));
            let above = longer.chain([""]).find_map(|above| nodes.get_key_value(above).map(|(above, _)| *above));
            let Some(above) = above else { continue };
            nodes.entry(name).or_default().above = Some(above);
            nodes.entry(above).or_default().below.push(name);
        }
        let mut names = Names { nodes };
        for host in all.iter().filter_map(Host::name) {
            for name in names.upward(host).collect::<Vec<_>>() {
                let node = names.nodes.entry(name).or_default();
                node.classes = node.classes.saturating_add(1);
            }
        }
        names
    }

    /// Some of the classes in few words.
    pub(super) fn describe(&self, hosts: impl Iterator<Item = &'h Host>) -> Vec<Part<Place>> {
        let mut ranges: Vec<Range> = Vec::new();
        let mut chosen = Chosen::default();
        for host in hosts {
            match host {
                Host::Range(range) => ranges.push(range.clone()),
                Host::Name(_) | Host::One(..) | Host::More(..) | Host::Inside(_) => {
                    let Some(name) = host.name() else { continue };
                    chosen.held.entry(name).or_default().add(host);
                    if let Host::Inside(class) = host {
                        chosen.stars.insert(class);
                    }
                    for name in self.upward(name) {
                        let count = chosen.classes.entry(name).or_default();
                        *count = count.saturating_add(1);
                    }
                }
            }
        }
        let whole = |of| Part { of, but: Vec::new() };
        let mut parts: Vec<Part<Place>> = address::joined(ranges).into_iter().map(Place::Range).map(whole).collect();
        for (name, held) in &chosen.held {
            let said = self.said(name, &chosen);
            if held.itself && (!matches!(said, Said::All) || self.is_behind_a_star(name, &chosen)) {
                parts.push(whole(Place::Name((*name).to_owned())));
            }
            if matches!(said, Said::Nothing) {
                parts.extend(self.inside(name, *held, &chosen));
            }
        }
        let mut parts = rejoined(&parts);
        parts.sort();
        parts
    }

    /// The name, and every shorter one that there is.
    fn upward<'n>(&'n self, name: &'h str) -> impl Iterator<Item = &'h str> + 'n {
        std::iter::successors(Some(name), |name| self.nodes.get(name).and_then(|node| node.above))
    }

    fn is_whole(&self, name: &str, chosen: &Chosen<'_>) -> bool {
        self.nodes.get(name).is_some_and(|node| chosen.classes.get(name) == Some(&node.classes))
    }

    /// Tells whether the name matches a pattern with a `*` inside that is left out of what is said of a shorter name.
    fn is_behind_a_star(&self, name: &'h str, chosen: &Chosen<'_>) -> bool {
        let itself = Place::Name(name.to_owned());
        let mut stars = self.upward(name).filter_map(|above| self.nodes.get(above)).flat_map(|node| &node.stars);
        stars.any(|star| !chosen.stars.contains(star) && star.of.covers(&itself))
    }

    /// Share of a name that is said already with the names below a shorter one.
    fn said(&self, name: &'h str, chosen: &Chosen<'_>) -> Said {
        for inner in self.upward(name) {
            let above = self.nodes.get(inner).and_then(|node| node.above);
            let Some(above) = above.filter(|_| self.is_whole(inner, chosen)) else { break };
            match chosen.held.get(above) {
                Some(Held { more: true, one, .. }) => {
                    let is_left_out = inner == name && is_next(name, above) && !one;
                    return if is_left_out { Said::AllButItself } else { Said::All };
                }
                _ => continue,
            }
        }
        Said::Nothing
    }

    /// All names below one.
    fn below(&self, name: &'h str) -> impl Iterator<Item = &'h str> + '_ {
        let mut left: Vec<&'h str> = self.nodes.get(name).map_or(Vec::new(), |node| node.below.clone());
        std::iter::from_fn(move || {
            let next = left.pop()?;
            left.extend(self.nodes.get(next).into_iter().flat_map(|node| node.below.iter().copied()));
            Some(next)
        })
    }

    /// The parts that say which classes are chosen below a name.
    fn inside(&self, name: &'h str, held: Held, chosen: &Chosen<'_>) -> Vec<Part<Place>> {
        let (star, deep) = match name {
            "" => (Place::Single, Place::Dotted),
            _ => (Place::Star(name.to_owned()), Place::Below(name.to_owned())),
        };
        let below = self.nodes.get(name).map_or(&[][..], |node| &node.below);
        let left_out: Vec<&str> = below.iter().copied().filter(|inner| !self.is_whole(inner, chosen)).collect();
        let itself = |inner: &&str| Place::Name((*inner).to_owned());
        let tree = |inner: &&str| {
            let has = self.nodes.get(*inner).is_some_and(|node| node.has.one || node.has.more);
            std::iter::once(itself(inner)).chain(has.then(|| Place::Below((*inner).to_owned())))
        };
        let stars = self.nodes.get(name).map_or(&[][..], |node| &node.stars);
        let is_first = |class: &&Class| matches!(&class.of, Place::Inside(name, _) if is_of_first_label(name));
        let left_stars: Vec<&Class> = stars.iter().copied().filter(|class| !chosen.stars.contains(class)).collect();
        let mut parts = Vec::new();
        if held.more {
            let but = left_out.iter().flat_map(tree).chain((!held.one && !name.is_empty()).then(|| star.clone()));
            let behind = left_stars.iter().filter(|class| held.one || !is_first(class)).map(|class| class.of.clone());
            parts.push(Part { of: deep, but: but.chain(behind).collect() });
        }
        if held.one && (!held.more || name.is_empty()) {
            let but = left_out.iter().filter(|inner| is_next(inner, name)).map(itself);
            let behind = left_stars.iter().filter(|class| is_first(class)).map(|class| class.of.clone());
            parts.push(Part { of: star, but: but.chain(behind).collect() });
        }
        for class in stars.iter().filter(|class| chosen.stars.contains(*class)) {
            let first = is_first(class);
            let is_said = if first { held.one } else { held.more };
            if !is_said || left_stars.iter().any(|left| is_first(left) == first) {
                let names = self.below(name).filter(|inner| class.of.covers(&Place::Name((*inner).to_owned())));
                let names = names.filter(|inner| self.nodes.get(inner).is_some_and(|node| node.has.itself));
                let names = names.map(|inner| Place::Name(inner.to_owned()));
                parts.push(Part { of: class.of.clone(), but: class.but.iter().cloned().chain(names).collect() });
            }
        }
        parts
    }
}

/// Tells whether a name has one label more than the other.
fn is_next(name: &str, above: &str) -> bool {
    parent_of(name).unwrap_or("") == above
}
