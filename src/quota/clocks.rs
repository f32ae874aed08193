//! The two clocks of an attempt, each read when it is first needed.

use super::bucket::Now;
use super::limit::Limit;
use super::store::{SharedStore, Unavailable};

/// The times that were read so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    monotonic: Option<u64>,
    wall: Option<u64>,
}

impl Clocks {
    /// Reads the clock that a limit goes by.
    pub(super) fn read_for(&mut self, limit: &Limit, store: &mut impl SharedStore) -> Result<(), Unavailable> {
        match limit {
            Limit::Rate(_) | Limit::Concurrent(_) => self.monotonic(store),
            Limit::Window(..) => self.wall(store),
        }
        .map(drop)
    }

    /// Reads both clocks.
    pub(super) fn read_both(&mut self, store: &mut impl SharedStore) -> Result<Now, Unavailable> {
        Ok(Now { monotonic: self.monotonic(store)?, wall: self.wall(store)? })
    }

    /// Updates `now` by the clocks that were read.
    pub(super) fn update(&self, now: &mut Now) {
        now.monotonic = self.monotonic.unwrap_or(now.monotonic);
        now.wall = self.wall.unwrap_or(now.wall);
    }

    /// Returns the times that were read, and 0 for the other: then nothing is at rest.
    pub(super) fn now(&self) -> Now {
        Now { monotonic: self.monotonic.unwrap_or_default(), wall: self.wall.unwrap_or_default() }
    }

    fn monotonic(&mut self, store: &mut impl SharedStore) -> Result<u64, Unavailable> {
        match self.monotonic {
            Some(time) => Ok(time),
            None => Ok(*self.monotonic.insert(store.monotonic()?)),
        }
    }

    fn wall(&mut self, store: &mut impl SharedStore) -> Result<u64, Unavailable> {
        match self.wall {
            Some(time) => Ok(time),
            None => Ok(*self.wall.insert(store.wall()?)),
        }
    }
}
