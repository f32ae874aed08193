//! The plan by which the lists of one side become nodes.
//!
//! A short list is its names. A long one becomes a set: one node for all its names, so that a rule of 1,000
//! identities and 1,000 hosts is one edge and not a million. Equal lists are one set. A name in very many sets would
//! make every request look at all of them; it leaves its sets and gets edges of its own.

use super::lists::{List, Lists, Span};
use rustc_hash::FxHashMap;

/// Lists up to this long are their names.
const SHORT: u32 = 4;
/// A name in more sets than this leaves them, unless that would take too many edges.
pub(super) const HEAVY: u32 = 8;
/// Marks the number of a set among nodes.
pub(super) const SET: u32 = 1 << 31;
const NO_SET: u32 = u32::MAX;

/// The plan for one side.
pub(super) struct Plan<'l> {
    lists: &'l Lists,
    /// By list: its set.
    set_of: Vec<u32>,
    /// By set: its names.
    pub(super) sets: Vec<Span>,
    /// By name: how many sets hold it.
    uses: Vec<u32>,
    /// By set: the names that leave it.
    heavy: Vec<Vec<u32>>,
    limit: u32,
}

impl<'l> Plan<'l> {
    pub(super) fn new(lists: &'l Lists, names: usize) -> Plan<'l> {
        let mut plan =
            Plan { lists, set_of: Vec::new(), sets: Vec::new(), uses: Vec::new(), heavy: Vec::new(), limit: HEAVY };
        if lists.spans.iter().all(|span| span.len <= SHORT) {
            return plan;
        }
        plan.uses = vec![0; names];
        let mut known: FxHashMap<&[u32], u32> = FxHashMap::default();
        for span in &lists.spans {
            let names = span.of(&lists.names);
            let set = if span.len <= SHORT {
                NO_SET
            } else if let Some(set) = known.get(names) {
                *set
            } else {
                let set = u32::try_from(plan.sets.len()).unwrap_or(NO_SET);
                known.insert(names, set);
                plan.sets.push(*span);
                for name in names {
                    if let Some(uses) = plan.uses.get_mut(*name as usize) {
                        *uses = uses.saturating_add(1);
                    }
                }
                set
            };
            plan.set_of.push(set);
        }
        plan.choose(HEAVY);
        plan
    }

    /// Decides which names leave their sets: those in more than `limit`.
    pub(super) fn choose(&mut self, limit: u32) {
        self.limit = limit;
        let leave = |name: &u32| self.uses.get(*name as usize).is_some_and(|uses| *uses > limit);
        let heavy = self.sets.iter().map(|set| set.of(&self.lists.names).iter().copied().filter(leave).collect());
        self.heavy = heavy.collect();
    }

    /// The nodes of a list: names, and a set.
    #[inline]
    pub(super) fn nodes<'s>(&'s self, list: &'s List) -> (&'s [u32], Option<u32>) {
        match list {
            List::One(name) => (std::slice::from_ref(name), None),
            List::Several(number) => match self.set_of.get(*number as usize) {
                Some(set) if *set != NO_SET => {
                    let heavy = self.heavy.get(*set as usize).map_or(&[][..], Vec::as_slice);
                    let all_left = self.sets.get(*set as usize).is_some_and(|span| span.len as usize == heavy.len());
                    (heavy, (!all_left).then_some(SET | set))
                }
                _ => (self.lists.of(*number), None),
            },
        }
    }

    /// Returns how many nodes a list has.
    pub(super) fn width(&self, list: &List) -> u64 {
        let (names, set) = self.nodes(list);
        (names.len() as u64).saturating_add(u64::from(set.is_some()))
    }

    /// Returns the sets that each name is in, those that it left excepted.
    pub(super) fn members(&self) -> Members {
        if self.sets.is_empty() {
            return Members::default();
        }
        let mut start = Vec::with_capacity(self.uses.len().saturating_add(1));
        let mut at = 0_u32;
        for uses in &self.uses {
            start.push(at);
            at = at.saturating_add(if *uses <= self.limit { *uses } else { 0 });
        }
        start.push(at);
        let mut sets = vec![0; at as usize];
        let mut filled = start.clone();
        for (number, set) in (0_u32..).zip(&self.sets) {
            for name in set.of(&self.lists.names) {
                if self.uses.get(*name as usize).is_some_and(|uses| *uses <= self.limit)
                    && let Some(at) = filled.get_mut(*name as usize)
                    && let Some(slot) = sets.get_mut(*at as usize)
                {
                    *slot = number;
                    *at = at.saturating_add(1);
                }
            }
        }
        Members { start, sets }
    }
}

/// The sets that each name is in.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// By name, and one more: where its sets begin. The highest bit: the name has edges to sets of the other side.
    start: Vec<u32>,
    sets: Vec<u32>,
}

const LINKED: u32 = 1 << 31;

impl Members {
    #[inline]
    pub(super) fn sets(&self, name: u32) -> &[u32] {
        let name = name as usize;
        match (self.start.get(name), self.start.get(name.wrapping_add(1))) {
            (Some(start), Some(end)) => {
                self.sets.get((start & !LINKED) as usize..(end & !LINKED) as usize).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Tells whether the name may have edges to sets of the other side.
    #[inline]
    pub(super) fn is_linked(&self, name: u32) -> bool {
        self.start.get(name as usize).is_none_or(|start| start & LINKED != 0)
    }

    pub(super) fn link(&mut self, name: u32) {
        if let Some(start) = self.start.get_mut(name as usize) {
            *start |= LINKED;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.start.capacity().saturating_add(self.sets.capacity()).saturating_mul(4)
    }
}
