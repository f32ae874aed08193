//! Memory that one decision after another uses again.

use super::meter::Metered;
use super::search::Refusal;
use crate::index::{Marks, Resolved};

/// Buffers for canonical values and look-ups. One a thread; it may be used with one policy after another.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) buffers: Buffers,
    pub(super) lookups: Lookups,
}

/// For canonical values that differ from what arrived.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Buffers {
    pub(super) authority: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) wide_path: Vec<u8>,
    pub(super) slashed_path: Vec<u8>,
    pub(super) wide_slashed_path: Vec<u8>,
}

/// For what the index finds.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Lookups {
    pub(super) groups: Vec<u32>,
    pub(super) hosts: Resolved,
    pub(super) marks: SectionMarks,
    pub(super) metered: Vec<Metered>,
    pub(super) staged: Vec<Refusal>,
}

/// Marks for each section.
#[derive(Debug, Default)]
pub(super) struct SectionMarks {
    pub(super) rules: Marks,
    pub(super) deny: Marks,
    pub(super) except: Marks,
    pub(super) quotas: Marks,
}
