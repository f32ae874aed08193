//! Patterns with `{a,b}`, multiplied out: where each of what they stand for is a cheap form, so are they.

use crate::model::PathKind;

/// Most patterns that one may stand for.
const MOST: usize = 64;
/// Growth that is allowed: the stored patterns may be so many times as long as the written one.
const GROWTH: usize = 8;
/// And so many bytes longer, whatever its length.
const ROOM: usize = 80;
/// Bytes that a pattern takes besides its text.
const HEAD: usize = 8;

/// The cheap patterns that a checked pattern with braces stands for; none where one of them is no cheap form, or where
/// they are many.
pub(crate) fn cheap_alternatives(pattern: &str) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    let mut rest = pattern;
    while let Some((plain, behind)) = rest.split_once('{') {
        let (inside, after) = behind.split_once('}')?;
        // `*` beside anything else is no whole segment, and two of them would become `**`
        let is_segment = plain.ends_with('/') && (after.is_empty() || after.starts_with('/'));
        if inside.contains('*') && !is_segment {
            return None;
        }
        let longer = all.iter().flat_map(|front| inside.split(',').map(move |branch| [front, plain, branch].concat()));
        all = longer.take(MOST.saturating_add(1)).collect();
        if all.len() > MOST {
            return None;
        }
        rest = after;
    }
    if rest.len() == pattern.len() {
        return None;
    }
    for pattern in &mut all {
        pattern.push_str(rest);
    }
    let size: usize = all.iter().map(|pattern| pattern.len().saturating_add(HEAD)).sum();
    let is_small = size <= pattern.len().saturating_mul(GROWTH).saturating_add(ROOM);
    (is_small && all.iter().all(|pattern| PathKind::of(pattern) != PathKind::Glob)).then_some(all)
}

/// Tells whether a checked pattern takes an automaton: it is no exact path, no `/prefix/**`, no path with whole segments that
/// are `*`, and no alternative of these.
pub fn is_costly(pattern: &str) -> bool {
    PathKind::of(pattern) == PathKind::Glob && cheap_alternatives(pattern).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_multiplied_out() {
        let all = |pattern| cheap_alternatives(pattern).unwrap_or_default();
        assert_eq!(all("/v1/{a,bc}/x"), ["/v1/a/x", "/v1/bc/x"]);
        assert_eq!(all("/{a,b}-{c,d}/**"), ["/a-c/**", "/a-d/**", "/b-c/**", "/b-d/**"]);
        assert_eq!(all("/{*,a}/*"), ["/*/*", "/a/*"]);
    }

    #[test]
    fn costly_is_what_takes_an_automaton() {
        for cheap in ["/", "/a", "/a/**", "/*/b", "/*/**", "/{a,b}", "/{a,b}/*/**", "/a{b,c}d", "/{*,a}"] {
            assert!(!is_costly(cheap), "{cheap}");
        }
        let many = format!("/{}", "{a,b}".repeat(7));
        for costly in ["/a*", "/**/a", "/a/**/b", "/{a,b*}", "/{a,b}/c*", "/{*,a}{*,b}", "/a{*,b}", "/{*,a}b", &many] {
            assert!(is_costly(costly), "{costly}");
        }
    }
}
