//! Candidates: targets between nodes of a request, whose other conditions are still to be compared.

use super::constraints::{ConstraintTable, Constraints};
use super::section::Section;
use super::target::Target;

/// A target between nodes of the request.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'s> {
    pub(super) section: &'s Section,
    /// In file order.
    pub(crate) number: u32,
    pub(crate) target: &'s Target,
    pub(crate) constraints: &'s Constraints,
    pub(crate) rank: u8,
    pub(super) fit: Fit,
}

/// The outcome of a path table for a target.
#[derive(Clone, Copy)]
pub(super) enum Fit {
    /// It was not asked: the target's patterns have to be compared.
    Unknown,
    /// The pattern at this address matches.
    Hit(u32),
    /// No pattern matches.
    Miss,
}

impl<'s> Candidate<'s> {
    /// The pattern of the target that matches the path, by its address. The path is in the section's reading; costly
    /// patterns may be left out.
    #[inline]
    pub(crate) fn matching_pattern(&self, path: &[u8], but_costly: bool) -> Option<u32> {
        match self.fit {
            Fit::Hit(address) => Some(address),
            Fit::Miss => None,
            Fit::Unknown => self.section.matching_pattern(self.target, path, but_costly),
        }
    }

    /// Tells whether a pattern of the target is costly and was not told apart otherwise.
    pub(crate) fn has_costly(&self) -> bool {
        match self.fit {
            Fit::Hit(_) | Fit::Miss => false,
            Fit::Unknown => self.section.has_costly(self.target),
        }
    }

    /// Tells whether a pattern of a wide section matches the path as it stands, though perhaps not in the wide reading.
    pub(crate) fn matches_as_written(&self, path: &[u8]) -> bool {
        match self.fit {
            Fit::Hit(_) | Fit::Miss => false,
            Fit::Unknown => self.section.matches_as_written(self.target, path),
        }
    }

    pub(crate) fn constraint_table(&self) -> &'s ConstraintTable {
        &self.section.constraint_table
    }
}
