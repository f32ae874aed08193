//! Units of quotas.

/// The unit of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Requests, at the decision.
    Requests,
    /// Bytes to the destination, as they flow.
    BytesOut,
    /// Bytes from the destination, as they flow.
    BytesIn,
    /// Both, as they flow.
    Bytes,
    /// Requests in flight, from the decision to their end.
    Concurrent,
}
