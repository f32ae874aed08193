//! Path tables: cells with many patterns, told apart by hash.
//!
//! The patterns of such a cell have few shapes. A path is hashed once for each shape that could match it; what is found
//! under that hash is compared byte for byte.

use super::cells::Content;
use super::interner::next;
use super::lists::Span;
use super::paths::{PathHashes, Patterns, Shape, shape_tag};
use super::target::{NO_NODE, Target};
use crate::hash;
use rustc_hash::FxHashMap;

/// Cells with more targets or more patterns than this get a table.
pub(super) const SMALL: usize = 8;
const FREE: u32 = u32::MAX;

/// The table of one cell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Table {
    shapes: Span,
    /// Targets with a pattern that has no shape.
    pub(super) others: Span,
    /// Targets without paths; of several with equal constraints the first.
    pub(super) pathless: Span,
    /// Targets with paths; of several with equal constraints the first.
    pub(super) samples: Span,
}

/// A pattern and its targets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    tag: u32,
    shape: u32,
    pub(super) pattern: u32,
    pub(super) targets: Span,
}

const EMPTY: Entry = Entry { tag: 0, shape: FREE, pattern: 0, targets: Span { start: 0, len: 0 } };

/// All tables of a section.
#[derive(Debug, Default)]
pub(super) struct Tables {
    tables: Vec<Table>,
    shapes: Vec<Shape>,
    entries: Vec<Entry>,
    targets: Vec<u32>,
}

impl Tables {
    pub(super) fn get(&self, number: u32) -> Option<&Table> {
        self.tables.get(number as usize)
    }

    pub(super) fn targets(&self, span: Span) -> &[u32] {
        span.of(&self.targets)
    }

    /// For every shape of the table the entries under the path's hash.
    #[inline]
    pub(super) fn hits<'t>(&'t self, table: &Table, path: &PathHashes, wide: bool) -> impl Iterator<Item = &'t Entry> {
        let shapes = table.shapes;
        (shapes.start..)
            .zip(shapes.of(&self.shapes))
            .filter(move |(_, shape)| shape.fits(path.segments, wide))
            .flat_map(move |(number, shape)| {
                let tag = shape_tag(path.literals(shape), number);
                self.chain(tag).filter(move |entry| entry.tag == tag && entry.shape == number)
            })
    }

    /// Everything from a tag's slot to the next free one.
    #[inline]
    fn chain(&self, tag: u32) -> impl Iterator<Item = &Entry> {
        let slots = self.entries.len();
        let mut at = hash::slot(tag, slots);
        std::iter::from_fn(move || {
            let entry = self.entries.get(at).filter(|entry| entry.shape != FREE)?;
            at = next(at, slots);
            Some(entry)
        })
    }

    pub(super) fn bytes(&self) -> usize {
        [
            self.tables.capacity().saturating_mul(size_of::<Table>()),
            self.shapes.capacity().saturating_mul(size_of::<Shape>()),
            self.entries.capacity().saturating_mul(size_of::<Entry>()),
            self.targets.capacity().saturating_mul(4),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

/// The material of tables.
pub(super) struct Source<'s> {
    pub(super) targets: &'s [Target],
    pub(super) patterns: &'s Patterns,
    pub(super) lists: &'s [u32],
    pub(super) dedupe: &'s Dedupe<'s>,
}

impl Source<'_> {
    fn target(&self, number: u32) -> Option<&Target> {
        self.targets.get(number as usize)
    }

    fn of_cell<'c>(&'c self, content: &'c Content) -> &'c [u32] {
        match content {
            Content::One(target) => std::slice::from_ref(target),
            Content::Several(span) => span.of(self.lists),
            Content::Large(_) => &[],
        }
    }

    fn pattern_count(&self, content: &Content) -> usize {
        let counts = self.of_cell(content).iter().filter_map(|number| self.target(*number));
        counts.map(|target| target.path_count as usize).sum()
    }

    fn is_large(&self, content: &Content) -> bool {
        self.of_cell(content).len() > SMALL || self.pattern_count(content) > SMALL
    }
}

/// Makes the tables for a section's cells. None if there is no room.
pub(super) fn build(cells: &mut super::cells::Cells, source: &Source<'_>) -> Option<Tables> {
    let large: usize = cells
        .iter()
        .map(|cell| cell.content())
        .filter(|content| source.is_large(content))
        .map(|content| source.pattern_count(&content))
        .sum();
    let mut tables = Tables::default();
    if large > 0 {
        tables.entries = vec![EMPTY; large.saturating_mul(4).div_euclid(3).saturating_add(8)];
    }
    for cell in cells.iter_mut() {
        let content = cell.content();
        if source.is_large(&content) {
            let table = tables.table(&content, source)?;
            cell.set_large(u32::try_from(tables.tables.len()).ok()?);
            tables.tables.push(table);
        }
    }
    tables.tables.shrink_to_fit();
    tables.shapes.shrink_to_fit();
    tables.targets.shrink_to_fit();
    Some(tables)
}

impl Tables {
    fn table(&mut self, content: &Content, source: &Source<'_>) -> Option<Table> {
        let first_shape = self.shapes.len();
        let (mut others, mut pathless, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        // by slot of the entry: its targets, in file order
        let mut by_slot: FxHashMap<usize, Vec<u32>> = FxHashMap::default();
        for &number in source.of_cell(content) {
            let target = source.target(number)?;
            if !target.has_paths() {
                pathless.push(number);
                continue;
            }
            samples.push(number);
            let mut address = target.paths;
            for _ in 0..target.path_count {
                let (pattern, next) = source.patterns.read(address)?;
                match Shape::of(&pattern, source.patterns.is_wide()) {
                    Some((shape, literals)) => {
                        let shape = self.shape(first_shape, shape)?;
                        let slot = self.entry(shape_tag(literals, shape), shape, address, source.patterns)?;
                        by_slot.entry(slot).or_default().push(number);
                    }
                    None if others.last() != Some(&number) => others.push(number),
                    None => {}
                }
                address = next;
            }
        }
        self.fill(by_slot, source)?;
        source.dedupe.keep_first(&mut pathless);
        source.dedupe.keep_first(&mut samples);
        Some(Table {
            shapes: Span::since(first_shape, &self.shapes)?,
            others: self.store(&others)?,
            pathless: self.store(&pathless)?,
            samples: self.store(&samples)?,
        })
    }

    /// The number of a shape of this table.
    fn shape(&mut self, first: usize, shape: Shape) -> Option<u32> {
        let known = self.shapes.iter().skip(first).position(|known| *known == shape);
        let number = match known {
            Some(index) => first.checked_add(index)?,
            None => {
                self.shapes.push(shape);
                self.shapes.len().checked_sub(1)?
            }
        };
        u32::try_from(number).ok()
    }

    /// The slot of a pattern's entry.
    fn entry(&mut self, tag: u32, shape: u32, address: u32, patterns: &Patterns) -> Option<usize> {
        let text = patterns.read(address)?.0.text;
        let slots = self.entries.len();
        let mut at = hash::slot(tag, slots);
        loop {
            let entry = self.entries.get_mut(at)?;
            if entry.shape == FREE {
                *entry = Entry { tag, shape, pattern: address, targets: Span::default() };
                return Some(at);
            }
            if entry.tag == tag
                && entry.shape == shape
                && patterns.read(entry.pattern).is_some_and(|p| p.0.text == text)
            {
                return Some(at);
            }
            at = next(at, slots);
        }
    }

    /// Gives every entry the list of its targets: those of its slot.
    fn fill(&mut self, by_slot: FxHashMap<usize, Vec<u32>>, source: &Source<'_>) -> Option<()> {
        for (slot, mut targets) in by_slot {
            source.dedupe.keep_first(&mut targets);
            let span = self.store(&targets)?;
            self.entries.get_mut(slot)?.targets = span;
        }
        Some(())
    }

    fn store(&mut self, targets: &[u32]) -> Option<Span> {
        let start = self.targets.len();
        self.targets.extend_from_slice(targets);
        Span::since(start, &self.targets)
    }
}

/// Tells which targets of one cell can stand for each other.
pub(super) struct Dedupe<'d> {
    pub(super) targets: &'d [Target],
    /// By entry; entries beyond the end have none.
    pub(super) exemptions: &'d [u32],
    /// Entries that are kept of those that match alike.
    pub(super) keep: u32,
}

impl Dedupe<'_> {
    /// Keeps, of several targets with equal constraints and exemptions, those of the first entries, one of each; `numbers` are
    /// in file order.
    fn keep_first(&self, numbers: &mut Vec<u32>) {
        if numbers.len() < 2 {
            return;
        }
        // by what makes them alike: how many entries were kept, and the last of them
        let mut seen: FxHashMap<(u32, u32), (u32, u32)> = FxHashMap::default();
        numbers.retain(|number| {
            self.targets.get(*number as usize).is_none_or(|target| {
                let exemption = self.exemptions.get(target.entry as usize).copied().unwrap_or(NO_NODE);
                let (kept, last) = seen.entry((target.constraints, exemption)).or_insert((0, NO_NODE));
                let is_kept = *kept < self.keep && *last != target.entry;
                if is_kept {
                    (*kept, *last) = (kept.saturating_add(1), target.entry);
                }
                is_kept
            })
        });
    }
}
