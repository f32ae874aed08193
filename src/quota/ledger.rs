//! Where buckets stand in the store, and how one finds its place there.
//!
//! All buckets of one key stand on one page, so that a request's quotas cost one change of one value where they are kept
//! by the same key: 4,096 pages, by the key's hash. A page with many buckets spills: what is new then stands on one of
//! 256 pages below it. Values can neither be listed nor deleted, so this bounds their number too.
//!
//! A quota has 65,536 places. A new key takes that of a bucket at rest on its page, or a free one, or one that a sweep
//! over all pages finds at rest; if all are taken it shares the overflow bucket with all others that came too late.

use super::bucket::{Now, State};
use super::limit::Quota;
use super::page::Page;
use super::store::{Shared, TRIES, Unavailable, Unchanged, Version};
use crate::hash;
use rustc_hash::FxHashSet;
use std::fmt::Write as _;

/// Buckets of one quota.
const PLACES: u32 = 65_536;
const PAGES: u16 = 4096;
/// Entries of a page that spills what is new.
const SPILL: usize = 64;
/// At most so often may a thread sweep: nanoseconds.
const SWEEP_EVERY: u64 = 1_000_000_000;

/// The key of the bucket that keys without a place share. No name has a NUL.
pub(super) const OVERFLOW: &str = "\0overflow";

/// Buckets, as one thread changes them.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Room for a key of the store.
    name: String,
    /// When this thread swept last.
    swept: Option<u64>,
    events: Events,
}

/// What happened that operators want to count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Changes that somebody else was faster with, too often.
    pub contended: u32,
    /// Values that a foreign writer left.
    pub foreign: u32,
    /// Numbers of the quotas whose overflow bucket a request was charged to.
    pub overflowed: Vec<u32>,
}

/// What the ledger has to know of a policy. Policies of one name share their buckets, in one process.
#[derive(Debug, Default)]
pub struct Books {
    /// What every key of the store begins with.
    prefix: Box<str>,
    /// Of all quotas.
    tags: FxHashSet<u64>,
}

impl Books {
    /// Of the policy of this name, with all its quotas.
    pub fn of<'q>(policy: &str, quotas: impl Iterator<Item = &'q Quota>) -> Books {
        Books { prefix: ["tollgate/1/", policy, "/"].concat().into(), tags: quotas.map(|quota| quota.tag).collect() }
    }
}

/// Where a page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    page: u16,
    below: Option<u8>,
}

/// A page that was read, to be written back.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) place: Place,
    pub(super) page: Page,
    version: Option<Version>,
    pub(super) changed: bool,
}

/// A bucket that a charge goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket<'b> {
    pub(super) quota: &'b Quota,
    pub(super) key: &'b str,
}

/// Whether a bucket has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// On this sheet, by number.
    On(usize),
    /// All places are taken.
    Full,
}

/// Both clocks, each read when it is first needed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    monotonic: Option<u64>,
    wall: Option<u64>,
}

impl Clocks {
    pub(super) fn monotonic(&mut self, shared: &mut impl Shared) -> Result<u64, Unavailable> {
        match self.monotonic {
            Some(time) => Ok(time),
            None => Ok(*self.monotonic.insert(shared.monotonic()?)),
        }
    }

    pub(super) fn wall(&mut self, shared: &mut impl Shared) -> Result<u64, Unavailable> {
        match self.wall {
            Some(time) => Ok(time),
            None => Ok(*self.wall.insert(shared.wall()?)),
        }
    }

    pub(super) fn both(&mut self, shared: &mut impl Shared) -> Result<Now, Unavailable> {
        Ok(Now { monotonic: self.monotonic(shared)?, wall: self.wall(shared)? })
    }

    /// What was read so far. In a time that was not needed yet nothing is at rest.
    pub(super) fn now(&self) -> Now {
        Now { monotonic: self.monotonic.unwrap_or_default(), wall: self.wall.unwrap_or_default() }
    }
}

impl Ledger {
    /// What happened since the last time.
    pub fn take_events(&mut self) -> Option<Events> {
        (self.events != Events::default()).then(|| std::mem::take(&mut self.events))
    }

    pub(super) fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// The sheet on which a bucket stands or would stand, by number; reads what is not among the sheets yet.
    pub(super) fn sheet(
        &mut self,
        bucket: &Bucket<'_>,
        books: &Books,
        sheets: &mut Vec<Sheet>,
        shared: &mut impl Shared,
    ) -> Result<usize, Unavailable> {
        let place = Place::of(bucket.key);
        let root = self.open(place, books, sheets, shared)?;
        let Some(sheet) = sheets.get(root) else { return Err(Unavailable) };
        if !sheet.page.is_spilled() || sheet.page.find(bucket.quota.tag, bucket.key).is_some() {
            return Ok(root);
        }
        self.open(place.below(bucket), books, sheets, shared)
    }

    fn open(
        &mut self,
        place: Place,
        books: &Books,
        sheets: &mut Vec<Sheet>,
        shared: &mut impl Shared,
    ) -> Result<usize, Unavailable> {
        if let Some(known) = sheets.iter().position(|sheet| sheet.place == place) {
            return Ok(known);
        }
        sheets.push(self.fetch(place, books, shared)?);
        Ok(sheets.len().saturating_sub(1))
    }

    fn fetch(&mut self, place: Place, books: &Books, shared: &mut impl Shared) -> Result<Sheet, Unavailable> {
        let Some((bytes, version)) = shared.read(self.page_name(books, place))? else {
            return Ok(Sheet { place, page: Page::empty(), version: None, changed: false });
        };
        if let Some(page) = Page::read(bytes) {
            return Ok(Sheet { place, page, version: Some(version), changed: false });
        }
        self.events.foreign = self.events.foreign.saturating_add(1);
        // Written back whatever is decided: since when it is doubted has to stay.
        Ok(Sheet { place, page: Page::doubted(Clocks::default().both(shared)?), version: Some(version), changed: true })
    }

    /// Writes a sheet back; whether it still was the one that was read.
    pub(super) fn put(&mut self, sheet: &Sheet, books: &Books, shared: &mut impl Shared) -> Result<bool, Unavailable> {
        shared.replace(self.page_name(books, sheet.place), &sheet.page.write(), sheet.version)
    }

    /// Finds room for a bucket that stands nowhere yet. `reserved` remembers a place that was taken for it in an
    /// attempt before.
    pub(super) fn make_room(
        &mut self,
        bucket: &Bucket<'_>,
        sheet: usize,
        reserved: &mut bool,
        books: &Books,
        work: &mut Work<'_>,
        shared: &mut impl Shared,
    ) -> Result<Room, Unchanged> {
        let tag = bucket.quota.tag;
        let now = work.clocks.both(shared)?;
        let Some(at) = work.sheets.get_mut(sheet) else { return Err(Unchanged::Unavailable) };
        // What quotas left that are no more; nobody counts it.
        at.page.drop_where(|entry| !books.tags.contains(&entry.tag) && entry.is_at_rest(now));
        let mut one = bucket.key == OVERFLOW || *reserved;
        let reused = !one
            && at.page.drop_where(|entry| {
                !one && entry.tag == tag && entry.is_at_rest(now) && {
                    one = true;
                    true
                }
            }) > 0;
        if !one && !reused && !self.reserve(bucket.quota, books, now, shared)? {
            return Ok(Room::Full);
        }
        *reserved |= !one && !reused;
        if at.place.below.is_some() || at.page.entries().count() < SPILL {
            return Ok(Room::On(sheet));
        }
        at.page.spill();
        at.changed = true;
        Ok(Room::On(self.open(at.place.below(bucket), books, work.sheets, shared)?))
    }

    /// Takes one of a quota's places; false if there is none.
    fn reserve(&mut self, quota: &Quota, books: &Books, now: Now, shared: &mut impl Shared) -> Result<bool, Unchanged> {
        if self.count(quota, books, shared, |taken| (taken < PLACES).then(|| taken.saturating_add(1)))? {
            return Ok(true);
        }
        let due = self.swept.is_none_or(|swept| now.monotonic.saturating_sub(swept) >= SWEEP_EVERY);
        if !due {
            return Ok(false);
        }
        self.swept = Some(now.monotonic);
        let live = self.sweep(quota, books, now, shared)?;
        if live >= PLACES {
            return Ok(false);
        }
        self.count(quota, books, shared, |_| Some(live.saturating_add(1)))
    }

    /// Gives back a place that was taken and not used.
    pub(super) fn unreserve(&mut self, quota: &Quota, books: &Books, shared: &mut impl Shared) {
        // If it cannot be given back the next sweep counts anew.
        let _ = self.count(quota, books, shared, |taken| Some(taken.saturating_sub(1)));
    }

    /// Changes the number of places that a quota has taken; false if `change` does not want to.
    fn count(
        &mut self,
        quota: &Quota,
        books: &Books,
        shared: &mut impl Shared,
        change: impl Fn(u32) -> Option<u32>,
    ) -> Result<bool, Unchanged> {
        for _ in 0..TRIES {
            self.name.clear();
            self.name.extend([&*books.prefix, &*quota.id, "/@places"]);
            let (taken, version) = match shared.read(&self.name)? {
                // What a foreign writer left is full, so that a sweep counts.
                Some((bytes, version)) => {
                    (bytes.try_into().map_or(PLACES, u32::from_le_bytes).min(PLACES), Some(version))
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

    /// Drops a quota's buckets at rest from all pages, and says how many it has that are not.
    fn sweep(&mut self, quota: &Quota, books: &Books, now: Now, shared: &mut impl Shared) -> Result<u32, Unavailable> {
        let mut live = 0_usize;
        for page in 0..PAGES {
            let root = Place { page, below: None };
            let (found, is_spilled) = self.sweep_page(root, quota, books, now, shared)?;
            live = live.saturating_add(found);
            if is_spilled {
                for below in 0..=u8::MAX {
                    let place = Place { page, below: Some(below) };
                    live = live.saturating_add(self.sweep_page(place, quota, books, now, shared)?.0);
                }
            }
        }
        Ok(u32::try_from(live).unwrap_or(u32::MAX))
    }

    fn sweep_page(
        &mut self,
        place: Place,
        quota: &Quota,
        books: &Books,
        now: Now,
        shared: &mut impl Shared,
    ) -> Result<(usize, bool), Unavailable> {
        let mut sheet = self.fetch(place, books, shared)?;
        let is_swept = |tag| tag == quota.tag || !books.tags.contains(&tag);
        let live = |page: &Page| page.entries().filter(|entry| entry.tag == quota.tag).count();
        let before = live(&sheet.page);
        if sheet.page.drop_where(|entry| is_swept(entry.tag) && entry.is_at_rest(now)) == 0 {
            return Ok((before, sheet.page.is_spilled()));
        }
        // Whoever was faster may have charged what was at rest: it counts as live then.
        let dropped = self.put(&sheet, books, shared)?;
        Ok((if dropped { live(&sheet.page) } else { before }, sheet.page.is_spilled()))
    }

    /// The key of a page in the store.
    fn page_name(&mut self, books: &Books, place: Place) -> &str {
        self.name.clear();
        self.name.extend([&*books.prefix, "@page/"]);
        // Writing into memory does not fail.
        let _ = match place.below {
            None => write!(self.name, "{:03x}", place.page),
            Some(below) => write!(self.name, "{:03x}/{below:02x}", place.page),
        };
        &self.name
    }
}

/// The sheets and the clocks of one attempt.
pub(super) struct Work<'w> {
    pub(super) sheets: &'w mut Vec<Sheet>,
    pub(super) clocks: &'w mut Clocks,
}

impl Sheet {
    /// What is stored of a bucket, and whether anything is.
    pub(super) fn state(&self, bucket: &Bucket<'_>) -> (State, bool) {
        match self.page.find(bucket.quota.tag, bucket.key) {
            Some(entry) => (entry.state().unwrap_or(State::Rest), true),
            None => (self.page.absent(&bucket.quota.limit), false),
        }
    }

    /// Sets the state of a bucket; false if that has no form that fits.
    pub(super) fn set(&mut self, bucket: &Bucket<'_>, state: &State) -> bool {
        self.changed = true;
        self.page.set(bucket.quota.tag, bucket.key, state)
    }
}

impl Place {
    fn of(key: &str) -> Place {
        let page = u16::try_from(hash::bytes(0x70A6E, key.as_bytes()) & u64::from(PAGES.saturating_sub(1)))
            .unwrap_or_default();
        Place { page, below: None }
    }

    /// Of the pages below this one, that of a bucket.
    fn below(self, bucket: &Bucket<'_>) -> Place {
        let [below, ..] = hash::bytes(bucket.quota.tag, bucket.key.as_bytes()).to_le_bytes();
        Place { below: Some(below), ..self }
    }
}
