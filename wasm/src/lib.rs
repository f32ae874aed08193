//! Tollgate as a module for Envoy: [`tollgate_filter`] over proxy-wasm ABI 0.2.1.
//!
//! `abi` and `exports` hold every call into and out of the module and all `unsafe` of the project: `hostcalls` those
//! that Envoy offers, `exports` those that Envoy makes, `types` their numbers. `host` implements the filter's host with
//! them. `pairs` is the form in which headers cross; `plugin` is the name of the plugin that is configured.
#![deny(unsafe_code)]

mod abi;
#[cfg(target_family = "wasm")]
mod exports;
#[cfg(target_family = "wasm")]
mod host;
#[cfg(any(target_family = "wasm", test))]
mod message;
pub mod pairs;
#[cfg(any(target_family = "wasm", test))]
mod plugin;
