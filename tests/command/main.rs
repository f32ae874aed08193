//! Tests of the command `tollgate`, as its users run it.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]
#![expect(unreachable_pub, reason = "modules of a test have no outside")]

mod action;
mod audit;
mod cli;
mod diff;
mod docs;
mod examples;
mod explain;
mod imports;
mod lints;
mod manual;
mod mistakes;
mod output;
mod pages;
mod push;
mod reading;
mod render;
mod schema;
mod tools;
mod watch;
