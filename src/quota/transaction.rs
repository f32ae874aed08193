//! A transaction on the shared store: pages are read, then the clocks; what they become is decided on what was read; pages
//! are saved if no other thread was faster, or else all is done once more.

use super::bucket::{Now, State};
use super::members::Membership;
use super::pages::{Bucket, Events, OVERFLOW, Pages, QuotaNamespace, Snapshot};
use super::request_charge::ChargeAttempt;
use super::slots::{Slot, Sweeps, unreserve};
use super::store::{SharedStore, TRIES, Unchanged};
use super::thread::QuotaThread;

/// A thread's access to the buckets of one policy. Charges are in `charge` and `settle`.
#[derive(Debug)]
pub struct Transaction<'t, S> {
    pub(super) pages: Pages<'t, S>,
    pub(super) membership: &'t mut Membership,
    pub(super) sweeps: &'t mut Sweeps,
    pub(super) attempts: &'t mut Vec<ChargeAttempt>,
    pub(super) snapshot: &'t mut Snapshot,
}

impl<'t, S: SharedStore> Transaction<'t, S> {
    /// Begins a transaction of a thread on the buckets of a policy.
    pub fn new(thread: &'t mut QuotaThread, namespace: &'t QuotaNamespace, store: &'t mut S) -> Transaction<'t, S> {
        let QuotaThread { membership, sweeps, events, name, attempts, snapshot } = thread;
        Transaction { pages: Pages { namespace, store, events, name }, membership, sweeps, attempts, snapshot }
    }

    /// Changes one bucket, within the usual number of tries. `change` gets the normalized state; the state that it returns
    /// is saved, and returned with the time; if it returns none, nothing is saved.
    pub(super) fn change(
        &mut self,
        bucket: &Bucket<'_>,
        mut change: impl FnMut(State, Now) -> Option<State>,
    ) -> Result<Option<(State, Now)>, Unchanged> {
        let mut reserved = false;
        let mut used = false;
        let mut bucket = *bucket;
        let mut result = Err(Unchanged::Contended);
        for _ in 0..TRIES {
            match self.try_change(&mut bucket, &mut reserved, &mut used, &mut change) {
                Ok(None) => {}
                Ok(Some(changed)) => {
                    result = Ok(changed);
                    break;
                }
                Err(unchanged) => {
                    result = Err(unchanged);
                    break;
                }
            }
        }
        self.snapshot.clear();
        if reserved && !used {
            unreserve(bucket.quota, &mut self.pages);
        }
        if matches!(result, Err(Unchanged::Contended)) {
            self.events().count_contended();
        }
        result
    }

    /// Makes one try; none if it takes another.
    fn try_change(
        &mut self,
        bucket: &mut Bucket<'_>,
        reserved: &mut bool,
        used: &mut bool,
        change: &mut impl FnMut(State, Now) -> Option<State>,
    ) -> Result<Option<Option<(State, Now)>>, Unchanged> {
        let Transaction { pages, sweeps, snapshot, .. } = self;
        snapshot.clear();
        let mut at = pages.locate(bucket, &mut snapshot.pages)?;
        // Only now: whatever stands on the page was charged before this time.
        snapshot.clocks.read_for(&bucket.quota.limit, pages.store)?;
        let now = snapshot.clocks.now();
        let Some(loaded) = snapshot.pages.get(at) else { return Err(Unchanged::Unavailable) };
        let (stored, entry) = loaded.state(bucket);
        let normalized = stored.normalize(bucket.quota.unit, &bucket.quota.limit, now);
        let Some(after) = change(normalized.state, now) else { return Ok(Some(None)) };
        if entry.is_none() {
            if after.is_at_rest(now) {
                return Ok(Some(Some((after, now))));
            }
            match sweeps.find_slot(bucket, at, reserved, snapshot, pages)? {
                Slot::On(page) => at = page,
                Slot::AllTaken => {
                    bucket.key = OVERFLOW;
                    return Ok(None);
                }
            }
        }
        if !snapshot.pages.get_mut(at).is_some_and(|loaded| loaded.set(bucket, entry, &after)) {
            return Err(Unchanged::Unavailable);
        }
        for loaded in snapshot.pages.iter().filter(|loaded| loaded.changed) {
            if !pages.save(loaded)? {
                return Ok(None);
            }
        }
        *used = entry.is_none();
        Ok(Some(Some((after, now))))
    }

    pub(super) fn events(&mut self) -> &mut Events {
        self.pages.events
    }
}
