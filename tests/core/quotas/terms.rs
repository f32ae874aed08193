//! Promise of a quota, in exact numbers, as the language's definition says it.

use time::OffsetDateTime;
use tollgate::quota::{By, Calendar, Limit, Now, Overrun, Quota, Rate, Unit};

/// A limit, before the engine has made anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    Rate { amount: u64, per: u64, burst: u64, replicas: u32 },
    Window { calendar: Calendar, amount: u64 },
    Concurrent { amount: u64 },
}

/// Key by which requests share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keys {
    Identity,
    Namespace,
    All,
}

/// A quota of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub id: u32,
    pub unit: Unit,
    pub terms: Terms,
    pub keys: Keys,
    pub overrun: Overrun,
    pub enforced: bool,
}

impl Terms {
    /// ⌈n × per × replicas ÷ limit⌉ nanoseconds.
    pub fn cost(&self, n: u64) -> u128 {
        match self {
            Terms::Rate { amount, per, replicas, .. } => {
                (u128::from(n) * u128::from(*per) * u128::from(*replicas)).div_ceil(u128::from(*amount))
            }
            _ => 0,
        }
    }

    /// The debt of a whole burst.
    pub fn full(&self, unit: Unit) -> u128 {
        match self {
            Terms::Rate { burst, .. } if unit == Unit::Requests => u128::from(*burst) * self.cost(1),
            Terms::Rate { burst, .. } => self.cost(*burst),
            _ => 0,
        }
    }

    /// burst + ⌊D × limit ÷ (per × replicas)⌋, the most that an interval of D nanoseconds may see.
    pub fn promise(&self, interval: u64) -> u128 {
        let Terms::Rate { amount, per, burst, replicas } = self else { return u128::MAX };
        u128::from(*burst) + u128::from(interval) * u128::from(*amount) / (u128::from(*per) * u128::from(*replicas))
    }

    /// Remaining amount of a bucket at rest.
    pub fn most(&self) -> u64 {
        match self {
            Terms::Rate { burst, .. } => *burst,
            Terms::Window { amount, .. } | Terms::Concurrent { amount } => *amount,
        }
    }

    /// Kind of the limit; a change of it starts a new bucket.
    pub fn kind(&self) -> u8 {
        match self {
            Terms::Rate { .. } => 0,
            Terms::Window { calendar, .. } => 1 + *calendar as u8,
            Terms::Concurrent { .. } => 9,
        }
    }
}

impl Plan {
    /// Tag that tells its buckets from others.
    pub fn tag(&self) -> u64 {
        let place = u64::from(self.id) << 16 | u64::from(self.terms.kind()) << 8;
        // Spread, since the engine takes it for a hash.
        (place | (self.unit as u64) << 4 | self.keys as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    pub fn quota(&self) -> Quota {
        let limit = match self.terms {
            Terms::Rate { amount, per, burst, replicas } => {
                Limit::Rate(Rate::new(self.unit, amount, per, burst, replicas).expect("a rate that can be kept"))
            }
            Terms::Window { calendar, amount } => Limit::Window(calendar, amount),
            Terms::Concurrent { amount } => Limit::Concurrent(amount),
        };
        let (id, by) = (format!("q{}", self.id).into(), By::default());
        Quota { id, unit: self.unit, limit, by, overrun: self.overrun, tag: self.tag() }
    }

    /// The key of an identity's bucket.
    pub fn key(&self, identity: u32) -> String {
        match self.keys {
            Keys::Identity => format!("id-{identity}"),
            Keys::Namespace => format!("ns-{}", identity / 2),
            Keys::All => "*".to_owned(),
        }
    }

    /// Amount that a request is charged at its decision.
    pub fn charge(&self, bytes: u64) -> u64 {
        self.bytes(bytes, 0).unwrap_or(1)
    }

    /// Amount that so many bytes are charged; none if the quota does not count bytes.
    pub fn bytes(&self, out: u64, inward: u64) -> Option<u64> {
        match self.unit {
            Unit::BytesOut => Some(out),
            Unit::BytesIn => Some(inward),
            Unit::Bytes => Some(out + inward),
            Unit::Requests | Unit::Concurrent => None,
        }
    }
}

/// The number of the calendar window that a moment lies in, as a date library sees it.
pub fn window(calendar: Calendar, now: Now) -> u64 {
    let seconds = now.wall / 1_000_000_000;
    match calendar {
        Calendar::Minute => seconds / 60,
        Calendar::Hour => seconds / 3600,
        Calendar::Day => seconds / 86_400,
        Calendar::Week => (seconds / 86_400 + 3) / 7,
        Calendar::Month => {
            let date = OffsetDateTime::from_unix_timestamp(seconds as i64).expect("a date");
            date.year() as u64 * 12 + u64::from(u8::from(date.month()))
        }
    }
}
