//! The `tollgate` command. It alone reads files, clocks and the environment; what it decides, the engine decides.
//!
//! `commands` has one file for each command and calls the rest. `output` alone writes to the terminal. `analysis` is
//! pure, `mesh` knows Istio and registries, `read` has policies as they are written.

mod analysis;
mod commands;
mod mesh;
mod output;
mod read;

pub use commands::main;
