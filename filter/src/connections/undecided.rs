//! Connections that wait for their first bytes.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use tollgate::request::HelloReader;

/// Connections of one VM that may be undecided at once.
pub(crate) const MOST: usize = 4_096;
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
    /// The address that it comes from, without the port.
    source: Box<[u8]>,
    /// Nanoseconds of the monotonic clock at its beginning.
    since: u64,
}

/// The undecided connections of one VM.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    all: FxHashMap<u32, Undecided>,
    /// By source address: its connections, the oldest first.
    by_source: FxHashMap<Box<[u8]>, VecDeque<u32>>,
}

impl Waiting {
    /// A connection begins. Returns the one that has to make room for it, if there are too many: the oldest of the source
    /// that holds most.
    pub(crate) fn add(&mut self, stream: u32, instance: u32, address: &[u8], since: u64) -> Option<u32> {
        let source: Box<[u8]> = without_port(address).into();
        let crowded = if self.all.len() < MOST { None } else { self.oldest_of_most() };
        self.by_source.entry(source.clone()).or_default().push_back(stream);
        self.all.insert(stream, Undecided { instance, reader: HelloReader::default(), seen: 0, source, since });
        crowded
    }

    pub(crate) fn get(&mut self, stream: u32) -> Option<&mut Undecided> {
        self.all.get_mut(&stream)
    }

    /// A connection is decided, or gone.
    pub(crate) fn take(&mut self, stream: u32) -> Option<Undecided> {
        let undecided = self.all.remove(&stream)?;
        if let Some(streams) = self.by_source.get_mut(&undecided.source) {
            // the one that is decided next is nearly always the oldest
            if let Some(place) = streams.iter().position(|other| *other == stream) {
                streams.remove(place);
            }
            if streams.is_empty() {
                self.by_source.remove(&undecided.source);
            }
        }
        Some(undecided)
    }

    /// Lists those that have waited too long.
    pub(crate) fn late(&self, now: u64) -> Vec<u32> {
        let is_late = |(_, undecided): &(&u32, &Undecided)| now.saturating_sub(undecided.since) >= PATIENCE;
        self.all.iter().filter(is_late).map(|(stream, _)| *stream).collect()
    }

    fn oldest_of_most(&self) -> Option<u32> {
        self.by_source.values().max_by_key(|streams| streams.len())?.front().copied()
    }
}

/// The address without its port, as Envoy writes the two: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
fn without_port(address: &[u8]) -> &[u8] {
    let colon = address.iter().rposition(|byte| *byte == b':');
    colon.and_then(|colon| address.get(..colon)).unwrap_or(address)
}
