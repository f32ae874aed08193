//! Header maps as they cross between host and filter: a count, the sizes of all names and values, then the bytes.
//! All numbers are u32, little-endian; every name and value is followed by a NUL byte that its size does not count.

/// Headers whose layout was checked. Names and values are bytes; nothing is assumed about their encoding.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pairs<'a> {
    sizes: &'a [[u8; 8]],
    data: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// Reads headers; `None` where the bytes are not exactly one header map. The host writes an empty map as nothing
    /// at all or as the count 0.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Pairs<'a>> {
        let Some((count, rest)) = bytes.split_first_chunk::<4>() else {
            return bytes.is_empty().then(Pairs::default);
        };
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (sizes, data) = rest.split_at_checked(count.checked_mul(8)?)?;
        let (sizes, _) = sizes.as_chunks::<8>();
        let mut left = data;
        for size in sizes {
            let (name, value) = lengths(*size)?;
            for length in [name, value] {
                let (field, rest) = left.split_at_checked(length.checked_add(1)?)?;
                left = (field.last() == Some(&0)).then_some(rest)?;
            }
        }
        left.is_empty().then_some(Pairs { sizes, data })
    }

    /// Names and values, in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut left = self.data;
        let mut field = move |length: usize| {
            let (field, rest) = left.split_at_checked(length)?;
            left = rest.get(1..)?;
            Some(field)
        };
        self.sizes.iter().map_while(move |size| {
            let (name, value) = lengths(*size)?;
            Some((field(name)?, field(value)?))
        })
    }

    /// The first value of a header.
    pub(crate) fn first(self, name: &[u8]) -> Option<&'a [u8]> {
        self.iter().find_map(|(this, value)| (this == name).then_some(value))
    }
}

fn lengths(size: [u8; 8]) -> Option<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = size;
    let length = |bytes| usize::try_from(u32::from_le_bytes(bytes)).ok();
    Some((length([a, b, c, d])?, length([e, f, g, h])?))
}

/// Appends headers. `None` where they are too long for the format, which then holds a part of them.
pub(crate) fn write<'a>(
    out: &mut Vec<u8>,
    headers: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> Option<()> {
    let number = |out: &mut Vec<u8>, length: usize| {
        out.extend_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
        Some(())
    };
    number(out, headers.len())?;
    for (name, value) in headers.clone() {
        number(out, name.len())?;
        number(out, value.len())?;
    }
    for (name, value) in headers {
        for field in [name, value] {
            out.extend_from_slice(field);
            out.push(0);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Header = (&'static [u8], &'static [u8]);

    fn bytes(headers: &[Header]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, headers.iter().copied()).expect("short enough");
        out
    }

    #[test]
    fn what_is_written_is_read_again() {
        let headers: [Header; 4] = [(b":path", b"/a"), (b"x-any", b"\xff\x00\x80"), (b"", b""), (b"x-any", b"2")];
        let written = bytes(&headers);
        let read = Pairs::parse(&written).expect("well-formed");
        assert_eq!(read.iter().collect::<Vec<_>>(), headers);
        assert_eq!(read.first(b"x-any"), Some(&b"\xff\x00\x80"[..]));
        assert_eq!(read.first(b"x-other"), None);
    }

    #[test]
    fn no_headers_are_nothing_or_a_count_of_zero() {
        for empty in [&b""[..], &[0; 4]] {
            assert_eq!(Pairs::parse(empty).expect("well-formed").iter().count(), 0);
        }
    }

    #[test]
    fn nothing_is_read_from_a_map_cut_anywhere_or_followed_by_more() {
        let whole = bytes(&[(b":authority", b"a.com"), (b"x", b"y")]);
        for end in 1..whole.len() {
            assert!(Pairs::parse(&whole[..end]).is_none(), "{end}");
        }
        assert!(Pairs::parse(&[&whole[..], b"\0"].concat()).is_none());
    }

    #[test]
    fn nothing_is_read_from_sizes_that_lie() {
        let whole = bytes(&[(b"name", b"value")]);
        for (place, byte) in [(0, 2), (0, 0), (3, 0xFF), (4, 3), (4, 5), (7, 0xFF), (8, 4), (8, 6), (11, 0xFF), (16, 1)]
        {
            let mut lie = whole.clone();
            lie[place] = byte;
            assert!(Pairs::parse(&lie).is_none(), "{place} {byte}");
        }
        assert!(Pairs::parse(&[0xFF; 64]).is_none());
    }
}
