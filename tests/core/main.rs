//! Tests of the engine alone: no file, socket or clock.
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

mod canonical;
mod cases;
mod charges;
mod connections;
mod findings;
mod oracle;
mod quotas;
mod records;
mod tls;
