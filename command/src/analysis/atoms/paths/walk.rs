//! All that patterns tell apart, found by walking their automaton and that of the forms side by side.

use super::automaton::Automaton;
use super::forms::{Forms, bytes};
use super::reading::regex;
use super::{PathClass, PathForm, Pattern, Taken};
use regex_automata::util::primitives::StateID;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// States that are walked.
const LONGEST: usize = 200_000;

/// Of the forms, and of the patterns.
type State = (usize, StateID);

/// The state before, and the byte that led on.
type Seen = HashMap<State, Option<(State, u8)>>;

/// The classes of canonical paths, and of those canonical but for `%2F` if wanted; none where there are too many states.
pub(super) fn classes(patterns: &[Pattern], taken: Taken) -> Option<Vec<PathClass>> {
    let forms = Forms::get()?;
    let languages: Vec<String> = patterns.iter().map(|pattern| regex(pattern, taken.encoded_slash())).collect();
    let automaton = Automaton::of(&languages)?;
    let first = (Forms::FIRST, automaton.first);
    let mut seen: Seen = HashMap::from([(first, None)]);
    let mut queue = VecDeque::from([first]);
    let mut found: BTreeMap<(PathForm, bool, Vec<bool>), State> = BTreeMap::new();
    while let Some(state) = queue.pop_front() {
        if seen.len() > LONGEST {
            return None;
        }
        if let Some((form, is_key)) = forms.form(state.0).filter(|(form, _)| taken.takes(*form)) {
            // what is no key is told apart only where something takes keys
            let is_key = is_key || !taken.key;
            found.entry((form, is_key, automaton.matches(state.1))).or_insert(state);
        }
        let mut last = state;
        for (byte, form) in bytes().zip(forms.next(state.0, taken)) {
            let Some(form) = form else { continue };
            let next = (form, automaton.next(state.1, byte));
            // neighbours mostly lead to the same
            if next != last && !seen.contains_key(&next) {
                seen.insert(next, Some((state, byte)));
                queue.push_back(next);
            }
            last = next;
        }
    }
    let class =
        |((form, is_key, matches), state)| PathClass { form, is_key, matches, witness: Some(spelled(&seen, state)) };
    Some(found.into_iter().map(class).collect())
}

/// The path on which a state was first reached.
fn spelled(seen: &Seen, mut state: State) -> String {
    let mut bytes = Vec::new();
    while let Some((before, byte)) = seen.get(&state).copied().flatten() {
        bytes.push(char::from(byte));
        state = before;
    }
    bytes.iter().rev().collect()
}
