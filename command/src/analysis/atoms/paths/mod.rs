//! Paths: the classes that a set of patterns tells apart.

mod automaton;
mod forms;
mod reading;
mod walk;

use self::automaton::Automaton;
use std::collections::{BTreeMap, HashSet};
use tollgate::request::{Form, Path};

/// A path pattern, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    /// As deny entries read it.
    pub(crate) wide: bool,
}

/// Form of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PathForm {
    Canonical,
    /// Canonical but for `%2F`.
    EncodedSlash,
    Ambiguous,
    Absent,
}

impl PathForm {
    fn of(path: &str) -> PathForm {
        match Path::parse(path.as_bytes(), &mut Vec::new()).form {
            Form::Canonical => PathForm::Canonical,
            Form::EncodedSlash => PathForm::EncodedSlash,
            Form::Ambiguous => PathForm::Ambiguous,
        }
    }
}

/// Paths that no pattern tells apart, and one of them.
#[derive(Clone, Debug)]
pub(super) struct PathClass {
    pub(super) form: PathForm,
    /// Tells for each pattern whether it matches.
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
        _ => walk::classes(patterns, encoded_slash)?,
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

/// A path for each pattern, where there are too many classes to find them all.
pub(super) fn few(patterns: &[Pattern], encoded_slash: bool) -> Vec<PathClass> {
    let automata: Vec<Option<Automaton>> =
        patterns.iter().map(|pattern| Automaton::of(&[reading::regex(pattern, encoded_slash)])).collect();
    let mut found = BTreeMap::new();
    for pattern in patterns {
        let path = plainest(&pattern.text);
        let form = PathForm::of(&path);
        if form == PathForm::Ambiguous {
            continue;
        }
        let matches = |automaton: &Option<Automaton>| automaton.as_ref().is_some_and(|automaton| automaton.has(&path));
        let matches: Vec<bool> = automata.iter().map(matches).collect();
        found.entry((form, matches)).or_insert(path);
    }
    let class = |((form, matches), path)| PathClass { form, matches, witness: Some(path) };
    found.into_iter().map(class).collect()
}

/// A path that a pattern matches: a word for each wildcard, and the first of alternatives.
fn plainest(pattern: &str) -> String {
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').unwrap_or((after, ""));
        path.push_str(before);
        path.push_str(inside.split(',').next().unwrap_or_default());
        rest = after;
    }
    path.push_str(rest);
    path.replace("/**", "/other").replace('*', "other")
}
