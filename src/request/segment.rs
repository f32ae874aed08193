//! Segments between slashes, of URL paths and SPIFFE IDs alike: which are empty, and which `.` or `..`.

/// The bytes of a segment, as far as they matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Empty,
    Dot,
    DotDot,
    /// Anything else.
    Other,
}

impl Segment {
    /// The segment behind a slash that ends this one; `None` if this one is empty or a dot segment.
    pub(super) fn slash(self) -> Option<Segment> {
        matches!(self, Segment::Other).then_some(Segment::Empty)
    }

    /// This segment behind a further `.`.
    pub(super) fn dot(self) -> Segment {
        match self {
            Segment::Empty => Segment::Dot,
            Segment::Dot => Segment::DotDot,
            Segment::DotDot | Segment::Other => Segment::Other,
        }
    }

    /// This segment behind a `;`: `None` if it is a dot segment to servers that drop what follows.
    pub(super) fn semicolon(self) -> Option<Segment> {
        self.is_no_dots().then_some(Segment::Other)
    }

    /// Tells whether it is neither `.` nor `..`.
    pub(super) fn is_no_dots(self) -> bool {
        matches!(self, Segment::Empty | Segment::Other)
    }
}
