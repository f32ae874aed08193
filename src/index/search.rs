//! Finding the candidates of a request in a section: for a visitor that every request needs ([`Section::search`]), or one
//! after another ([`Section::candidates`]).

use super::candidate::{Candidate, Fit};
use super::cells::Content;
use super::paths::PathHashes;
use super::plan::SET;
use super::section::{Ranked, Section};
use super::tables::{Entry, Table};
use super::target::{DENSE, NO_NODE, Neighbours};
use super::visited_sets::VisitedSets;

/// An edge that a request may have, and the rank of its to-node.
type Edge = (u32, u32, u8);

/// A visitor of candidates that says when it has seen enough: for the searches that every request makes.
pub(crate) trait Search {
    /// Tells whether targets whose paths do not match are wanted, too: then one is shown of those that a table tells apart by
    /// nothing but their paths.
    fn wants_misses(&self) -> bool;
    /// Tells whether a candidate of this rank, or a less specific one, is still wanted.
    fn is_open(&self, rank: u8) -> bool;
    /// Looks at one. The same target may come more than once.
    fn look(&mut self, candidate: Candidate<'_>);
}

impl Section {
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
                walk.edge((*from, to.node, to.rank));
            }
        }
        if self.has_sets() {
            let Walk { hashes, search, .. } = walk;
            let mut walk = Walk { section: self, path, hashes, search: &mut Dynamic(search) };
            search_sets(froms, tos, visited, &mut walk);
        }
    }

    /// Lists every target between the names, as [`Section::search`] shows them to a search that wants misses and never has
    /// enough. The same target may come more than once.
    pub(crate) fn candidates<'a>(
        &'a self,
        froms: &'a [u32],
        tos: &'a [Ranked],
        path: Option<&'a [u8]>,
        visited: &'a mut VisitedSets,
    ) -> impl Iterator<Item = Candidate<'a>> {
        let sources = froms.iter().filter(|from| self.has_targets(**from));
        let names = tos.iter().flat_map(move |to| sources.clone().map(move |from| (*from, to.node, to.rank)));
        let sets = self.has_sets().then(|| {
            self.mark_sources(froms, visited);
            tos.iter().for_each(|to| self.mark_destination(to, visited));
            let visited = &*visited;
            let linked = tos.iter().flat_map(move |to| self.edges_to_name(to, visited));
            linked.chain(self.edges_to_sets(froms, visited))
        });
        names.chain(sets.into_iter().flatten()).flat_map(move |edge| self.of_edge(edge, path))
    }

    fn of_edge<'a>(&'a self, (from, to, rank): Edge, path: Option<&'a [u8]>) -> impl Iterator<Item = Candidate<'a>> {
        let content = self.cells.get(from, to).map(|cell| cell.content());
        let (one, several, table) = match content {
            Some(Content::One(target)) => (Some(target), None, None),
            Some(Content::Several(span)) => (None, Some(span), None),
            Some(Content::Large(table)) => (None, None, self.tables.get(table)),
            None => (None, None, None),
        };
        let several = several.into_iter().flat_map(|span| span.of(&self.lists).iter().copied());
        let plain = one.into_iter().chain(several).map(|number| (number, Fit::Unknown));
        let tabled = table.into_iter().flat_map(move |table| self.in_table(table, path));
        plain.chain(tabled).filter_map(move |(number, fit)| self.candidate(number, rank, fit))
    }

    fn in_table<'a>(&'a self, table: &'a Table, path: Option<&'a [u8]>) -> impl Iterator<Item = (u32, Fit)> + 'a {
        // Few: at most one pattern of a shape matches a path.
        let hits: Vec<Entry> = match path {
            Some(path) => self.hits(table, path, &PathHashes::of(path)).copied().collect(),
            None => Vec::new(),
        };
        let targets = |entry: Entry| {
            self.tables.targets(entry.targets).iter().map(move |number| (*number, Fit::Hit(entry.pattern)))
        };
        hits.into_iter().flat_map(targets).chain(self.beside_hits(table, path.is_some(), true))
    }

    /// The entries of a table whose pattern matches a path.
    fn hits<'a>(&'a self, table: &Table, path: &'a [u8], hashes: &PathHashes) -> impl Iterator<Item = &'a Entry> {
        self.tables.hits(table, hashes, self.patterns.is_wide()).filter(move |entry| {
            self.patterns.read(entry.pattern).is_some_and(|(pattern, _)| self.patterns.matches(&pattern, path))
        })
    }

    /// The targets of a table besides those whose pattern it found.
    fn beside_hits(&self, table: &Table, has_path: bool, wants_misses: bool) -> impl Iterator<Item = (u32, Fit)> {
        let of = |span, fit| self.tables.targets(span).iter().map(move |number| (*number, fit));
        let others = has_path.then(|| of(table.others, Fit::Unknown));
        let misses = wants_misses.then(|| of(table.samples, Fit::Miss));
        others.into_iter().chain(misses).flatten().chain(of(table.pathless, Fit::Unknown))
    }

    #[inline]
    fn candidate(&self, number: u32, rank: u8, fit: Fit) -> Option<Candidate<'_>> {
        let target = self.target(number)?;
        Some(Candidate { section: self, number, target, constraints: self.constraints(target)?, rank, fit })
    }

    fn has_sets(&self) -> bool {
        !self.from_neighbours.is_empty() || !self.to_neighbours.is_empty()
    }

    fn mark_sources(&self, froms: &[u32], visited: &mut VisitedSets) {
        visited.begin(self.from_neighbours.len(), self.to_neighbours.len());
        for set in froms.iter().flat_map(|from| self.froms.sets(*from)) {
            visited.froms.mark(*set, 0);
        }
    }

    fn mark_destination(&self, to: &Ranked, visited: &mut VisitedSets) {
        for set in self.tos.sets(to.node) {
            visited.tos.mark(*set, to.rank);
        }
    }

    /// The edges from the visited sets to a name.
    fn edges_to_name(&self, to: &Ranked, visited: &VisitedSets) -> impl Iterator<Item = Edge> {
        let (node, rank) = (to.node, to.rank);
        let froms = self.tos.is_linked(node).then_some(&visited.froms.marked);
        froms.into_iter().flatten().map(move |(set, _)| (SET | set, node, rank))
    }

    /// The edges to the visited sets: linear in the sets of the names, unless both sides are dense.
    fn edges_to_sets<'a>(&'a self, froms: &'a [u32], visited: &'a VisitedSets) -> impl Iterator<Item = Edge> + 'a {
        let linked = froms.iter().filter(|from| self.froms.is_linked(**from));
        let from_names =
            linked.flat_map(|from| visited.tos.marked.iter().map(move |(set, rank)| (*from, SET | set, *rank)));
        let from_sets = visited.froms.marked.iter().flat_map(move |(from, _)| {
            let near = sparse(&self.from_neighbours, *from);
            let dense = near.is_none().then(|| {
                visited.tos.marked.iter().filter(|(to, _)| sparse(&self.to_neighbours, *to).is_none()).copied()
            });
            let near = near.into_iter().flatten().filter_map(|to| Some((to, visited.tos.rank(to)?)));
            near.chain(dense.into_iter().flatten()).map(move |(to, rank)| (SET | from, SET | to, rank))
        });
        // Edges of dense sets to sparse ones are found from the other side.
        let to_sets = visited.tos.marked.iter().flat_map(move |(to, rank)| {
            let near = sparse(&self.to_neighbours, *to).into_iter().flatten();
            let dense = near
                .filter(|from| visited.froms.rank(*from).is_some() && sparse(&self.from_neighbours, *from).is_none());
            dense.map(move |from| (SET | from, SET | to, *rank))
        });
        from_names.chain(from_sets).chain(to_sets)
    }
}

/// The neighbours of a set, unless there are too many.
#[inline]
fn sparse(neighbours: &Neighbours, set: u32) -> Option<impl Iterator<Item = u32> + use<>> {
    let all = *neighbours.get(set as usize)?;
    (all.first() != Some(&DENSE)).then(|| all.into_iter().take_while(|set| *set != NO_NODE))
}

/// Searches where names stand for sets.
#[inline(never)]
fn search_sets(froms: &[u32], tos: &[Ranked], visited: &mut VisitedSets, walk: &mut Walk<'_, '_, Dynamic<'_>>) {
    let section = walk.section;
    section.mark_sources(froms, visited);
    for to in tos {
        if !walk.search.is_open(to.rank) {
            break;
        }
        section.mark_destination(to, visited);
        section.edges_to_name(to, visited).for_each(|edge| walk.edge(edge));
    }
    section.edges_to_sets(froms, visited).for_each(|edge| walk.edge(edge));
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
    fn edge(&mut self, (from, to, rank): Edge) {
        if !self.search.is_open(rank) {
            return;
        }
        let Some(cell) = self.section.cells.get(from, to) else { return };
        match cell.content() {
            Content::One(target) => look(self.section, self.search, target, rank, Fit::Unknown),
            Content::Several(span) => {
                for target in span.of(&self.section.lists) {
                    look(self.section, self.search, *target, rank, Fit::Unknown);
                }
            }
            Content::Large(table) => {
                if let Some(table) = self.section.tables.get(table) {
                    let hashes = &mut self.hashes;
                    look_in_table(self.section, self.path, hashes, table, rank, &mut Dynamic(self.search));
                }
            }
        }
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
fn look_in_table(
    section: &Section,
    path: Option<&[u8]>,
    hashes: &mut Option<PathHashes>,
    table: &Table,
    rank: u8,
    search: &mut Dynamic<'_>,
) {
    if let Some(path) = path {
        let hashes = hashes.get_or_insert_with(|| PathHashes::of(path));
        for entry in section.hits(table, path, hashes) {
            for target in section.tables.targets(entry.targets) {
                look(section, search, *target, rank, Fit::Hit(entry.pattern));
            }
        }
    }
    let wants_misses = search.wants_misses();
    for (target, fit) in section.beside_hits(table, path.is_some(), wants_misses) {
        look(section, search, target, rank, fit);
    }
}

#[inline]
fn look<S: Search>(section: &Section, search: &mut S, number: u32, rank: u8, fit: Fit) {
    if let Some(candidate) = section.candidate(number, rank, fit) {
        search.look(candidate);
    }
}
