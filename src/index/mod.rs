//! Finding the few candidates among 100,000 rules: by identity, by host, by path, with hash look-ups only.

mod alternatives;
mod cells;
mod cidrs;
mod draft;
mod embedded;
mod glob;
mod guard;
mod hosts;
mod identities;
mod lists;
mod marks;
mod names;
mod network;
mod paths;
mod pattern;
mod plan;
mod section;
mod tables;
mod target;

pub(crate) use alternatives::is_costly;
pub(crate) use draft::Draft;
pub(crate) use guard::{Guard, GuardsDraft, NONE};
pub(crate) use hosts::{Hosts, Resolved};
pub(crate) use identities::Identities;
pub(crate) use lists::{List, sort};
pub(crate) use marks::Marks;
pub(crate) use names::Names;
pub(crate) use network::{Network, mask_v4, mask_v6};
pub(crate) use pattern::PathKind;
pub(crate) use section::{Candidate, Ranked, Search, Section};
