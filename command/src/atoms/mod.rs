//! What the entries of policies tell apart: classes of callers, hosts, ports, methods and paths, small enough that one
//! request decides for all of its class.
//!
//! A region (some callers, some hosts) is parted by the entries that speak of it. Every part is then asked about with
//! one request, and what is said of the part is what [`Policy::decide`](tollgate::policy::Policy::decide) said of it.

mod address;
mod ask;
mod classes;
mod entry;
mod found;
mod guard;
mod measure;
mod names;
mod part;
mod parts;
mod paths;
mod place;
mod region;
mod side;
mod who;
mod witness;

pub(super) use ask::{Ask, Listed};
pub(super) use entry::Reach;
pub(super) use found::{Found, merged};
pub(super) use measure::{Alone, admitted_anew};
pub(super) use part::{Part, list, rejoined};
pub(super) use place::Place;
pub(super) use region::{Analysis, Inquiry};
pub(super) use side::{Said, Side};
pub(super) use who::Who;
pub(super) use witness::Witness;
