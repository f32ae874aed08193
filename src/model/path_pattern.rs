//! Path patterns: `/v1/charges`, `/v1/**`, `/v1/*/items`, `/files/{a,b}-*.json`.
//!
//! | form | in a pattern | matches |
//! |---|---|---|
//! | text | anywhere | these bytes |
//! | `*` | anywhere in a segment | any bytes but `/`, none included |
//! | `{a,b}` | anywhere in a segment, not nested | one of the alternatives, which may hold `*` |
//! | `**` | a whole segment | any segments, none included; at the end at least one, which may be empty |
//!
//! A pattern begins with `/`. Which paths one matches is the index's to say.

use std::borrow::Cow;
use std::fmt;

/// A checked path pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern<'a> {
    text: Cow<'a, str>,
    kind: PathKind,
    has_encoded_slash: bool,
}

/// The class of a pattern: the cheapest comparison that is exact for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl<'a> PathPattern<'a> {
    /// A pattern that was checked: canonical, the hex digits of escapes in upper case.
    pub(crate) fn new(text: Cow<'a, str>, kind: PathKind, has_encoded_slash: bool) -> PathPattern<'a> {
        PathPattern { text, kind, has_encoded_slash }
    }

    /// A text that nobody checked as a pattern, for questions about paths; no policy holds it.
    pub fn unchecked(text: &'a str) -> PathPattern<'a> {
        PathPattern::new(Cow::Borrowed(text), PathKind::of(text), text.contains("%2F"))
    }

    /// The pattern as it is compared: as written, the hex digits of escapes in upper case.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The class that it falls into.
    pub(crate) fn kind(&self) -> PathKind {
        self.kind
    }

    /// Tells whether it holds `%2F`, which only a target with `encodedSlash` may.
    pub fn has_encoded_slash(&self) -> bool {
        self.has_encoded_slash
    }

    /// Tells whether its first segment is literal: `encodedSlash: key` wants one.
    pub fn begins_literally(&self) -> bool {
        let first = self.text.split('/').nth(1).unwrap_or_default();
        !first.contains(['*', '{'])
    }

    /// Tells whether every path that another pattern matches is matched, both read alike; false where that is not sure. It is
    /// sure where the two are the same, and where the other one begins with the prefix of this one.
    pub fn covers(&self, other: &PathPattern<'_>) -> bool {
        let prefix = self.text.strip_suffix("/**").filter(|_| self.kind == PathKind::Prefix);
        let is_below = |prefix| other.text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        self.text == other.text || prefix.is_some_and(is_below)
    }

    /// Makes the pattern own its text.
    pub fn into_owned(self) -> PathPattern<'static> {
        PathPattern { text: Cow::Owned(self.text.into_owned()), ..self }
    }
}

impl fmt::Display for PathPattern<'_> {
    /// As it is compared.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PathKind {
    pub(crate) const ALL: [PathKind; 5] =
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

    pub(crate) fn is_deep(self) -> bool {
        matches!(self, PathKind::Prefix | PathKind::StarPrefix)
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

    #[test]
    fn a_pattern_covers_itself_and_a_prefix_what_is_below() {
        for (outer, inner, expected) in [
            ("/a", "/a", true),
            ("/a/**", "/a/b", true),
            ("/a/**", "/a/**", true),
            ("/a/**", "/a/*/b", true),
            ("/a/**", "/a", false),
            ("/a/**", "/ab", false),
            ("/**", "/a", true),
            ("/a/*", "/a/b", false),
            ("/*/**", "/a/b", false),
            ("/a/**/**", "/a/b", false),
        ] {
            assert_eq!(
                PathPattern::unchecked(outer).covers(&PathPattern::unchecked(inner)),
                expected,
                "{outer} {inner}"
            );
        }
    }
}
