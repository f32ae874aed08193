//! Path patterns as they are written, and what to write instead of those that are none.

use super::decode::{Shape, Text};
use super::finding::{Findings, code};
use crate::index::is_costly;
use crate::model::{PathKind, PathPattern};
use crate::request::{Form, Path};
use std::borrow::Cow;

/// Longest pattern, in bytes, of those that are no cheap form.
const LONGEST_COSTLY: usize = 256;

impl<'de> Shape<'de> for PathPattern<'de> {
    const EXPECTED: &'static str = "a path";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        match parse(text.0) {
            Ok(pattern) if pattern.text().len() > LONGEST_COSTLY && takes_automaton(&pattern) => {
                let message = format!("`{pattern}` is longer than {LONGEST_COSTLY} bytes");
                let fix = "exact paths, `/prefix/**` and whole-segment `*` may be longer".to_owned();
                findings.error(code::LIMIT, message, fix)
            }
            Ok(pattern) => Some(pattern),
            Err((message, fix)) => findings.error(code::PATH, message, fix.map(str::to_owned)),
        }
    }
}

/// Tells whether a pattern is no cheap form.
pub(super) fn takes_automaton(pattern: &PathPattern<'_>) -> bool {
    pattern.kind() == PathKind::Glob && is_costly(pattern.text())
}

/// Reads a path pattern; none where a text is no such.
pub fn path_pattern(text: &str) -> Option<PathPattern<'_>> {
    parse(Cow::Borrowed(text)).ok()
}

type Bad = (String, Option<&'static str>);

fn parse(text: Cow<'_, str>) -> Result<PathPattern<'_>, Bad> {
    let seen = classes(&text);
    if seen & FOREIGN != 0 {
        return Err(foreign(&text));
    }
    let mut buffer = Vec::new();
    let path = Path::parse(text.as_bytes(), &mut buffer);
    if path.form == Form::Ambiguous {
        return Err(ambiguous(&text));
    }
    let has_encoded_slash = path.form == Form::EncodedSlash;
    let changed = (!buffer.is_empty()).then(|| String::from_utf8_lossy(&buffer).into_owned());
    let text = changed.map_or(text, Cow::Owned);
    let kind = match text.strip_suffix("/**") {
        _ if seen & WILD == 0 => PathKind::Exact,
        Some(prefix) if classes(prefix) & WILD == 0 => PathKind::Prefix,
        _ => {
            wildcards(&text)?;
            PathKind::of(&text)
        }
    };
    Ok(PathPattern::new(text, kind, has_encoded_slash))
}

/// The classes of all bytes of a text.
fn classes(text: &str) -> u8 {
    text.bytes().fold(0, |seen, byte| seen | CLASS.get(usize::from(byte)).copied().unwrap_or(FOREIGN))
}

/// Wildcards and braces.
const WILD: u8 = 1;
/// Bytes that no pattern holds.
const FOREIGN: u8 = 2;

const CLASS: [u8; 256] = {
    let mut class = [FOREIGN; 256];
    let mut byte = 0x21;
    while byte <= 0x7E_usize {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            class[byte] = match byte as u8 {
                b'*' | b'{' | b'}' => WILD,
                b'?' | b'[' | b']' | b'\\' | b'#' => FOREIGN,
                _ => 0,
            };
        }
        byte = byte.saturating_add(1);
    }
    class
};

fn bad(text: &str, why: &str, fix: &'static str) -> Bad {
    (format!("`{text}` {why}"), Some(fix))
}

/// Explains why a text with a byte that no pattern holds is none.
fn foreign(text: &str) -> Bad {
    let byte = text.bytes().find(|byte| CLASS.get(usize::from(*byte)).is_none_or(|class| *class == FOREIGN));
    let (why, fix) = match byte {
        Some(b'?') => ("holds `?`", "queries are not judged; `*` stands for any run of characters"),
        Some(b'[' | b']') => ("holds a bracket", "write `{a,b}` for alternatives"),
        Some(b'\\') => ("holds a backslash", "no character is escaped by one"),
        Some(b'#') => ("holds `#`", "fragments never reach a server"),
        Some(b' ') => ("holds a space", "write `%20`"),
        _ => ("is not printable ASCII", "write other characters as the escapes of their UTF-8 bytes"),
    };
    bad(text, why, fix)
}

/// Explains why no canonical path can match.
fn ambiguous(text: &str) -> Bad {
    if !text.starts_with('/') {
        return bad(text, "does not start with `/`", "a path pattern is a whole path: `/v1/**`");
    }
    if text.contains("//") {
        return bad(text, "has an empty segment", "write one `/`");
    }
    if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        return bad(text, "has a dot segment", "write the path that it leads to");
    }
    let fix = "escape only what needs it, as `%` and two hex digits, and no `/`, `\\` or control character";
    bad(text, "is no path that a request in canonical form can have", fix)
}

/// `**` is a whole segment, braces are of one level.
fn wildcards(text: &str) -> Result<(), Bad> {
    text.split('/').filter(|segment| *segment != "**").try_for_each(|segment| {
        if segment.contains("**") {
            return Err(bad(text, "has `**` beside other characters", "`**` is a whole segment; inside one write `*`"));
        }
        braces(segment).map_err(|why| bad(text, why, "write `{a,b}`: one level, no empty branch, no `/` inside"))
    })
}

/// One level of `{a,b}` without empty branches.
fn braces(segment: &str) -> Result<(), &'static str> {
    let mut inside: Option<&str> = None;
    for part in segment.split_inclusive(['{', '}']) {
        match (inside, part.chars().next_back()) {
            (None, Some('}')) => return Err("closes a brace that was not opened"),
            (Some(_), Some('{')) => return Err("has a brace inside braces"),
            (Some(_), Some('}')) => {
                let branches = part.strip_suffix('}').unwrap_or(part);
                if branches.split(',').any(str::is_empty) {
                    return Err("has an empty branch");
                }
                if segment.len() == branches.len().saturating_add(2)
                    && branches.split(',').any(|branch| matches!(branch, "." | ".."))
                {
                    return Err("has a branch that is a dot segment");
                }
                inside = None;
            }
            (None, Some('{')) => inside = Some(part),
            _ => {}
        }
    }
    inside.map_or(Ok(()), |_| Err("opens a brace that is not closed"))
}
