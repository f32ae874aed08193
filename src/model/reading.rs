//! The two ways in which a part of the language is read.

/// The way a pattern is read: what opens narrowly, what closes widely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// In `rules` and `except`.
    Narrow,
    /// In `deny` and `quotas`.
    Wide,
}
