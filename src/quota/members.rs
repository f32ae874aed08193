//! The members that may hold requests in flight: VMs, each with a number and a sign of life.
//!
//! The holdings of a VM are lost with it, so others have to be able to tell. All VMs of a process share one value: the number
//! for the next one (4 bytes), then number and last sign of life (4 and 8) of each, little-endian. Who is not in it, or
//! gave its last sign of life more than ten seconds ago, is gone, and what it held is free. A VM that finds itself gone
//! takes a new number.

use super::store::{SharedStore, TRIES, Unavailable, Unchanged};

const KEY: &str = "tollgate/1/@members";

/// Time without a sign of life after which a member counts as gone: nanoseconds.
const PATIENCE: u64 = 10_000_000_000;

/// Age that a member's own sign of life may have when it takes something to hold: nanoseconds. Ticks come more often.
const FRESH: u64 = 500_000_000;

/// All members, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Members {
    next: u32,
    beats: Vec<(u32, u64)>,
}

/// One VM.
#[derive(Debug, Default)]
pub(super) struct Membership {
    /// Its number and its last sign of life.
    own: Option<(u32, u64)>,
}

impl Membership {
    /// The number under which to hold something now: gives a sign of life first, if the last is not fresh.
    pub(super) fn number(&mut self, store: &mut impl SharedStore, now: u64) -> Result<u32, Unchanged> {
        match self.own {
            Some((number, beat)) if now.saturating_sub(beat) <= FRESH => Ok(number),
            _ => self.beat(store, now),
        }
    }

    /// Tells whether it has ever held anything.
    pub(super) fn is_member(&self) -> bool {
        self.own.is_some()
    }

    /// Gives a sign of life. The number is another one if the member was gone.
    pub(super) fn beat(&mut self, store: &mut impl SharedStore, now: u64) -> Result<u32, Unchanged> {
        for _ in 0..TRIES {
            let (mut members, version) = match store.read(KEY)? {
                Some((bytes, version)) => (Members::read(&bytes).unwrap_or_else(|| Members::anew(now)), Some(version)),
                None => (Members::default(), None),
            };
            let known = self.own.map(|(number, _)| number).filter(|number| !members.is_gone(*number, now));
            let number = members.beat(known, now);
            if store.replace(KEY, &members.write(), version)? {
                self.own = Some((number, now));
                return Ok(number);
            }
        }
        Err(Unchanged::Contended)
    }
}

impl Members {
    /// All members of now; none where a foreign writer left something else.
    pub(super) fn of(store: &mut impl SharedStore) -> Result<Option<Members>, Unavailable> {
        Ok(match store.read(KEY)? {
            Some((bytes, _)) => Members::read(&bytes),
            None => Some(Members::default()),
        })
    }

    /// Begins anew in place of what a foreign writer left. VMs still hold something under numbers that nobody knows any more, so
    /// counting does not begin where it once did: a number of two VMs would outlive the one that is lost.
    fn anew(now: u64) -> Members {
        let [a, b, c, d, ..] = now.to_le_bytes();
        Members { next: u32::from_le_bytes([a, b, c, d]), beats: Vec::new() }
    }

    pub(super) fn is_gone(&self, number: u32, now: u64) -> bool {
        !self.beats.iter().any(|(known, beat)| *known == number && now.saturating_sub(*beat) <= PATIENCE)
    }

    /// A sign of life of a member, or of a new one; its number. Others that are gone are forgotten.
    fn beat(&mut self, known: Option<u32>, now: u64) -> u32 {
        let number = known.unwrap_or_else(|| {
            self.next = self.next.wrapping_add(1);
            self.next
        });
        self.beats.retain(|(other, beat)| *other != number && now.saturating_sub(*beat) <= PATIENCE);
        self.beats.push((number, now));
        number
    }

    fn read(bytes: &[u8]) -> Option<Members> {
        let (next, rest) = bytes.split_first_chunk::<4>()?;
        let (beats, rest) = rest.as_chunks::<12>();
        let beats = beats
            .iter()
            .map(|[a, b, c, d, beat @ ..]| (u32::from_le_bytes([*a, *b, *c, *d]), u64::from_le_bytes(*beat)));
        rest.is_empty().then(|| Members { next: u32::from_le_bytes(*next), beats: beats.collect() })
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = self.next.to_le_bytes().to_vec();
        for (number, beat) in &self.beats {
            bytes.extend(number.to_le_bytes());
            bytes.extend(beat.to_le_bytes());
        }
        bytes
    }
}
