//! Pieces of Envoy's configuration that Tollgate needs around it, wherever it runs: under Istio, in the local gateway,
//! in tests.

pub mod access_log;
mod cel;
pub mod crossing;
pub mod dynamic;
pub mod internal;
mod names;
pub mod stats;
pub mod tcp;
pub mod tripwire;

pub use names::{ADDRESS_INSIDE_POLICY, ROUTE_KEY, ROUTE_POLICY};

/// The URL of a message's type, as `@type` wants it.
pub fn type_url(message: &str) -> String {
    format!("type.googleapis.com/{message}")
}
