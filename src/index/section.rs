//! One part of a policy (its rules, its deny entries, …) as a graph between who and where to.
//!
//! A target of a rule is an edge, or several, between a from-node and a to-node; nodes are names, or sets of names.
//! A request belongs to a few from-names and a few to-names, and the edges between those are found by hashing: its
//! cost does not depend on how many edges there are.

use super::cells::Cells;
use super::constraints::{ConstraintTable, Constraints, NONE};
use super::glob::DfaBatch;
use super::paths::Patterns;
use super::plan::Members;
use super::tables::Tables;
use super::target::{NO_NODE, Neighbours, Target};

/// A to-node of a request, and how specific it is: the lower, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranked {
    pub(crate) node: u32,
    pub(crate) rank: u8,
}

#[derive(Debug)]
pub(crate) struct Section {
    pub(super) froms: Members,
    pub(super) tos: Members,
    pub(super) from_neighbours: Neighbours,
    pub(super) to_neighbours: Neighbours,
    pub(super) cells: Cells,
    /// Targets of the cells that have several.
    pub(super) lists: Vec<u32>,
    pub(super) targets: Vec<Target>,
    pub(super) constraint_table: ConstraintTable,
    pub(super) patterns: Patterns,
    pub(super) tables: Tables,
    /// By from-name: its first target; then by from-set.
    pub(super) first_of_name: Vec<u32>,
    pub(super) first_of_set: Vec<u32>,
}

impl Section {
    /// The entry of every target, and the number of the destination that it names, or [`NONE`].
    pub(crate) fn leads(&self) -> impl Iterator<Item = (u32, u32)> {
        let destination = |target: &Target| {
            self.constraint_table.get(target.constraints).map_or(NONE, |constraints| constraints.destination)
        };
        self.targets.iter().map(move |target| (target.entry, destination(target)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Tells whether any target has paths.
    pub(crate) fn has_paths(&self) -> bool {
        !self.patterns.is_empty()
    }

    pub(crate) fn target(&self, number: u32) -> Option<&Target> {
        self.targets.get(number as usize)
    }

    pub(crate) fn constraints(&self, target: &Target) -> Option<&Constraints> {
        self.constraint_table.get(target.constraints)
    }

    pub(crate) fn pattern_text(&self, address: u32) -> Option<&str> {
        self.patterns.written(address)
    }

    /// Any target of the first of these names that has one: the first in file order.
    pub(crate) fn first_of(&self, froms: &[u32]) -> Option<&Target> {
        froms.iter().find_map(|name| {
            let of_name = self.first_of_name.get(*name as usize).copied();
            let of_sets = self.froms.sets(*name).iter().filter_map(|set| self.first_of_set.get(*set as usize).copied());
            of_name.into_iter().chain(of_sets).min().and_then(|first| self.target(first))
        })
    }

    /// Tells whether any target starts from this name itself, rather than from a set that it is in.
    #[inline]
    pub(super) fn has_targets(&self, from: u32) -> bool {
        self.first_of_name.get(from as usize).is_some_and(|first| *first != NO_NODE)
    }

    /// The address of a pattern of the target that matches.
    #[inline]
    pub(super) fn matching_pattern(&self, target: &Target, path: &[u8], but_costly: bool) -> Option<u32> {
        let mut address = target.paths;
        let mut batch = None;
        for _ in 0..target.path_count {
            let (pattern, next) = self.patterns.read(address)?;
            if let Some(glob) = self.patterns.glob(&pattern) {
                if !but_costly
                    && let Some(matching) = batch.get_or_insert_with(DfaBatch::default).add(glob, address, path)
                {
                    return Some(matching);
                }
            } else if self.patterns.matches(&pattern, path) {
                return Some(address);
            }
            address = next;
        }
        batch.and_then(|mut batch| batch.read(path))
    }

    pub(super) fn has_costly(&self, target: &Target) -> bool {
        let mut address = target.paths;
        for _ in 0..target.path_count {
            let Some((pattern, next)) = self.patterns.read(address) else { return true };
            if self.patterns.glob(&pattern).is_some() {
                return true;
            }
            address = next;
        }
        false
    }

    pub(super) fn matches_as_written(&self, target: &Target, path: &[u8]) -> bool {
        let mut address = target.paths;
        let mut batch = DfaBatch::default();
        for _ in 0..target.path_count {
            let Some((pattern, next)) = self.patterns.read(address) else { return false };
            if let Some(glob) = self.patterns.glob_as_written(&pattern)
                && batch.add(glob, address, path).is_some()
            {
                return true;
            }
            address = next;
        }
        batch.read(path).is_some()
    }

    pub(crate) fn bytes(&self) -> usize {
        [
            self.froms.bytes(),
            self.tos.bytes(),
            self.from_neighbours.capacity().saturating_add(self.to_neighbours.capacity()).saturating_mul(16),
            self.cells.bytes(),
            self.lists.capacity().saturating_mul(4),
            self.targets.capacity().saturating_mul(size_of::<Target>()),
            self.constraint_table.bytes(),
            self.patterns.bytes(),
            self.tables.bytes(),
            self.first_of_name.capacity().saturating_add(self.first_of_set.capacity()).saturating_mul(4),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}
