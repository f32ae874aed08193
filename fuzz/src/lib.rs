//! What every fuzz target checks. The property tests of the library call the same functions.

#[path = "../../tests/support/invariants.rs"]
pub mod invariants;
