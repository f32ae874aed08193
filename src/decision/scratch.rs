//! Memory that one decision after another uses again.

use super::quotas::ApplicableQuota;
use super::search::Refusal;
use crate::index::{Resolved, VisitedSets};

/// Buffers for canonical values and look-ups. One a thread; it may be used with one policy after another.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) buffers: Buffers,
    pub(super) lookups: Lookups,
}

/// Buffers for canonical values that differ from the bytes that arrived.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Buffers {
    pub(super) authority: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) wide_path: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) slashed_path: Vec<u8>,
    pub(super) wide_slashed_path: Vec<u8>,
}

/// Buffers for the finds of the index.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Lookups {
    pub(super) groups: Vec<u32>,
    pub(super) hosts: Resolved,
    pub(super) visited: SectionVisits,
    pub(super) applicable: Vec<ApplicableQuota>,
    pub(super) staged: Vec<Refusal>,
}

/// The sets of each section that the present request is in.
#[derive(Debug, Default)]
pub(super) struct SectionVisits {
    pub(super) rules: VisitedSets,
    pub(super) deny: VisitedSets,
    pub(super) except: VisitedSets,
    pub(super) quotas: VisitedSets,
}
