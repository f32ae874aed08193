//! Names that may be used before they are defined: destinations and sets of workloads.

use super::finding::Findings;
use super::target::Kind;
use crate::index::List;
use rustc_hash::FxHashMap;

/// Named things, numbered by first mention.
#[derive(Debug)]
pub(super) struct NamedSets<T> {
    numbers: FxHashMap<Box<str>, u32>,
    all: Vec<Named<T>>,
}

#[derive(Debug)]
struct Named<T> {
    name: Box<str>,
    value: Option<T>,
    /// The list that stands for it in each section that refers to it.
    lists: Vec<(Kind, List)>,
    /// Places that referred to it before it was defined.
    early: Vec<String>,
}

/// Tells whether a name is defined by now.
pub(super) enum Defined<'a, T> {
    Yes(&'a T),
    Later,
}

impl<T> Default for NamedSets<T> {
    fn default() -> Self {
        NamedSets { numbers: FxHashMap::default(), all: Vec::new() }
    }
}

impl<T> NamedSets<T> {
    /// Defines a name; false if it was defined before.
    pub(super) fn define(&mut self, name: &str, value: T) -> bool {
        let Some(named) = self.number(name).and_then(|number| self.all.get_mut(number as usize)) else { return true };
        let first = named.value.is_none();
        if first {
            named.value = Some(value);
            named.early = Vec::new();
        }
        first
    }

    /// The number of a name that is used where the reading stands.
    pub(super) fn refer(&mut self, name: &str, findings: &Findings<'_>) -> Option<u32> {
        let number = self.number(name)?;
        let named = self.all.get_mut(number as usize)?;
        if named.value.is_none() {
            named.early.push(findings.pointer());
        }
        Some(number)
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.all.get(number as usize)?.value.as_ref()
    }

    pub(super) fn defined(&self, number: u32) -> Defined<'_, T> {
        self.get(number).map_or(Defined::Later, Defined::Yes)
    }

    /// The list that stands for a name in a section.
    pub(super) fn list(&mut self, number: u32, kind: Kind, reserve: impl FnOnce() -> Option<List>) -> Option<List> {
        let named = self.all.get_mut(number as usize)?;
        if let Some((_, list)) = named.lists.iter().find(|(known, _)| *known == kind) {
            return Some(*list);
        }
        let list = reserve()?;
        named.lists.push((kind, list));
        Some(list)
    }

    /// Everything that is defined and referred to, with its lists.
    pub(super) fn reserved(&self) -> impl Iterator<Item = (&T, impl Iterator<Item = (Kind, List)>)> {
        self.all.iter().filter_map(|named| Some((named.value.as_ref()?, named.lists.iter().copied())))
    }

    /// Names that were never defined, and where they are used.
    pub(super) fn undefined(&mut self) -> Vec<(Box<str>, Vec<String>)> {
        let undefined = self.all.iter_mut().filter(|named| named.value.is_none());
        undefined.map(|named| (named.name.clone(), std::mem::take(&mut named.early))).collect()
    }

    /// By number: the values that are defined.
    pub(super) fn values(&self) -> impl Iterator<Item = Option<&T>> {
        self.all.iter().map(|named| named.value.as_ref())
    }

    /// By number: the names.
    pub(super) fn into_names(self) -> Vec<Box<str>> {
        self.all.into_iter().map(|named| named.name).collect()
    }

    fn number(&mut self, name: &str) -> Option<u32> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = u32::try_from(self.all.len()).ok()?;
        self.numbers.insert(name.into(), number);
        self.all.push(Named { name: name.into(), value: None, lists: Vec::new(), early: Vec::new() });
        Some(number)
    }
}
