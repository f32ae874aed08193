//! Lists of identities that are asked one by one: `notFrom` and `dryRunFor`.

use crate::index::sort;

/// Groups, and named sets of groups.
#[derive(Debug, Default)]
pub(crate) struct GroupSet {
    groups: Box<[u32]>,
    sets: Box<[u32]>,
}

impl GroupSet {
    pub(super) fn new(groups: Vec<u32>, sets: Vec<u32>) -> GroupSet {
        GroupSet { groups: sorted(groups), sets: sets.into() }
    }

    /// Tells whether any of a request's groups is among them. `named`: the groups of each named set, by its number.
    pub(crate) fn contains_any(&self, groups: &[u32], named: &[Box<[u32]>]) -> bool {
        let sets = self.sets.iter().filter_map(|set| named.get(*set as usize));
        std::iter::once(&self.groups).chain(sets).any(|set| groups.iter().any(|group| set.binary_search(group).is_ok()))
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.groups).saturating_add(size_of_val(&*self.sets))
    }
}

/// Sorted, as look-ups want it.
pub(super) fn sorted(mut groups: Vec<u32>) -> Box<[u32]> {
    sort(&mut groups);
    groups.into()
}

/// Identities that a deny entry leaves out. What it leaves out by target is a section of the graph, in which the
/// exemption's number is the from-name.
#[derive(Debug, Default)]
pub(crate) struct Exemption {
    pub(crate) not_from: GroupSet,
}

impl Exemption {
    pub(super) fn bytes(&self) -> usize {
        self.not_from.bytes()
    }
}
