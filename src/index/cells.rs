//! Edges: which targets stand between a from-node and a to-node. One open-addressed table; an entry is 16 bytes and
//! holds a single target in place.

use super::interner::next;
use super::lists::Span;
use crate::hash;

const FREE: u32 = u32::MAX;
/// Length that marks a cell with a table of its own.
const LARGE: u32 = u32::MAX;
/// Set in a length while the list is being filled.
const FILLING: u32 = 1 << 31;

/// The targets of an edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) from: u32,
    pub(super) to: u32,
    start: u32,
    len: u32,
}

const EMPTY: Cell = Cell { from: FREE, to: FREE, start: 0, len: 0 };

/// The content of a cell.
pub(super) enum Content {
    /// One target.
    One(u32),
    /// A part of the section's lists of targets.
    Several(Span),
    /// The number of a table.
    Large(u32),
}

impl Cell {
    #[inline]
    pub(super) fn content(&self) -> Content {
        match self.len {
            1 => Content::One(self.start),
            LARGE => Content::Large(self.start),
            len => Content::Several(Span { start: self.start, len }),
        }
    }

    pub(super) fn set_large(&mut self, table: u32) {
        self.start = table;
        self.len = LARGE;
    }
}

#[derive(Debug, Default)]
pub(super) struct Cells {
    slots: Vec<Cell>,
    used: usize,
}

impl Cells {
    pub(super) fn with_capacity(cells: usize) -> Cells {
        Cells { slots: vec![EMPTY; cells.saturating_mul(4).div_euclid(3).saturating_add(8)], used: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    #[inline]
    pub(super) fn get(&self, from: u32, to: u32) -> Option<&Cell> {
        self.slots.get(self.slot(from, to)).filter(|cell| cell.from != FREE)
    }

    /// First pass: one more target for this edge.
    pub(super) fn count(&mut self, from: u32, to: u32) {
        if self.slots.len().saturating_mul(3) < self.used.saturating_add(1).saturating_mul(4) {
            self.resize(self.slots.len().saturating_mul(3).div_euclid(2).saturating_add(8));
        }
        let at = self.slot(from, to);
        if let Some(cell) = self.slots.get_mut(at) {
            if cell.from == FREE {
                *cell = Cell { from, to, ..EMPTY };
                self.used = self.used.saturating_add(1);
            }
            cell.len = cell.len.saturating_add(1);
        }
    }

    /// Between the passes: gives every cell with several targets its place in a list; the length of the list.
    pub(super) fn place(&mut self) -> u32 {
        if self.used.saturating_mul(2) < self.slots.len() {
            self.resize(self.used.saturating_mul(4).div_euclid(3).saturating_add(8));
        }
        let mut end = 0_u32;
        for cell in self.slots.iter_mut().filter(|cell| cell.len > 1) {
            cell.start = end;
            end = end.saturating_add(cell.len);
            cell.len = FILLING;
        }
        end
    }

    /// Second pass: the targets themselves, in the order of the file.
    pub(super) fn fill(&mut self, from: u32, to: u32, target: u32, list: &mut [u32]) {
        let at = self.slot(from, to);
        let Some(cell) = self.slots.get_mut(at) else { return };
        if cell.len & FILLING == 0 {
            cell.start = target;
            return;
        }
        let filled = cell.len & !FILLING;
        if let Some(slot) = list.get_mut(cell.start.wrapping_add(filled) as usize) {
            *slot = target;
        }
        cell.len = cell.len.wrapping_add(1);
    }

    pub(super) fn filled(&mut self) {
        for cell in &mut self.slots {
            cell.len &= !FILLING;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Cell> {
        self.slots.iter().filter(|cell| cell.from != FREE)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Cell> {
        self.slots.iter_mut().filter(|cell| cell.from != FREE)
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity().saturating_mul(size_of::<Cell>())
    }

    /// The slot of an edge, or the free one where it would stand.
    #[inline]
    fn slot(&self, from: u32, to: u32) -> usize {
        let slots = self.slots.len();
        let mut at = hash::slot(hash::tag(hash::pair(from, to)), slots);
        while let Some(cell) = self.slots.get(at) {
            if cell.from == FREE || cell.from == from && cell.to == to {
                break;
            }
            at = next(at, slots);
        }
        at
    }

    fn resize(&mut self, slots: usize) {
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; slots]);
        for cell in old.into_iter().filter(|cell| cell.from != FREE) {
            let at = self.slot(cell.from, cell.to);
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = cell;
            }
        }
    }
}
