//! The lists of names on one side of a section, as they are read.

/// Part of an array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    #[inline]
    pub(crate) fn of<T>(self, all: &[T]) -> &[T] {
        all.get(self.start as usize..).and_then(|rest| rest.get(..self.len as usize)).unwrap_or_default()
    }

    /// Returns the part that was appended to an array since it had `start` elements.
    pub(crate) fn since<T>(start: usize, all: &[T]) -> Option<Span> {
        let len = all.len().checked_sub(start)?;
        Some(Span { start: u32::try_from(start).ok()?, len: u32::try_from(len).ok()? })
    }
}

/// One name, or the number of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    One(u32),
    Several(u32),
}

/// Lists of names, each sorted and without doubles.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    pub(super) names: Vec<u32>,
    pub(super) spans: Vec<Span>,
}

impl Lists {
    /// A list of these names. None if there is no room.
    pub(crate) fn add(&mut self, names: &mut Vec<u32>) -> Option<List> {
        sort(names);
        match names.as_slice() {
            [one] => Some(List::One(*one)),
            names => {
                let span = self.store(names)?;
                self.spans.push(span);
                self.last()
            }
        }
    }

    /// A list whose names come later.
    pub(crate) fn reserve(&mut self) -> Option<List> {
        self.spans.push(Span::default());
        self.last()
    }

    /// The names of a list that was reserved.
    pub(crate) fn define(&mut self, list: List, names: &mut Vec<u32>) -> Option<()> {
        sort(names);
        let span = self.store(names)?;
        let List::Several(number) = list else { return None };
        *self.spans.get_mut(number as usize)? = span;
        Some(())
    }

    pub(super) fn of(&self, list: u32) -> &[u32] {
        self.spans.get(list as usize).map_or(&[], |span| span.of(&self.names))
    }

    fn store(&mut self, names: &[u32]) -> Option<Span> {
        let start = self.names.len();
        self.names.extend_from_slice(names);
        Span::since(start, &self.names)
    }

    fn last(&self) -> Option<List> {
        u32::try_from(self.spans.len()).ok()?.checked_sub(1).map(List::Several)
    }
}

/// Sorts, and removes doubles. Not generic and never inlined: a sort is 4 KB of the module.
#[inline(never)]
pub(crate) fn sort(numbers: &mut Vec<u32>) {
    numbers.sort_unstable();
    numbers.dedup();
}
