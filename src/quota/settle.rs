//! Charging what a request that was let through owes: as its bytes flow, and at its end.

use super::account::{Account, Crossing, Line};
use super::bucket::{Level, State};
use super::limit::{Overrun, Quota};
use super::pages::{Bucket, OVERFLOW};
use super::request_charge::Refusal;
use super::store::SharedStore;
use super::transaction::Transaction;

/// Bytes that may flow before they are charged, if the store is contended or fails: more cut the request off.
const CREDIT: u64 = 1 << 20;

impl<S: SharedStore> Transaction<'_, S> {
    /// Charges bytes that flow to the destination and from it, and what was deferred. Returns the quota whose line is
    /// crossed: the first that cuts the request off, or else the first of a dry-run that was not told of before.
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

    /// Charges what was deferred and not followed by anything. If a line is crossed, the next flow says so.
    pub fn collect<'q>(&mut self, account: &mut Account, quotas: impl Fn(u32) -> Option<&'q Quota>) {
        for line in &mut account.lines {
            if let Some(quota) = quotas(line.quota) {
                self.pay(line, quota);
            }
        }
    }

    /// Charges and gives back whatever is left at a request's end; false if something could not be, and this has to be
    /// called again.
    pub fn settle<'q>(&mut self, account: &mut Account, quotas: impl Fn(u32) -> Option<&'q Quota>) -> bool {
        let member = account.member;
        account.lines.retain_mut(|line| {
            let Some(quota) = quotas(line.quota) else { return false };
            if line.holds {
                let bucket = Bucket { quota, key: &line.key };
                line.holds = self.change(&bucket, |state, _| Some(state.release(1, member))).is_err();
            }
            self.pay(line, quota);
            line.holds || line.owed > 0
        });
        account.lines.is_empty()
    }

    /// Charges what a line owes. Returns why the request may not go on, if the limit says so.
    fn pay(&mut self, line: &mut Line, quota: &Quota) -> Option<(Refusal, Level)> {
        if line.owed == 0 {
            return None;
        }
        let (owed, limit) = (line.owed, &quota.limit);
        let bucket = Bucket { quota, key: &line.key };
        match self.change(&bucket, |state: State, now| state.charge(limit, owed, 0, now)) {
            Ok(Some((state, now))) => {
                line.owed = 0;
                let level = state.level(limit, now);
                line.left = level.left;
                state.is_over(limit, now).then_some((Refusal::Exhausted, level))
            }
            _ => (owed > CREDIT).then(|| (Refusal::Unavailable, Level::default())),
        }
    }
}
