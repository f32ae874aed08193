//! A finding and where it stands.

use super::file::{File, NotUtf8};
use super::span::{Position, Span};
use tollgate::policy::{Finding, Severity, code};

/// A finding and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The mistake or the advice, as the checker says it.
    pub finding: Finding,
    /// Its span in the files; none if the file could not be read that far.
    pub place: Option<Span>,
    /// The second place of a finding about two, such as the first use of a key.
    pub other: Option<Span>,
}

impl Located {
    pub(super) fn at(finding: Finding, place: Span) -> Self {
        Located { finding, place: Some(place), other: None }
    }

    pub(super) fn nowhere(finding: Finding) -> Self {
        Located { finding, place: None, other: None }
    }

    /// An error in the files themselves, before there is a policy to check.
    pub(super) fn error(code: &'static str, place: Span, message: String, fix: Option<String>) -> Self {
        let finding = Finding { severity: Severity::Error, code, pointer: String::new(), message, fix, offset: None };
        Located::at(finding, place)
    }

    /// The finding on a file that cannot be read as text.
    pub(super) fn not_utf8(file: &File, NotUtf8 { offset }: NotUtf8) -> Self {
        let fix = Some("save it as UTF-8".to_owned());
        Located::error(code::SYNTAX, file.place(offset), "the file is not UTF-8".to_owned(), fix)
    }

    pub(super) fn with_pointer(mut self, pointer: String) -> Self {
        self.finding.pointer = pointer;
        self
    }

    pub(super) fn with_other(mut self, other: Span) -> Self {
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
