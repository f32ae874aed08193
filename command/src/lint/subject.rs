//! What advice is about.

use crate::document::Document;
use tollgate::decision::Timestamp;
use tollgate::policy::Policy;

/// A policy to advise on.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) policy: &'s Policy,
    pub(super) document: &'s Document,
    /// Bytes of its JSON text.
    pub(super) size: usize,
    pub(super) now: Timestamp,
}
