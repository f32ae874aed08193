//! The charge of one request to one quota: what is asked, the state of the attempt, and its outcome.

use super::bucket::{Level, Now, State};
use super::limit::Quota;
use super::pages::{Bucket, OVERFLOW};
use super::unit::Unit;

/// A charge of a request to one of its quotas.
#[derive(Clone, Copy, Debug)]
pub struct RequestCharge<'c> {
    /// The quota.
    pub quota: &'c Quota,
    /// Its number in the policy.
    pub number: u32,
    /// The key of its bucket.
    pub key: &'c str,
    /// Tells whether the quota refuses, or only says that it would.
    pub enforced: bool,
}

/// The cause of a refusal by a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its limit is reached.
    Exhausted,
    /// Its state could not be read or changed.
    Unavailable,
}

/// The outcome of one charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChargeOutcome {
    /// The cause for which the quota refuses, or would; none if it lets the request pass.
    pub refusal: Option<Refusal>,
    /// The level of its bucket: charged if the request passes, else as it was found.
    pub level: Level,
    /// The bucket is the one that all keys share which came too late for a slot.
    pub overflowed: bool,
}

/// The state of one charge while it is attempted: read → decided → changed → saved, and again if another thread was
/// faster.
#[derive(Debug, Default)]
pub(super) struct ChargeAttempt {
    /// It needs no further attempt: it is charged, or refused in a dry-run.
    pub(super) settled: bool,
    /// A slot was counted for its bucket.
    pub(super) reserved: bool,
    /// The slot that was counted is taken: the bucket's new entry is saved.
    pub(super) used: bool,
    /// Index of the bucket's page in the snapshot.
    pub(super) page: usize,
    /// Offset of the bucket's entry on its page; none: it has none.
    pub(super) entry: Option<usize>,
    /// The stored state was mended, which is saved even if nothing is charged.
    pub(super) mended: bool,
    /// The state before the charge, normalized.
    pub(super) before: State,
    /// The state after it; none: nothing is charged.
    pub(super) after: Option<State>,
    pub(super) outcome: ChargeOutcome,
}

impl RequestCharge<'_> {
    /// Returns the units that are charged at once for a request whose headers have so many bytes.
    pub(super) fn units(&self, bytes: u64) -> u64 {
        match self.quota.unit {
            Unit::Requests | Unit::Concurrent => 1,
            unit => unit.of_bytes(bytes, 0),
        }
    }
}

impl ChargeAttempt {
    /// Returns the bucket that is charged.
    pub(super) fn bucket<'c>(&self, charge: &RequestCharge<'c>) -> Bucket<'c> {
        Bucket { quota: charge.quota, key: if self.outcome.overflowed { OVERFLOW } else { charge.key } }
    }

    /// Sets the level of the outcome: charged if all charges are, else as the bucket was found.
    pub(super) fn tell_level(&mut self, charge: &RequestCharge<'_>, charged: bool, now: Now) {
        if self.outcome.refusal != Some(Refusal::Unavailable) {
            let charged = self.after.as_ref().filter(|_| charged && self.settled);
            self.outcome.level = charged.unwrap_or(&self.before).level(&charge.quota.limit, now);
        }
    }

    pub(super) fn fail(&mut self) {
        self.outcome.refusal = Some(Refusal::Unavailable);
    }
}
