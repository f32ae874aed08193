//! Paths: the classes that a set of patterns tells apart.

mod automaton;
mod forms;
mod known;
mod reading;
mod walk;

use self::automaton::Automaton;
pub(super) use self::known::{Known, PathClasses};
use std::collections::{BTreeMap, HashSet};
use tollgate::policy::{Reading, TargetTerms};
use tollgate::request::{Form, Path, object_key};

/// A path pattern, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    /// As deny entries read it.
    pub(crate) wide: bool,
}

impl Pattern {
    /// The paths that terms list.
    pub(super) fn all(terms: &TargetTerms) -> impl Iterator<Item = Pattern> {
        let wide = terms.context().reading() == Reading::Wide;
        terms.paths().iter().map(move |pattern| Pattern { text: pattern.text().to_owned(), wide })
    }
}

/// Form of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PathForm {
    Canonical,
    /// Canonical but for `%2F`.
    EncodedSlash,
    /// Neither, and the key of an object store to targets that take such.
    Key,
    Ambiguous,
    Absent,
}

impl PathForm {
    fn of(path: &str) -> PathForm {
        match Path::parse(path.as_bytes(), &mut Vec::new()).form {
            Form::Canonical => PathForm::Canonical,
            Form::EncodedSlash => PathForm::EncodedSlash,
            Form::Ambiguous if is_key(path) => PathForm::Key,
            Form::Ambiguous => PathForm::Ambiguous,
        }
    }

    /// The form as requests have it; none where there is no path.
    pub(super) fn of_request(self) -> Option<Form> {
        match self {
            PathForm::Canonical => Some(Form::Canonical),
            PathForm::EncodedSlash => Some(Form::EncodedSlash),
            PathForm::Key | PathForm::Ambiguous => Some(Form::Ambiguous),
            PathForm::Absent => None,
        }
    }
}

/// Tells whether targets that take keys compare the path.
fn is_key(path: &str) -> bool {
    object_key(path.as_bytes(), &mut Vec::new()).is_some()
}

/// The forms besides the canonical one that some pattern is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Taken {
    pub(super) data: bool,
    pub(super) key: bool,
}

impl Taken {
    fn encoded_slash(self) -> bool {
        self.data || self.key
    }

    fn takes(self, form: PathForm) -> bool {
        match form {
            PathForm::Canonical => true,
            PathForm::EncodedSlash => self.encoded_slash(),
            PathForm::Key => self.key,
            PathForm::Ambiguous | PathForm::Absent => false,
        }
    }
}

/// Paths that no pattern tells apart, and one of them.
#[derive(Clone, Debug)]
pub(super) struct PathClass {
    pub(super) form: PathForm,
    /// Targets that take keys compare them.
    pub(super) is_key: bool,
    /// Tells for each pattern whether it matches.
    pub(super) matches: Vec<bool>,
    pub(super) witness: Option<String>,
}

/// The classes of paths that are compared with none of so many patterns.
fn fixed(patterns: usize, taken: Taken) -> Vec<PathClass> {
    let none = vec![false; patterns];
    let mut found = vec![
        PathClass { form: PathForm::Absent, is_key: false, matches: none.clone(), witness: None },
        PathClass { form: PathForm::Ambiguous, is_key: false, matches: none, witness: Some("/a/../b".to_owned()) },
    ];
    if !taken.encoded_slash() {
        found.push(PathClass {
            form: PathForm::EncodedSlash,
            is_key: true,
            matches: vec![false; patterns],
            witness: Some("/a%2Fb".to_owned()),
        });
    }
    found
}

/// Classes by form, and then by the patterns that match.
fn sorted(mut classes: Vec<PathClass>) -> Vec<PathClass> {
    classes.sort_by(|one, other| (one.form, one.is_key, &one.matches).cmp(&(other.form, other.is_key, &other.matches)));
    classes
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
    let class = |(matches, path)| PathClass { form: PathForm::Canonical, is_key: true, matches, witness: Some(path) };
    Some(found.into_iter().map(class).collect())
}

/// A path for each pattern, where there are too many classes to find them all.
fn few(patterns: &[Pattern], taken: Taken) -> Vec<PathClass> {
    let automata: Vec<Option<Automaton>> =
        patterns.iter().map(|pattern| Automaton::of(&[reading::regex(pattern, taken.encoded_slash())])).collect();
    let mut found = BTreeMap::new();
    for pattern in patterns {
        let path = plainest(&pattern.text);
        let form = PathForm::of(&path);
        if !taken.takes(form) {
            continue;
        }
        let matches = |automaton: &Option<Automaton>| automaton.as_ref().is_some_and(|automaton| automaton.has(&path));
        let matches: Vec<bool> = automata.iter().map(matches).collect();
        found.entry((form, matches)).or_insert(path);
    }
    let class = |((form, matches), path): ((PathForm, Vec<bool>), String)| {
        let is_key = is_key(&path);
        PathClass { form, is_key, matches, witness: Some(path) }
    };
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
