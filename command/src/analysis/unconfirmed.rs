//! Answers that do not hold.

/// An answer that its own request does not confirm: a fault of the command, in words for whoever mends it.
#[derive(Debug)]
pub(crate) struct Unconfirmed(pub(crate) String);
