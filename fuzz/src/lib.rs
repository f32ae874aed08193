//! Checks of the fuzz targets. The property tests of the library call the same functions.

pub use tollgate_tests::invariants;
