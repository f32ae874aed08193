//! What a request that was let through goes on to owe: bytes as they flow, and its place among those in flight.

use super::bucket::{Level, State};
use super::consult::{Consulted, Demand, Desk, Refusal};
use super::ledger::{Bucket, Ledger, OVERFLOW};
use super::limit::{Overrun, Quota, Unit};
use super::members::Membership;
use super::store::{SharedStore, Unchanged};

/// So many bytes may flow before they are charged, if the store is contended or fails: more cut the request off.
const CREDIT: u64 = 1 << 20;

/// What is about to be followed by more may be charged together with that while so many times as much is left: a request
/// alone never crosses a line thereby.
const FAR: u64 = 64;

/// The account of one request.
#[derive(Debug)]
pub struct Account {
    /// The member that holds what the lines hold.
    member: u32,
    lines: Vec<Line>,
}

/// What is owed to one quota.
#[derive(Debug)]
struct Line {
    /// Number of the quota.
    quota: u32,
    key: Box<str>,
    enforced: bool,
    /// Units that flowed and are not charged yet.
    owed: u64,
    /// Units that were left when something was charged last.
    left: u64,
    /// A place among those in flight has to be given back.
    holds: bool,
    /// It was said that the line is crossed.
    crossed: bool,
}

/// A request crosses the line of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Number of the quota.
    pub quota: u32,
    /// The key of its bucket.
    pub key: Box<str>,
    /// That bucket is shared by all keys that came too late.
    pub overflowed: bool,
    /// Whether the request is to be cut off; else it is a dry-run.
    pub cut: bool,
    /// Why.
    pub refusal: Refusal,
    /// How the bucket stands.
    pub level: Level,
}

impl Account {
    pub(super) fn new(member: u32) -> Account {
        Account { member, lines: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Opens a line for a demand that was charged, if its quota wants more than that.
    pub(super) fn open(&mut self, demand: &Demand<'_>, consulted: &Consulted) {
        if demand.quota.unit != Unit::Requests {
            self.push(demand, consulted, demand.quota.unit == Unit::Concurrent);
        }
    }

    /// Opens a line for what is held and could not be given back.
    pub(super) fn owe_back(&mut self, demand: &Demand<'_>, consulted: &Consulted) {
        self.push(demand, consulted, true);
    }

    fn push(&mut self, demand: &Demand<'_>, consulted: &Consulted, holds: bool) {
        let key = if consulted.overflowed { OVERFLOW } else { demand.key };
        let Demand { number, enforced, .. } = *demand;
        let left = consulted.level.left;
        self.lines.push(Line { quota: number, key: key.into(), enforced, owed: 0, left, holds, crossed: false });
    }

    /// Notes bytes that flow and will soon be followed by more, to be charged with that; false, and nothing is noted,
    /// if a line is too near for that.
    pub fn defer<'q>(&mut self, out: u64, inward: u64, quotas: impl Fn(u32) -> Option<&'q Quota>) -> bool {
        let can_wait = |line: &Line| line.owing(out, inward, quotas(line.quota)) <= line.left.div_euclid(FAR);
        if !self.lines.iter().all(can_wait) {
            return false;
        }
        for line in &mut self.lines {
            line.owed = line.owing(out, inward, quotas(line.quota));
        }
        true
    }

    /// Whether something flowed that is not charged yet.
    pub fn owes(&self) -> bool {
        self.lines.iter().any(|line| line.owed > 0)
    }

    /// Whether bytes are charged to it.
    pub fn counts_bytes<'q>(&self, quotas: impl Fn(u32) -> Option<&'q Quota>) -> bool {
        self.lines.iter().any(|line| quotas(line.quota).is_some_and(|quota| quota.unit.is_bytes()))
    }
}

impl Line {
    /// What is owed once so many bytes have flowed.
    fn owing(&self, out: u64, inward: u64, quota: Option<&Quota>) -> u64 {
        self.owed.saturating_add(quota.map_or(0, |quota| quota.unit.of_bytes(out, inward)))
    }
}

impl Ledger {
    /// Gives a sign of life of this thread, if it holds or has held anything.
    pub fn beat(membership: &mut Membership, shared: &mut impl SharedStore) {
        if membership.is_member()
            && let Ok(now) = shared.monotonic()
        {
            // Whoever takes something to hold makes sure of it again.
            let _ = membership.beat(shared, now);
        }
    }
}

impl<S: SharedStore> Desk<'_, S> {
    /// Charges bytes that flow to the destination and from it, and what was deferred. Says which quota's line is crossed:
    /// the first that cuts the request off, or else the first of a dry-run that was not told of before.
    pub fn flow<'q>(
        &mut self,
        account: &mut Account,
        out: u64,
        inward: u64,
        quotas: impl Fn(u32) -> Option<&'q Quota>,
    ) -> Option<Crossing> {
        let mut crossing: Option<Crossing> = None;
        for line in &mut account.lines {
            let Some(quota) = quotas(line.quota).filter(|quota| quota.unit.is_bytes()) else { continue };
            line.owed = line.owing(out, inward, Some(quota));
            let Some((refusal, level)) = self.pay(line, quota) else { continue };
            let cut = line.enforced && quota.overrun == Overrun::Cut;
            let is_news = cut || !line.enforced && !line.crossed;
            line.crossed = true;
            if is_news && crossing.as_ref().is_none_or(|known| cut && !known.cut) {
                let (key, overflowed) = (line.key.clone(), *line.key == *OVERFLOW);
                crossing = Some(Crossing { quota: line.quota, key, overflowed, cut, refusal, level });
            }
        }
        crossing
    }

    /// Charges what was deferred and not followed by anything. Whether a line is crossed is told when more flows.
    pub fn collect<'q>(&mut self, account: &mut Account, quotas: impl Fn(u32) -> Option<&'q Quota>) {
        for line in &mut account.lines {
            if let Some(quota) = quotas(line.quota) {
                self.pay(line, quota);
            }
        }
    }

    /// Charges and gives back whatever is left at a request's end; true if nothing is left any more. Else it has to be
    /// called again.
    pub fn settle<'q>(&mut self, account: &mut Account, quotas: impl Fn(u32) -> Option<&'q Quota>) -> bool {
        let member = account.member;
        account.lines.retain_mut(|line| {
            let Some(quota) = quotas(line.quota) else { return false };
            if line.holds {
                let bucket = Bucket { quota, key: &line.key };
                let released = self.change(&bucket, |state, _| Some(state.release(1, member)));
                line.holds = self.noted(released).is_err();
            }
            self.pay(line, quota);
            line.holds || line.owed > 0
        });
        account.lines.is_empty()
    }

    /// Charges what a line owes. Says why the request may not go on, if the limit says so.
    fn pay(&mut self, line: &mut Line, quota: &Quota) -> Option<(Refusal, Level)> {
        if line.owed == 0 {
            return None;
        }
        let (owed, limit) = (line.owed, &quota.limit);
        let bucket = Bucket { quota, key: &line.key };
        let charged = self.change(&bucket, |state: State, now| state.charge(limit, owed, 0, now));
        match self.noted(charged) {
            Ok(Some((state, now))) => {
                line.owed = 0;
                let level = state.level(limit, now);
                line.left = level.left;
                state.is_over(limit, now).then_some((Refusal::Exhausted, level))
            }
            _ => (owed > CREDIT).then(|| (Refusal::Unavailable, Level::default())),
        }
    }

    /// Counts a change that others were too often faster with.
    pub(super) fn noted<T>(&mut self, change: Result<T, Unchanged>) -> Result<T, Unchanged> {
        if matches!(change, Err(Unchanged::Contended)) {
            self.ledger.events().count_contended();
        }
        change
    }
}
