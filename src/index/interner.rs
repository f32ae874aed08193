//! Interned byte strings: a dense number for every distinct (kind, bytes).
//!
//! Records stand in fixed chunks, so nothing is copied as the store grows; one open-addressed table holds a tag and an
//! address for each. A look-up touches two cache lines.

use crate::hash;

/// Record head: number (4), length (2), kind (2).
const HEAD: usize = 8;
/// Bytes in a chunk; a record never crosses one.
const CHUNK: usize = 1 << 16;
const FREE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Slot {
    tag: u32,
    address: u32,
}

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    chunks: Vec<Vec<u8>>,
    slots: Vec<Slot>,
    len: u32,
    kinds: u64,
}

/// A name that was interned.
pub(crate) struct Interned {
    /// Its number.
    pub(crate) number: u32,
    /// Its address, if it was not there before.
    pub(crate) new: Option<u32>,
}

impl Interner {
    pub(crate) fn with_capacity(names: usize) -> Interner {
        let slots = names.saturating_mul(4).div_euclid(3).saturating_add(8);
        Interner { slots: vec![Slot { tag: 0, address: FREE }; slots], ..Interner::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// The number of `name`, a new one if it was not there. None if it is longer than a record can be, or the store
    /// is full (4 GiB).
    #[inline(never)]
    pub(crate) fn intern(&mut self, kind: u16, name: &[u8]) -> Option<Interned> {
        if self.slots.len().saturating_mul(3) < self.len().saturating_add(1).saturating_mul(4) {
            self.resize(self.slots.len().saturating_mul(3).div_euclid(2).saturating_add(64));
        }
        let tag = tag(kind, name);
        match self.probe(tag, kind, name) {
            Ok(number) => Some(Interned { number, new: None }),
            Err(free) => {
                let address = self.push(kind, name)?;
                if let Some(slot) = self.slots.get_mut(free) {
                    *slot = Slot { tag, address };
                }
                let number = self.len;
                self.len = self.len.checked_add(1)?;
                self.kinds |= kind_bit(kind);
                Some(Interned { number, new: Some(address) })
            }
        }
    }

    /// The number of `name`.
    #[inline]
    pub(crate) fn find(&self, kind: u16, name: &[u8]) -> Option<u32> {
        if self.kinds & kind_bit(kind) == 0 {
            return None;
        }
        self.probe(tag(kind, name), kind, name).ok()
    }

    /// The name at an address.
    pub(crate) fn text(&self, address: u32) -> &str {
        self.record(address).and_then(|record| std::str::from_utf8(record.name).ok()).unwrap_or_default()
    }

    /// All names of a kind, in the order in which they came.
    pub(crate) fn of_kind(&self, kind: u16) -> impl Iterator<Item = &str> {
        self.chunks
            .iter()
            .flat_map(|chunk| Records(chunk))
            .filter(move |record| record.kind == kind)
            .filter_map(|record| std::str::from_utf8(record.name).ok())
    }

    /// Gives back what growing took too much.
    pub(crate) fn shrink(&mut self) {
        let slots = self.len().saturating_mul(3).div_euclid(2).saturating_add(4);
        if slots.saturating_mul(2) < self.slots.len() {
            self.resize(slots);
        }
        self.shrink_text();
    }

    /// Keeps the texts and gives up the table: names can be read, no longer found.
    pub(crate) fn without_table(mut self) -> Interner {
        self.slots = Vec::new();
        self.kinds = 0;
        self.shrink_text();
        self
    }

    pub(crate) fn bytes(&self) -> usize {
        let text: usize = self.chunks.iter().map(Vec::capacity).sum();
        text.saturating_add(self.slots.capacity().saturating_mul(size_of::<Slot>()))
    }

    fn shrink_text(&mut self) {
        if let Some(last) = self.chunks.last_mut() {
            last.shrink_to_fit();
        }
    }

    fn push(&mut self, kind: u16, name: &[u8]) -> Option<u32> {
        let length = u16::try_from(name.len()).ok()?;
        let size = name.len().checked_add(HEAD).filter(|size| *size <= CHUNK)?;
        if self.chunks.last().is_none_or(|chunk| CHUNK.saturating_sub(chunk.len()) < size) {
            let first = self.chunks.is_empty();
            self.chunks.push(Vec::with_capacity(if first { size.max(512) } else { CHUNK }));
        }
        let index = u32::try_from(self.chunks.len().checked_sub(1)?).ok().filter(|index| *index < 1 << 16)?;
        let chunk = self.chunks.last_mut()?;
        let address = index << 16 | u32::try_from(chunk.len()).ok()?;
        let head = u64::from(self.len) | u64::from(length) << 32 | u64::from(kind) << 48;
        chunk.extend_from_slice(&head.to_le_bytes());
        chunk.extend_from_slice(name);
        Some(address)
    }

    #[inline]
    fn record(&self, address: u32) -> Option<Record<'_>> {
        let chunk = self.chunks.get((address >> 16) as usize)?;
        Record::read(chunk.get((address & 0xFFFF) as usize..)?).map(|(record, _)| record)
    }

    /// The number, or the free slot where it would stand.
    #[inline]
    fn probe(&self, tag: u32, kind: u16, name: &[u8]) -> Result<u32, usize> {
        let slots = self.slots.len();
        let mut at = hash::slot(tag, slots);
        while let Some(slot) = self.slots.get(at) {
            if slot.address == FREE {
                return Err(at);
            }
            if slot.tag == tag
                && let Some(record) = self.record(slot.address)
                && record.kind == kind
                && hash::same(record.name, name)
            {
                return Ok(record.number);
            }
            at = next(at, slots);
        }
        Err(usize::MAX)
    }

    #[cold]
    fn resize(&mut self, slots: usize) {
        let old = std::mem::replace(&mut self.slots, vec![Slot { tag: 0, address: FREE }; slots]);
        for slot in old.into_iter().filter(|slot| slot.address != FREE) {
            let mut at = hash::slot(slot.tag, slots);
            while self.slots.get(at).is_some_and(|slot| slot.address != FREE) {
                at = next(at, slots);
            }
            if let Some(free) = self.slots.get_mut(at) {
                *free = slot;
            }
        }
    }
}

struct Record<'a> {
    number: u32,
    kind: u16,
    name: &'a [u8],
}

impl<'a> Record<'a> {
    #[inline]
    fn read(bytes: &'a [u8]) -> Option<(Record<'a>, &'a [u8])> {
        let (&[a, b, c, d, e, f, g, h], rest) = bytes.split_first_chunk::<HEAD>()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([e, f])))?;
        Some((Record { number: u32::from_le_bytes([a, b, c, d]), kind: u16::from_le_bytes([g, h]), name }, rest))
    }
}

/// The records of a chunk, one after another.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;
    fn next(&mut self) -> Option<Record<'a>> {
        let (record, rest) = Record::read(self.0)?;
        self.0 = rest;
        Some(record)
    }
}

#[inline]
fn tag(kind: u16, name: &[u8]) -> u32 {
    hash::tag(hash::bytes(u64::from(kind), name))
}

/// Kinds from 63 on share a bit.
#[inline]
fn kind_bit(kind: u16) -> u64 {
    1 << kind.min(63)
}

/// The slot after `at`, around the end.
#[inline]
pub(super) fn next(at: usize, slots: usize) -> usize {
    let next = at.wrapping_add(1);
    if next == slots { 0 } else { next }
}
