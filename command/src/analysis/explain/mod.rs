//! The walk to a decision, entry by entry, and what would change it.

mod admission;
mod ambiguity;
mod authority;
mod change;
mod connection;
mod edit;
mod explainer;
mod looked;
mod reduced;
mod spot;
mod target_words;
mod walk;
mod wanted;
mod why_not;

pub(crate) use explainer::Explainer;
pub(crate) use looked::Looked;
pub(crate) use walk::{Looks, Walk, WhyNot};
pub(crate) use why_not::find as why_not;
