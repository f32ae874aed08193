//! A request whose quotas answer later.

use std::rc::Rc;

use tollgate::decision::RequestSnapshot;

use crate::read::Read;
use crate::serving::Serving;

/// A held request with all that it needs to go on. It borrows nothing, and stays with the policy that has decided it,
/// whatever is served meanwhile. Nothing of it has left.
#[derive(Debug)]
pub(crate) struct Charging {
    pub(crate) instance: u32,
    pub(crate) serving: Rc<Serving>,
    pub(crate) read: Read,
    /// The decision as far as it goes without quotas.
    pub(crate) snapshot: RequestSnapshot,
    /// Bytes of its body that have arrived meanwhile.
    pub(crate) body: u64,
    /// Its trailers have arrived meanwhile.
    pub(crate) has_trailers: bool,
}

#[cfg(test)]
mod tests;
