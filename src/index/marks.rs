//! Which sets a request is in: stamps that need no clearing between requests.

/// Reused from request to request.
#[derive(Debug, Default)]
pub(crate) struct Marks {
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

impl Marks {
    /// Begins a new request on a section with so many sets.
    pub(super) fn begin(&mut self, froms: usize, tos: usize) {
        self.turn = self.turn.wrapping_add(1);
        for (side, sets) in [(&mut self.froms, froms), (&mut self.tos, tos)] {
            if side.stamps.len() < sets || self.turn == 0 {
                side.stamps.clear();
                side.stamps.resize(sets, (u32::MAX, 0));
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
