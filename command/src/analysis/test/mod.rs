//! Unit tests of a policy: files, what they expect, and what they cover.

mod coverage;
mod expected;
pub(crate) mod file;
mod play;

pub(crate) use coverage::{CoverageReport, Coverages};
pub(crate) use expected::Actual;
pub(crate) use play::{Played, TestedPolicy};
