//! Arguments of Envoy's own functions: messages of protobuf, as far as these need them.

/// A field that is text.
pub(crate) fn text(field: u8, text: &str) -> Vec<u8> {
    let mut bytes = vec![field << 3 | 2];
    let mut length = text.len();
    while length > 0x7F {
        bytes.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push((length & 0x7F) as u8);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A field that is a number below 128.
pub(crate) fn number(field: u8, number: u8) -> Vec<u8> {
    vec![field << 3, number & 0x7F]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_protobuf() {
        assert_eq!(text(1, "ab"), b"\x0a\x02ab");
        assert_eq!(number(3, 2), b"\x18\x02");
        let long = text(2, &"x".repeat(300));
        assert_eq!((&long[..3], long.len()), (&b"\x12\xac\x02"[..], 303));
    }
}
