//! The connections of one worker.

use super::open::Flowing;
use super::undecided::Waiting;

/// Connections that have not ended, those of all instances together.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(super) waiting: Waiting,
    pub(super) flowing: Flowing,
}

impl Connections {
    /// A connection has ended, however it did.
    pub(crate) fn remove(&mut self, stream: u32) {
        self.waiting.take(stream);
        self.flowing.remove(stream);
    }
}
