//! The callbacks of TCP connections: held until their first bytes have come, decided, led to the cluster that was decided, and
//! watched while they flow.
//!
//! `Undecided → Open`, or closed. A host call that fails before the decision closes the connection, whatever the policy says of
//! dry-runs.

mod callbacks;
mod decide;
mod facts;
mod silence;
#[cfg(test)]
mod tests;
