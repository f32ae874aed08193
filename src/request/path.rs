//! `:path` without its query: canonical, or ambiguous because servers could read it in more than one way.

use super::segment::Segment;
use std::slice;
use std::str;

/// The form of a path: whether servers agree on what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// They do.
    Canonical,
    /// They would but for `%2F`: an ordinary escape to some, a separator to others. The path is canonical both ways.
    EncodedSlash,
    /// They may not.
    Ambiguous,
}

/// A path (RFC 3986 §3.3) and its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// Tells whether the text is canonical.
    pub form: Form,
    /// The bytes before the first `?`. Unless ambiguous, the hex digits of escapes are upper case.
    pub text: &'a [u8],
}

impl<'a> Path<'a> {
    /// Reads `:path`. `buffer` holds the text only if an escape was spelled in lower case.
    pub fn parse(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> Path<'a> {
        let text = raw.split(|&byte| byte == b'?').next().unwrap_or_default();
        let Some(reading) = read(text) else {
            return Path { form: Form::Ambiguous, text };
        };
        let form = if reading.encoded_slash { Form::EncodedSlash } else { Form::Canonical };
        if !reading.lower_hex {
            return Path { form, text };
        }
        upper_escapes(text, buffer);
        Path { form, text: buffer }
    }
}

/// Copies a text with the hex digits of its escapes in upper case.
fn upper_escapes(text: &[u8], buffer: &mut Vec<u8>) {
    buffer.clear();
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        buffer.push(byte);
        if byte == b'%' {
            buffer.extend(bytes.by_ref().take(2).map(u8::to_ascii_uppercase));
        }
    }
}

/// Reads `:path` as one that holds the key of an object store, whose segments may be empty and may hold any escape, of `/` too, once
/// more escaped. Returns the bytes before the first `?` with the hex digits of escapes in upper case; none where servers may see
/// another key, however often they decode it.
pub fn object_key<'a>(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let text = raw.split(|&byte| byte == b'?').next().unwrap_or_default();
    let mut bytes = text.strip_prefix(b"/")?.iter();
    let mut lower_hex = false;
    // the first segment names what holds the key, and is as canonical as anywhere
    let mut first = Some(Segment::Empty);
    while let Some(&byte) = bytes.next() {
        let mut value = byte;
        if byte == b'%' {
            let escape = escape(byte, &mut bytes)?;
            lower_hex |= escape.lower;
            value = escape.value;
            match value {
                b'%' if first.is_some() && hides_escape(&bytes) => return None,
                b'/' | b'%' => {}
                0x80.. => lower_hex |= character(value, &mut bytes)?,
                value if is_deceptive(value) => return None,
                _ => {}
            }
        } else if !is_plain(byte) && !matches!(byte, b'/' | b'.' | b';') {
            return None;
        }
        first = match first {
            Some(Segment::Empty) if value == b'/' => return None,
            Some(_) if value != b'/' => Some(Segment::Other),
            _ => None,
        };
    }
    if !is_without_dots(text) {
        return None;
    }
    if !lower_hex {
        return Some(text);
    }
    upper_escapes(text, buffer);
    Some(buffer)
}

/// Tells whether no segment is `.` or `..`, also not before a `;`, with every escape decoded until nothing is left of it, and
/// split at `\`, too.
fn is_without_dots(text: &[u8]) -> bool {
    let mut segment = Segment::Empty;
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        let byte = if byte == b'%' { decoded(&mut bytes) } else { byte };
        segment = match byte {
            b'/' | b'\\' if segment.is_no_dots() => Segment::Empty,
            b'.' => segment.dot(),
            b';' if segment.is_no_dots() => Segment::Other,
            b'/' | b'\\' | b';' => return false,
            _ => Segment::Other,
        };
    }
    segment.is_no_dots()
}

/// Reads what follows a `%`: any number of `25`, and two hex digits; `%` where there are none.
fn decoded(bytes: &mut slice::Iter<'_, u8>) -> u8 {
    let mut value = b'%';
    loop {
        let mut ahead = bytes.clone();
        let Some(escape) = escape(b'%', &mut ahead) else { return value };
        value = escape.value;
        *bytes = ahead;
        if value != b'%' {
            return value;
        }
    }
}

/// Writes into `out` how a deny entry reads a path that is not ambiguous: in lower case, escapes of visible ASCII
/// decoded (but for `%25`, `%2F` and `%5C`), each segment cut at its first `;`.
///
/// An escape is decoded before the cut, so that `/a%3Bb` and `/a;b` are both `/a`: whatever two texts have in common
/// when cut first they also have when decoded first, so a deny entry matches no less. What is decoded never separates
/// segments, nor is it decoded again: `%2F` stays, and a `?` or `#` from an escape is a byte like any other. `%2F`
/// does not end a cut.
pub fn widen(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut cut = false;
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        let byte = match escape(byte, &mut bytes.clone()) {
            Some(Escape { value, .. }) if matches!(value, 0x21..=0x7E) && !matches!(value, b'%' | b'/' | b'\\') => {
                bytes = bytes.as_slice().get(2..).unwrap_or_default().iter();
                value
            }
            _ => byte,
        };
        cut = match byte {
            b'/' => false,
            b';' => true,
            _ => cut,
        };
        if !cut {
            out.push(byte.to_ascii_lowercase());
        }
    }
}

/// The finds of reading a path that is not ambiguous.
struct Reading {
    /// It holds `%2F`.
    encoded_slash: bool,
    /// An escape is spelled with a lower-case digit.
    lower_hex: bool,
}

/// Reads a path in one pass; `None` where it is ambiguous.
fn read(text: &[u8]) -> Option<Reading> {
    let mut bytes = text.strip_prefix(b"/")?.iter();
    let mut segment = Segment::Empty;
    let mut reading = Reading { encoded_slash: false, lower_hex: false };
    while let Some(&byte) = bytes.next() {
        if is_plain(byte) {
            segment = Segment::Other;
            continue;
        }
        segment = match byte {
            b'/' => segment.slash()?,
            b'.' => segment.dot(),
            b';' => segment.semicolon()?,
            b'%' => {
                let escape = escape(byte, &mut bytes)?;
                reading.lower_hex |= escape.lower;
                match escape.value {
                    b'/' => {
                        reading.encoded_slash = true;
                        segment.slash()?
                    }
                    b';' => segment.semicolon()?,
                    b'%' if hides_escape(&bytes) => return None,
                    0x80.. => {
                        reading.lower_hex |= character(escape.value, &mut bytes)?;
                        Segment::Other
                    }
                    value if is_deceptive(value) => return None,
                    _ => Segment::Other,
                }
            }
            _ => return None,
        };
    }
    segment.is_no_dots().then_some(reading)
}

/// Bytes that are themselves wherever they stand: visible ASCII without those that `read` looks at, `\` and `#`.
fn is_plain(byte: u8) -> bool {
    PLAIN.get(usize::from(byte)).is_some_and(|plain| *plain)
}

const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x21;
    while byte <= 0x7E_usize {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            plain[byte] = !matches!(byte as u8, b'/' | b'.' | b';' | b'%' | b'\\' | b'#');
        }
        byte = byte.saturating_add(1);
    }
    plain
};

/// Escapes that servers decode or refuse before they look at the path: controls, separators, and the unreserved
/// characters, whose escapes mean the same as the characters (RFC 3986 §2.3).
fn is_deceptive(value: u8) -> bool {
    value.is_ascii_control()
        || value.is_ascii_alphanumeric()
        || matches!(value, b'/' | b'\\' | b'-' | b'.' | b'_' | b'~')
}

/// Tells whether what follows a `%25` makes it a deceptive escape for a server that decodes twice.
fn hides_escape(following: &slice::Iter<'_, u8>) -> bool {
    escape(b'%', &mut following.clone()).is_some_and(|escape| is_deceptive(escape.value))
}

/// An escape, `%` and two hex digits.
struct Escape {
    value: u8,
    /// A digit is in lower case.
    lower: bool,
}

/// Reads an escape whose first byte has been taken out of `bytes`; `None` where it is none.
fn escape(first: u8, bytes: &mut slice::Iter<'_, u8>) -> Option<Escape> {
    if first != b'%' {
        return None;
    }
    let digits = [*bytes.next()?, *bytes.next()?];
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    Some(Escape { value: u8::try_from(high? << 4 | low?).ok()?, lower: digits.iter().any(u8::is_ascii_lowercase) })
}

/// Reads the rest of a character that begins with the escaped byte `first`; tells whether a digit was in lower case,
/// and `None` where the escapes spell no UTF-8.
fn character(first: u8, bytes: &mut slice::Iter<'_, u8>) -> Option<bool> {
    let mut encoded = [first, 0, 0, 0];
    let length = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let encoded = encoded.get_mut(..length)?;
    let mut lower = false;
    for byte in encoded.iter_mut().skip(1) {
        let escape = escape(*bytes.next()?, bytes)?;
        *byte = escape.value;
        lower |= escape.lower;
    }
    str::from_utf8(encoded).is_ok().then_some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(path: &str) -> Form {
        Path::parse(path.as_bytes(), &mut Vec::new()).form
    }

    #[track_caller]
    fn all(expected: Form, paths: &[&str]) {
        for path in paths {
            assert_eq!(form(path), expected, "{path:?}");
        }
    }

    fn wide(path: &str) -> String {
        let mut out = b"left over".to_vec();
        widen(path.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_path_starts_with_a_slash() {
        all(Form::Canonical, &["/", "/a", "/?", "/a?b"]);
        all(Form::Ambiguous, &["", "a", "*", "?", "?/a", "%2Fa", "http://a/b"]);
    }

    #[test]
    fn the_query_is_no_part_of_it() {
        let path = Path::parse(b"/a?b=/../%zz?\xff#", &mut Vec::new()).text.to_owned();
        assert_eq!(path, b"/a");
        assert_eq!(Path::parse(b"//a?b", &mut Vec::new()).text, b"//a");
        all(Form::Canonical, &["/a?//..\\%00"]);
    }

    #[test]
    fn only_visible_ascii_without_backslash_and_hash() {
        for byte in 0..=u8::MAX {
            let path = [b'/', b'a', byte, b'z', b'z'];
            let canonical = matches!(byte, 0x21..=0x7E) && !matches!(byte, b'\\' | b'#' | b'%');
            let found = Path::parse(&path, &mut Vec::new()).form == Form::Canonical;
            assert_eq!(found, canonical, "0x{byte:02x}");
        }
    }

    #[test]
    fn only_the_last_segment_is_empty() {
        all(Form::Canonical, &["/", "/a/", "/a/b/"]);
        all(Form::Ambiguous, &["//", "//a", "/a//b", "/a//", "///"]);
    }

    #[test]
    fn no_segment_is_a_dot_segment_also_not_before_parameters() {
        all(
            Form::Canonical,
            &["/...", "/.a", "/a.", "/..a", "/a/.../b", "/a;..", "/a;../b", "/a;/b", "/;", "/.a;b", "/...;"],
        );
        all(Form::Ambiguous, &["/.", "/..", "/./", "/../", "/a/.", "/a/..", "/a/./b", "/a/../b", "/.?x", "/..?x"]);
        all(
            Form::Ambiguous,
            &["/.;", "/..;", "/..;/b", "/.;x/b", "/..;a=b/c", "/..%3B/b", "/..%3bx", "/.%3B", "/a/..;..;"],
        );
    }

    #[test]
    fn an_escape_has_two_hex_digits() {
        all(Form::Canonical, &["/%20", "/%3F", "/%40a", "/100%25", "/%25/b", "/%25zz", "/%7B%7D", "/%21"]);
        all(Form::Ambiguous, &["/%", "/%4", "/%4/", "/%zz", "/%4z", "/%+4", "/%%20", "/%u0041", "/a%?20", "/%2?F"]);
    }

    #[test]
    fn no_escape_of_controls_separators_or_unreserved_characters() {
        for value in 0..0x80u8 {
            let deceptive =
                value < 0x20 || value == 0x7F || value.is_ascii_alphanumeric() || b"\\-._~".contains(&value);
            let expected = match value {
                b'/' => Form::EncodedSlash,
                _ if deceptive => Form::Ambiguous,
                _ => Form::Canonical,
            };
            all(expected, &[&format!("/a%{value:02x}b"), &format!("/a%{value:02X}b")]);
            let twice = if deceptive || value == b'/' { Form::Ambiguous } else { Form::Canonical };
            all(twice, &[&format!("/a%25{value:02x}b"), &format!("/a%25{value:02X}b")]);
        }
    }

    #[test]
    fn escapes_above_ascii_spell_utf8() {
        all(Form::Canonical, &["/%c3%a9", "/%C3%A9x", "/%E2%82%AC/%f0%9f%92%a9", "/%F4%8F%BF%BF", "/%ED%9F%BF"]);
        all(
            Form::Ambiguous,
            &[
                "/%80",
                "/%BF%80",
                "/%C3",
                "/%C3/%A9",
                "/%C3a%A9",
                "/%C3%29",
                "/%C3%2F",
                "/%E2%82",
                "/%E2%82/",
                "/%C0%AF",
                "/%C1%81",
                "/%E0%80%AF",
                "/%ED%A0%80",
                "/%F0%80%80%AF",
                "/%F4%90%80%80",
                "/%F5%80%80%80",
                "/%FF",
                "/%C3%",
                "/%C3%A",
                "/%C3%A9%A9",
            ],
        );
    }

    #[test]
    fn an_encoded_slash_is_ordinary_if_the_path_is_canonical_both_ways() {
        all(Form::EncodedSlash, &["/a%2Fb", "/a%2fb", "/a%2F", "/a/b%2Fc/d", "/@scope%2Fname"]);
        all(
            Form::Ambiguous,
            &[
                "/%2F",
                "/%2Fa",
                "/a/%2Fb",
                "/a%2F/b",
                "/a%2F%2Fb",
                "/a%2F..",
                "/a%2F..%2Fb",
                "/..%2Fa",
                "/.%2F",
                "/a%2F.;",
                "/a%252Fb",
                "/a%2F%41",
                "/a%2F%00",
            ],
        );
    }

    #[test]
    fn a_key_is_opaque_but_for_what_leads_elsewhere() {
        let key = |path: &str| {
            object_key(path.as_bytes(), &mut Vec::new()).map(|key| String::from_utf8(key.to_owned()).unwrap())
        };
        for path in [
            "/",
            "/b",
            "/b/a",
            "/b//a",
            "/b///",
            "/b/a%2F%2Fb",
            "/b/%2F",
            "/b/%252F",
            "/b/%2541",
            "/b/100%25",
            "/%25zz/a",
        ] {
            assert_eq!(key(path), Some(path.to_owned()), "{path}");
        }
        for path in [
            "",
            "b/a",
            "//b",
            "/%2Fb",
            "/%252F/a",
            "/b%2541/a",
            "/b/..",
            "/b/../a",
            "/./b",
            "/b/.;x",
            "/b/..%3Bx",
            "/b%2F..%2Fa",
            "/b/%252E%252E/a",
            "/b/%252e%25252e",
            "/b/x%255C..",
            "/b/x%252F..%252Fy",
            "/b/..%253Bx",
            "/b/%2525252E",
            "/b/a%5Cb",
            "/b/%2E%2E",
            "/b/%00",
            "/b/%7F",
            "/b/%41",
            "/b/%",
            "/b/%4",
            "/b\\a",
            "/b#",
            "/b a",
            "/b/%FF",
            "/b/%C3",
        ] {
            assert_eq!(key(path), None, "{path}");
        }
        assert_eq!(key("/b/caf%c3%a9%252f?x=/../"), Some("/b/caf%C3%A9%252f".to_owned()));
    }

    #[test]
    fn hex_digits_are_upper_cased_and_nothing_else() {
        let mut buffer = b"left over".to_vec();
        let path = Path::parse(b"/caf%c3%A9/%3f%25c3a/%e2%82%ac/a%2fb?%c3", &mut buffer);
        assert_eq!(path, Path { form: Form::EncodedSlash, text: b"/caf%C3%A9/%3F%25c3a/%E2%82%AC/a%2Fb" });
    }

    #[test]
    fn a_canonical_path_is_borrowed_and_the_buffer_left_alone() {
        let mut buffer = Vec::new();
        assert_eq!(Path::parse(b"/v1/A%20b?x", &mut buffer).text, b"/v1/A%20b");
        assert_eq!(Path::parse(b"/v1/../%c3", &mut Vec::new()).text, b"/v1/../%c3");
        assert_eq!(buffer.capacity(), 0);
    }

    #[test]
    fn the_wide_reading_ignores_case() {
        assert_eq!(wide("/Admin/USERS/%C3%A9"), "/admin/users/%c3%a9");
    }

    #[test]
    fn the_wide_reading_decodes_visible_ascii_but_what_separates() {
        assert_eq!(wide("/%21%40%7E"), "/!@~");
        assert_eq!(wide("/a%3Fb%23c"), "/a?b#c");
        assert_eq!(wide("/a%20b%25c%2Fd%5Ce%7F"), "/a%20b%25c%2fd%5ce%7f");
        assert_eq!(wide("/%25%32%46"), "/%252f");
        assert_eq!(wide("/a%"), "/a%");
        assert_eq!(wide("/a%4"), "/a%4");
    }

    #[test]
    fn the_wide_reading_cuts_each_segment_at_its_first_semicolon_however_spelled() {
        assert_eq!(wide("/a;b=c/d;e;f/g"), "/a/d/g");
        assert_eq!(wide("/a%3Bb/c"), "/a/c");
        assert_eq!(wide("/a%3bb;c/;d"), "/a/");
        assert_eq!(wide("/a;b%2Fc/d"), "/a/d");
    }
}
