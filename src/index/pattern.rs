//! The syntax of path patterns: the classes that they fall into, and the parts that they are made of.
//!
//! | form | in a pattern | matches |
//! |---|---|---|
//! | text | anywhere | these bytes |
//! | `*` | anywhere in a segment | any bytes but `/`, none included |
//! | `{a,b}` | anywhere in a segment, not nested | one of the alternatives, which may hold `*` |
//! | `**` | a whole segment | any segments, none included; at the end at least one, which may be empty |
//!
//! A pattern begins with `/`. The checks are `policy/path_pattern.rs`'s: only checked patterns come here.

/// The class of a pattern: the cheapest comparison that is exact for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// Byte for byte.
    Exact,
    /// `/prefix/**`.
    Prefix,
    /// Segment by segment; a segment `*` is any one.
    Star,
    /// [`PathKind::Star`] with `/**` behind.
    StarPrefix,
    /// Anything else: by an automaton.
    Glob,
}

impl PathKind {
    pub(super) const ALL: [PathKind; 5] =
        [PathKind::Exact, PathKind::Prefix, PathKind::Star, PathKind::StarPrefix, PathKind::Glob];

    /// The class of a checked pattern.
    pub(crate) fn of(pattern: &str) -> PathKind {
        let (body, deep) = match pattern.strip_suffix("/**") {
            Some(body) => (body, true),
            None => (pattern, false),
        };
        let (mut stars, mut other) = (false, false);
        for segment in body.split('/') {
            let star = segment == "*";
            stars |= star;
            other |= !star && segment.contains(['*', '{', '}']);
        }
        match (other, stars, deep) {
            (true, ..) => PathKind::Glob,
            (false, true, true) => PathKind::StarPrefix,
            (false, true, false) => PathKind::Star,
            (false, false, true) => PathKind::Prefix,
            (false, false, false) => PathKind::Exact,
        }
    }

    pub(super) fn is_deep(self) -> bool {
        matches!(self, PathKind::Prefix | PathKind::StarPrefix)
    }
}

/// A segment of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    /// `**`.
    Deep,
    /// Anything else; may be empty only as the last one.
    Text(&'a str),
}

/// The segments of a checked pattern.
pub(super) fn segments(pattern: &str) -> impl Iterator<Item = Segment<'_>> {
    let body = pattern.strip_prefix('/').unwrap_or(pattern);
    body.split('/').map(|text| if text == "**" { Segment::Deep } else { Segment::Text(text) })
}

impl<'a> Segment<'a> {
    /// Its pieces from left to right.
    pub(super) fn pieces(self) -> impl Iterator<Item = Piece<'a>> {
        let mut rest = match self {
            Segment::Deep => "",
            Segment::Text(text) => text,
        };
        std::iter::from_fn(move || {
            let (piece, behind) = match rest.strip_prefix('{') {
                Some(inside) => {
                    let (branches, behind) = inside.split_once('}')?;
                    (Piece::OneOf(branches), behind)
                }
                None if rest.is_empty() => return None,
                None => {
                    let (text, behind) = rest.split_at_checked(rest.find('{').unwrap_or(rest.len()))?;
                    (Piece::Plain(text), behind)
                }
            };
            rest = behind;
            Some(piece)
        })
    }
}

/// Part of a segment; any of it may hold `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// This text.
    Plain(&'a str),
    /// One of several, separated by commas.
    OneOf(&'a str),
}

impl<'a> Piece<'a> {
    pub(super) fn branches(self) -> impl Iterator<Item = &'a str> {
        let (plain, several) = match self {
            Piece::Plain(text) => (Some(text), None),
            Piece::OneOf(texts) => (None, Some(texts)),
        };
        plain.into_iter().chain(several.into_iter().flat_map(|texts| texts.split(',')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_classified_by_what_they_need() {
        for (pattern, kind) in [
            ("/", PathKind::Exact),
            ("/v1/a", PathKind::Exact),
            ("/**", PathKind::Prefix),
            ("/v1/**", PathKind::Prefix),
            ("/*", PathKind::Star),
            ("/*/b", PathKind::Star),
            ("/*/**", PathKind::StarPrefix),
            ("/a/**/b", PathKind::Glob),
            ("/a*", PathKind::Glob),
            ("/{a,b}", PathKind::Glob),
            ("/**/**", PathKind::Glob),
        ] {
            assert_eq!(PathKind::of(pattern), kind, "{pattern}");
        }
    }
}
