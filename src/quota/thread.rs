//! The quota state of one thread.

use super::members::Membership;
use super::pages::{Events, Snapshot};
use super::request_charge::ChargeAttempt;
use super::slots::Sweeps;
use super::store::SharedStore;

/// Per-thread quota state. Create one for each worker and reuse it across policies.
#[derive(Debug, Default)]
pub struct QuotaThread {
    /// The number under which it holds requests in flight.
    pub(super) membership: Membership,
    pub(super) sweeps: Sweeps,
    pub(super) events: Events,
    // Memory that one transaction after another uses.
    pub(super) name: String,
    pub(super) attempts: Vec<ChargeAttempt>,
    pub(super) snapshot: Snapshot,
}

impl QuotaThread {
    /// Tells whether it holds requests in flight, or ever has.
    pub fn is_member(&self) -> bool {
        self.membership.is_member()
    }

    /// Gives a sign of life, if this thread is a member. What it holds is free ten seconds after the last one.
    pub fn beat(&mut self, store: &mut impl SharedStore) {
        if self.is_member()
            && let Ok(now) = store.monotonic()
        {
            // If that fails, whatever is held next gives a sign of life first.
            let _ = self.membership.beat(store, now);
        }
    }

    /// Returns the events since the last call, if there were any.
    pub fn take_events(&mut self) -> Option<Events> {
        (self.events != Events::default()).then(|| std::mem::take(&mut self.events))
    }
}
