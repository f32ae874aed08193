//! Random policies and requests out of few words, so that everything overlaps.

pub mod connections;
pub mod policies;
pub mod requests;
pub mod words;
