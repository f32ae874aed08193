//! The sets that a request is in: stamps that need no clearing between requests.

/// The stamp of sets that were never marked.
const NO_TURN: u32 = 0;

/// Reused from request to request.
#[derive(Debug, Default)]
pub(crate) struct VisitedSets {
    turn: u32,
    pub(super) froms: Side,
    pub(super) tos: Side,
}

/// The marked sets of one side, each with the rank under which it was found first.
#[derive(Debug, Default)]
pub(super) struct Side {
    stamps: Vec<(u32, u8)>,
    turn: u32,
    pub(super) marked: Vec<(u32, u8)>,
}

impl VisitedSets {
    /// Begins a new request on a section with so many sets.
    pub(super) fn begin(&mut self, froms: usize, tos: usize) {
        self.turn = self.turn.wrapping_add(1);
        // Stamps of 0 are those of no turn: once all numbers are used up, every stamp goes and they begin anew.
        let used_up = self.turn == NO_TURN;
        self.turn = self.turn.max(NO_TURN.saturating_add(1));
        for (side, sets) in [(&mut self.froms, froms), (&mut self.tos, tos)] {
            if side.stamps.len() < sets || used_up {
                side.stamps.clear();
                side.stamps.resize(sets, (NO_TURN, 0));
            }
            side.turn = self.turn;
            side.marked.clear();
        }
    }
}

impl Side {
    pub(super) fn mark(&mut self, set: u32, rank: u8) {
        if let Some(stamp) = self.stamps.get_mut(set as usize)
            && stamp.0 != self.turn
        {
            *stamp = (self.turn, rank);
            self.marked.push((set, rank));
        }
    }

    /// The rank of a set, if the request is in it.
    #[inline]
    pub(super) fn rank(&self, set: u32) -> Option<u8> {
        self.stamps.get(set as usize).filter(|stamp| stamp.0 == self.turn).map(|stamp| stamp.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_not_missed_or_found_by_mistake_after_four_billion_searches() {
        for turn in [0, 1, u32::MAX - 3, u32::MAX - 2, u32::MAX - 1, u32::MAX] {
            let mut visited = VisitedSets { turn, ..VisitedSets::default() };
            for search in 0..4_u32 {
                visited.begin(3, 3);
                assert_eq!(visited.froms.rank(1), None, "search {search} from turn {turn}");
                visited.froms.mark(1, 7);
                visited.froms.mark(1, 8);
                assert_eq!(visited.froms.marked, [(1, 7)], "search {search} from turn {turn}");
                assert_eq!((visited.froms.rank(1), visited.froms.rank(2)), (Some(7), None));
                assert_eq!(visited.tos.rank(1), None);
            }
        }
    }
}
