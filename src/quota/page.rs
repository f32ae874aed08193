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
//! | … | rate: `tat` (8), hash of its configuration (4) · window: number (4), used (8) · held: member (4), count (4) each |
//!
//! Bytes of any other form were written by somebody else. Nobody knows then what the buckets of the page held, so the
//! page is begun anew and *doubted*: whatever bucket is not on it counts as full at that time.

use super::bucket::{Holding, Now, State};
use super::calendar::Calendar;
use super::limit::Limit;
use crate::hash;

/// The form of pages, and of what is in them.
const FORM: u8 = 1;
/// Buckets that find no room here stand on a page below.
const SPILLED: u8 = 1;
/// Buckets that are not here count as full.
const DOUBTED: u8 = 2;

const ENTRY_HEAD: usize = 14;

/// A page that was read: its bytes, which have the form of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    bytes: Vec<u8>,
    /// Bytes of the header.
    head: usize,
}

/// An entry of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'p> {
    pub(super) tag: u64,
    pub(super) key: &'p [u8],
    kind: u8,
    calendar: u8,
    payload: &'p [u8],
    /// Offset among the page's bytes.
    start: usize,
    size: usize,
}

impl Page {
    /// A page that is not there yet.
    pub(super) fn empty() -> Page {
        Page { bytes: vec![FORM, 0], head: 2 }
    }

    /// Returns the page that takes the place of bytes that are no page.
    pub(super) fn doubted(now: Now) -> Page {
        let mut bytes = vec![FORM, DOUBTED];
        bytes.extend(now.monotonic.to_le_bytes());
        bytes.extend(now.wall.to_le_bytes());
        Page { head: bytes.len(), bytes }
    }

    /// Reads a page; none if the bytes are anything else.
    pub(super) fn read(bytes: Vec<u8>) -> Option<Page> {
        let [form, flags, ..] = bytes.as_slice() else { return None };
        if *form != FORM || flags & !(SPILLED | DOUBTED) != 0 {
            return None;
        }
        let head = if flags & DOUBTED != 0 { 18 } else { 2 };
        let page = Page { bytes, head };
        let mut end = head;
        for entry in page.entries() {
            if !entry.is_well_formed() {
                return None;
            }
            end = entry.end();
        }
        (end == page.bytes.len()).then_some(page)
    }

    /// The bytes of the page.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_spilled(&self) -> bool {
        self.bytes.get(1).is_some_and(|flags| flags & SPILLED != 0)
    }

    /// Marks the page: from now on nothing is added here.
    pub(super) fn spill(&mut self) {
        if let Some(flags) = self.bytes.get_mut(1) {
            *flags |= SPILLED;
        }
    }

    /// All entries, as far as they have the form of one.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut start = self.head;
        std::iter::from_fn(move || {
            let entry = self.entry(start)?;
            start = entry.end();
            Some(entry)
        })
    }

    /// The entry of a bucket.
    pub(super) fn find(&self, tag: u64, key: &str) -> Option<Entry<'_>> {
        self.entries().find(|entry| entry.is_of(tag, key))
    }

    /// Finds the entry of a bucket, trying the offset first at which it was before.
    fn find_near(&self, offset: Option<usize>, tag: u64, key: &str) -> Option<Entry<'_>> {
        offset
            .and_then(|offset| self.entry(offset))
            .filter(|entry| entry.is_of(tag, key))
            .or_else(|| self.find(tag, key))
    }

    /// The state of a bucket that is not here.
    pub(super) fn absent(&self, limit: &Limit) -> State {
        self.doubted_since().map_or(State::Rest, |then| State::full(limit, then))
    }

    fn doubted_since(&self) -> Option<Now> {
        let (monotonic, rest) = self.bytes.get(2..self.head)?.split_first_chunk::<8>()?;
        let (wall, _) = rest.split_first_chunk::<8>()?;
        Some(Now { monotonic: u64::from_le_bytes(*monotonic), wall: u64::from_le_bytes(*wall) })
    }

    /// Sets the state of a bucket, whether it is here or not; `offset` is where it was found last. False if the state has
    /// no form that fits.
    pub(super) fn set(&mut self, offset: Option<usize>, tag: u64, key: &str, state: &State) -> bool {
        let found = self.find_near(offset, tag, key).map(|entry| (entry.payload_start(), entry.start, entry.end()));
        let Some(payload) = Payload::of(state) else { return false };
        let (start, end) = match found {
            Some((payload_start, start, end)) => {
                if let Some(old) = self.bytes.get_mut(payload_start..end)
                    && old.len() == payload.bytes().len()
                    && payload.is_of_fixed_size()
                {
                    old.copy_from_slice(payload.bytes());
                    // Of another kind it may be, and yet as long.
                    return self.set_kind(start, &payload).is_some();
                }
                (start, end)
            }
            None => (self.bytes.len(), self.bytes.len()),
        };
        let Some(entry) = payload.entry(tag, key) else { return false };
        self.bytes.splice(start..end, entry);
        true
    }

    fn set_kind(&mut self, start: usize, payload: &Payload) -> Option<()> {
        let [_, _, kind, calendar, ..] = self.bytes.get_mut(start..)? else { return None };
        (*kind, *calendar) = (payload.kind, payload.calendar);
        Some(())
    }

    /// Drops the first entry of a kind, and says whether there was one.
    pub(super) fn drop_first(&mut self, is_dropped: impl FnMut(&Entry<'_>) -> bool) -> bool {
        let found = self.entries().find(is_dropped).map(|entry| entry.start..entry.end());
        if let Some(range) = found.clone() {
            self.bytes.drain(range);
        }
        found.is_some()
    }

    /// Drops entries, and says how many.
    pub(super) fn drop_where(&mut self, mut is_dropped: impl FnMut(&Entry<'_>) -> bool) -> usize {
        let dropped: Vec<_> =
            self.entries().filter(|entry| is_dropped(entry)).map(|entry| entry.start..entry.end()).collect();
        for range in dropped.iter().rev() {
            self.bytes.drain(range.clone());
        }
        dropped.len()
    }

    fn entry(&self, start: usize) -> Option<Entry<'_>> {
        Entry::read(self.bytes.get(start..)?, start)
    }
}

impl<'p> Entry<'p> {
    #[inline]
    fn read(bytes: &'p [u8], start: usize) -> Option<Entry<'p>> {
        let (head, _) = bytes.split_first_chunk::<ENTRY_HEAD>()?;
        let [a, b, kind, calendar, tag @ .., low, high] = *head;
        let size = usize::from(u16::from_le_bytes([a, b]));
        let (_, rest) = bytes.get(..size)?.split_at_checked(ENTRY_HEAD)?;
        let (key, payload) = rest.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
        Some(Entry { tag: u64::from_le_bytes(tag), key, kind, calendar, payload, start, size })
    }

    /// Returns its offset on the page.
    pub(super) fn offset(&self) -> usize {
        self.start
    }

    fn end(&self) -> usize {
        self.start.saturating_add(self.size)
    }

    fn payload_start(&self) -> usize {
        self.end().saturating_sub(self.payload.len())
    }

    #[inline]
    fn is_of(&self, tag: u64, key: &str) -> bool {
        self.tag == tag && hash::same(self.key, key.as_bytes())
    }

    /// Tells whether its bucket can give up its slot.
    pub(super) fn is_at_rest(&self, now: Now) -> bool {
        self.state().is_some_and(|state| state.is_at_rest(now))
    }

    fn is_well_formed(&self) -> bool {
        match (self.kind, self.calendar) {
            (0, 0) => self.payload.is_empty(),
            (1, 0) => self.payload.len() == 12,
            (2, calendar) => self.payload.len() == 12 && usize::from(calendar) < Calendar::ALL.len(),
            (3, 0) => self.payload.len().is_multiple_of(8),
            _ => false,
        }
    }

    /// Returns the stored state; none if that has no form that is known.
    pub(super) fn state(&self) -> Option<State> {
        if !self.is_well_formed() {
            return None;
        }
        Some(match self.kind {
            1 => {
                let (tat, config_hash) = self.payload.split_first_chunk::<8>()?;
                let (config_hash, _) = config_hash.split_first_chunk::<4>()?;
                State::Rate { tat: u64::from_le_bytes(*tat), config_hash: u32::from_le_bytes(*config_hash) }
            }
            2 => {
                let (window, used) = self.payload.split_first_chunk::<4>()?;
                let (used, _) = used.split_first_chunk::<8>()?;
                let calendar = *Calendar::ALL.get(usize::from(self.calendar))?;
                State::Window { calendar, window: u32::from_le_bytes(*window), used: u64::from_le_bytes(*used) }
            }
            3 => State::Held(
                self.payload
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .map(|[a, b, c, d, count @ ..]| Holding {
                        member: u32::from_le_bytes([*a, *b, *c, *d]),
                        count: u32::from_le_bytes(*count),
                    })
                    .collect(),
            ),
            _ => State::Rest,
        })
    }
}

/// A state as an entry holds it.
struct Payload {
    kind: u8,
    calendar: u8,
    /// Of rates and windows.
    fixed: [u8; 12],
    /// Of what is held.
    held: Vec<u8>,
}

impl Payload {
    fn of(state: &State) -> Option<Payload> {
        let mut payload = Payload { kind: 0, calendar: 0, fixed: [0; 12], held: Vec::new() };
        match state {
            State::Rest => {}
            State::Rate { tat, config_hash } => {
                payload.kind = 1;
                let (first, rest) = payload.fixed.split_first_chunk_mut::<8>()?;
                *first = tat.to_le_bytes();
                rest.copy_from_slice(&config_hash.to_le_bytes());
            }
            State::Window { calendar, window, used } => {
                payload.kind = 2;
                payload.calendar = u8::try_from(Calendar::ALL.iter().position(|known| known == calendar)?).ok()?;
                let (first, rest) = payload.fixed.split_first_chunk_mut::<4>()?;
                *first = window.to_le_bytes();
                rest.copy_from_slice(&used.to_le_bytes());
            }
            State::Held(holdings) => {
                payload.kind = 3;
                for holding in holdings {
                    payload.held.extend(holding.member.to_le_bytes());
                    payload.held.extend(holding.count.to_le_bytes());
                }
            }
        }
        Some(payload)
    }

    fn is_of_fixed_size(&self) -> bool {
        matches!(self.kind, 1 | 2)
    }

    fn bytes(&self) -> &[u8] {
        if self.is_of_fixed_size() { &self.fixed } else { &self.held }
    }

    /// The whole entry; none if its parts are too long.
    fn entry(&self, tag: u64, key: &str) -> Option<Vec<u8>> {
        let size = ENTRY_HEAD.checked_add(key.len())?.checked_add(self.bytes().len())?;
        let mut bytes = Vec::with_capacity(size);
        bytes.extend(u16::try_from(size).ok()?.to_le_bytes());
        bytes.extend([self.kind, self.calendar]);
        bytes.extend(tag.to_le_bytes());
        bytes.extend(u16::try_from(key.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(self.bytes());
        Some(bytes)
    }
}
