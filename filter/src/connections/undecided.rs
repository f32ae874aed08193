//! Connections that wait for their first bytes.

use std::collections::{BTreeSet, VecDeque};

use rustc_hash::FxHashMap;
use tollgate::request::HelloReader;

use super::surroundings::Surroundings;

/// Connections of one VM that may be undecided at once.
pub(crate) const MOST: usize = 4_096;
/// Connections from which on their sources are asked for: nobody has to make room before.
const MANY: usize = 256;
/// Nanoseconds in which the first bytes have to come, from the beginning of the connection; and for which a second ClientHello
/// may be held.
pub(super) const PATIENCE: u64 = 10_000_000_000;

/// A connection that was not decided yet.
#[derive(Debug)]
pub(crate) struct Undecided {
    pub(crate) instance: u32,
    pub(crate) reader: HelloReader,
    /// Bytes of the caller that were read.
    pub(crate) seen: usize,
    pub(crate) surroundings: Surroundings,
    /// The address that it comes from, without the port; none before it was asked for.
    source: Option<Box<[u8]>>,
    /// Nanoseconds of the monotonic clock at its beginning.
    since: u64,
}

/// The undecided connections of one VM.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    all: FxHashMap<u32, Undecided>,
    /// Those without a source yet.
    unsourced: BTreeSet<u32>,
    /// By source address: its connections, the oldest first.
    by_source: FxHashMap<Box<[u8]>, VecDeque<u32>>,
}

impl Waiting {
    /// A connection begins.
    pub(crate) fn add(&mut self, stream: u32, instance: u32, surroundings: Surroundings, since: u64) {
        let reader = HelloReader::default();
        self.unsourced.insert(stream);
        self.all.insert(stream, Undecided { instance, reader, seen: 0, surroundings, source: None, since });
    }

    /// Lists the connections whose sources have to be asked for, the oldest first: none while few wait.
    pub(crate) fn unsourced(&mut self) -> BTreeSet<u32> {
        if self.all.len() < MANY { BTreeSet::new() } else { std::mem::take(&mut self.unsourced) }
    }

    /// Notes the address and the port that a connection comes from.
    pub(crate) fn source(&mut self, stream: u32, address: &[u8]) {
        if let Some(undecided) = self.all.get_mut(&stream) {
            let source: Box<[u8]> = without_port(address).into();
            undecided.source = Some(source.clone());
            self.by_source.entry(source).or_default().push_back(stream);
        }
    }

    /// The connection that has to make room, if there are too many: the oldest of the source that holds most.
    pub(crate) fn crowded(&self) -> Option<u32> {
        if self.all.len() <= MOST {
            return None;
        }
        self.by_source.values().max_by_key(|streams| streams.len())?.front().copied()
    }

    /// Tells whether a connection waits and has sent nothing.
    pub(super) fn is_silent(&self, stream: u32) -> bool {
        self.all.get(&stream).is_some_and(|undecided| undecided.seen == 0)
    }

    pub(crate) fn get(&mut self, stream: u32) -> Option<&mut Undecided> {
        self.all.get_mut(&stream)
    }

    /// A connection is decided, or gone.
    pub(crate) fn take(&mut self, stream: u32) -> Option<Undecided> {
        let undecided = self.all.remove(&stream)?;
        self.unsourced.remove(&stream);
        if let Some(source) = &undecided.source
            && let Some(streams) = self.by_source.get_mut(source)
        {
            // the one that is decided next is nearly always the oldest
            if let Some(place) = streams.iter().position(|other| *other == stream) {
                streams.remove(place);
            }
            if streams.is_empty() {
                self.by_source.remove(source);
            }
        }
        Some(undecided)
    }

    /// Lists those that have waited too long.
    pub(crate) fn late(&self, now: u64) -> Vec<u32> {
        let is_late = |(_, undecided): &(&u32, &Undecided)| now.saturating_sub(undecided.since) >= PATIENCE;
        self.all.iter().filter(is_late).map(|(stream, _)| *stream).collect()
    }
}

/// The address without its port, as Envoy writes the two: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
fn without_port(address: &[u8]) -> &[u8] {
    let colon = address.iter().rposition(|byte| *byte == b':');
    colon.and_then(|colon| address.get(..colon)).unwrap_or(address)
}
