//! Patterns as regular expressions, in the two readings of the policy language.

use super::Pattern;
use crate::request::widen;
use std::fmt::Write as _;

/// The paths that a pattern matches, canonical or not.
pub(super) fn regex(pattern: &Pattern) -> String {
    let narrow = read(&pattern.text, false);
    if !pattern.wide {
        return narrow;
    }
    // never less than the narrow reading
    format!("{}|{narrow}", read(&pattern.text, true))
}

fn read(pattern: &str, wide: bool) -> String {
    let mut out = String::new();
    let segments: Vec<&str> = pattern.strip_prefix('/').unwrap_or(pattern).split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index.saturating_add(1) == segments.len();
        if *segment == "**" {
            // at the end `**` wants a segment, though it may be an empty one; the wide reading does without
            out.push_str(if is_last && !wide { "/.*" } else { "(?:/.*)?" });
            continue;
        }
        out.push('/');
        out.push_str(&in_segment(segment, wide));
    }
    out
}

fn in_segment(segment: &str, wide: bool) -> String {
    let mut ways = vec![(String::new(), false)];
    let mut rest = segment;
    loop {
        let (plain, after) = rest.split_once('{').map_or((rest, None), |(plain, after)| (plain, Some(after)));
        follow(&mut ways, [plain], wide);
        let Some((inside, after)) = after.and_then(|after| after.split_once('}')) else { break };
        follow(&mut ways, inside.split(','), wide);
        rest = after;
    }
    let ways: Vec<String> = ways.into_iter().map(|(way, _)| way).collect();
    let cut = if wide { "(?:(?:;|%3B)[^/]*)?" } else { "" };
    format!("(?:{}){cut}", ways.join("|"))
}

/// Appends the branches of a piece to every way that has not been cut.
fn follow<'b>(ways: &mut Vec<(String, bool)>, branches: impl IntoIterator<Item = &'b str>, wide: bool) {
    let (done, open): (Vec<_>, Vec<_>) = std::mem::take(ways).into_iter().partition(|(_, is_cut)| *is_cut);
    *ways = done;
    let mut ends = [String::new(), String::new()];
    for branch in branches {
        let (text, is_cut) = literals(branch, wide);
        let [through, cut] = &mut ends;
        let end = if is_cut { cut } else { through };
        // an empty one stands too
        end.push('|');
        end.push_str(&text);
    }
    for (end, is_cut) in ends.into_iter().zip([false, true]) {
        let Some(branches) = end.strip_prefix('|') else { continue };
        ways.extend(open.iter().map(|(way, _)| (format!("{way}(?:{branches})"), is_cut)));
    }
}

/// Literals with `*` between them; whether the wide reading ends the segment in it.
fn literals(text: &str, wide: bool) -> (String, bool) {
    // what the wide reading makes one character counts as one here
    const ANY: &str = "(?:[^/;%]|%(?:[0-24-9A-F][0-9A-F]|3[0-9AC-F]))*";
    let mut out = String::new();
    for (index, literal) in text.split('*').enumerate() {
        if index > 0 {
            out.push_str(if wide { ANY } else { "[^/]*" });
        }
        if !wide {
            for byte in literal.bytes() {
                let _ = write!(out, r"\x{byte:02X}");
            }
            continue;
        }
        let mut widened = Vec::new();
        widen(literal.as_bytes(), &mut widened);
        for byte in widened {
            let _ = write!(out, r"(?:\x{:02X}|\x{:02X}", byte, byte.to_ascii_uppercase());
            let visible = matches!(byte, 0x21..=0x7E) && !byte.is_ascii_alphanumeric() && !b"%/\\-._~".contains(&byte);
            if visible {
                let _ = write!(out, "|%{byte:02X}");
            }
            out.push(')');
        }
        if literal.contains(';') || literal.contains("%3B") {
            return (out, true);
        }
    }
    (out, false)
}
