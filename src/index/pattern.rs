//! The parts that checked path patterns are made of, for automata.

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
