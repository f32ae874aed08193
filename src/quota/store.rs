//! The store that all threads of a gateway share.

/// A map that all threads share, and clocks. The only promise is that a value is replaced whole, and only where it is
/// still the one that was read.
pub trait SharedStore {
    /// The value of a key and its version; none where there is none.
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable>;

    /// Sets the value of a key if it still has the version that was read, or, with none, if there still is none;
    /// false if it did not.
    fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable>;

    /// Nanoseconds on a clock that never goes back, the same for all threads.
    fn monotonic(&mut self) -> Result<u64, Unavailable>;

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    fn wall(&mut self) -> Result<u64, Unavailable>;
}

/// Tells a value from the ones that the key had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u32);

/// The store or a clock could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// Attempts before a change is given up: each fails because another thread's succeeded.
pub(super) const TRIES: u32 = 64;

/// The cause for which a change did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unchanged {
    /// The store cannot be used.
    Unavailable,
    /// Other threads were faster, every time.
    Contended,
}

impl From<Unavailable> for Unchanged {
    fn from(Unavailable: Unavailable) -> Unchanged {
        Unchanged::Unavailable
    }
}
