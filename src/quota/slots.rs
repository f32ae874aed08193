//! The slots of a quota's buckets: 65,536 for each quota, counted in a value of their own.
//!
//! A bucket at rest keeps its slot until another wants it. A new bucket takes the slot of one at rest on its page, or a
//! free one, or that of one at rest on another page, for which a thread looks through the pages, a few at each request and
//! on from where it stopped. If all are taken, the new bucket's key shares the overflow bucket. So the count changes only
//! where a bucket is added or dropped.

use super::bucket::{Now, State};
use super::limit::Quota;
use super::members::Members;
use super::page::Entry;
use super::pages::{Bucket, OVERFLOW, PAGES, PageAddress, Pages, Snapshot};
use super::store::{SharedStore, TRIES, Unavailable, Unchanged};
use rustc_hash::FxHashMap;

/// Slots of one quota.
const SLOTS: u32 = 65_536;
/// Entries of a page that spills what is new.
const SPILL: usize = 24;
/// Pages that a request may look through for a slot.
const STEPS: u32 = 128;
/// Time for which a thread does not look again after all pages had none: nanoseconds.
const PAUSE: u64 = 1_000_000_000;

/// The outcome of looking for the slot of a new bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// There is one, on this page of the snapshot, by index.
    On(usize),
    /// All slots are taken.
    AllTaken,
}

/// The sweeps of a thread, by the tag of a quota that had no free slot.
#[derive(Debug, Default)]
pub(super) struct Sweeps(FxHashMap<u64, Sweep>);

/// The progress of one thread in looking for slots of one quota.
#[derive(Debug, Default)]
struct Sweep {
    /// The next page.
    next: PageAddress,
    /// Pages since one had a bucket at rest, or since a pause.
    fruitless: u32,
    /// Monotonic time before which it does not look.
    paused_until: u64,
}

impl Sweeps {
    /// Finds the slot of a bucket that has no entry yet and whose page is `at`. `reserved` remembers a slot that was
    /// counted for it in an attempt before.
    pub(super) fn find_slot(
        &mut self,
        bucket: &Bucket<'_>,
        at: usize,
        reserved: &mut bool,
        snapshot: &mut Snapshot,
        pages: &mut Pages<'_, impl SharedStore>,
    ) -> Result<Slot, Unchanged> {
        let tag = bucket.quota.tag;
        let now = snapshot.clocks.read_both(pages.store)?;
        let Some(loaded) = snapshot.pages.get_mut(at) else { return Err(Unchanged::Unavailable) };
        // Entries of quotas that are no more: nobody counts their slots.
        loaded.page.drop_where(|entry| !pages.namespace.has(entry.tag) && entry.is_at_rest(now));
        let wants_slot = bucket.key != OVERFLOW && !*reserved;
        if wants_slot && !loaded.page.drop_first(|entry| entry.tag == tag && entry.is_at_rest(now)) {
            if !self.reserve(bucket.quota, now, pages)? {
                return Ok(Slot::AllTaken);
            }
            *reserved = true;
        }
        if loaded.address.is_below() || loaded.page.entries().count() < SPILL {
            return Ok(Slot::On(at));
        }
        loaded.page.spill();
        loaded.changed = true;
        let below = loaded.address.below(bucket);
        Ok(Slot::On(pages.open(below, &mut snapshot.pages)?))
    }

    /// Takes one of a quota's slots; false if there is none.
    fn reserve(&mut self, quota: &Quota, now: Now, pages: &mut Pages<'_, impl SharedStore>) -> Result<bool, Unchanged> {
        if count(quota, pages, |taken| (taken < SLOTS).then(|| taken.saturating_add(1)))? {
            return Ok(true);
        }
        match self.0.entry(quota.tag).or_default().run(quota, now, pages)? {
            0 => Ok(false),
            dropped => count(quota, pages, |taken| Some(taken.saturating_sub(dropped).saturating_add(1))),
        }
    }
}

/// Gives back a slot that was taken and not used.
pub(super) fn unreserve(quota: &Quota, pages: &mut Pages<'_, impl SharedStore>) {
    // If that fails, the quota has one slot less.
    let _ = count(quota, pages, |taken| Some(taken.saturating_sub(1)));
}

/// Changes the number of slots that a quota has taken; false if `change` does not want to.
fn count(
    quota: &Quota,
    pages: &mut Pages<'_, impl SharedStore>,
    change: impl Fn(u32) -> Option<u32>,
) -> Result<bool, Unchanged> {
    for _ in 0..TRIES {
        pages.name.clear();
        pages.name.extend([&*pages.namespace.prefix, &*quota.id, "/@places"]);
        let (taken, version) = match pages.store.read(pages.name)? {
            // A foreign writer's value counts as all of them; as buckets come to rest, slots become free.
            Some((bytes, version)) => {
                (bytes.first_chunk().map_or(SLOTS, |bytes| u32::from_le_bytes(*bytes)).min(SLOTS), Some(version))
            }
            None => (0, None),
        };
        let Some(taken) = change(taken) else { return Ok(false) };
        if pages.store.replace(pages.name, &taken.to_le_bytes(), version)? {
            return Ok(true);
        }
    }
    Err(Unchanged::Contended)
}

impl Sweep {
    /// Looks through some pages; returns how many buckets of the quota were at rest on one of them and are dropped.
    fn run(&mut self, quota: &Quota, now: Now, pages: &mut Pages<'_, impl SharedStore>) -> Result<u32, Unavailable> {
        if now.monotonic < self.paused_until {
            return Ok(0);
        }
        // Of members that cannot be read, none is known to be gone.
        let members = Members::of(pages.store)?;
        let is_gone = |member| members.as_ref().is_some_and(|members| members.is_gone(member, now.monotonic));
        let is_at_rest = |entry: &Entry<'_>| {
            entry.is_at_rest(now)
                || entry.state().is_some_and(|mut state| state.forget(is_gone) && state == State::Held(Vec::new()))
        };
        for _ in 0..STEPS {
            let mut loaded = pages.load(self.next)?;
            self.fruitless = self.fruitless.saturating_add(u32::from(!loaded.address.is_below()));
            self.next = self.next.following(loaded.page.is_spilled());
            let dropped = loaded.page.drop_where(|entry| entry.tag == quota.tag && is_at_rest(entry));
            // If the page was changed meanwhile, what was at rest may have been charged.
            if dropped > 0 && pages.save(&loaded)? {
                self.fruitless = 0;
                return Ok(u32::try_from(dropped).unwrap_or(u32::MAX));
            }
            if self.fruitless > u32::from(PAGES) {
                self.fruitless = 0;
                self.paused_until = now.monotonic.saturating_add(PAUSE);
                return Ok(0);
            }
        }
        Ok(0)
    }
}
