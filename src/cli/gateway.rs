//! One gateway that has just started, on which requests are played one after another.

use super::request::{Buffers, Mistake, Request};
use crate::decision::{Charged, Judged, Scratch, Till, Timestamp};
use crate::policy::Policy;
use crate::quota::Memory;
use crate::request::Arrival;

/// Its buckets, and the memory that its decisions share.
#[derive(Debug, Default)]
pub(super) struct Gateway {
    buffers: Buffers,
    scratch: Scratch,
    till: Till,
    memory: Memory,
}

impl Gateway {
    /// Decides a request and charges it to its quotas. It ends at once, having moved no bytes but those of its headers.
    ///
    /// # Errors
    /// The request is none.
    pub(super) fn play<R>(
        &mut self,
        policy: &Policy,
        request: &Request<'_>,
        now: Timestamp,
        show: impl FnOnce(&Arrival<'_>, &Judged<'_>, &Charged<'_>) -> R,
    ) -> Result<R, Mistake> {
        let arrival = request.arrival(&mut self.buffers)?;
        let mut judged = policy.decide(&arrival, now, &mut self.scratch);
        // times may go back from request to request; a monotonic clock does not
        let clocks = &mut self.memory.now;
        (clocks.wall, clocks.monotonic) = (now.0, clocks.monotonic.max(now.0));
        let mut charged = policy.charge(&mut judged, request.header_bytes(&arrival), &mut self.till, &mut self.memory);
        if let Some(account) = &mut charged.account {
            // nobody else changes this store, so nothing can be left
            policy.terms().settle(account, &mut self.till, &mut self.memory);
        }
        Ok(show(&arrival, &judged, &charged))
    }
}
