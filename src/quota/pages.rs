//! Pages in the store: their addresses, and how the page of a bucket is found, loaded and saved.
//!
//! All buckets of one key stand on one page, so that a request's quotas cost one change of one value where they are kept
//! by the same key: 8,192 pages, by the key's hash. A page with many buckets spills: new buckets then stand on one of 256
//! pages below it. Values can neither be listed nor deleted, so this bounds their number too.

use super::bucket::State;
use super::clocks::Clocks;
use super::limit::Quota;
use super::page::Page;
use super::store::{SharedStore, Unavailable, Version};
use crate::hash;
use rustc_hash::FxHashSet;

/// Pages that stand below no other.
pub(super) const PAGES: u16 = 8192;

/// The key of the bucket that is shared by keys without a slot. No name has a NUL.
pub(super) const OVERFLOW: &str = "\0overflow";

/// The part of the store that belongs to one policy. Policies of one name share it, in one process.
#[derive(Debug, Default)]
pub struct QuotaNamespace {
    /// The beginning of every key in the store.
    pub(super) prefix: Box<str>,
    /// The tags of all quotas.
    tags: FxHashSet<u64>,
}

impl QuotaNamespace {
    /// Returns the namespace of the policy of this name, with all its quotas.
    pub fn of<'q>(policy: &str, quotas: impl Iterator<Item = &'q Quota>) -> QuotaNamespace {
        let prefix = ["tollgate/1/", policy, "/"].concat().into();
        QuotaNamespace { prefix, tags: quotas.map(|quota| quota.tag).collect() }
    }

    /// Tells whether the policy has a quota of this tag.
    pub(super) fn has(&self, tag: u64) -> bool {
        self.tags.contains(&tag)
    }
}

/// A bucket that is charged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket<'b> {
    pub(super) quota: &'b Quota,
    pub(super) key: &'b str,
}

/// The address of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PageAddress {
    page: u16,
    /// Number among the 256 below that page; none: the page itself.
    below: Option<u8>,
}

impl PageAddress {
    fn of(key: &str) -> PageAddress {
        let page = u16::try_from(hash::bytes(0x70A6E, key.as_bytes()) & u64::from(PAGES.saturating_sub(1)))
            .unwrap_or_default();
        PageAddress { page, below: None }
    }

    /// Returns the page below this one on which a bucket stands.
    pub(super) fn below(self, bucket: &Bucket<'_>) -> PageAddress {
        let [below, ..] = hash::bytes(bucket.quota.tag, bucket.key.as_bytes()).to_le_bytes();
        PageAddress { below: Some(below), ..self }
    }

    pub(super) fn is_below(self) -> bool {
        self.below.is_some()
    }

    /// Returns the next address of a walk over all pages, around the end.
    pub(super) fn following(self, is_spilled: bool) -> PageAddress {
        let below = match self.below {
            None if is_spilled => Some(0),
            None => None,
            Some(below) => below.checked_add(1),
        };
        match below {
            Some(_) => PageAddress { below, ..self },
            None => PageAddress { page: self.page.saturating_add(1).rem_euclid(PAGES), below },
        }
    }
}

/// A page as it was loaded, to be changed and saved.
#[derive(Debug)]
pub(super) struct LoadedPage {
    pub(super) address: PageAddress,
    pub(super) page: Page,
    /// The version that was loaded; none: there was no value.
    version: Option<Version>,
    pub(super) changed: bool,
}

impl LoadedPage {
    /// Returns the stored state of a bucket and the offset of its entry; for a bucket that is not here, the state that
    /// this stands for.
    pub(super) fn state(&self, bucket: &Bucket<'_>) -> (State, Option<usize>) {
        match self.page.find(bucket.quota.tag, bucket.key) {
            Some(entry) => (entry.state().unwrap_or(State::Rest), Some(entry.offset())),
            None => (self.page.absent(&bucket.quota.limit), None),
        }
    }

    /// Sets the state of a bucket, whose entry was found at `offset`; false if the state has no form that fits.
    pub(super) fn set(&mut self, bucket: &Bucket<'_>, offset: Option<usize>, state: &State) -> bool {
        self.changed = true;
        self.page.set(offset, bucket.quota.tag, bucket.key, state)
    }
}

/// The pages and clocks that one attempt reads, clocks after pages.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) pages: Vec<LoadedPage>,
    pub(super) clocks: Clocks,
}

impl Snapshot {
    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.pages.clear();
        self.clocks = Clocks::default();
    }
}

/// Events that operators count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Changes that were given up, since another thread was faster each time.
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

/// The pages of one namespace in the store.
#[derive(Debug)]
pub(super) struct Pages<'t, S> {
    pub(super) namespace: &'t QuotaNamespace,
    pub(super) store: &'t mut S,
    pub(super) events: &'t mut Events,
    /// Memory for a key of the store.
    pub(super) name: &'t mut String,
}

impl<S: SharedStore> Pages<'_, S> {
    /// Finds the page on which a bucket stands or would stand: its index among `loaded`, to which it is added if it is
    /// not there.
    pub(super) fn locate(&mut self, bucket: &Bucket<'_>, loaded: &mut Vec<LoadedPage>) -> Result<usize, Unavailable> {
        let address = PageAddress::of(bucket.key);
        let root = self.open(address, loaded)?;
        let Some(page) = loaded.get(root).map(|loaded| &loaded.page) else { return Err(Unavailable) };
        if !page.is_spilled() || page.find(bucket.quota.tag, bucket.key).is_some() {
            return Ok(root);
        }
        self.open(address.below(bucket), loaded)
    }

    /// Returns the index of a page among `loaded`, to which it is added if it is not there.
    pub(super) fn open(&mut self, address: PageAddress, loaded: &mut Vec<LoadedPage>) -> Result<usize, Unavailable> {
        if let Some(known) = loaded.iter().position(|loaded| loaded.address == address) {
            return Ok(known);
        }
        loaded.push(self.load(address)?);
        Ok(loaded.len().saturating_sub(1))
    }

    /// Loads a page.
    pub(super) fn load(&mut self, address: PageAddress) -> Result<LoadedPage, Unavailable> {
        self.write_name(address);
        let Some((bytes, version)) = self.store.read(self.name)? else {
            return Ok(LoadedPage { address, page: Page::empty(), version: None, changed: false });
        };
        let version = Some(version);
        if let Some(page) = Page::read(bytes) {
            return Ok(LoadedPage { address, page, version, changed: false });
        }
        self.events.count_foreign();
        // Saved whatever is decided: since when the page is doubted has to stay.
        let page = Page::doubted(Clocks::default().read_both(self.store)?);
        Ok(LoadedPage { address, page, version, changed: true })
    }

    /// Saves a page; false if the store no longer holds the version that was loaded.
    pub(super) fn save(&mut self, loaded: &LoadedPage) -> Result<bool, Unavailable> {
        self.write_name(loaded.address);
        self.store.replace(self.name, loaded.page.bytes(), loaded.version)
    }

    /// Writes the key of a page in the store: `tollgate/1/POLICY/@page/PPPP` or `…/PPPP/BB`, in hexadecimal.
    fn write_name(&mut self, address: PageAddress) {
        self.name.clear();
        self.name.push_str(&self.namespace.prefix);
        self.name.push_str("@page/");
        for bits in [12, 8, 4, 0] {
            self.name.push(hex_digit(address.page >> bits));
        }
        if let Some(below) = address.below {
            self.name.push('/');
            self.name.push(hex_digit(u16::from(below) >> 4));
            self.name.push(hex_digit(u16::from(below)));
        }
    }
}

/// Returns the last four bits of a number as a digit. The formatter would cost more than the rest of a key.
fn hex_digit(number: u16) -> char {
    char::from_digit(u32::from(number & 0xF), 16).unwrap_or_default()
}
