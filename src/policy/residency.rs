//! Regions: which an identity may be served in.

use super::names::NamedSets;
use super::selector::Selection;
use super::target::Kind;
use crate::index::{Identities, NONE, sort};
use rustc_hash::FxHashMap;

/// A set of regions, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Regions(Vec<u64>);

impl Regions {
    pub(crate) fn insert(&mut self, region: u32) {
        let word = region.div_euclid(64) as usize;
        if self.0.len() <= word {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= 1_u64.wrapping_shl(region);
        }
    }

    pub(crate) fn contains(&self, region: u32) -> bool {
        let word = self.0.get(region.div_euclid(64) as usize).copied().unwrap_or(0);
        region != NONE && word & 1_u64.wrapping_shl(region) != 0
    }

    pub(crate) fn intersects(&self, other: &Regions) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    fn keep(&mut self, other: &Regions) {
        self.0.truncate(other.0.len());
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a &= *b;
        }
    }
}

/// The residency entries of a policy.
#[derive(Debug, Default)]
pub(crate) struct Residency {
    /// Address of the id, and the regions that are listed.
    pub(crate) entries: Vec<(u32, Regions)>,
    by_group: FxHashMap<u32, Bound>,
}

/// What the entries of one group come to.
#[derive(Debug)]
struct Bound {
    entries: Vec<u32>,
    /// Regions that all of them list.
    common: Regions,
}

impl Residency {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether any entry speaks of these groups; if so, whether all that do list the region.
    pub(crate) fn allows(&self, groups: &[u32], region: u32) -> bool {
        self.bounds(groups).all(|bound| bound.common.contains(region))
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
        let entries: usize = self.entries.iter().map(|(_, regions)| regions.0.len().saturating_mul(8)).sum();
        let groups: usize = self.by_group.values().map(|bound| bound.entries.len().saturating_mul(4)).sum();
        let heads = self.entries.len().saturating_mul(32).saturating_add(self.by_group.len().saturating_mul(56));
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
        let mut set = Regions::default();
        for region in regions {
            set.insert(self.region(region));
        }
        self.entries.push((id, selection, set));
    }

    pub(super) fn finish(self, workloads: &NamedSets<Selection>, identities: &mut Identities) -> Residency {
        let mut residency = Residency::default();
        for (number, (id, selection, regions)) in (0_u32..).zip(self.entries) {
            let mut groups = Vec::new();
            selection.nodes(Kind::Rules, identities, &mut groups);
            for set in selection.sets.iter().filter_map(|set| workloads.get(*set)) {
                set.nodes(Kind::Rules, identities, &mut groups);
            }
            sort(&mut groups);
            for group in groups {
                let bound = residency
                    .by_group
                    .entry(group)
                    .or_insert_with(|| Bound { entries: Vec::new(), common: regions.clone() });
                bound.entries.push(number);
                bound.common.keep(&regions);
            }
            residency.entries.push((id, regions));
        }
        residency
    }
}
