//! A set in words: a named set without some others.

use serde::Serialize;
use std::fmt;

/// All of a set but for some sets inside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub(crate) struct Part<T> {
    /// The whole.
    pub(crate) of: T,
    /// Sets inside it that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) but: Vec<T>,
}

/// Joins parts: a set that one part leaves out, and that another part is as a whole, is left out no longer.
pub(crate) fn rejoined<T: Clone + PartialEq>(parts: &[Part<T>]) -> Vec<Part<T>> {
    let whole: Vec<&T> = parts.iter().filter(|part| part.but.is_empty()).map(|part| &part.of).collect();
    let mut again: Vec<T> = Vec::new();
    let mut joined: Vec<Part<T>> = parts.to_vec();
    for part in &mut joined {
        let (back, out): (Vec<T>, Vec<T>) =
            std::mem::take(&mut part.but).into_iter().partition(|but| whole.contains(&but));
        part.but = out;
        again.extend(back);
    }
    joined.retain(|part| !again.contains(&part.of));
    joined
}

/// Exceptions that are written out for people.
const FEW: usize = 3;

impl<T: fmt::Display> fmt::Display for Part<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.of)?;
        for (index, but) in self.but.iter().take(FEW).enumerate() {
            write!(f, "{}{but}", if index == 0 { " but " } else { ", " })?;
        }
        match self.but.len().saturating_sub(FEW) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Parts that are written out for people.
const FEW_PARTS: usize = 4;

/// Parts, one after the other, as far as there are few.
pub(crate) fn list<T: fmt::Display>(parts: &[T]) -> String {
    let mut words: Vec<String> = parts.iter().take(FEW_PARTS).map(T::to_string).collect();
    words.extend(parts.len().checked_sub(FEW_PARTS).filter(|more| *more > 0).map(|more| format!("{more} more")));
    words.join("; ")
}
