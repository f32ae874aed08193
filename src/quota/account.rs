//! The debt of a request that was let through: bytes as they flow, and its place among those in flight.

use super::bucket::Level;
use super::limit::Quota;
use super::pages::OVERFLOW;
use super::request_charge::{ChargeOutcome, Refusal, RequestCharge};
use super::unit::Unit;

/// Bytes are deferred only while the allowance left is at least this many times as large, so that deferring them to the
/// charge of what follows can never be what exceeds the limit.
const DEFER_MARGIN: u64 = 64;

/// The account of one request.
#[derive(Debug)]
pub struct Account {
    /// The member that holds what the lines hold.
    pub(super) member: u32,
    pub(super) lines: Vec<Line>,
}

/// The debt to one quota.
#[derive(Debug)]
pub(super) struct Line {
    /// Number of the quota.
    pub(super) quota: u32,
    pub(super) key: Box<str>,
    pub(super) enforced: bool,
    /// Units that flowed and are not charged yet.
    pub(super) owed: u64,
    /// Units that were left when something was charged last.
    pub(super) left: u64,
    /// A place among those in flight has to be given back.
    pub(super) holds: bool,
    /// It was said that the line is crossed.
    pub(super) crossed: bool,
}

/// A request crosses the line of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Number of the quota.
    pub quota: u32,
    /// The key of its bucket.
    pub key: Box<str>,
    /// The bucket is the one that all keys share which came too late for a slot.
    pub overflowed: bool,
    /// The request is to be cut off; else the quota is in dry-run.
    pub cut: bool,
    /// The cause.
    pub refusal: Refusal,
    /// The level of the bucket.
    pub level: Level,
}

impl Account {
    pub(super) fn new(member: u32) -> Account {
        Account { member, lines: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Opens a line for a charge that was made, if its quota wants more than that.
    pub(super) fn open(&mut self, charge: &RequestCharge<'_>, outcome: &ChargeOutcome) {
        if charge.quota.unit != Unit::Requests {
            self.push(charge, outcome, charge.quota.unit == Unit::Concurrent);
        }
    }

    /// Opens a line for what is held and could not be given back.
    pub(super) fn owe_back(&mut self, charge: &RequestCharge<'_>, outcome: &ChargeOutcome) {
        self.push(charge, outcome, true);
    }

    fn push(&mut self, charge: &RequestCharge<'_>, outcome: &ChargeOutcome, holds: bool) {
        let key = if outcome.overflowed { OVERFLOW } else { charge.key };
        let RequestCharge { number, enforced, .. } = *charge;
        let left = outcome.level.left;
        self.lines.push(Line { quota: number, key: key.into(), enforced, owed: 0, left, holds, crossed: false });
    }

    /// Notes bytes that flow and will soon be followed by more, to be charged with that; false, and nothing is noted,
    /// if a line is too near for that.
    pub fn defer<'q>(&mut self, out: u64, inward: u64, quotas: impl Fn(u32) -> Option<&'q Quota>) -> bool {
        let can_wait = |line: &Line| line.owing(out, inward, quotas(line.quota)) <= line.left.div_euclid(DEFER_MARGIN);
        if !self.lines.iter().all(can_wait) {
            return false;
        }
        for line in &mut self.lines {
            line.owed = line.owing(out, inward, quotas(line.quota));
        }
        true
    }

    /// Tells whether something flowed that is not charged yet.
    pub fn owes(&self) -> bool {
        self.lines.iter().any(|line| line.owed > 0)
    }

    /// Tells whether bytes are charged to it.
    pub fn counts_bytes<'q>(&self, quotas: impl Fn(u32) -> Option<&'q Quota>) -> bool {
        self.lines.iter().any(|line| quotas(line.quota).is_some_and(|quota| quota.unit.is_bytes()))
    }
}

impl Line {
    /// Returns what is owed once so many bytes have flowed.
    pub(super) fn owing(&self, out: u64, inward: u64, quota: Option<&Quota>) -> u64 {
        self.owed.saturating_add(quota.map_or(0, |quota| quota.unit.of_bytes(out, inward)))
    }
}
