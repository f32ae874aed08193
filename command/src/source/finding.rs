//! A finding and where it stands.

use super::file::{File, Position};
use tollgate::policy::{Finding, Severity};

/// A stretch of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the file.
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A finding and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// What is wrong.
    pub finding: Finding,
    /// Where; none where the file could not be read that far.
    pub place: Option<Place>,
    /// The other place that it takes two for, such as the first use of a key.
    pub other: Option<Place>,
}

impl Located {
    pub(super) fn at(finding: Finding, place: Place) -> Self {
        Located { finding, place: Some(place), other: None }
    }

    pub(super) fn nowhere(finding: Finding) -> Self {
        Located { finding, place: None, other: None }
    }

    /// An error in the files themselves, before there is a policy to check.
    pub(super) fn error(code: &'static str, place: Place, message: String, fix: Option<String>) -> Self {
        let finding = Finding { severity: Severity::Error, code, pointer: String::new(), message, fix, offset: None };
        Located::at(finding, place)
    }

    pub(super) fn with_pointer(mut self, pointer: String) -> Self {
        self.finding.pointer = pointer;
        self
    }

    pub(super) fn with_other(mut self, other: Place) -> Self {
        self.other = Some(other);
        self
    }

    /// The file, and where in it the place begins.
    pub fn position<'f>(&self, files: &'f [File]) -> Option<(&'f File, Position)> {
        let place = self.place?;
        let file = files.get(place.file)?;
        Some((file, file.position(place.start)))
    }
}
