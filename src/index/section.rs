//! One part of a policy (its rules, its deny entries, …) as a graph between who and where to.
//!
//! A target of a rule is an edge, or several, between a from-node and a to-node; nodes are names, or sets of names.
//! A request belongs to a few from-names and a few to-names, and the edges between those are found by hashing: its
//! cost does not depend on how many edges there are.

use super::cells::{Cells, Content};
use super::constraints::{ConstraintTable, Constraints, NONE};
use super::glob::DfaBatch;
use super::lists::Span;
use super::paths::{PathHashes, Patterns};
use super::plan::{Members, SET};
use super::tables::{Table, Tables};
use super::target::{DENSE, NO_NODE, Neighbours, Target};
use super::visited_sets::VisitedSets;

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

/// A target between nodes of the request.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'s> {
    section: &'s Section,
    /// In file order.
    pub(crate) number: u32,
    pub(crate) target: &'s Target,
    pub(crate) constraints: &'s Constraints,
    pub(crate) rank: u8,
    fit: Fit,
}

/// What is known of a target's paths.
#[derive(Clone, Copy)]
enum Fit {
    Unknown,
    Hit(u32),
    Miss,
}

impl<'s> Candidate<'s> {
    /// The pattern of the target that matches the path, by its address. The path is in the section's reading; costly
    /// patterns may be left out.
    #[inline]
    pub(crate) fn matching_pattern(&self, path: &[u8], but_costly: bool) -> Option<u32> {
        match self.fit {
            Fit::Hit(address) => Some(address),
            Fit::Miss => None,
            Fit::Unknown => self.section.matching_pattern(self.target, path, but_costly),
        }
    }

    /// Tells whether a pattern of the target is costly and was not told apart otherwise.
    pub(crate) fn has_costly(&self) -> bool {
        match self.fit {
            Fit::Hit(_) | Fit::Miss => false,
            Fit::Unknown => self.section.has_costly(self.target),
        }
    }

    /// Whether a pattern of a wide section matches the path as it stands, though perhaps not in the wide reading.
    pub(crate) fn matches_as_written(&self, path: &[u8]) -> bool {
        match self.fit {
            Fit::Hit(_) | Fit::Miss => false,
            Fit::Unknown => self.section.matches_as_written(self.target, path),
        }
    }

    pub(crate) fn constraint_table(&self) -> &'s ConstraintTable {
        &self.section.constraint_table
    }
}

/// Looks at candidates.
pub(crate) trait Search {
    /// Whether targets whose paths do not match are wanted too; of those that a table tells apart by nothing but their
    /// paths, one is enough.
    fn wants_misses(&self) -> bool;
    /// Whether a candidate of this rank, or a less specific one, is still wanted.
    fn is_open(&self, rank: u8) -> bool;
    /// Looks at one. The same target may come more than once.
    fn look(&mut self, candidate: Candidate<'_>);
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

    /// Whether any target has paths.
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

    /// Whether any target starts from this name itself, rather than from a set that it is in.
    #[inline]
    fn has_targets(&self, from: u32) -> bool {
        self.first_of_name.get(from as usize).is_some_and(|first| *first != NO_NODE)
    }

    /// Shows a search every target between the names: `tos` most specific first, `path` in this section's reading and
    /// none where it cannot be compared.
    pub(crate) fn search(
        &self,
        froms: &[u32],
        tos: &[Ranked],
        path: Option<&[u8]>,
        visited: &mut VisitedSets,
        search: &mut impl Search,
    ) {
        if self.is_empty() {
            return;
        }
        let mut walk = Walk { section: self, path, hashes: None, search };
        for to in tos {
            if !walk.search.is_open(to.rank) {
                break;
            }
            for from in froms.iter().filter(|from| self.has_targets(**from)) {
                walk.edge(*from, to.node, to.rank);
            }
        }
        if !self.from_neighbours.is_empty() || !self.to_neighbours.is_empty() {
            let Walk { hashes, search, .. } = walk;
            self.search_sets(
                froms,
                tos,
                visited,
                &mut Walk { section: self, path, hashes, search: &mut Dynamic(search) },
            );
        }
    }

    /// The same where names stand for sets: linear in the sets of the names, unless both sides are dense.
    #[inline(never)]
    fn search_sets(
        &self,
        froms: &[u32],
        tos: &[Ranked],
        visited: &mut VisitedSets,
        walk: &mut Walk<'_, '_, Dynamic<'_>>,
    ) {
        visited.begin(self.from_neighbours.len(), self.to_neighbours.len());
        for from in froms {
            for set in self.froms.sets(*from) {
                visited.froms.mark(*set, 0);
            }
        }
        for to in tos {
            if !walk.search.is_open(to.rank) {
                break;
            }
            for set in self.tos.sets(to.node) {
                visited.tos.mark(*set, to.rank);
            }
            if self.tos.is_linked(to.node) {
                for (set, _) in &visited.froms.marked {
                    walk.edge(SET | set, to.node, to.rank);
                }
            }
        }
        for from in froms.iter().filter(|from| self.froms.is_linked(**from)) {
            for (set, rank) in &visited.tos.marked {
                walk.edge(*from, SET | set, *rank);
            }
        }
        for (from, _) in &visited.froms.marked {
            match sparse(&self.from_neighbours, *from) {
                Some(neighbours) => {
                    for to in neighbours {
                        if let Some(rank) = visited.tos.rank(to) {
                            walk.edge(SET | from, SET | to, rank);
                        }
                    }
                }
                None => {
                    for (to, rank) in &visited.tos.marked {
                        if sparse(&self.to_neighbours, *to).is_none() {
                            walk.edge(SET | from, SET | to, *rank);
                        }
                    }
                }
            }
        }
        for (to, rank) in &visited.tos.marked {
            for from in sparse(&self.to_neighbours, *to).into_iter().flatten() {
                if visited.froms.rank(from).is_some() && sparse(&self.from_neighbours, from).is_none() {
                    walk.edge(SET | from, SET | to, *rank);
                }
            }
        }
    }

    /// The address of a pattern of the target that matches.
    #[inline]
    fn matching_pattern(&self, target: &Target, path: &[u8], but_costly: bool) -> Option<u32> {
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

    fn has_costly(&self, target: &Target) -> bool {
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

    fn matches_as_written(&self, target: &Target, path: &[u8]) -> bool {
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

/// The neighbours of a set, unless there are too many.
#[inline]
fn sparse(neighbours: &Neighbours, set: u32) -> Option<impl Iterator<Item = u32>> {
    let all = *neighbours.get(set as usize)?;
    (all.first() != Some(&DENSE)).then(|| all.into_iter().take_while(|set| *set != NO_NODE))
}

/// One search under way.
struct Walk<'s, 'q, S> {
    section: &'s Section,
    path: Option<&'q [u8]>,
    /// Made when the first table asks for it.
    hashes: Option<PathHashes>,
    search: &'q mut S,
}

impl<S: Search> Walk<'_, '_, S> {
    #[inline]
    fn edge(&mut self, from: u32, to: u32, rank: u8) {
        if !self.search.is_open(rank) {
            return;
        }
        let Some(cell) = self.section.cells.get(from, to) else { return };
        match cell.content() {
            Content::One(target) => self.look(target, rank, Fit::Unknown),
            Content::Several(span) => self.look_all(span, rank, Fit::Unknown),
            Content::Large(table) => {
                if let Some(table) = self.section.tables.get(table) {
                    let hashes = &mut self.hashes;
                    in_table(self.section, self.path, hashes, table, rank, &mut Dynamic(self.search));
                }
            }
        }
    }

    #[inline]
    fn look_all(&mut self, span: Span, rank: u8, fit: Fit) {
        for target in span.of(&self.section.lists) {
            self.look(*target, rank, fit);
        }
    }

    #[inline]
    fn look(&mut self, number: u32, rank: u8, fit: Fit) {
        look(self.section, self.search, number, rank, fit);
    }
}

/// A search of whatever kind, for code that is called less often than it is large.
struct Dynamic<'a>(&'a mut dyn Search);

impl Search for Dynamic<'_> {
    fn wants_misses(&self) -> bool {
        self.0.wants_misses()
    }
    fn is_open(&self, rank: u8) -> bool {
        self.0.is_open(rank)
    }
    fn look(&mut self, candidate: Candidate<'_>) {
        self.0.look(candidate);
    }
}

#[inline(never)]
fn in_table(
    section: &Section,
    path: Option<&[u8]>,
    hashes: &mut Option<PathHashes>,
    table: &Table,
    rank: u8,
    search: &mut Dynamic<'_>,
) {
    if let Some(path) = path {
        let hashes = hashes.get_or_insert_with(|| PathHashes::of(path));
        let wide = section.patterns.is_wide();
        // the entries are collected per shape: at most one pattern of a shape matches a path
        for entry in section.tables.hits(table, hashes, wide) {
            let hit =
                section.patterns.read(entry.pattern).filter(|(pattern, _)| section.patterns.matches(pattern, path));
            if hit.is_some() {
                for target in section.tables.targets(entry.targets) {
                    look(section, search, *target, rank, Fit::Hit(entry.pattern));
                }
            }
        }
        for target in section.tables.targets(table.others) {
            look(section, search, *target, rank, Fit::Unknown);
        }
    }
    if search.wants_misses() {
        for target in section.tables.targets(table.samples) {
            look(section, search, *target, rank, Fit::Miss);
        }
    }
    for target in section.tables.targets(table.pathless) {
        look(section, search, *target, rank, Fit::Unknown);
    }
}

#[inline]
fn look<S: Search>(section: &Section, search: &mut S, number: u32, rank: u8, fit: Fit) {
    if let Some(target) = section.target(number)
        && let Some(constraints) = section.constraints(target)
    {
        search.look(Candidate { section, number, target, constraints, rank, fit });
    }
}
