//! What every fuzz target checks. The property tests of the library call the same functions.

pub use tollgate_tests::invariants;
