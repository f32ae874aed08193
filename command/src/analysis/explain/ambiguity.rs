//! Reasons, in words, for which servers may read a path in two ways.

use crate::read::escape;

/// The first thing about a path (without its query) that is not canonical; none where nothing is.
pub(crate) fn of(path: &[u8]) -> Option<String> {
    if !path.starts_with(b"/") {
        return Some("it does not begin with `/`".to_owned());
    }
    let escaped = escapes(path);
    escaped.or_else(|| segments(path))
}

/// The fault of a byte or an escape.
fn escapes(path: &[u8]) -> Option<String> {
    let mut rest = path;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'%' => {
                let shown = |length: usize| {
                    escape::bytes(path_from(path, after).get(..length).unwrap_or(path_from(path, after)))
                };
                let Some(value) = value_of(after) else {
                    return Some(format!("`{}` is no escape", shown(3)));
                };
                rest = after.get(2..).unwrap_or_default();
                match value {
                    0..=0x1f | 0x7f => return Some(format!("`{}` is a control character", shown(3))),
                    b'\\' => return Some(format!("`{}` is a separator to some servers", shown(3))),
                    b'%' => {
                        if let Some(hidden) = rest.first_chunk().and_then(|digits: &[u8; 2]| value_of(digits))
                            && (is_unreserved(hidden) || matches!(hidden, 0..=0x1f | 0x7f | b'/' | b'\\'))
                        {
                            return Some(format!("`{}` is an escape to servers that decode twice", shown(5)));
                        }
                    }
                    value if is_unreserved(value) => {
                        return Some(format!("`{}` is `{}`, which needs no escape", shown(3), char::from(value)));
                    }
                    0x80.. => match character(value, rest) {
                        Some(behind) => rest = behind,
                        None => return Some(format!("`{}` is no UTF-8", shown(3))),
                    },
                    _ => {}
                }
            }
            b'\\' | b'#' => return Some(format!("it holds `{}`", char::from(*first))),
            0x21..=0x7e => {}
            byte => return Some(format!("it holds the byte 0x{byte:02x}")),
        }
    }
    None
}

/// The text from the `%` before `after` on.
fn path_from<'p>(path: &'p [u8], after: &[u8]) -> &'p [u8] {
    path.get(path.len().saturating_sub(after.len()).saturating_sub(1)..).unwrap_or_default()
}

fn value_of(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

fn is_unreserved(value: u8) -> bool {
    value.is_ascii_alphanumeric() || matches!(value, b'-' | b'.' | b'_' | b'~')
}

/// The rest behind a character whose first byte was escaped, if its other bytes are, too.
fn character(first: u8, mut rest: &[u8]) -> Option<&[u8]> {
    let mut encoded = vec![first];
    while std::str::from_utf8(&encoded).is_err() {
        let digits = rest.strip_prefix(b"%")?;
        encoded.push(value_of(digits)?);
        rest = digits.get(2..)?;
        if encoded.len() > 4 {
            return None;
        }
    }
    Some(rest)
}

/// The fault of a segment, `%2F` read as it is and as a separator.
fn segments(path: &[u8]) -> Option<String> {
    let text =
        String::from_utf8_lossy(path).replace("%2f", "/").replace("%2F", "/").replace("%3b", ";").replace("%3B", ";");
    let is_encoded = text.len() != path.len();
    let segments: Vec<&str> = text.split('/').skip(1).collect();
    let last = segments.len().saturating_sub(1);
    segments.iter().enumerate().find_map(|(number, segment)| {
        let name = segment.split(';').next().unwrap_or_default();
        match name {
            "." | ".." => Some(format!("the segment `{}` is a step to some servers", escape::line(segment))),
            "" if segment.is_empty() && number < last && is_encoded => {
                Some("a segment is empty where `%2F` is read as `/`".to_owned())
            }
            "" if segment.is_empty() && number < last => Some("a segment is empty (`//`)".to_owned()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate::request::{Form, Path};

    #[test]
    fn a_path_has_a_reason_if_and_only_if_it_is_ambiguous() {
        let mut rng = fastrand::Rng::with_seed(11);
        let pieces: [&[u8]; 30] = [
            b"/", b"/", b"a", b"B1", b".", b"..", b"%2e", b"%2E", b"%2f", b"%2F", b"%5C", b"\\", b"#", b";", b"%3b",
            b"%41", b"%00", b"%7f", b"%", b"%4", b"%zz", b"%25", b"2e", b"%c3%a9", b"%C3", b"%E9", b"\xff", b" ", b"~",
            b"%20",
        ];
        for _ in 0..20_000 {
            let mut path = if rng.u8(0..20) == 0 { Vec::new() } else { b"/".to_vec() };
            (0..rng.usize(0..7)).for_each(|_| path.extend_from_slice(pieces[rng.usize(..pieces.len())]));
            let is_ambiguous = Path::parse(&path, &mut Vec::new()).form == Form::Ambiguous;
            assert_eq!(of(&path).is_some(), is_ambiguous, "{}: {:?}", path.escape_ascii(), of(&path));
        }
    }

    #[test]
    fn the_first_thing_is_named() {
        for (path, reason) in [
            ("/wiki/Caf%E9", "`%E9` is no UTF-8"),
            ("/a/../b", "the segment `..` is a step to some servers"),
            ("/a//b", "a segment is empty (`//`)"),
            ("/%252e", "`%252e` is an escape to servers that decode twice"),
            ("/%41", "`%41` is `A`, which needs no escape"),
            ("/%zz", "`%zz` is no escape"),
            ("/%", "`%` is no escape"),
        ] {
            assert_eq!(of(path.as_bytes()).as_deref(), Some(reason));
        }
    }
}
