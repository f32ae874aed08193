//! TCP connections and tunnels of HTTP that have not ended: *undecided* connections wait for their first bytes, *open* ones were
//! let through. What was refused is closed and forgotten.

mod open;
mod silent;
mod subject;
mod surroundings;
mod undecided;

pub(crate) use open::Flowing;
pub(crate) use silent::{SILENT_TICK_MILLISECONDS, Silent};
pub(crate) use subject::Subject;
pub(crate) use surroundings::Surroundings;
#[cfg(test)]
pub(crate) use undecided::MOST;
pub(crate) use undecided::{Undecided, Waiting};

/// Connections that have not ended, those of all instances together.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(crate) waiting: Waiting,
    pub(crate) silent: Silent,
    pub(crate) flowing: Flowing,
}

impl Connections {
    /// A connection has ended, however it did.
    pub(crate) fn remove(&mut self, stream: u32) {
        self.waiting.take(stream);
        self.silent.forget(stream);
        self.flowing.remove(stream);
    }
}
