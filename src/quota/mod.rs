//! Rates, calendar windows, bytes and requests in flight, for each workload or whatever a quota is kept by.
//!
//! Three nouns carry it. A [`RequestCharge`] is what one request asks of one quota. A *bucket* is the state of a quota for
//! one key: limits and charges are pure functions of state and time (`bucket`, `rate`, `calendar`). A *page* holds the
//! buckets of one key as one value of a [`SharedStore`], which promises no more than to replace one value atomically
//! (`page`, `pages`, `slots`). A [`Transaction`] of a [`QuotaThread`] charges a request to all its quotas or to none, and
//! later what its [`Account`] owes.

mod account;
mod bucket;
mod calendar;
mod charge;
mod clocks;
mod limit;
mod members;
mod memory;
mod page;
mod pages;
mod rate;
mod request_charge;
mod settle;
mod slots;
mod store;
#[cfg(test)]
mod tests;
mod thread;
mod transaction;
mod unit;

pub use account::{Account, Crossing};
pub use bucket::{Level, Now};
pub use calendar::Calendar;
pub use charge::ChargeResults;
pub use limit::{By, Limit, Overrun, Quota};
pub use memory::Memory;
pub use pages::{Events, QuotaNamespace};
pub use rate::Rate;
pub use request_charge::{ChargeOutcome, Refusal, RequestCharge};
pub use store::{SharedStore, Unavailable, Version};
pub use thread::QuotaThread;
pub use transaction::Transaction;
pub use unit::Unit;
