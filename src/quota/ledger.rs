//! Where buckets stand in the store, and how one finds its place there.
//!
//! All buckets of one key stand on one page, so that a request's quotas cost one change of one value where they are kept
//! by the same key: 8,192 pages, by the key's hash. A page with many buckets spills: what is new then stands on one of
//! 256 pages below it. Values can neither be listed nor deleted, so this bounds their number too.
//!
//! A quota has 65,536 places (`places`). A new key takes that of a bucket at rest on its page, or a free one, or that of a
//! bucket at rest on another page; if all are taken it shares the overflow bucket with all others that came too late.

use super::bucket::{Now, State};
use super::consult::Course;
use super::limit::{Limit, Quota};
use super::page::Page;
use super::places::Sweep;
use super::store::{SharedStore, Unavailable, Unchanged, Version};
use crate::hash;
use rustc_hash::{FxHashMap, FxHashSet};

pub(super) const PAGES: u16 = 8192;
/// Entries of a page that spills what is new.
const SPILL: usize = 24;

/// The key of the bucket that keys without a place share. No name has a NUL.
pub(super) const OVERFLOW: &str = "\0overflow";

/// Buckets, as one thread changes them.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Room for a key of the store.
    pub(super) name: String,
    /// By tag of a quota that had no free place: how far this thread has looked for one.
    pub(super) sweeps: FxHashMap<u64, Sweep>,
    /// Room for the demands of a request.
    pub(super) courses: Vec<Course>,
    /// Room for the pages of an attempt.
    pub(super) sheets: Vec<Sheet>,
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

impl Events {
    pub(super) fn count_foreign(&mut self) {
        self.foreign = self.foreign.saturating_add(1);
    }

    pub(super) fn count_contended(&mut self) {
        self.contended = self.contended.saturating_add(1);
    }
}

/// What the ledger has to know of a policy. Policies of one name share their buckets, in one process.
#[derive(Debug, Default)]
pub struct Books {
    /// What every key of the store begins with.
    pub(super) prefix: Box<str>,
    /// Of all quotas.
    tags: FxHashSet<u64>,
}

impl Books {
    /// Whether the policy has a quota of this tag.
    pub(super) fn has(&self, tag: u64) -> bool {
        self.tags.contains(&tag)
    }

    /// Of the policy of this name, with all its quotas.
    pub fn of<'q>(policy: &str, quotas: impl Iterator<Item = &'q Quota>) -> Books {
        Books { prefix: ["tollgate/1/", policy, "/"].concat().into(), tags: quotas.map(|quota| quota.tag).collect() }
    }
}

/// Where a page stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) page: u16,
    pub(super) below: Option<u8>,
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
    pub(super) fn monotonic(&mut self, shared: &mut impl SharedStore) -> Result<u64, Unavailable> {
        match self.monotonic {
            Some(time) => Ok(time),
            None => Ok(*self.monotonic.insert(shared.monotonic()?)),
        }
    }

    pub(super) fn wall(&mut self, shared: &mut impl SharedStore) -> Result<u64, Unavailable> {
        match self.wall {
            Some(time) => Ok(time),
            None => Ok(*self.wall.insert(shared.wall()?)),
        }
    }

    /// Reads the clock that a limit goes by.
    pub(super) fn read_for(&mut self, limit: &Limit, shared: &mut impl SharedStore) -> Result<(), Unavailable> {
        match limit {
            Limit::Rate(_) | Limit::Concurrent(_) => self.monotonic(shared),
            Limit::Window(..) => self.wall(shared),
        }
        .map(drop)
    }

    pub(super) fn both(&mut self, shared: &mut impl SharedStore) -> Result<Now, Unavailable> {
        Ok(Now { monotonic: self.monotonic(shared)?, wall: self.wall(shared)? })
    }

    /// Sets what was read so far.
    pub(super) fn tell(&self, now: &mut Now) {
        now.monotonic = self.monotonic.unwrap_or(now.monotonic);
        now.wall = self.wall.unwrap_or(now.wall);
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
        shared: &mut impl SharedStore,
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
        shared: &mut impl SharedStore,
    ) -> Result<usize, Unavailable> {
        if let Some(known) = sheets.iter().position(|sheet| sheet.place == place) {
            return Ok(known);
        }
        sheets.push(self.fetch(place, books, shared)?);
        Ok(sheets.len().saturating_sub(1))
    }

    pub(super) fn fetch(
        &mut self,
        place: Place,
        books: &Books,
        shared: &mut impl SharedStore,
    ) -> Result<Sheet, Unavailable> {
        let Some((bytes, version)) = shared.read(self.page_name(books, place))? else {
            return Ok(Sheet { place, page: Page::empty(), version: None, changed: false });
        };
        if let Some(page) = Page::read(bytes) {
            return Ok(Sheet { place, page, version: Some(version), changed: false });
        }
        self.events.count_foreign();
        // Written back whatever is decided: since when it is doubted has to stay.
        Ok(Sheet { place, page: Page::doubted(Clocks::default().both(shared)?), version: Some(version), changed: true })
    }

    /// Writes a sheet back; whether it still was the one that was read.
    pub(super) fn put(
        &mut self,
        sheet: &Sheet,
        books: &Books,
        shared: &mut impl SharedStore,
    ) -> Result<bool, Unavailable> {
        shared.replace(self.page_name(books, sheet.place), sheet.page.bytes(), sheet.version)
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
        shared: &mut impl SharedStore,
    ) -> Result<Room, Unchanged> {
        let tag = bucket.quota.tag;
        let now = work.clocks.both(shared)?;
        let Some(at) = work.sheets.get_mut(sheet) else { return Err(Unchanged::Unavailable) };
        // What quotas left that are no more; nobody counts it.
        at.page.drop_where(|entry| !books.has(entry.tag) && entry.is_at_rest(now));
        let wants_place = bucket.key != OVERFLOW && !*reserved;
        if wants_place && !at.page.drop_first(|entry| entry.tag == tag && entry.is_at_rest(now)) {
            if !self.reserve(bucket.quota, books, now, shared)? {
                return Ok(Room::Full);
            }
            *reserved = true;
        }
        if at.place.below.is_some() || at.page.entries().count() < SPILL {
            return Ok(Room::On(sheet));
        }
        at.page.spill();
        at.changed = true;
        Ok(Room::On(self.open(at.place.below(bucket), books, work.sheets, shared)?))
    }

    /// The key of a page in the store.
    fn page_name(&mut self, books: &Books, place: Place) -> &str {
        self.name.clear();
        self.name.push_str(&books.prefix);
        self.name.push_str("@page/");
        for bits in [12, 8, 4, 0] {
            self.name.push(hex_digit(place.page >> bits));
        }
        if let Some(below) = place.below {
            self.name.push('/');
            self.name.push(hex_digit(u16::from(below) >> 4));
            self.name.push(hex_digit(u16::from(below)));
        }
        &self.name
    }
}

/// The last four bits of a number as a digit: what formats numbers costs more than the rest of a key.
fn hex_digit(number: u16) -> char {
    char::from_digit(u32::from(number & 0xF), 16).unwrap_or_default()
}

/// The sheets and the clocks of one attempt.
pub(super) struct Work<'w> {
    pub(super) sheets: &'w mut Vec<Sheet>,
    pub(super) clocks: &'w mut Clocks,
}

impl Sheet {
    /// What is stored of a bucket, and where it stands; or what it is if nothing is.
    pub(super) fn state(&self, bucket: &Bucket<'_>) -> (State, Option<usize>) {
        match self.page.find(bucket.quota.tag, bucket.key) {
            Some(entry) => (entry.state().unwrap_or(State::Rest), Some(entry.place())),
            None => (self.page.absent(&bucket.quota.limit), None),
        }
    }

    /// Sets the state of a bucket, which stood at a place; false if it has no form that fits.
    pub(super) fn set(&mut self, bucket: &Bucket<'_>, place: Option<usize>, state: &State) -> bool {
        self.changed = true;
        self.page.set(place, bucket.quota.tag, bucket.key, state)
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
