//! Charging a request: to all its quotas together, or to none.
//!
//! Quotas on one page are charged at once. Where there are several pages and one cannot be saved, the charges on those
//! before stand while the rest is tried again, and are taken back if the rest refuses.

use super::account::Account;
use super::bucket::Now;
use super::limit::Quota;
use super::members::Members;
use super::pages::Pages;
use super::request_charge::{ChargeAttempt, ChargeOutcome, Refusal, RequestCharge};
use super::slots::{Slot, unreserve};
use super::store::{SharedStore, TRIES, Unchanged};
use super::transaction::Transaction;
use super::unit::Unit;

/// The outcomes of all charges of a request.
#[derive(Debug, Default)]
pub struct ChargeResults {
    /// The outcome of each charge, in order.
    pub outcomes: Vec<ChargeOutcome>,
    /// The debt of the request, if it has one. A request that is refused may owe something too: what it held for a
    /// moment and could not give back.
    pub account: Option<Account>,
}

/// The result of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Charged,
    Refused,
    /// Another thread was faster, or there is no slot.
    Retry,
}

impl<S: SharedStore> Transaction<'_, S> {
    /// Charges a request to all its quotas or to none: if an enforced one refuses, nothing is consumed. A quota in dry-run
    /// that refuses is not charged either, and the others are. `bytes` are those of the request's headers.
    pub fn charge(&mut self, charges: &[RequestCharge<'_>], bytes: u64) -> ChargeResults {
        self.attempts.clear();
        self.attempts.extend(charges.iter().map(|_| ChargeAttempt::default()));
        let (mut member, mut now) = (0, Now::default());
        let charged = match self.attempt_all(charges, bytes, &mut member, &mut now) {
            Ok(charged) => charged,
            Err(unchanged) => {
                if unchanged == Unchanged::Contended {
                    self.events().count_contended();
                }
                self.attempts.iter_mut().filter(|attempt| !attempt.settled).for_each(ChargeAttempt::fail);
                !is_refused(charges, self.attempts)
            }
        };
        self.snapshot.clear();
        // Taken out, since what is taken back is a change of its own.
        let mut attempts = std::mem::take(self.attempts);
        let mut account = Account::new(member);
        for (charge, attempt) in charges.iter().zip(&mut attempts) {
            attempt.tell_level(charge, charged, now);
            if attempt.reserved && !attempt.used {
                unreserve(charge.quota, &mut self.pages);
            }
            if attempt.outcome.refusal.is_some() || !attempt.settled {
                continue;
            }
            if attempt.outcome.overflowed {
                self.events().overflowed.push(charge.number);
            }
            if charged {
                account.open(charge, &attempt.outcome);
            } else if !self.take_back(charge, bytes, attempt, member) {
                account.owe_back(charge, &attempt.outcome);
            }
        }
        let outcomes = attempts.iter().map(|attempt| attempt.outcome).collect();
        *self.attempts = attempts;
        ChargeResults { outcomes, account: (!account.is_empty()).then_some(account) }
    }

    /// Tries until all charges are settled; true if everything that is enforced is charged.
    fn attempt_all(
        &mut self,
        charges: &[RequestCharge<'_>],
        bytes: u64,
        member: &mut u32,
        now: &mut Now,
    ) -> Result<bool, Unchanged> {
        for _ in 0..TRIES {
            self.read(charges)?;
            self.snapshot.clocks.update(now);
            if charges.iter().any(|charge| charge.quota.unit == Unit::Concurrent) {
                *member = self.membership.number(self.pages.store, now.monotonic)?;
            }
            self.decide(charges, *now)?;
            let refused = is_refused(charges, self.attempts);
            let progress = match self.change_all(charges, bytes, refused, *member)? {
                Progress::Retry => Progress::Retry,
                progress => self.save(charges, progress)?,
            };
            match progress {
                Progress::Charged => return Ok(true),
                Progress::Refused => return Ok(false),
                Progress::Retry => {}
            }
        }
        Err(Unchanged::Contended)
    }

    /// Reads the buckets that are not settled, and then the clocks that they need.
    fn read(&mut self, charges: &[RequestCharge<'_>]) -> Result<(), Unchanged> {
        let Transaction { pages, attempts, snapshot, .. } = self;
        snapshot.clear();
        for (charge, attempt) in unsettled(charges, attempts) {
            attempt.page = pages.locate(&attempt.bucket(charge), &mut snapshot.pages)?;
        }
        // Only now: whatever stands on the pages was charged before this time.
        for (charge, _) in unsettled(charges, attempts) {
            snapshot.clocks.read_for(&charge.quota.limit, pages.store)?;
        }
        for (charge, attempt) in unsettled(charges, attempts) {
            let Some(loaded) = snapshot.pages.get(attempt.page) else { return Err(Unchanged::Unavailable) };
            let (stored, entry) = loaded.state(&attempt.bucket(charge));
            let normalized = stored.normalize(charge.quota.unit, &charge.quota.limit, snapshot.clocks.now());
            if normalized.foreign {
                pages.events.count_foreign();
            }
            (attempt.before, attempt.entry, attempt.mended) = (normalized.state, entry, normalized.mended);
            attempt.after = None;
        }
        Ok(())
    }

    /// Decides about the buckets that are not settled.
    fn decide(&mut self, charges: &[RequestCharge<'_>], now: Now) -> Result<(), Unchanged> {
        let Transaction { pages, attempts, .. } = self;
        let mut members = None;
        for (charge, attempt) in unsettled(charges, attempts) {
            let Quota { unit, limit, .. } = charge.quota;
            let mut has_room = attempt.before.has_room(*unit, limit, now);
            if !has_room && *unit == Unit::Concurrent {
                let members = match &members {
                    Some(members) => members,
                    None => members.insert(read_members(pages)?),
                };
                attempt.mended |= attempt.before.forget(|member| members.is_gone(member, now.monotonic));
                has_room = attempt.before.has_room(*unit, limit, now);
            }
            attempt.outcome.refusal = (!has_room).then_some(Refusal::Exhausted);
        }
        Ok(())
    }

    /// Changes the loaded pages to what the buckets become: charged, or mended only.
    fn change_all(
        &mut self,
        charges: &[RequestCharge<'_>],
        bytes: u64,
        refused: bool,
        member: u32,
    ) -> Result<Progress, Unchanged> {
        let Transaction { pages, sweeps, attempts, snapshot, .. } = self;
        for (charge, attempt) in unsettled(charges, attempts) {
            let units = if refused || attempt.outcome.refusal.is_some() { 0 } else { charge.units(bytes) };
            let after = if units > 0 {
                let charged = attempt.before.clone().charge(&charge.quota.limit, units, member, snapshot.clocks.now());
                charged.ok_or(Unchanged::Unavailable)?
            } else if attempt.mended {
                attempt.before.clone()
            } else {
                continue;
            };
            let bucket = attempt.bucket(charge);
            if units > 0 && attempt.entry.is_none() {
                match sweeps.find_slot(&bucket, attempt.page, &mut attempt.reserved, snapshot, pages)? {
                    Slot::On(page) => attempt.page = page,
                    Slot::AllTaken => {
                        attempt.outcome.overflowed = true;
                        return Ok(Progress::Retry);
                    }
                }
            }
            let Some(loaded) = snapshot.pages.get_mut(attempt.page) else { return Err(Unchanged::Unavailable) };
            if !loaded.set(&bucket, attempt.entry, &after) {
                return Err(Unchanged::Unavailable);
            }
            attempt.after = (units > 0).then_some(after);
        }
        Ok(if refused { Progress::Refused } else { Progress::Charged })
    }

    /// Saves the changed pages, and settles what stands on those that could be saved.
    fn save(&mut self, charges: &[RequestCharge<'_>], progress: Progress) -> Result<Progress, Unchanged> {
        let Transaction { pages, attempts, snapshot, .. } = self;
        for (number, loaded) in snapshot.pages.iter().enumerate() {
            let saved = !loaded.changed || pages.save(loaded)?;
            if progress == Progress::Refused {
                // Something was mended at most, and whoever comes next can do that, too.
                continue;
            }
            if !saved {
                return Ok(Progress::Retry);
            }
            for (_, attempt) in unsettled(charges, attempts).filter(|(_, attempt)| attempt.page == number) {
                attempt.settled = true;
                attempt.used = attempt.entry.is_none() && attempt.after.is_some();
            }
        }
        Ok(progress)
    }

    /// Takes back what was charged before another quota refused; false if something is still held.
    fn take_back(&mut self, charge: &RequestCharge<'_>, bytes: u64, attempt: &ChargeAttempt, member: u32) -> bool {
        let Some(after) = &attempt.after else { return true };
        let (bucket, units) = (attempt.bucket(charge), charge.units(bytes));
        let taken = self.change(&bucket, |state, _| Some(state.take_back(&attempt.before, after, units, member)));
        taken.is_ok() || charge.quota.unit != Unit::Concurrent
    }
}

fn read_members(pages: &mut Pages<'_, impl SharedStore>) -> Result<Members, Unchanged> {
    let members = Members::of(pages.store)?;
    if members.is_none() {
        pages.events.count_foreign();
    }
    Ok(members.unwrap_or_default())
}

/// Returns the charges that need another attempt.
fn unsettled<'a, 'c>(
    charges: &'a [RequestCharge<'c>],
    attempts: &'a mut [ChargeAttempt],
) -> impl Iterator<Item = (&'a RequestCharge<'c>, &'a mut ChargeAttempt)> {
    charges.iter().zip(attempts).filter(|(_, attempt)| !attempt.settled)
}

/// Tells whether an enforced quota refuses.
fn is_refused(charges: &[RequestCharge<'_>], attempts: &[ChargeAttempt]) -> bool {
    charges.iter().zip(attempts).any(|(charge, attempt)| charge.enforced && attempt.outcome.refusal.is_some())
}
