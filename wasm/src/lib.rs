//! The Tollgate filter: [`tollgate`]'s decisions carried out in Envoy, over proxy-wasm ABI 0.2.1.
//!
//! `envoy` holds every call into and out of the module and all `unsafe` of the project; `host` is what the rest sees
//! of it. `vm` knows which configuration a stream belongs to, `root` loads configurations, `http` takes one request
//! through, `reply` answers it where it is refused, `streams` knows until its end what it is bound to, `charges` counts
//! what it goes on to move, in the `store` that all threads share; `response`, `trailers` and `log` look at what follows.
//!
//! The proxy-wasm SDK is not used: its dispatcher and its host calls panic on unexpected states, and it exports every
//! callback there is, each of which costs every request a call into the module. What is not exported is not called.
#![deny(unsafe_code)]
// Only Envoy links it, and tests.
#![cfg(any(target_family = "wasm", test))]

mod attributes;
mod budget;
mod charges;
#[cfg(target_family = "wasm")]
mod envoy;
#[cfg(test)]
mod fake;
mod host;
mod http;
mod journal;
mod log;
mod metrics;
mod pairs;
mod plugin;
mod reply;
mod response;
mod root;
mod serving;
mod state;
mod store;
mod streams;
mod stripped_headers;
mod trailers;
mod vm;
