//! Regions: which an identity may be served in.

use super::names::NamedSets;
use super::selector::Selection;
use super::target::Kind;
use crate::index::{Identities, NONE, sort};
use rustc_hash::FxHashMap;

/// A set of regions: their numbers, sorted. Bits would be fewer where there are few regions, but an entry would take
/// as many as the policy has regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Regions(Vec<u32>);

impl Regions {
    pub(crate) fn insert(&mut self, region: u32) {
        if let Err(place) = self.0.binary_search(&region) {
            self.0.insert(place, region);
        }
    }

    pub(crate) fn contains(&self, region: u32) -> bool {
        region != NONE && self.0.binary_search(&region).is_ok()
    }

    pub(crate) fn intersects(&self, other: &Regions) -> bool {
        self.0.iter().any(|region| other.contains(*region))
    }

    fn intersection(&self, other: &Regions) -> Regions {
        Regions(self.0.iter().copied().filter(|region| other.contains(*region)).collect())
    }
}

/// The residency entries of a policy.
#[derive(Debug, Default)]
pub(crate) struct Residency {
    /// Address of the id, and the regions that are listed.
    pub(crate) entries: Vec<(u32, Regions)>,
    by_group: FxHashMap<u32, Bound>,
    /// Regions that several entries list, each once for all groups of which the same entries speak.
    commons: Vec<Regions>,
}

/// Result of the entries of one group.
#[derive(Debug)]
struct Bound {
    entries: Vec<u32>,
    /// Number of the regions that all of them list.
    common: u32,
}

impl Residency {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Tells whether any entry speaks of these groups; if so, whether all that do list the region.
    pub(crate) fn allows(&self, groups: &[u32], region: u32) -> bool {
        let common = |bound: &Bound| self.commons.get(bound.common as usize);
        self.bounds(groups).all(|bound| common(bound).is_some_and(|common| common.contains(region)))
    }

    /// The entries that speak of these groups, in file order.
    pub(crate) fn entries_of(&self, groups: &[u32]) -> Vec<u32> {
        let mut entries: Vec<u32> = self.bounds(groups).flat_map(|bound| &bound.entries).copied().collect();
        sort(&mut entries);
        entries
    }

    fn bounds(&self, groups: &[u32]) -> impl Iterator<Item = &Bound> {
        groups.iter().filter_map(|group| self.by_group.get(group))
    }

    pub(super) fn bytes(&self) -> usize {
        let listed = self.entries.iter().map(|(_, regions)| regions).chain(&self.commons);
        let entries: usize = listed.map(|regions| regions.0.len().saturating_mul(4).saturating_add(24)).sum();
        let groups: usize = self.by_group.values().map(|bound| bound.entries.len().saturating_mul(4)).sum();
        let heads = self.entries.len().saturating_mul(8).saturating_add(self.by_group.len().saturating_mul(40));
        entries.saturating_add(groups).saturating_add(heads)
    }
}

/// Residency while it is read, and the numbers of regions.
#[derive(Debug, Default)]
pub(super) struct ResidencyDraft {
    regions: FxHashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
    entries: Vec<(u32, Selection, Regions)>,
}

impl ResidencyDraft {
    /// The number of a region.
    pub(super) fn region(&mut self, name: &str) -> u32 {
        if let Some(number) = self.regions.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(NONE);
        self.regions.insert(name.into(), number);
        self.names.push(name.into());
        number
    }

    pub(super) fn region_name(&self, region: u32) -> &str {
        self.names.get(region as usize).map_or("", |name| name)
    }

    pub(super) fn push<'r>(&mut self, id: u32, selection: Selection, regions: impl Iterator<Item = &'r str>) {
        let mut numbers = regions.map(|region| self.region(region)).collect();
        sort(&mut numbers);
        self.entries.push((id, selection, Regions(numbers)));
    }

    /// None if there is no room: entries that name large sets come to more than `room` groups.
    pub(super) fn finish(
        self,
        workloads: &NamedSets<Selection>,
        identities: &mut Identities,
        room: usize,
    ) -> Option<Residency> {
        let mut residency = Residency::default();
        // by number of what was common before, and of the entry that joins: the number of what is common then
        let mut joined: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        let mut taken = 0_usize;
        for (number, (id, selection, regions)) in (0_u32..).zip(self.entries) {
            let mut groups = Vec::new();
            selection.nodes(Kind::Rules, identities, &mut groups);
            for set in selection.sets.iter().filter_map(|set| workloads.get(*set)) {
                set.nodes(Kind::Rules, identities, &mut groups);
                taken = taken.saturating_add(set.groups.len()).saturating_add(1);
            }
            taken = taken.saturating_add(selection.groups.len());
            if taken > room {
                return None;
            }
            sort(&mut groups);
            let own = u32::try_from(residency.commons.len()).ok()?;
            residency.commons.push(regions.clone());
            for group in groups {
                let bound = residency.by_group.entry(group).or_insert(Bound { entries: Vec::new(), common: own });
                bound.entries.push(number);
                if bound.common != own {
                    let before = bound.common;
                    bound.common = match joined.get(&(before, number)) {
                        Some(common) => *common,
                        None => {
                            let common = residency.commons.get(before as usize)?.intersection(&regions);
                            let new = u32::try_from(residency.commons.len()).ok()?;
                            residency.commons.push(common);
                            *joined.entry((before, number)).or_insert(new)
                        }
                    };
                }
            }
            residency.entries.push((id, regions));
        }
        Some(residency)
    }
}
