//! What all threads of a gateway share, as the ledger needs it.

/// A map that all threads share, and clocks. The only promise is that a value is replaced whole, and only where it is
/// still the one that was read.
pub trait SharedStore {
    /// The value of a key and its version; none where there is none.
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable>;

    /// Sets the value of a key if it still has the version that was read, or, with none, if there still is none. Says
    /// whether it did.
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

/// How often a change is tried before it is given up: each try fails because somebody else's succeeded.
pub(super) const TRIES: u32 = 64;

/// Why a change did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unchanged {
    /// The store cannot be used.
    Unavailable,
    /// Others were faster, every time.
    Contended,
}

impl From<Unavailable> for Unchanged {
    fn from(Unavailable: Unavailable) -> Unchanged {
        Unchanged::Unavailable
    }
}
