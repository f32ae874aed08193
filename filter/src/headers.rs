//! Headers as a host hands them over.

use std::ops::Range;

/// The headers of one map, in order. Names and values are bytes; nothing is assumed about their encoding.
#[derive(Debug, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

/// The place of one header in the bytes of its map.
#[derive(Clone, Debug)]
pub struct Field {
    /// Place of the name.
    pub name: Range<usize>,
    /// Place of the value.
    pub value: Range<usize>,
}

impl Headers {
    /// Headers in a host's own bytes, none of which are copied. A name or value that lies outside of them is empty.
    pub fn new(bytes: Vec<u8>, fields: Vec<Field>) -> Headers {
        Headers { bytes, fields }
    }

    /// Names and values, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (self.at(&field.name), self.at(&field.value)))
    }

    /// Names, in order.
    #[inline]
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().map(|field| self.at(&field.name))
    }

    // Every header of every request passes here a few times.
    #[inline]
    fn at(&self, place: &Range<usize>) -> &[u8] {
        self.bytes.get(place.start..place.end).unwrap_or_default()
    }

    /// Bytes of all names and values.
    pub fn size(&self) -> u64 {
        self.iter()
            .fold(0, |sum, (name, value)| sum.saturating_add(name.len() as u64).saturating_add(value.len() as u64))
    }

    /// The first value of a header.
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find_map(|(this, value)| (this == name).then_some(value))
    }
}

impl<'a> FromIterator<(&'a [u8], &'a [u8])> for Headers {
    /// Copies headers, for hosts that lend them one by one.
    fn from_iter<I: IntoIterator<Item = (&'a [u8], &'a [u8])>>(headers: I) -> Headers {
        let (mut bytes, mut fields) = (Vec::new(), Vec::new());
        for (name, value) in headers {
            let mut append = |field: &[u8]| {
                let start = bytes.len();
                bytes.extend_from_slice(field);
                start..bytes.len()
            };
            fields.push(Field { name: append(name), value: append(value) });
        }
        Headers { bytes, fields }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_found_in_the_hosts_bytes() {
        let fields = vec![Field { name: 0..1, value: 2..4 }, Field { name: 4..5, value: 5..5 }];
        let headers = Headers::new(b"a\0\xff\0b".to_vec(), fields);
        let expected: [(&[u8], &[u8]); 2] = [(b"a", b"\xff\0"), (b"b", b"")];
        assert_eq!(headers.iter().collect::<Vec<_>>(), expected);
        assert_eq!(headers.names().collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!((headers.first(b"a"), headers.first(b"c"), headers.size()), (Some(&b"\xff\0"[..]), None, 4));
        assert_eq!(Headers::from_iter(expected).iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "it is what must not be taken")]
    fn a_field_that_lies_outside_of_the_bytes_is_empty() {
        for outside in [0..6, 6..6, 3..2, usize::MAX..usize::MAX] {
            let headers =
                Headers::new(b"12345".to_vec(), vec![Field { name: outside.clone(), value: outside.clone() }]);
            assert_eq!(headers.iter().collect::<Vec<_>>(), [(&b""[..], &b""[..])], "{outside:?}");
        }
    }
}
