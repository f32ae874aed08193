//! Pages: the buckets that share one value of the store.
//!
//! A page is a header and its entries, all numbers little-endian:
//!
//! | bytes | of the header |
//! |---|---|
//! | 1 | [`FORM`] |
//! | 1 | flags: [`SPILLED`], [`DOUBTED`] |
//! | 8, 8 | with `DOUBTED`: when, on both clocks |
//!
//! | bytes | of an entry |
//! |---|---|
//! | 2 | its size |
//! | 1 | kind: 0 at rest, 1 rate, 2 window, 3 held |
//! | 1 | kind of calendar window |
//! | 8 | the quota's tag |
//! | 2 | size of the key |
//! | … | the key |
//! | … | rate: moment of payment (8), terms (4) · window: number (4), used (8) · held: member (4), count (4) each |
//!
//! Bytes of any other form were written by somebody else. Nobody knows then what the buckets of the page held, so the
//! page is begun anew and *doubted*: whatever bucket is not on it counts as full at that time.

use super::bucket::{Holding, Now, State};
use super::calendar::Calendar;
use super::limit::Limit;
use crate::hash;

/// The form of pages, and of what is in them.
const FORM: u8 = 1;
/// What finds no place here stands on a page below.
const SPILLED: u8 = 1;
/// What is not here counts as full.
const DOUBTED: u8 = 2;

const ENTRY_HEAD: usize = 14;

/// A page that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    spilled: bool,
    doubted: Option<Now>,
    /// Entries, as they are stored.
    entries: Vec<u8>,
}

/// An entry of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'p> {
    pub(super) tag: u64,
    pub(super) key: &'p [u8],
    kind: u8,
    calendar: u8,
    payload: &'p [u8],
    /// Where it stands.
    start: usize,
    size: usize,
}

impl Page {
    /// A page that is not there yet.
    pub(super) fn empty() -> Page {
        Page { spilled: false, doubted: None, entries: Vec::new() }
    }

    /// In place of bytes that are no page.
    pub(super) fn doubted(now: Now) -> Page {
        Page { doubted: Some(now), ..Page::empty() }
    }

    /// Reads a page; none if the bytes are anything else.
    pub(super) fn read(mut bytes: Vec<u8>) -> Option<Page> {
        let [form, flags, rest @ ..] = bytes.as_slice() else { return None };
        if *form != FORM || flags & !(SPILLED | DOUBTED) != 0 {
            return None;
        }
        let spilled = flags & SPILLED != 0;
        let (doubted, head) = if flags & DOUBTED != 0 {
            let (monotonic, rest) = rest.split_first_chunk::<8>()?;
            let (wall, _) = rest.split_first_chunk::<8>()?;
            (Some(Now { monotonic: u64::from_le_bytes(*monotonic), wall: u64::from_le_bytes(*wall) }), 18)
        } else {
            (None, 2)
        };
        bytes.drain(..head);
        let page = Page { spilled, doubted, entries: bytes };
        let mut end = 0_usize;
        for entry in page.entries() {
            entry.state()?;
            end = entry.start.checked_add(entry.size)?;
        }
        (end == page.entries.len()).then_some(page)
    }

    /// The bytes of the page.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len().saturating_add(18));
        let doubted = if self.doubted.is_some() { DOUBTED } else { 0 };
        bytes.extend([FORM, (if self.spilled { SPILLED } else { 0 }) | doubted]);
        if let Some(now) = self.doubted {
            bytes.extend(now.monotonic.to_le_bytes());
            bytes.extend(now.wall.to_le_bytes());
        }
        bytes.extend_from_slice(&self.entries);
        bytes
    }

    pub(super) fn is_spilled(&self) -> bool {
        self.spilled
    }

    /// From now on nothing is added here.
    pub(super) fn spill(&mut self) {
        self.spilled = true;
    }

    /// All entries, as far as they have the form of one.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let entry = Entry::read(self.entries.get(start..)?, start)?;
            start = start.checked_add(entry.size)?;
            Some(entry)
        })
    }

    /// The entry of a bucket.
    pub(super) fn find(&self, tag: u64, key: &str) -> Option<Entry<'_>> {
        self.entries().find(|entry| entry.tag == tag && hash::same(entry.key, key.as_bytes()))
    }

    /// The state of a bucket that is not here.
    pub(super) fn absent(&self, limit: &Limit) -> State {
        self.doubted.map_or(State::Rest, |then| State::full(limit, then))
    }

    /// Sets the state of a bucket, whether it is here or not. False if it has no form that fits.
    pub(super) fn set(&mut self, tag: u64, key: &str, state: &State) -> bool {
        let place = self.find(tag, key).map(|entry| (entry.start, entry.size));
        let end = self.entries.len();
        let (start, size) = place.unwrap_or((end, 0));
        let Some(entry) = encode(tag, key, state) else { return false };
        let Some(after) = start.checked_add(size).filter(|after| *after <= end) else { return false };
        if entry.len() == size
            && let Some(old) = self.entries.get_mut(start..after)
        {
            old.copy_from_slice(&entry);
        } else {
            self.entries.splice(start..after, entry);
        }
        true
    }

    /// Drops entries, and says how many.
    pub(super) fn drop_where(&mut self, mut is_dropped: impl FnMut(&Entry<'_>) -> bool) -> usize {
        let mut kept = Vec::with_capacity(self.entries.len());
        let mut dropped = 0_usize;
        for entry in self.entries() {
            if is_dropped(&entry) {
                dropped = dropped.saturating_add(1);
            } else if let Some(bytes) = self.entries.get(entry.start..entry.start.saturating_add(entry.size)) {
                kept.extend_from_slice(bytes);
            }
        }
        if dropped > 0 {
            self.entries = kept;
        }
        dropped
    }
}

impl<'p> Entry<'p> {
    fn read(bytes: &'p [u8], start: usize) -> Option<Entry<'p>> {
        let (size, _) = bytes.split_first_chunk::<2>()?;
        let size = usize::from(u16::from_le_bytes(*size));
        let entry = bytes.get(..size)?;
        let (head, rest) = entry.split_first_chunk::<ENTRY_HEAD>()?;
        let [_, _, kind, calendar, tag @ .., low, high] = *head;
        let (key, payload) = rest.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
        Some(Entry { tag: u64::from_le_bytes(tag), key, kind, calendar, payload, start, size })
    }

    /// Whether its bucket can give up its place.
    pub(super) fn is_at_rest(&self, now: Now) -> bool {
        self.state().is_some_and(|state| state.is_at_rest(now))
    }

    /// What is stored; none if that has no form that is known.
    pub(super) fn state(&self) -> Option<State> {
        match (self.kind, self.calendar) {
            (0, 0) => self.payload.is_empty().then_some(State::Rest),
            (1, 0) => {
                let (paid, terms) = self.payload.split_first_chunk::<8>()?;
                let terms = <[u8; 4]>::try_from(terms).ok()?;
                Some(State::Rate { paid: u64::from_le_bytes(*paid), terms: u32::from_le_bytes(terms) })
            }
            (2, calendar) => {
                let (window, used) = self.payload.split_first_chunk::<4>()?;
                let used = <[u8; 8]>::try_from(used).ok()?;
                let calendar = *Calendar::ALL.get(usize::from(calendar))?;
                Some(State::Window { calendar, window: u32::from_le_bytes(*window), used: u64::from_le_bytes(used) })
            }
            (3, 0) => {
                let (holdings, rest) = self.payload.as_chunks::<8>();
                let holdings = holdings.iter().map(|[a, b, c, d, count @ ..]| Holding {
                    member: u32::from_le_bytes([*a, *b, *c, *d]),
                    count: u32::from_le_bytes(*count),
                });
                rest.is_empty().then(|| State::Held(holdings.collect()))
            }
            _ => None,
        }
    }
}

/// The bytes of an entry; none if they are too many.
fn encode(tag: u64, key: &str, state: &State) -> Option<Vec<u8>> {
    let (kind, calendar) = match state {
        State::Rest => (0, 0),
        State::Rate { .. } => (1, 0),
        State::Window { calendar, .. } => (2, Calendar::ALL.iter().position(|known| known == calendar)?),
        State::Held(_) => (3, 0),
    };
    let mut bytes = Vec::with_capacity(key.len().saturating_add(ENTRY_HEAD + 12));
    bytes.extend([0, 0, kind, u8::try_from(calendar).ok()?]);
    bytes.extend(tag.to_le_bytes());
    bytes.extend(u16::try_from(key.len()).ok()?.to_le_bytes());
    bytes.extend_from_slice(key.as_bytes());
    match state {
        State::Rest => {}
        State::Rate { paid, terms } => {
            bytes.extend(paid.to_le_bytes());
            bytes.extend(terms.to_le_bytes());
        }
        State::Window { window, used, .. } => {
            bytes.extend(window.to_le_bytes());
            bytes.extend(used.to_le_bytes());
        }
        State::Held(holdings) => {
            for holding in holdings {
                bytes.extend(holding.member.to_le_bytes());
                bytes.extend(holding.count.to_le_bytes());
            }
        }
    }
    let size = u16::try_from(bytes.len()).ok()?.to_le_bytes();
    bytes.get_mut(..2)?.copy_from_slice(&size);
    Some(bytes)
}
