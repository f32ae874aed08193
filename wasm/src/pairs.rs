//! Header maps as they cross between host and filter: a count, the sizes of all names and values, then the bytes.
//! All numbers are u32, little-endian; every name and value is followed by a NUL byte that its size does not count.

use tollgate_filter::headers::{Field, Headers};

/// Reads headers; `None` where the bytes are not exactly one header map. The host writes an empty map as nothing at all
/// or as the count 0.
pub fn read(bytes: Vec<u8>) -> Option<Headers> {
    let Some((count, rest)) = bytes.split_first_chunk::<4>() else {
        return bytes.is_empty().then(Headers::default);
    };
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (sizes, data) = rest.split_at_checked(count.checked_mul(8)?)?;
    let end = bytes.len();
    let mut at = end.checked_sub(data.len())?;
    let mut field = |size: [u8; 4]| {
        let place = at..at.checked_add(usize::try_from(u32::from_le_bytes(size)).ok()?)?;
        at = place.end.checked_add(1)?;
        (*bytes.get(place.end)? == 0).then_some(place)
    };
    let mut fields = Vec::with_capacity(count);
    for [a, b, c, d, e, f, g, h] in sizes.as_chunks::<8>().0 {
        fields.push(Field { name: field([*a, *b, *c, *d])?, value: field([*e, *f, *g, *h])? });
    }
    (at == end).then(|| Headers::new(bytes, fields))
}

/// Appends headers. `None` where they are too long for the format, which then holds a part of them.
pub fn write<'a>(
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
        let read = read(written).expect("well-formed");
        assert_eq!(read.iter().collect::<Vec<_>>(), headers);
        assert_eq!(read.first(b"x-any"), Some(&b"\xff\x00\x80"[..]));
        assert_eq!(read.first(b"x-other"), None);
        assert_eq!(read.size(), 5 + 2 + 5 + 3 + 5 + 1);
    }

    #[test]
    fn no_headers_are_nothing_or_a_count_of_zero() {
        for empty in [&b""[..], &[0; 4]] {
            assert_eq!(read(empty.to_vec()).expect("well-formed").iter().count(), 0);
        }
    }

    #[test]
    fn nothing_is_read_from_a_map_cut_anywhere_or_followed_by_more() {
        let whole = bytes(&[(b":authority", b"a.com"), (b"x", b"y")]);
        for end in 1..whole.len() {
            assert!(read(whole[..end].to_vec()).is_none(), "{end}");
        }
        assert!(read([&whole[..], b"\0"].concat()).is_none());
    }

    #[test]
    fn nothing_is_read_from_sizes_that_lie() {
        let whole = bytes(&[(b"name", b"value")]);
        for (place, byte) in [(0, 2), (0, 0), (3, 0xFF), (4, 3), (4, 5), (7, 0xFF), (8, 4), (8, 6), (11, 0xFF), (16, 1)]
        {
            let mut lie = whole.clone();
            lie[place] = byte;
            assert!(read(lie).is_none(), "{place} {byte}");
        }
        assert!(read(vec![0xFF; 64]).is_none());
    }
}
