//! The filter in real Envoys, over mTLS: what it lets through is what an external server receives.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

mod addresses;
mod answers;
mod bypasses;
mod cases;
mod catch_all_tls;
mod connections;
mod death;
mod demo;
mod explicit_proxy;
mod listeners;
mod normalization;
mod one_port;
mod quotas;
mod refused;
mod routes;
mod server_first;
mod support;
mod updates;
