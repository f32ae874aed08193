//! TCP connections: held until their first bytes have come, decided, led to the cluster that was decided, and watched while
//! they flow.
//!
//! `Undecided → Open`: a connection is *undecided* until its first bytes say what it is ([`undecided`]), and *open* once it was
//! let through ([`open`]). One that was refused is closed and forgotten. A host call that fails before the decision closes
//! the connection, whatever the policy says of dry-runs.

mod callbacks;
mod connections;
mod decide;
mod open;
mod subject;
mod undecided;

pub(crate) use connections::Connections;
#[cfg(test)]
mod tests;
