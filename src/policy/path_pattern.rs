//! Path patterns, checked: `/v1/charges`, `/v1/**`, `/v1/*/items`, `/files/{a,b}-*.json`.

use super::decode::{Shape, Text};
use super::finding::{Findings, code};
use crate::index::PathKind;
use crate::request::{Form, Path};
use std::borrow::Cow;

/// Longest pattern, in bytes, of those that are no cheap form.
const LONGEST_GLOB: usize = 256;

/// A checked path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern<'a> {
    /// As written, the hex digits of escapes in upper case.
    pub(super) text: Cow<'a, str>,
    pub(super) kind: PathKind,
    /// Holds `%2F`, which only a target with `encodedSlash: data` may.
    pub(super) encoded_slash: bool,
    /// Where it stands in its list.
    pub(super) item: usize,
}

impl<'de> Shape<'de> for PathPattern<'de> {
    const EXPECTED: &'static str = "a path";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        match parse(text.0, findings.item()) {
            Ok(pattern) if pattern.kind == PathKind::Glob && pattern.text.len() > LONGEST_GLOB => {
                let message = format!("`{}` is longer than {LONGEST_GLOB} bytes", pattern.text);
                let fix = "exact paths, `/prefix/**` and whole-segment `*` may be longer".to_owned();
                findings.error(code::LIMIT, message, fix)
            }
            Ok(pattern) => Some(pattern),
            Err((message, fix)) => findings.error(code::PATH, message, fix.map(str::to_owned)),
        }
    }
}

type Bad = (String, Option<&'static str>);

fn parse(text: Cow<'_, str>, item: usize) -> Result<PathPattern<'_>, Bad> {
    forms(&text)?;
    let mut buffer = Vec::new();
    let path = Path::parse(text.as_bytes(), &mut buffer);
    let encoded_slash = match path.form {
        Form::Canonical => false,
        Form::EncodedSlash => true,
        Form::Ambiguous => {
            return Err((
                format!("no canonical path can match `{text}`"),
                Some(
                    "write every escape as `%` and two hex digits, only where the character needs one, and no `.` or `..` segments",
                ),
            ));
        }
    };
    let changed = (path.text != text.as_bytes()).then(|| String::from_utf8_lossy(path.text).into_owned());
    let text = changed.map_or(text, Cow::Owned);
    let kind = PathKind::of(&text);
    Ok(PathPattern { kind, text, encoded_slash, item })
}

/// Refuses what the pattern language does not have.
fn forms(text: &str) -> Result<(), Bad> {
    let bad = |why: &str, fix: Option<&'static str>| Err((format!("`{text}` {why}"), fix));
    if !text.starts_with('/') {
        return bad("does not start with `/`", Some("a path pattern is a whole path: `/v1/**`"));
    }
    if let Some(byte) = text.bytes().find(|byte| !(0x21..=0x7E).contains(byte) || b"?[]\\#".contains(byte)) {
        return match byte {
            b'?' => bad("holds `?`", Some("queries are not judged; `*` stands for any run of characters")),
            b'[' | b']' => bad("holds a bracket", Some("write `{a,b}` for alternatives")),
            b'\\' => bad("holds a backslash", Some("no character is escaped by one")),
            b'#' => bad("holds `#`", Some("fragments never reach a server")),
            b' ' => bad("holds a space", Some("write `%20`")),
            _ => bad("is not printable ASCII", Some("write other characters as the escapes of their UTF-8 bytes")),
        };
    }
    if text.contains("//") {
        return bad("has an empty segment", Some("write one `/`"));
    }
    text.split('/').try_for_each(|segment| {
        if segment == "**" {
            return Ok(());
        }
        if segment.contains("**") {
            return bad("has `**` beside other characters", Some("`**` is a whole segment; inside one write `*`"));
        }
        braces(segment).or_else(|why| bad(why, Some("write `{a,b}`: one level, no empty branch, no `/` inside")))
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
