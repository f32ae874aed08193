//! Undecided connections whose servers may speak first: their callers may wait for that, and send nothing before.

use rustc_hash::FxHashMap;

use super::undecided::Waiting;

/// Milliseconds between two calls of an instance while such a connection waits.
pub(crate) const SILENT_TICK_MILLISECONDS: u32 = 5;
/// Nanoseconds from the beginning of a connection to the first look at it.
const FIRST_LOOK: u64 = 5_000_000;
/// The longest time between two looks. It doubles from look to look, so that handshakes that never end cost little.
const LONGEST: u64 = 1_000_000_000;

/// The next look at a silent connection, in nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: u64,
    /// Time between this look and the next.
    then: u64,
}

/// Connections that may be decided though their callers are silent, and the instances that are called often for them.
#[derive(Debug, Default)]
pub(crate) struct Silent {
    looks: FxHashMap<u32, Look>,
    /// Instances with ticks of [`SILENT_TICK_MILLISECONDS`].
    often: Vec<u32>,
    /// Time of the last full tick of such an instance.
    full: u64,
}

impl Silent {
    /// A connection begins whose server may speak first.
    pub(crate) fn add(&mut self, stream: u32, since: u64) {
        self.looks.insert(stream, Look { at: since.saturating_add(FIRST_LOOK), then: FIRST_LOOK });
    }

    /// Lists the connections that are due for a look, and forgets those that have spoken, or do not wait any more.
    pub(crate) fn due(&mut self, waiting: &Waiting, now: u64) -> Vec<u32> {
        self.looks.retain(|stream, _| waiting.is_silent(*stream));
        let mut due = Vec::new();
        for (stream, look) in self.looks.iter_mut().filter(|(_, look)| look.at <= now) {
            look.at = now.saturating_add(look.then);
            look.then = look.then.saturating_mul(2).min(LONGEST);
            due.push(*stream);
        }
        due
    }

    /// Tells whether a connection is looked at.
    pub(crate) fn is_expected(&self, stream: u32) -> bool {
        self.looks.contains_key(&stream)
    }

    /// A connection is looked at no more.
    pub(crate) fn forget(&mut self, stream: u32) {
        self.looks.remove(&stream);
    }

    /// Tells whether no connection is waited for.
    pub(crate) fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }

    /// Tells whether an instance is called often.
    pub(crate) fn is_often(&self, instance: u32) -> bool {
        self.often.contains(&instance)
    }

    /// An instance is called often from now on.
    pub(crate) fn hurry(&mut self, instance: u32) {
        self.often.push(instance);
    }

    /// An instance is called as usual again, or is gone.
    pub(crate) fn relax(&mut self, instance: u32) {
        self.often.retain(|often| *often != instance);
    }

    /// Tells whether a tick of an instance does all that ticks do: one of those that come often does so once in a while.
    pub(crate) fn is_full(&mut self, instance: u32, now: u64, every: u64) -> bool {
        let is_full = !self.is_often(instance) || now.saturating_sub(self.full) >= every;
        if is_full {
            self.full = now;
        }
        is_full
    }
}
