//! The Tollgate filter without its proxy: [`tollgate`]'s decisions carried out through one trait, [`host::Host`].
//!
//! A [`worker::Worker`] is the state of one thread of the proxy. Its methods are the callbacks of a proxy's filter; the
//! package of an edge translates between both. `instances` loads policies and knows which one serves a stream. `http`
//! takes one request through (a state machine, which a `charger` may hold), and `reply` answers it if it is refused.
//! `streams` knows until its end what it is bound to; `charges` counts what it goes on to move, in the `store` that all
//! threads share. `response`, `trailers` and `log` look at what follows. `tcp` does all of that for TCP
//! connections. `connections` knows them, and the tunnels of HTTP, until their end, and `rejudge` decides them again.
#![forbid(unsafe_code)]

mod attributes;
mod budget;
pub mod charger;
mod charges;
mod charging;
mod connections;
mod ending;
#[cfg(test)]
mod fake;
pub mod headers;
pub mod host;
mod http;
mod instances;
mod journal;
mod log;
mod metrics;
mod plugin;
mod read;
mod rejudge;
mod reply;
mod response;
mod serving;
mod state;
mod store;
mod streams;
mod stripped_headers;
mod tcp;
mod trailers;
pub mod worker;
