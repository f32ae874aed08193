//! Stored path patterns: each class is compared in the cheapest way that is exact for it.

use super::alternatives::cheap_alternatives;
use super::glob::Glob;
use crate::hash;
use crate::model::PathKind;
use crate::request::widen;
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// Segments that a pattern may have to be found by its shape.
pub(super) const SHAPE_SEGMENTS: usize = 64;

/// Record head: class and length of the text in 4 bytes, number of the automaton in 4.
const HEAD: usize = 8;

/// A pattern as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern<'a> {
    pub(super) kind: PathKind,
    pub(super) text: &'a [u8],
    glob: u32,
}

impl Pattern<'_> {
    /// The text without a trailing `**`: what a path must begin with.
    pub(super) fn stem(&self) -> &[u8] {
        let cut = if self.kind.is_deep() { 2 } else { 0 };
        self.text.get(..self.text.len().saturating_sub(cut)).unwrap_or_default()
    }
}

/// The patterns of a section, one behind another; an address is where a record begins.
#[derive(Debug)]
pub(super) struct Patterns {
    wide: bool,
    text: Vec<u8>,
    /// By pattern one; for the wide reading two, the second narrow.
    globs: Vec<Glob>,
    /// As they were written: patterns that stand for several, and by address of one of these the number of it.
    written: Vec<Box<str>>,
    written_at: FxHashMap<u32, u32>,
}

impl Patterns {
    /// For the narrow reading of paths, or the wide one.
    pub(super) fn new(wide: bool) -> Patterns {
        Patterns { wide, text: Vec::new(), globs: Vec::new(), written: Vec::new(), written_at: FxHashMap::default() }
    }

    pub(super) fn is_wide(&self) -> bool {
        self.wide
    }

    /// Returns the address of the next record.
    pub(super) fn end(&self) -> Option<u32> {
        u32::try_from(self.text.len()).ok()
    }

    /// Adds a checked pattern, or those that it stands for; how many that are. None if there is no room (4 GiB).
    pub(super) fn add(&mut self, pattern: &str, kind: PathKind) -> Option<u32> {
        let all = if kind == PathKind::Glob { cheap_alternatives(pattern) } else { None };
        let Some(all) = all else {
            return self.push(pattern, kind).map(|()| 1);
        };
        let number = u32::try_from(self.written.len()).ok()?;
        if !self.wide {
            self.written.push(pattern.into());
        }
        for alternative in &all {
            let address = self.end()?;
            self.push(alternative, PathKind::of(alternative))?;
            if !self.wide {
                self.written_at.insert(address, number);
            }
        }
        u32::try_from(all.len()).ok()
    }

    /// The pattern at an address as it was written.
    pub(super) fn written(&self, address: u32) -> Option<&str> {
        match self.written_at.get(&address) {
            Some(number) => self.written.get(*number as usize).map(|text| &**text),
            None => std::str::from_utf8(self.read(address)?.0.text).ok(),
        }
    }

    fn push(&mut self, pattern: &str, kind: PathKind) -> Option<()> {
        let text = if self.wide { widened(pattern, kind) } else { Cow::Borrowed(pattern) };
        let glob = u32::try_from(self.globs.len()).ok()?;
        if kind == PathKind::Glob {
            self.globs.push(Glob::compile(&text, self.wide)?);
            if self.wide {
                self.globs.push(Glob::compile(&text, false)?);
            }
        }
        let length = u32::try_from(text.len()).ok().filter(|length| *length < 1 << 28)?;
        self.text.extend_from_slice(&(length << 3 | kind as u32).to_le_bytes());
        self.text.extend_from_slice(&glob.to_le_bytes());
        self.text.extend_from_slice(text.as_bytes());
        self.end().map(|_| ())
    }

    /// The pattern at an address, and the address of the next one.
    #[inline]
    pub(super) fn read(&self, address: u32) -> Option<(Pattern<'_>, u32)> {
        let (&[a, b, c, d, e, f, g, h], rest) = self.text.get(address as usize..)?.split_first_chunk::<HEAD>()?;
        let head = u32::from_le_bytes([a, b, c, d]);
        let kind = *PathKind::ALL.get((head & 7) as usize)?;
        let text = rest.get(..(head >> 3) as usize)?;
        let next = address.checked_add(HEAD as u32)?.checked_add(head >> 3)?;
        Some((Pattern { kind, text, glob: u32::from_le_bytes([e, f, g, h]) }, next))
    }

    /// Tells whether a path, in this section's reading, matches a pattern that is no automaton.
    #[inline]
    pub(super) fn matches(&self, pattern: &Pattern<'_>, path: &[u8]) -> bool {
        match pattern.kind {
            PathKind::Exact => hash::same(pattern.text, path),
            PathKind::Prefix => {
                let stem = pattern.stem();
                hash::starts_with(path, stem)
                    || self.wide && stem.strip_suffix(b"/").is_some_and(|stem| hash::same(path, stem))
            }
            PathKind::Star | PathKind::StarPrefix => segments_match(pattern, path, self.wide),
            PathKind::Glob => false,
        }
    }

    /// The automaton of a pattern that is one.
    #[inline]
    pub(super) fn glob(&self, pattern: &Pattern<'_>) -> Option<&Glob> {
        self.globs.get(pattern.glob as usize).filter(|_| pattern.kind == PathKind::Glob)
    }

    /// In a wide section, the automaton for the path as it stands. A pattern may match that though not the wide
    /// reading: what a `*` takes of a segment may be decoded, or cut away with all that the pattern wants behind it
    /// (`/a*b` of `/a;b`). Other classes compare whole segments, which are the same widely if they are narrowly.
    pub(super) fn glob_as_written(&self, pattern: &Pattern<'_>) -> Option<&Glob> {
        let narrow = (pattern.glob as usize).checked_add(1).filter(|_| self.wide && pattern.kind == PathKind::Glob);
        narrow.and_then(|narrow| self.globs.get(narrow))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
    }

    pub(super) fn bytes(&self) -> usize {
        let written = self.written.iter().map(|text| text.len().saturating_add(16)).sum::<usize>();
        let globs = self.globs.iter().map(Glob::bytes).sum::<usize>();
        let addresses = self.written_at.capacity().saturating_mul(16);
        [written, globs, addresses, self.text.capacity()].into_iter().fold(0, usize::saturating_add)
    }
}

/// A pattern in the wide reading.
fn widened(pattern: &str, kind: PathKind) -> Cow<'_, str> {
    if kind == PathKind::Glob {
        return Cow::Borrowed(pattern);
    }
    let mut text = Vec::new();
    widen(pattern.as_bytes(), &mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    if !matches!(kind, PathKind::Star | PathKind::StarPrefix) {
        return Cow::Owned(text);
    }
    // an escaped `*` has become one, and is a character all the same
    let starred = text.split('/').zip(pattern.split('/'));
    let segments: Vec<&str> = starred.map(|(wide, written)| if written == "*" { WIDE_STAR } else { wide }).collect();
    Cow::Owned(segments.join("/"))
}

/// A whole segment `*`, as it is stored for the wide reading: what no path holds.
const WIDE_STAR: &str = "\0";

/// A whole segment `*`, as it is stored.
fn star(wide: bool) -> &'static [u8] {
    if wide { WIDE_STAR.as_bytes() } else { b"*" }
}

/// Segment by segment; `*` is any one segment.
#[inline]
fn segments_match(pattern: &Pattern<'_>, path: &[u8], wide: bool) -> bool {
    let (mut wanted, mut rest) = (pattern.stem(), path);
    loop {
        let (Some((b'/', want)), Some((b'/', have))) = (wanted.split_first(), rest.split_first()) else {
            let done = wanted.is_empty() || wide && pattern.kind.is_deep() && wanted == b"/";
            return done && rest.is_empty();
        };
        if pattern.kind.is_deep() && want.is_empty() {
            return true;
        }
        let (have, have_behind) = split_segment(have);
        let (want, want_behind) = split_segment(want);
        if want != star(wide) && !hash::same(want, have) {
            return false;
        }
        (wanted, rest) = (want_behind, have_behind);
    }
}

/// The bytes up to the next slash, and the rest with it.
#[inline]
fn split_segment(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, &[]))
}

/// The shape of a pattern: all that says which paths could match it but its literal segments. How many segments, which of them
/// are `*`, whether more may follow. Patterns of one shape are told apart by one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) segments: u8,
    pub(super) deep: bool,
    pub(super) stars: u64,
}

impl Shape {
    /// The shape of a pattern and the hash of its literal segments; none for automata and very long patterns.
    pub(super) fn of(pattern: &Pattern<'_>, wide: bool) -> Option<(Shape, u64)> {
        if pattern.kind == PathKind::Glob {
            return None;
        }
        let deep = pattern.kind.is_deep();
        let mut stem = pattern.stem();
        if deep {
            stem = stem.strip_suffix(b"/").unwrap_or(stem);
        }
        let (mut count, mut stars, mut hash) = (0_u8, 0_u64, 0);
        while let Some((_, rest)) = stem.split_first() {
            let (segment, behind) = split_segment(rest);
            if usize::from(count) >= SHAPE_SEGMENTS {
                return None;
            }
            if segment == star(wide) && matches!(pattern.kind, PathKind::Star | PathKind::StarPrefix) {
                stars |= 1_u64.wrapping_shl(u32::from(count));
            } else {
                hash = hash::mix(hash, segment_hash(segment));
            }
            count = count.saturating_add(1);
            stem = behind;
        }
        Some((Shape { segments: count, deep, stars }, hash))
    }

    /// Tells whether a path of so many segments could have this shape. In the wide reading `/x/**` is also `/x`.
    #[inline]
    pub(super) fn fits(&self, segments: usize, wide: bool) -> bool {
        let own = usize::from(self.segments);
        if self.deep { segments > own || wide && segments == own } else { segments == own }
    }
}

fn segment_hash(segment: &[u8]) -> u64 {
    hash::bytes(7, segment)
}

/// The tag under which a pattern stands in a path table.
#[inline]
pub(super) fn shape_tag(literals: u64, shape: u32) -> u32 {
    hash::tag(hash::finish(hash::mix(literals, u64::from(shape))))
}

/// The segments of a request's path, hashed once a request.
#[derive(Debug)]
pub(super) struct PathHashes {
    pub(super) segments: usize,
    hashes: [u64; SHAPE_SEGMENTS],
}

impl PathHashes {
    pub(super) fn of(path: &[u8]) -> PathHashes {
        let mut all = PathHashes { segments: 0, hashes: [0; SHAPE_SEGMENTS] };
        let body = path.strip_prefix(b"/").unwrap_or(path);
        for segment in body.split(|byte| *byte == b'/') {
            if let Some(hash) = all.hashes.get_mut(all.segments) {
                *hash = segment_hash(segment);
            }
            all.segments = all.segments.saturating_add(1);
        }
        all
    }

    /// The hash that a pattern of this shape has if it matches.
    #[inline]
    pub(super) fn literals(&self, shape: &Shape) -> u64 {
        let mut stars = shape.stars;
        self.hashes.iter().take(usize::from(shape.segments)).fold(0, |literals, hash| {
            let star = stars & 1 == 1;
            stars >>= 1;
            if star { literals } else { hash::mix(literals, *hash) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::glob::DfaBatch;
    use super::*;

    #[test]
    fn an_escaped_wildcard_is_a_character_in_the_wide_reading() {
        for (pattern, path, matches) in [
            ("/a%2Ab", "/a*b", true),
            ("/a%2Ab", "/axb", false),
            ("/%2A/%7Ba,b%7D/**", "/*/{a,b}", true),
            ("/%2A/%7Ba,b%7D/**", "/x/{a,b}", false),
            ("/%2A;v/*", "/*/x", true),
            ("/%2A%3Bv/*", "/x/x", false),
            ("/a%2A/*", "/a*/x", true),
            ("/a%2A/*", "/ax/x", false),
            ("/%2Aa/*/**", "/*a/x", true),
            ("/%2A/*", "/*/x", true),
            ("/%2A/*", "/x/x", false),
        ] {
            let mut patterns = Patterns::new(true);
            patterns.push(pattern, PathKind::of(pattern)).unwrap();
            let (stored, _) = patterns.read(0).unwrap();
            let path = path.as_bytes();
            let found = match patterns.glob(&stored) {
                Some(glob) => {
                    let mut batch = DfaBatch::default();
                    batch.add(glob, 0, path).or_else(|| batch.read(path)).is_some()
                }
                None => patterns.matches(&stored, path),
            };
            assert_eq!(found, matches, "{pattern}");
        }
    }

    #[test]
    fn cheap_patterns_may_be_long_in_the_wide_reading() {
        for pattern in [format!("/{}%2A%7B%7D", "a".repeat(1000)), format!("/*/{}%2A", "a".repeat(1000))] {
            assert!(Patterns::new(true).push(&pattern, PathKind::of(&pattern)).is_some());
        }
    }
}
