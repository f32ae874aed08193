//! The quotas of a run: those of one gateway that has just started.

use crate::decision::{Charged, Judged, Till, Timestamp};
use crate::policy::Policy;
use crate::quota::Memory;

/// Buckets, and what charges them.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    till: Till,
    memory: Memory,
}

impl Quotas {
    /// Charges a request, which ends at once. Times may go back from line to line; a monotonic clock does not.
    pub(super) fn charge<'s>(
        &mut self,
        policy: &'s Policy,
        judged: &mut Judged<'s>,
        bytes: u64,
        now: Timestamp,
    ) -> Charged<'s> {
        let clocks = &mut self.memory.now;
        (clocks.wall, clocks.monotonic) = (now.0, clocks.monotonic.max(now.0));
        let mut charged = policy.charge(judged, bytes, &mut self.till, &mut self.memory);
        if let Some(account) = &mut charged.account {
            // Nobody else changes this store, so nothing can be left.
            policy.settle(account, &mut self.till, &mut self.memory);
        }
        charged
    }
}
