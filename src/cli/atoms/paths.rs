//! Paths: the classes that a set of patterns tells apart, found by walking their common automaton.

use crate::request::widen;
use regex_automata::Anchored;
use regex_automata::MatchKind;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::start;
use regex_automata::util::syntax;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt::Write as _;

/// Memory that one automaton may take.
const LARGEST: usize = 4 << 20;
/// States that are walked.
const LONGEST_WALK: usize = 100_000;

/// A path pattern, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::cli) struct Pattern {
    pub(in crate::cli) text: String,
    /// As deny entries read it.
    pub(in crate::cli) wide: bool,
}

/// What form a path has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) enum PathForm {
    Canonical,
    /// Canonical but for `%2F`.
    EncodedSlash,
    Ambiguous,
    Absent,
}

/// Paths that no pattern tells apart, and one of them.
#[derive(Clone, Debug)]
pub(super) struct PathClass {
    pub(super) form: PathForm,
    /// Which of the patterns match.
    pub(super) matches: Vec<bool>,
    pub(super) witness: Option<String>,
}

/// The classes of a set of patterns; none where their automaton is too large.
pub(super) fn classes(patterns: &[Pattern], encoded_slash: bool) -> Option<Vec<PathClass>> {
    let none = vec![false; patterns.len()];
    let mut found = vec![
        PathClass { form: PathForm::Absent, matches: none.clone(), witness: None },
        PathClass { form: PathForm::Ambiguous, matches: none, witness: Some("/a/../b".to_owned()) },
    ];
    if !encoded_slash {
        // no pattern is compared with one
        found.push(PathClass {
            form: PathForm::EncodedSlash,
            matches: vec![false; patterns.len()],
            witness: Some("/a%2Fb".to_owned()),
        });
    }
    found.extend(match plainly(patterns) {
        Some(plain) if !encoded_slash => plain,
        _ => walk(patterns, encoded_slash)?,
    });
    Some(found)
}

/// The classes of exact paths and whole trees, read narrowly: each path itself, and in each tree a path of no longer one.
fn plainly(patterns: &[Pattern]) -> Option<Vec<PathClass>> {
    let plain = |pattern: &Pattern| {
        let body = pattern.text.strip_suffix("/**").unwrap_or(&pattern.text);
        !pattern.wide && !body.contains(['*', '{', '%'])
    };
    if !patterns.iter().all(plain) {
        return None;
    }
    let segments: HashSet<&str> = patterns.iter().flat_map(|pattern| pattern.text.split('/')).collect();
    let other = super::who::free(|word| segments.contains(word))?;
    let trees = patterns.iter().filter_map(|pattern| pattern.text.strip_suffix("**"));
    let inside = std::iter::once("/").chain(trees).map(|tree| format!("{tree}{other}"));
    let exact = patterns.iter().filter(|pattern| !pattern.text.ends_with("/**")).map(|pattern| pattern.text.clone());
    let mut found: BTreeMap<Vec<bool>, String> = BTreeMap::new();
    for path in exact.chain(inside) {
        let matches = |pattern: &Pattern| match pattern.text.strip_suffix("**") {
            Some(tree) => path.starts_with(tree),
            None => path == pattern.text,
        };
        found.entry(patterns.iter().map(matches).collect()).or_insert(path.clone());
    }
    let class = |(matches, path)| PathClass { form: PathForm::Canonical, matches, witness: Some(path) };
    Some(found.into_iter().map(class).collect())
}

/// The languages of canonical paths, of those canonical but for `%2F`, and of what neither may hold.
fn forms() -> [String; 4] {
    let unit = |escape: &dyn Fn(u8) -> bool| {
        let mut unit = String::from(r"[!-~&&[^/\\#%?]]|%(?:25|20");
        for byte in (0x21..=0x7e_u8).filter(|byte| escape(*byte)) {
            // writing into memory does not fail
            let _ = write!(unit, "|{byte:02X}");
        }
        unit.push(')');
        let tail = "%[89AB][0-9A-F]";
        let _ = write!(
            unit,
            "|%(?:C[2-9A-F]|D[0-9A-F]){tail}|%E0%[AB][0-9A-F]{tail}|%E(?:[1-9A-C]|[EF]){tail}{tail}|%ED%[89][0-9A-F]{tail}\
             |%F0%[9AB][0-9A-F]{tail}{tail}|%F[1-3]{tail}{tail}{tail}|%F4%8[0-9A-F]{tail}{tail}"
        );
        unit
    };
    let ordinary = unit(&|byte| !byte.is_ascii_alphanumeric() && !b"-._~%/\\".contains(&byte));
    let canonical = format!("/|(?:/(?:{ordinary})+)+/?");
    let with_slash = format!("/(?:(?:{ordinary})+(?:/|%2F))*(?:{ordinary})*");
    let dots = r"(?:.*(?:/|%2F))?\.{1,2}(?:(?:/|%2F|;|%3B).*)?".to_owned();
    let mut hidden = String::from(".*%25(?:[01][0-9A-Fa-f]|7[Ff]");
    for byte in (0x20..=0x7e_u8).filter(|byte| byte.is_ascii_alphanumeric() || b"-._~/\\".contains(byte)) {
        for pair in [format!("{byte:02X}"), format!("{byte:02x}")] {
            let _ = write!(hidden, "|{pair}");
        }
    }
    hidden.push_str(").*");
    [canonical, with_slash, dots, hidden]
}

fn walk(patterns: &[Pattern], encoded_slash: bool) -> Option<Vec<PathClass>> {
    let forms = forms();
    let texts: Vec<String> = forms.iter().cloned().chain(patterns.iter().map(regex)).collect();
    let texts: Vec<String> = texts.iter().map(|text| format!("(?:{text})$")).collect();
    let automaton = dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(StartKind::Anchored)
                .dfa_size_limit(Some(LARGEST))
                .determinize_size_limit(Some(LARGEST)),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true))
        .build_many(&texts)
        .ok()?;
    let first = automaton.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
    let mut seen = HashMap::from([(first, (first, 0_u8))]);
    let mut queue = VecDeque::from([first]);
    let mut found: BTreeMap<(PathForm, Vec<bool>), String> = BTreeMap::new();
    let bytes: Vec<u8> = (b'a'..=b'z').chain(b'!'..=b'`').chain(b'{'..=b'~').collect();
    while let Some(state) = queue.pop_front() {
        if seen.len() > LONGEST_WALK {
            return None;
        }
        let end = automaton.next_eoi_state(state);
        if automaton.is_match_state(end) {
            let mut matches = vec![false; texts.len()];
            for index in 0..automaton.match_len(end) {
                if let Some(slot) = matches.get_mut(automaton.match_pattern(end, index).as_usize()) {
                    *slot = true;
                }
            }
            let own = matches.split_off(forms.len());
            let form = match matches.as_slice() {
                [true, _, false, false] => Some(PathForm::Canonical),
                [false, true, false, false] if encoded_slash => Some(PathForm::EncodedSlash),
                _ => None,
            };
            if let Some(form) = form {
                found.entry((form, own)).or_insert_with(|| spelled(&seen, first, state));
            }
        }
        for byte in &bytes {
            let next = automaton.next_state(state, *byte);
            if !automaton.is_dead_state(next) && !seen.contains_key(&next) {
                seen.insert(next, (state, *byte));
                queue.push_back(next);
            }
        }
    }
    Some(found.into_iter().map(|((form, matches), path)| PathClass { form, matches, witness: Some(path) }).collect())
}

/// The path on which a state was first reached.
fn spelled<S: Copy + Eq + std::hash::Hash>(seen: &HashMap<S, (S, u8)>, first: S, mut state: S) -> String {
    let mut bytes = Vec::new();
    while state != first
        && let Some((before, byte)) = seen.get(&state)
    {
        bytes.push(char::from(*byte));
        state = *before;
    }
    bytes.iter().rev().collect()
}

/// The paths that a pattern matches, canonical or not.
fn regex(pattern: &Pattern) -> String {
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

/// A path for each pattern, where there are too many classes to find: its text with every wildcard left out.
pub(super) fn few(patterns: &[Pattern]) -> Vec<PathClass> {
    let plain = |pattern: &Pattern| PathClass {
        form: PathForm::Canonical,
        matches: patterns.iter().map(|other| other == pattern).collect(),
        witness: Some(pattern.text.replace("/**", "/other").replace('*', "other")),
    };
    patterns.iter().map(plain).collect()
}
