//! Finding the few candidates among 100,000 rules: by identity, by host, by path, with hash look-ups only.

mod alternatives;
mod candidate;
mod cells;
mod cidrs;
mod constraints;
mod embedded;
mod glob;
mod hosts;
mod identities;
mod interner;
mod lists;
mod paths;
mod pattern;
mod plan;
mod search;
mod section;
mod section_builder;
mod star_names;
mod tables;
mod target;
mod visited_sets;

pub use alternatives::is_costly;
pub(crate) use candidate::Candidate;
pub(crate) use constraints::{ConstraintTableBuilder, Constraints, NONE};
pub(crate) use hosts::{Hosts, Resolved};
pub(crate) use identities::Identities;
pub(crate) use interner::Interner;
pub(crate) use lists::{List, sort};
pub(crate) use search::Search;
pub(crate) use section::{Ranked, Section};
pub(crate) use section_builder::SectionBuilder;
pub(crate) use visited_sets::VisitedSets;
