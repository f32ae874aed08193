//! Quotas and their limits, as one gateway enforces them.

use super::calendar::Calendar;
use super::rate::Rate;
use super::unit::Unit;

/// A quota, but for whom and what it matches, which the policy's graph holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Its id.
    pub id: Box<str>,
    /// The unit that is counted.
    pub unit: Unit,
    /// The limit, in that unit.
    pub limit: Limit,
    /// The properties by which requests share a bucket.
    pub by: By,
    /// The fate of a request that crosses the line while its bytes flow.
    pub overrun: Overrun,
    /// Tells its buckets from those of other quotas: a hash of what may not change without starting new ones (id, unit,
    /// kind of `per`, `by`).
    pub tag: u64,
}

/// A limit, already divided among the gateway's replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A rate with bursts.
    Rate(Rate),
    /// So many in each calendar window.
    Window(Calendar, u64),
    /// So many at a time.
    Concurrent(u64),
}

/// The parts of a bucket's key: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct By {
    /// The SPIFFE ID, or `anonymous`.
    pub identity: bool,
    /// Trust domain and namespace; the whole SPIFFE ID where it has none.
    pub namespace: bool,
    /// The named destination that matched first.
    pub destination: bool,
}

/// The fate of a request that crosses the line while its bytes flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overrun {
    /// It is cut off.
    #[default]
    Cut,
    /// It may end, and the debt counts.
    Finish,
}

impl Unit {
    /// Tells whether bytes are counted.
    pub fn is_bytes(self) -> bool {
        matches!(self, Unit::BytesOut | Unit::BytesIn | Unit::Bytes)
    }

    /// Returns how many units some bytes to the destination and from it are.
    pub fn of_bytes(self, out: u64, inward: u64) -> u64 {
        match self {
            Unit::BytesOut => out,
            Unit::BytesIn => inward,
            Unit::Bytes => out.saturating_add(inward),
            Unit::Requests | Unit::Concurrent => 0,
        }
    }
}

impl Limit {
    /// The length of the time that the limit is for, in nanoseconds: of `per`, or of a window. None where windows differ
    /// in length, and for requests in flight.
    pub fn period(&self) -> Option<u64> {
        match self {
            Limit::Rate(rate) => Some(rate.per()),
            Limit::Window(Calendar::Month, _) | Limit::Concurrent(_) => None,
            Limit::Window(calendar, _) => Some(calendar.end(1).saturating_sub(calendar.end(0))),
        }
    }

    /// The number that the limit allows: within `per`, in a window, or at a time.
    pub fn amount(&self) -> u64 {
        match self {
            Limit::Rate(rate) => rate.amount(),
            Limit::Window(_, amount) | Limit::Concurrent(amount) => *amount,
        }
    }
}
