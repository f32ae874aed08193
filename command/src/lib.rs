//! The `tollgate` command. It alone reads files, clocks and the environment; what it decides, the engine decides.
//!
//! `commands` has one file for each command and calls the rest. `output` alone writes to the terminal. `analysis` is
//! pure, `mesh` knows Istio and registries, `read` makes a policy of files.

mod analysis;
mod commands;
mod escape;
pub mod mesh;
mod output;
pub mod read;

pub use commands::main;
