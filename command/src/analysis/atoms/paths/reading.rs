//! Patterns as regular expressions, in the two readings of the policy language.

use super::Pattern;
use std::fmt::Write as _;
use tollgate::request::widen;

/// The paths that a pattern matches, canonical or not; `encoded_slash` where the wide reading also takes `%2F` for a
/// separator.
pub(super) fn regex(pattern: &Pattern, encoded_slash: bool) -> String {
    const NARROW: How = How { wide: false, slashed: false };
    let read = |how| read(&pattern.text, how);
    if !pattern.wide {
        return read(NARROW);
    }
    // never less than the narrow reading
    let as_it_is = format!("{}|{}", read(How { wide: true, ..NARROW }), read(NARROW));
    if !encoded_slash {
        return as_it_is;
    }
    let separated = [true, false].map(|wide| read(How { wide, slashed: true }));
    [as_it_is, separated.join("|")].join("|")
}

/// A pattern's way of being compared.
#[derive(Clone, Copy)]
struct How {
    wide: bool,
    /// `%2F` of a path separates segments.
    slashed: bool,
}

impl How {
    fn slash(self) -> &'static str {
        if self.slashed { "(?:/|%2F)" } else { "/" }
    }

    /// Any run inside a segment.
    fn run(self) -> &'static str {
        if self.slashed { "(?:[^/%]|%(?:[013-9A-F][0-9A-F]|2[0-9A-E]))*" } else { "[^/]*" }
    }

    /// Regular expression for the characters that `*` takes in a segment.
    fn star(self) -> &'static str {
        match (self.wide, self.slashed) {
            (false, _) => self.run(),
            // what the wide reading makes one character counts as one here
            (true, false) => "(?:[^/;%]|%(?:[0-24-9A-F][0-9A-F]|3[0-9AC-F]))*",
            (true, true) => "(?:[^/;%]|%(?:[014-9A-F][0-9A-F]|2[0-9A-E]|3[0-9AC-F]))*",
        }
    }
}

fn read(pattern: &str, how: How) -> String {
    let mut out = String::new();
    let segments: Vec<&str> = pattern.strip_prefix('/').unwrap_or(pattern).split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index.saturating_add(1) == segments.len();
        if *segment == "**" {
            // at the end `**` wants a segment, though it may be an empty one; the wide reading does without
            let rest = format!("{}.*", how.slash());
            out.push_str(&if is_last && !how.wide { rest } else { format!("(?:{rest})?") });
            continue;
        }
        out.push_str(how.slash());
        out.push_str(&in_segment(segment, how));
    }
    out
}

fn in_segment(segment: &str, how: How) -> String {
    let mut ways = vec![(String::new(), false)];
    let mut rest = segment;
    loop {
        let (plain, after) = rest.split_once('{').map_or((rest, None), |(plain, after)| (plain, Some(after)));
        follow(&mut ways, [plain], how);
        let Some((inside, after)) = after.and_then(|after| after.split_once('}')) else { break };
        follow(&mut ways, inside.split(','), how);
        rest = after;
    }
    let ways: Vec<String> = ways.into_iter().map(|(way, _)| way).collect();
    let cut = if how.wide { format!("(?:(?:;|%3B){})?", how.run()) } else { String::new() };
    format!("(?:{}){cut}", ways.join("|"))
}

/// Appends the branches of a piece to every way that has not been cut.
fn follow<'b>(ways: &mut Vec<(String, bool)>, branches: impl IntoIterator<Item = &'b str>, how: How) {
    let (done, open): (Vec<_>, Vec<_>) = std::mem::take(ways).into_iter().partition(|(_, is_cut)| *is_cut);
    *ways = done;
    let mut ends = [String::new(), String::new()];
    for branch in branches {
        let (text, is_cut) = literals(branch, how);
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

/// Literals with `*` between them. The flag is true if the wide reading ends the segment in it.
fn literals(text: &str, how: How) -> (String, bool) {
    let mut out = String::new();
    for (index, literal) in text.split('*').enumerate() {
        if index > 0 {
            out.push_str(how.star());
        }
        if how.slashed && literal.contains("%2F") {
            // no such path holds it; nothing matches this
            out.push_str("[a&&b]");
        }
        if !how.wide {
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
