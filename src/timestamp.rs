//! Moments, as values: nothing here reads a clock.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Later than every moment of a clock.
    pub const NEVER: Timestamp = Timestamp(u64::MAX);

    /// Tells whether this moment has come at `now`; [`Timestamp::NEVER`] has not, even where a clock stands at its end.
    #[inline]
    pub fn has_come(self, now: Timestamp) -> bool {
        self <= now && self != Timestamp::NEVER
    }

    /// Reads a date and time (RFC 3339 §5.6). What lies before 1970 is read as 1970, what lies beyond 2554 as its end.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Some(Timestamp(u64::try_from(moment.unix_timestamp_nanos().max(0)).unwrap_or(u64::MAX)))
    }
}
