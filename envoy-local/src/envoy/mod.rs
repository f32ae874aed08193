//! Envoy itself: where it comes from, how it runs, what its admin interface tells.

mod admin;
pub mod binary;
mod process;

pub use admin::Admin;
pub use process::{Envoy, Launch};
