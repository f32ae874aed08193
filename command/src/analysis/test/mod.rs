//! Unit tests of a policy: files, what they expect, and what they cover.

mod coverage;
mod expected;
pub(crate) mod file;
mod play;

pub(crate) use coverage::{Coverages, Report as Coverage};
pub(crate) use expected::Actual;
pub(crate) use play::{Played, Subject};
