//! Tollgate decides which workload of a mesh may reach which external host, port, method and path.
//!
//! The way of a request: [`request`] makes what arrived canonical or refuses it, `index` finds the few rules that
//! could speak of it, [`decision`] orders them. The way of a policy: [`policy`] reads the text, checks every element
//! (a value of `model`, where two policies are compared) and compiles it into the index. Nothing here does I/O, reads a clock or the environment.
#![forbid(unsafe_code)]

pub mod decision;
mod hash;
mod index;
mod model;
pub mod policy;
pub mod quota;
pub mod record;
pub mod request;
mod timestamp;
