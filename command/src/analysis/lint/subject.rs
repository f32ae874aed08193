//! Subject of advice.

use crate::read::document::Document;
use tollgate::decision::Timestamp;
use tollgate::policy::Policy;

/// A policy to advise on.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'s> {
    pub(crate) policy: &'s Policy,
    pub(crate) document: &'s Document,
    /// Bytes of its JSON text.
    pub(crate) size: usize,
    pub(crate) now: Timestamp,
}
