//! Changes of one value.

use serde_json::Value;

/// A change of the value of a key.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Adds elements to a list, which is made if it is not there.
    Add(Vec<Value>),
    /// Gives a key this value.
    Set(Value),
    /// Removes a key.
    Remove,
}
