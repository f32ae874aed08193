//! Values that nothing tells apart.

use std::collections::{BTreeMap, BTreeSet};

/// Values of which every entry says the same.
#[derive(Debug)]
pub(super) struct Class<T> {
    pub(super) members: Vec<T>,
}

/// Parts values by a signature.
pub(super) fn parted<T>(values: impl IntoIterator<Item = T>, signature: impl Fn(&T) -> Vec<bool>) -> Vec<Class<T>> {
    let mut classes: BTreeMap<Vec<bool>, Vec<T>> = BTreeMap::new();
    for value in values {
        classes.entry(signature(&value)).or_default().push(value);
    }
    classes.into_values().map(|members| Class { members }).collect()
}

/// The values of some of the classes, which are given by number.
pub(super) fn members<T: Clone + Ord>(classes: &[Class<T>], at: &BTreeSet<usize>) -> BTreeSet<T> {
    let held = classes.iter().enumerate().filter(|(index, _)| at.contains(index));
    held.flat_map(|(_, class)| class.members.iter().cloned()).collect()
}
