//! Parts that the benchmarks share: policies of the seven shapes with requests to them, the clock's side, the report's
//! side.
//!
//! Each program in `bin/` measures one thing, prints its tables and leaves them for `report`, which writes
//! `docs/performance.md`.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "programs that only developers run: a panic here tells of a bug and harms nobody"
)]

pub mod hostile;
pub mod machine;
pub mod report;
pub mod shapes;
pub mod timing;
pub mod wasm;

use anyhow::{Result, anyhow};
use tollgate::policy::Policy;

/// The policy of this text.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn load(text: &str) -> Result<Policy> {
    Policy::load(text.as_bytes()).map_err(|rejection| {
        let first = rejection.findings.first();
        anyhow!("the policy is rejected: {}", first.map_or("for no reason", |finding| &finding.message))
    })
}
