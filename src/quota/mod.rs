//! How much: rates, calendar windows, bytes and requests in flight, for each workload or whatever a quota is kept by.
//!
//! [`Limit`]s and what charges make of buckets are pure functions of state and time (`bucket`, `rate`, `calendar`).
//! [`Ledger`] keeps buckets in a [`SharedStore`] store that promises no more than to replace one value atomically, and charges
//! a request to all its quotas or to none ([`Ledger::consult`]). What a request goes on to owe is in its [`Account`].

mod account;
mod bucket;
mod calendar;
mod consult;
mod ledger;
mod limit;
mod members;
mod memory;
mod page;
mod places;
mod rate;
mod store;
#[cfg(test)]
mod tests;

pub use account::{Account, Crossing};
pub use bucket::{Level, Now};
pub use calendar::Calendar;
pub use consult::{Consultation, Consulted, Demand, Desk, Refusal};
pub use ledger::{Books, Events, Ledger};
pub use limit::{By, Limit, Overrun, Quota, Unit};
pub use members::Membership;
pub use memory::Memory;
pub use rate::Rate;
pub use store::{SharedStore, Unavailable, Version};
