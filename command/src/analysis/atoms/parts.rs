//! The classes of callers and of hosts into which entries part a region.

use super::entry::Entry;
use super::host::Host;
use super::names::Names;
use super::part::Part;
use super::partition::Layer;
use super::place::Place;
use super::who::{Caller, Callers, Who};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Share of a set of callers of which an entry speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    None,
    Some,
    All,
}

pub(super) fn extent(entry: &Entry, who: &Who, anonymous_too: bool) -> Extent {
    if entry.from.iter().any(|from| from.covers(who)) || anonymous_too && entry.from.contains(&Who::Anonymous) {
        Extent::All
    } else if entry.from.iter().any(|from| who.covers(from)) {
        Extent::Some
    } else {
        Extent::None
    }
}

/// A region's classes of callers and of hosts, and the entries that speak of each.
pub(super) struct Parts {
    pub(super) callers: Vec<Caller>,
    pub(super) hosts: Vec<Host>,
    /// Entries that speak of every pair.
    pub(super) everywhere: Vec<usize>,
    /// Callers of whom the same entries speak, whatever the host.
    pub(super) callers_by_kind: Kinds,
    pub(super) hosts_by_kind: Kinds,
    pub(super) kind_of_caller: Vec<usize>,
    pub(super) kind_of_host: Vec<usize>,
    /// Entries that speak of some callers and some hosts only, by pair.
    pub(super) crossing: BTreeMap<(usize, usize), Vec<usize>>,
    /// True if there are no more classes than these.
    pub(super) are_all: bool,
}

/// The entries of each kind, and its members.
pub(super) struct Kinds(BTreeMap<Vec<usize>, Vec<usize>>);

impl Kinds {
    fn of(entries: Vec<Vec<usize>>) -> (Self, Vec<usize>) {
        let mut kinds: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        let mut kind_of = vec![0; entries.len()];
        for (member, entries) in entries.into_iter().enumerate() {
            kinds.entry(entries).or_default().push(member);
        }
        for (kind, members) in kinds.values().enumerate() {
            for member in members {
                if let Some(slot) = kind_of.get_mut(*member) {
                    *slot = kind;
                }
            }
        }
        (Kinds(kinds), kind_of)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Vec<usize>, &Vec<usize>)> {
        self.0.iter()
    }
}

impl Parts {
    /// Of the entries that speak of some request of the region, with their numbers.
    pub(super) fn of(
        entries: &[(usize, &Entry)],
        who: &Who,
        place: &Place,
        anonymous_too: bool,
        layer: Layer,
    ) -> Parts {
        let callers = Caller::classes(who, entries.iter().flat_map(|(_, entry)| &entry.from));
        let (mut hosts, are_all) = Host::classes(place, entries.iter().flat_map(|(_, entry)| &entry.to));
        // no policy lets a connection through to others
        hosts.retain(|host| layer == Layer::Http || host.is_outside());
        let by_caller = CallerIndex::new(&callers);
        let by_host = HostIndex::new(&hosts);
        let mut everywhere = Vec::new();
        let mut of_caller = vec![Vec::new(); callers.len()];
        let mut of_host = vec![Vec::new(); hosts.len()];
        let mut crossing: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (number, entry) in entries.iter().copied() {
            let all_callers = extent(entry, who, anonymous_too) == Extent::All;
            let all_hosts = entry.to.iter().any(|to| to.covers(place));
            let own_callers = || by_caller.of(&entry.from);
            if all_callers && !entry.from.iter().any(|from| from.covers(who)) {
                // to one of the policies they are all anonymous, and to the other only some are meant
                own_callers().into_iter().for_each(|caller| push(&mut of_caller, caller, number));
            }
            match (all_callers, all_hosts) {
                (true, true) => everywhere.push(number),
                (true, false) => {
                    by_host.of(&hosts, &entry.to).into_iter().for_each(|host| push(&mut of_host, host, number))
                }
                (false, true) => own_callers().into_iter().for_each(|caller| push(&mut of_caller, caller, number)),
                (false, false) => {
                    let own_hosts = by_host.of(&hosts, &entry.to);
                    for caller in own_callers() {
                        for host in &own_hosts {
                            crossing.entry((caller, *host)).or_default().push(number);
                        }
                    }
                }
            }
        }
        let (callers_by_kind, kind_of_caller) = Kinds::of(of_caller);
        let (hosts_by_kind, kind_of_host) = Kinds::of(of_host);
        Parts {
            callers,
            hosts,
            everywhere,
            callers_by_kind,
            hosts_by_kind,
            kind_of_caller,
            kind_of_host,
            crossing,
            are_all,
        }
    }

    /// The number of pairs of classes that are told apart, at most.
    pub(super) fn count(&self) -> usize {
        let kinds = self.callers_by_kind.0.len().saturating_mul(self.hosts_by_kind.0.len());
        kinds.saturating_add(self.crossing.len())
    }
}

/// Words for the classes of a region.
pub(super) struct Words<'p> {
    parts: &'p Parts,
    callers: Callers,
    names: Names<'p>,
}

impl<'p> Words<'p> {
    pub(super) fn of(parts: &'p Parts) -> Self {
        Words { parts, callers: Callers::of(&parts.callers), names: Names::of(&parts.hosts) }
    }

    pub(super) fn describe(&self, callers: &[usize], hosts: &[usize]) -> (Vec<Part<Who>>, Vec<Part<Place>>) {
        let callers = callers.iter().filter_map(|at| self.parts.callers.get(*at));
        let hosts = hosts.iter().filter_map(|at| self.parts.hosts.get(*at));
        (self.callers.describe(callers), self.names.describe(hosts))
    }
}

fn push(lists: &mut [Vec<usize>], at: usize, number: usize) {
    if let Some(list) = lists.get_mut(at) {
        list.push(number);
    }
}

/// Classes of callers by the sets that hold them.
struct CallerIndex(HashMap<Who, Vec<usize>>);

impl CallerIndex {
    fn new(callers: &[Caller]) -> Self {
        let mut index: HashMap<Who, Vec<usize>> = HashMap::new();
        for (at, caller) in callers.iter().enumerate() {
            for who in caller.who().covering() {
                index.entry(who).or_default().push(at);
            }
        }
        CallerIndex(index)
    }

    fn of(&self, from: &[Who]) -> BTreeSet<usize> {
        from.iter().filter_map(|who| self.0.get(who)).flatten().copied().collect()
    }
}

/// Classes of hosts by the patterns that hold them.
struct HostIndex {
    by_place: HashMap<Place, Vec<usize>>,
    ranges: Vec<usize>,
}

impl HostIndex {
    fn new(hosts: &[Host]) -> Self {
        let mut index = HostIndex { by_place: HashMap::new(), ranges: Vec::new() };
        for (at, host) in hosts.iter().enumerate() {
            if let Host::Range(_) = host {
                index.ranges.push(at);
            }
            for place in host.covering() {
                index.by_place.entry(place).or_default().push(at);
            }
        }
        index
    }

    fn of(&self, hosts: &[Host], to: &[Place]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for place in to {
            if let Place::Inside(name, _) = place {
                let below = self.by_place.get(&Place::Below(name.tail().to_owned())).into_iter().flatten().copied();
                let holds =
                    |at: &usize| hosts.get(*at).is_some_and(|host| place.covers(&Place::Name(host.authority())));
                found.extend(below.filter(holds));
                continue;
            }
            let Place::Range(range) = place else {
                found.extend(self.by_place.get(place).into_iter().flatten());
                continue;
            };
            let holds = |at: &usize| matches!(hosts.get(*at), Some(Host::Range(own)) if range.covers(own));
            found.extend(self.ranges.iter().copied().filter(holds));
        }
        found
    }
}
