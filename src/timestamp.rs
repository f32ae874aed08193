//! Moments, as values: nothing here reads a clock.

/// A moment: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Later than every moment of a clock.
    pub(crate) const NEVER: Timestamp = Timestamp(u64::MAX);
}
