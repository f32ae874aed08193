//! The places of a quota's buckets: so many, counted in a value of their own.
//!
//! The count changes only where a bucket is added or dropped. Buckets at rest keep their place until somebody wants it:
//! where none is free, a thread looks through the pages for some, a few at each request and on from where it stopped.

use super::bucket::{Now, State};
use super::ledger::{Books, Ledger, PAGES, Place};
use super::limit::Quota;
use super::members::Members;
use super::page::Entry;
use super::store::{SharedStore, TRIES, Unavailable, Unchanged};

/// Buckets of one quota.
const PLACES: u32 = 65_536;
/// Pages that a request may look through for a place.
const STEPS: u32 = 128;
/// How long a thread does not look again after all pages had none: nanoseconds.
const PAUSE: u64 = 1_000_000_000;

/// How far a thread has looked for the places of one quota.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The next page.
    next: Place,
    /// Pages since it found one, or since a pause.
    fruitless: u32,
    /// Before this time it does not look.
    paused_until: u64,
}

impl Ledger {
    /// Takes one of a quota's places; false if there is none.
    pub(super) fn reserve(
        &mut self,
        quota: &Quota,
        books: &Books,
        now: Now,
        shared: &mut impl SharedStore,
    ) -> Result<bool, Unchanged> {
        if self.count(quota, books, shared, |taken| (taken < PLACES).then(|| taken.saturating_add(1)))? {
            return Ok(true);
        }
        let mut sweep = self.sweeps.remove(&quota.tag).unwrap_or_default();
        let dropped = sweep.run(self, quota, books, now, shared);
        self.sweeps.insert(quota.tag, sweep);
        match dropped? {
            0 => Ok(false),
            dropped => self.count(quota, books, shared, |taken| Some(taken.saturating_sub(dropped).saturating_add(1))),
        }
    }

    /// Gives back a place that was taken and not used.
    pub(super) fn unreserve(&mut self, quota: &Quota, books: &Books, shared: &mut impl SharedStore) {
        // If it cannot be given back there is one less.
        let _ = self.count(quota, books, shared, |taken| Some(taken.saturating_sub(1)));
    }

    /// Changes the number of places that a quota has taken; false if `change` does not want to.
    fn count(
        &mut self,
        quota: &Quota,
        books: &Books,
        shared: &mut impl SharedStore,
        change: impl Fn(u32) -> Option<u32>,
    ) -> Result<bool, Unchanged> {
        for _ in 0..TRIES {
            self.name.clear();
            self.name.extend([&*books.prefix, &*quota.id, "/@places"]);
            let (taken, version) = match shared.read(&self.name)? {
                // What a foreign writer left counts as all of them; as buckets come to rest, places become free.
                Some((bytes, version)) => {
                    (bytes.first_chunk().map_or(PLACES, |bytes| u32::from_le_bytes(*bytes)).min(PLACES), Some(version))
                }
                None => (0, None),
            };
            let Some(taken) = change(taken) else { return Ok(false) };
            if shared.replace(&self.name, &taken.to_le_bytes(), version)? {
                return Ok(true);
            }
        }
        Err(Unchanged::Contended)
    }
}

impl Sweep {
    /// Looks through some pages, and says how many buckets of the quota were at rest there and are dropped.
    fn run(
        &mut self,
        ledger: &mut Ledger,
        quota: &Quota,
        books: &Books,
        now: Now,
        shared: &mut impl SharedStore,
    ) -> Result<u32, Unavailable> {
        if now.monotonic < self.paused_until {
            return Ok(0);
        }
        // Of foreign ones nobody is known to be gone.
        let members = Members::of(shared)?;
        let is_gone = |member| members.as_ref().is_some_and(|members| members.is_gone(member, now.monotonic));
        let is_at_rest = |entry: &Entry<'_>| {
            entry.is_at_rest(now)
                || entry.state().is_some_and(|mut state| state.forget(is_gone) && state == State::Held(Vec::new()))
        };
        for _ in 0..STEPS {
            let mut sheet = ledger.fetch(self.next, books, shared)?;
            self.fruitless = self.fruitless.saturating_add(u32::from(sheet.place.below.is_none()));
            self.next = self.next.following(sheet.page.is_spilled());
            let dropped = sheet.page.drop_where(|entry| entry.tag == quota.tag && is_at_rest(entry));
            // Whoever was faster may have charged what was at rest.
            if dropped > 0 && ledger.put(&sheet, books, shared)? {
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

impl Place {
    /// The page to look through after this one.
    fn following(self, is_spilled: bool) -> Place {
        let below = match self.below {
            None if is_spilled => Some(0),
            None => None,
            Some(below) => below.checked_add(1),
        };
        match below {
            Some(_) => Place { below, ..self },
            None => Place { page: self.page.saturating_add(1).rem_euclid(PAGES), below },
        }
    }
}
