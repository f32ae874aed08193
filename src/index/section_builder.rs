//! A section while its entries are read, and how it becomes a graph.

use super::cells::Cells;
use super::constraints::ConstraintTableBuilder;
use super::lists::{List, Lists};
use super::paths::Patterns;
use super::plan::{Plan, SET};
use super::section::Section;
use super::tables::{self, Dedupe, Source};
use super::target::{DENSE, NO_NODE, Neighbours, Target};
use crate::model::PathKind;

/// Edge budget: at most one edge for each 16 bytes of policy text (an edge takes about 25 bytes).
const BYTES_AN_EDGE: usize = 16;

/// A section that is being read.
#[derive(Debug)]
pub(crate) struct SectionBuilder {
    pub(crate) froms: Lists,
    pub(crate) tos: Lists,
    pub(crate) constraint_table: ConstraintTableBuilder,
    rows: Vec<Row>,
    /// Most rows that there may be.
    room: usize,
    targets: Vec<Target>,
    patterns: Patterns,
}

/// Everything of one list to everything of another: a target has one or more.
#[derive(Clone, Copy, Debug)]
struct Row {
    target: u32,
    from: List,
    to: List,
}

impl SectionBuilder {
    /// For the narrow reading of paths, or the wide one; with room for so many links.
    pub(crate) fn new(wide: bool, room: usize) -> SectionBuilder {
        SectionBuilder {
            froms: Lists::default(),
            tos: Lists::default(),
            constraint_table: ConstraintTableBuilder::default(),
            rows: Vec::new(),
            room,
            targets: Vec::new(),
            patterns: Patterns::new(wide),
        }
    }

    /// A target with these paths; its number, counting in file order. None if there is no room.
    pub(crate) fn target<'p>(
        &mut self,
        entry: u32,
        constraints: u32,
        paths: impl ExactSizeIterator<Item = (&'p str, PathKind)>,
    ) -> Option<u32> {
        let mut target = Target { entry, constraints, paths: self.patterns.end()?, path_count: 0 };
        for (text, kind) in paths {
            target.path_count = target.path_count.checked_add(self.patterns.add(text, kind)?)?;
        }
        let number = u32::try_from(self.targets.len()).ok()?;
        self.targets.push(target);
        Some(number)
    }

    /// None if there is no room: an entry's lists times its targets can be the square of its text.
    pub(crate) fn link(&mut self, target: u32, from: List, to: List) -> Option<()> {
        if self.rows.len() >= self.room {
            return None;
        }
        self.rows.push(Row { target, from, to });
        Some(())
    }

    /// Number of a target's constraints.
    pub(crate) fn constraints_of(&self, target: u32) -> Option<u32> {
        self.targets.get(target as usize).map(|target| target.constraints)
    }

    pub(crate) fn set_constraints(&mut self, target: u32, constraints: u32) {
        if let Some(target) = self.targets.get_mut(target as usize) {
            target.constraints = constraints;
        }
    }

    /// Multiplies out what is small and links what is large.
    ///
    /// `from_names` and `to_names` are how many names there are on either side, `bytes` the size of the policy's text,
    /// to which the number of edges is kept linear. Targets of entries with equal `exemptions` can stand for each
    /// other; of entries that match alike `keep` are found, those that come first. None if there is no room.
    #[inline(never)]
    pub(crate) fn finish(
        mut self,
        from_names: usize,
        to_names: usize,
        bytes: usize,
        exemptions: &[u32],
        keep: u32,
    ) -> Option<Section> {
        self.targets.shrink_to_fit();
        self.patterns.shrink();
        let rows = std::mem::take(&mut self.rows);
        let mut froms = Plan::new(&self.froms, from_names);
        let mut tos = Plan::new(&self.tos, to_names);
        let edges = choose(&mut froms, &mut tos, &rows, bytes);

        let mut cells = Cells::with_capacity(edges.min(rows.len().saturating_mul(3)));
        for row in &rows {
            edges_of(&froms, &tos, row, |from, to| cells.count(from, to));
        }
        let mut lists = vec![0; cells.place() as usize];
        for row in &rows {
            edges_of(&froms, &tos, row, |from, to| cells.fill(from, to, row.target, &mut lists));
        }
        cells.filled();

        let (first_of_name, first_of_set) = first_targets(&froms, &rows, from_names);
        let mut from_members = froms.members();
        let mut to_members = tos.members();
        let mut from_neighbours = vec![[NO_NODE; 4]; froms.sets.len()];
        let mut to_neighbours = vec![[NO_NODE; 4]; tos.sets.len()];
        for cell in cells.iter() {
            match (cell.from & SET != 0, cell.to & SET != 0) {
                (true, true) => {
                    neighbour(&mut from_neighbours, cell.from & !SET, cell.to & !SET);
                    neighbour(&mut to_neighbours, cell.to & !SET, cell.from & !SET);
                }
                (false, true) => from_members.link(cell.from),
                (true, false) => to_members.link(cell.to),
                (false, false) => {}
            }
        }
        drop((froms, tos, rows));
        (self.froms, self.tos) = (Lists::default(), Lists::default());

        let dedupe = Dedupe { targets: &self.targets, exemptions, keep };
        let source = Source { targets: &self.targets, patterns: &self.patterns, lists: &lists, dedupe: &dedupe };
        let tables = tables::build(&mut cells, &source)?;
        Some(Section {
            froms: from_members,
            tos: to_members,
            from_neighbours,
            to_neighbours,
            cells,
            lists,
            targets: self.targets,
            constraint_table: self.constraint_table.finish(),
            patterns: self.patterns,
            tables,
            first_of_name,
            first_of_set,
        })
    }
}

/// Lets names leave their sets as long as the edges stay linear in the policy's text; how many edges there are.
fn choose(froms: &mut Plan<'_>, tos: &mut Plan<'_>, rows: &[Row], bytes: usize) -> usize {
    let budget = bytes.div_euclid(BYTES_AN_EDGE).max(rows.len().saturating_mul(2)).saturating_add(1024);
    let mut limit = super::plan::HEAVY;
    loop {
        let edges = rows
            .iter()
            .fold(0_u64, |edges, row| edges.saturating_add(froms.width(&row.from).saturating_mul(tos.width(&row.to))));
        let edges = usize::try_from(edges).unwrap_or(usize::MAX);
        if edges <= budget || limit >= 1 << 24 {
            return edges;
        }
        limit = limit.saturating_mul(2);
        froms.choose(limit);
        tos.choose(limit);
    }
}

#[inline]
fn edges_of(froms: &Plan<'_>, tos: &Plan<'_>, row: &Row, mut edge: impl FnMut(u32, u32)) {
    let (from_names, from_set) = froms.nodes(&row.from);
    let (to_names, to_set) = tos.nodes(&row.to);
    for from in from_names.iter().copied().chain(from_set) {
        for to in to_names.iter().copied().chain(to_set) {
            edge(from, to);
        }
    }
}

fn first_targets(froms: &Plan<'_>, rows: &[Row], from_names: usize) -> (Vec<u32>, Vec<u32>) {
    let mut of_name = vec![NO_NODE; if rows.is_empty() { 0 } else { from_names }];
    let mut of_set = vec![NO_NODE; froms.sets.len()];
    let keep_least = |slot: Option<&mut u32>, target: u32| {
        if let Some(first) = slot {
            *first = target.min(*first);
        }
    };
    for row in rows {
        let (names, set) = froms.nodes(&row.from);
        for name in names {
            keep_least(of_name.get_mut(*name as usize), row.target);
        }
        if let Some(set) = set {
            keep_least(of_set.get_mut((set & !SET) as usize), row.target);
        }
    }
    (of_name, of_set)
}

fn neighbour(neighbours: &mut Neighbours, of: u32, other: u32) {
    let Some(all) = neighbours.get_mut(of as usize) else { return };
    if let Some(free) = all.iter_mut().find(|set| **set == NO_NODE) {
        *free = other;
    } else if let Some(first) = all.first_mut() {
        *first = DENSE;
    }
}
