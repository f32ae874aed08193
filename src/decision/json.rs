//! Writing JSON without a serialiser: records are written for every request, so they cost a few copies and no more.

/// Appends what leads up to a value, as it is given (`,"key":`), and the value.
pub(super) fn string(out: &mut Vec<u8>, key: &str, value: &str) {
    out.extend_from_slice(key.as_bytes());
    text(out, value);
}

/// Appends a JSON string.
pub fn text(out: &mut Vec<u8>, value: &str) {
    quoted(out, value.as_bytes(), true);
}

/// Appends the first `cap` bytes of what a caller sent as a JSON string.
///
/// Such bytes have no encoding. Every byte from 0x80 up becomes `\u00XX`, whether or not it is part of valid UTF-8:
/// what is written is ASCII, one character stands for one byte, and the bytes can be had back.
pub(crate) fn bytes(out: &mut Vec<u8>, value: &[u8], cap: usize) {
    quoted(out, value.get(..cap).unwrap_or(value), false);
}

/// Appends a number.
pub(crate) fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn quoted(out: &mut Vec<u8>, value: &[u8], utf8: bool) {
    out.push(b'"');
    if all_plain(value) {
        out.extend_from_slice(value);
    } else {
        value.iter().for_each(|byte| escaped(out, *byte, utf8));
    }
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, byte: u8, utf8: bool) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b' '..=b'~' => out.push(byte),
        0x80.. if utf8 => out.push(byte),
        _ => {
            out.extend_from_slice(b"\\u00");
            for digit in [byte >> 4, byte & 0xF] {
                out.extend(char::from_digit(digit.into(), 16).and_then(|digit| u8::try_from(digit).ok()));
            }
        }
    }
}

/// Tells whether no byte needs an escape, which holds for nearly all that is written.
fn all_plain(value: &[u8]) -> bool {
    match value.last_chunk::<8>() {
        // The last word overlaps the one before.
        Some(last) => value.as_chunks::<8>().0.iter().chain([last]).all(|word| is_plain(u64::from_le_bytes(*word))),
        None => value.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\'),
    }
}

/// Tells whether all of eight bytes are from 0x20 to 0x7E and none is `"` or `\`. May say no without need.
fn is_plain(word: u64) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    // A byte of `x` is zero: borrowing from it sets its top bit, which was not set before.
    let has_zero = |x: u64| x.wrapping_sub(ONES) & !x & TOPS;
    let has_byte = |byte: u8| has_zero(word ^ u64::from_le_bytes([byte; 8]));
    let control = word.wrapping_sub(u64::from_le_bytes([b' '; 8])) & !word & TOPS;
    (word & TOPS) | control | has_byte(b'"') | has_byte(b'\\') | has_byte(0x7F) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn every_byte_at_every_place_can_be_had_back() {
        for byte in 0..=255_u8 {
            for (length, place) in (0..7).map(|place| (7, place)).chain((0..20).map(|place| (20, place))) {
                let mut sent = vec![b'a'; length];
                sent[place] = byte;
                let json = written(|out| bytes(out, &sent, 100));
                assert!(json.is_ascii() && !json.bytes().any(|byte| byte < b' ' || byte == 0x7F), "{json}");
                let read: String = serde_json::from_str(&json).expect("valid JSON");
                assert_eq!(
                    read.chars().map(|char| char as u32).collect::<Vec<_>>(),
                    sent.iter().map(|byte| u32::from(*byte)).collect::<Vec<_>>()
                );
            }
        }
    }

    #[test]
    fn text_keeps_its_characters() {
        for value in ["", "plain", "a \"quoted\" \\ thing\n", "wíki — 漢字, and then some more"] {
            let json = written(|out| text(out, value));
            assert_eq!(serde_json::from_str::<String>(&json).expect("valid JSON"), value);
        }
    }

    #[test]
    fn bytes_are_capped() {
        assert_eq!(written(|out| bytes(out, b"abcdef", 3)), r#""abc""#);
        assert_eq!(written(|out| bytes(out, b"abc", 3)), r#""abc""#);
    }

    #[test]
    fn numbers_are_decimal() {
        assert_eq!(
            written(|out| [0, 9, 443, u64::MAX].into_iter().for_each(|n| number(out, n))),
            "0944318446744073709551615"
        );
    }
}
