//! Paths as Envoy's connection manager hands them to the filters (`normalize_path`, `merge_slashes`,
//! `path_with_escaped_slashes_action`). The query is never touched.

use super::Normalization;

/// Normalizes `:path` into `out`; false where Envoy refuses the request for it (400).
pub(super) fn normalize(raw: &[u8], how: Normalization, out: &mut Vec<u8>) -> bool {
    out.clear();
    if !raw.iter().all(|byte| matches!(byte, b'\t' | 0x0c | 0x21..=0x7e)) || raw.contains(&b'#') {
        return false;
    }
    let (path, query) = raw.split_at(raw.iter().position(|byte| *byte == b'?').unwrap_or(raw.len()));
    let is_whole = match how {
        Normalization::None => {
            out.extend_from_slice(path);
            true
        }
        Normalization::Base => resolve(path, out),
        Normalization::Merge => {
            let mut resolved = Vec::with_capacity(path.len());
            let is_whole = resolve(path, &mut resolved);
            merge(&resolved, out);
            is_whole
        }
        Normalization::Decode => {
            let (mut resolved, mut decoded) = (Vec::with_capacity(path.len()), Vec::with_capacity(path.len()));
            decode_slashes(path, &mut decoded);
            let is_whole = resolve(&decoded, &mut resolved);
            merge(&resolved, out);
            is_whole
        }
    };
    out.extend_from_slice(query);
    is_whole
}

/// Decodes the escapes of `/` and `\`.
fn decode_slashes(path: &[u8], out: &mut Vec<u8>) {
    let mut rest = path;
    while let [first, after @ ..] = rest {
        rest = match escape(rest).filter(|value| matches!(value, b'/' | b'\\')) {
            Some(value) => {
                out.push(value);
                rest.get(3..).unwrap_or_default()
            }
            None => {
                out.push(*first);
                after
            }
        };
    }
}

/// Leaves out empty segments, but for the last. A path that ends in `/` keeps that besides the one that it begins with:
/// `//` stays.
fn merge(path: &[u8], out: &mut Vec<u8>) {
    if !path.windows(2).any(|pair| pair == b"//") {
        return out.extend_from_slice(path);
    }
    out.extend(path.starts_with(b"/").then_some(b'/'));
    let segments = path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty());
    for (number, segment) in segments.enumerate() {
        out.extend((number > 0).then_some(b'/'));
        out.extend_from_slice(segment);
    }
    out.extend(path.ends_with(b"/").then_some(b'/'));
}

/// Resolves dot segments (RFC 3986 §5.2.4), reads `\` as `/`, decodes unreserved characters and escapes what no path
/// holds. Returns false at the escape of a NUL.
fn resolve(path: &[u8], out: &mut Vec<u8>) -> bool {
    let path = without_parameters_of_dots(path);
    let path = path.as_slice();
    if !matches!(path.first(), Some(b'/' | b'\\')) {
        out.push(b'/');
    }
    let mut is_whole = true;
    // where a `%` that begins no escape was written
    let mut loose = None;
    let mut rest = path;
    while let [first, after @ ..] = rest {
        if let Some(behind) = after_dot(rest) {
            rest = match segment_of_dots(behind).filter(|_| out.last() == Some(&b'/')) {
                None => {
                    out.push(b'.');
                    behind
                }
                Some((Dots::One, behind)) => behind,
                Some((Dots::Two, behind)) => {
                    leave_segment(out);
                    behind
                }
            };
            continue;
        }
        rest = after;
        match *first {
            b'\\' => out.push(b'/'),
            b'%' => match escape(&[&b"%"[..], after.get(..2).unwrap_or_default()].concat()) {
                Some(value) => {
                    rest = after.get(2..).unwrap_or_default();
                    if is_unreserved(value) {
                        out.push(value);
                        keep_loose(out, loose, rest);
                    } else {
                        out.push(b'%');
                        out.extend_from_slice(after.get(..2).unwrap_or_default());
                        is_whole &= value != 0;
                    }
                }
                None => {
                    loose = Some(out.len());
                    out.push(b'%');
                }
            },
            byte if is_foreign(byte) => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            byte => out.push(byte),
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    is_whole
}

/// Cuts segments of plain dots at their `;`: Envoy resolves them as if nothing followed.
fn without_parameters_of_dots(path: &[u8]) -> Vec<u8> {
    fn cut(segment: &[u8]) -> &[u8] {
        match segment {
            [b'.', b';', ..] => b".",
            [b'.', b'.', b';', ..] => b"..",
            whole => whole,
        }
    }
    path.split(|byte| *byte == b'/').map(cut).collect::<Vec<_>>().join(&b'/')
}

/// A segment of dots.
#[derive(Clone, Copy)]
enum Dots {
    One,
    Two,
}

/// The rest behind a dot, however spelled.
fn after_dot(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'.', behind @ ..] | [b'%', b'2', b'e' | b'E', behind @ ..] => Some(behind),
        _ => None,
    }
}

/// The rest behind a dot segment and its slash, given the rest behind its first dot.
fn segment_of_dots(behind: &[u8]) -> Option<(Dots, &[u8])> {
    match ended(behind) {
        Some(behind) => Some((Dots::One, behind)),
        None => Some((Dots::Two, ended(after_dot(behind)?)?)),
    }
}

/// The rest behind the end of a segment.
fn ended(text: &[u8]) -> Option<&[u8]> {
    match text {
        [] => Some(text),
        [b'/' | b'\\', behind @ ..] => Some(behind),
        _ => None,
    }
}

/// Goes back to the slash before the last segment, which ends in a slash itself.
fn leave_segment(out: &mut Vec<u8>) {
    let segments = out.get(..out.len().saturating_sub(1)).unwrap_or_default();
    let slash = segments.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    out.truncate(slash.saturating_add(1));
}

/// Writes a `%` that began no escape as `%25` if what has just been decoded behind it would make it begin one.
fn keep_loose(out: &mut Vec<u8>, loose: Option<usize>, rest: &[u8]) {
    let Some((loose, written)) = loose.and_then(|loose| Some((loose, out.len().checked_sub(loose)?))) else { return };
    let digits = match (out.get(loose.saturating_add(1)..), written) {
        (Some([first]), 2) => rest.first().map(|next| [*first, *next]),
        (Some([first, second]), 3) => Some([*first, *second]),
        _ => None,
    };
    let begins = digits.is_some_and(|[first, second]| escape(&[b'%', first, second]).is_some());
    if begins {
        let decoded = out.split_off(loose.saturating_add(1));
        out.extend_from_slice(b"25");
        out.extend(decoded);
    }
}

/// The value of an escape that text begins with.
fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

fn is_unreserved(value: u8) -> bool {
    value.is_ascii_alphanumeric() || matches!(value, b'-' | b'_' | b'~' | b'.')
}

/// Tells whether a byte is written as an escape.
fn is_foreign(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x7f..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: &str) -> [String; 4] {
        [Normalization::None, Normalization::Base, Normalization::Merge, Normalization::Decode].map(|how| {
            let mut out = b"left over".to_vec();
            match normalize(path.as_bytes(), how, &mut out) {
                true => String::from_utf8(out).unwrap(),
                false => "refused".to_owned(),
            }
        })
    }

    #[test]
    fn each_setting_does_what_envoy_does_with_it() {
        for (path, none, base, merge, decode) in [
            ("/a/../b/./c", "/a/../b/./c", "/b/c", "/b/c", "/b/c"),
            ("/a/%2e%2E/b", "/a/%2e%2E/b", "/b", "/b", "/b"),
            ("//a///b", "//a///b", "//a///b", "/a/b", "/a/b"),
            ("/a%2fb%5Cc", "/a%2fb%5Cc", "/a%2fb%5Cc", "/a%2fb%5Cc", "/a/b/c"),
            ("/a/..;/b", "/a/..;/b", "/b", "/b", "/b"),
            ("/a/.;x/|", "/a/.;x/|", "/a/%7C", "/a/%7C", "/a/%7C"),
            ("/a/%2e%2e;x/b", "/a/%2e%2e;x/b", "/a/..;x/b", "/a/..;x/b", "/a/..;x/b"),
            ("/a\\..;x/b", "/a\\..;x/b", "/a/..;x/b", "/a/..;x/b", "/a/..;x/b"),
            ("/A%41b?x=/../y", "/A%41b?x=/../y", "/AAb?x=/../y", "/AAb?x=/../y", "/AAb?x=/../y"),
            ("/x\\..\\b", "/x\\..\\b", "/b", "/b", "/b"),
            ("/%00", "/%00", "refused", "refused", "refused"),
            ("/x#y", "refused", "refused", "refused", "refused"),
            ("/caf\u{e9}", "refused", "refused", "refused", "refused"),
            ("/?\u{7f}", "refused", "refused", "refused", "refused"),
            ("/..", "/..", "/", "/", "/"),
            ("/../../a/.", "/../../a/.", "/a/", "/a/", "/a/"),
            ("/a%2f..%2fb", "/a%2f..%2fb", "/a%2f..%2fb", "/a%2f..%2fb", "/b"),
            ("//", "//", "//", "//", "//"),
            ("/a//?b//c", "/a//?b//c", "/a//?b//c", "/a/?b//c", "/a/?b//c"),
            ("/{a}", "/{a}", "/%7Ba%7D", "/%7Ba%7D", "/%7Ba%7D"),
            ("/%c3%a9", "/%c3%a9", "/%c3%a9", "/%c3%a9", "/%c3%a9"),
            ("/%%32%31", "/%%32%31", "/%2521", "/%2521", "/%2521"),
            ("/%%321", "/%%321", "/%2521", "/%2521", "/%2521"),
            ("/%4", "/%4", "/%4", "/%4", "/%4"),
            ("/a...", "/a...", "/a...", "/a...", "/a..."),
            ("/.../b", "/.../b", "/.../b", "/.../b", "/.../b"),
        ] {
            assert_eq!(seen(path), [none, base, merge, decode], "{path}");
        }
    }
}
