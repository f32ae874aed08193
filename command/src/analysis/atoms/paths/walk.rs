//! All that patterns tell apart, found by walking their automaton and that of the forms side by side.

use super::automaton::{Automaton, LARGEST};
use super::forms::Forms;
use super::reading::regex;
use super::{PathClass, Pattern, Taken};
use regex_automata::util::primitives::StateID;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

/// States that are walked.
const LONGEST: usize = 200_000;
/// Bytes of an automaton that count as one state.
const STATE: usize = 256;

/// Of the forms, and of the patterns.
type State = (usize, StateID);

/// A state with the number of the one before it, and the byte that led on.
type Step = (State, usize, u8);

/// The classes of paths that are compared with patterns, in the order of their first paths: short ones first. None
/// where there are too many states. `work` grows by the states that were made and walked.
pub(super) fn classes(patterns: &[Pattern], taken: Taken, work: &mut usize) -> Option<Vec<PathClass>> {
    let forms = Forms::get()?;
    let languages: Vec<String> = patterns.iter().map(|pattern| regex(pattern, taken.encoded_slash())).collect();
    let automaton = Automaton::of(&languages);
    let size = automaton.as_ref().map_or(LARGEST, Automaton::size);
    *work = work.saturating_add(size.div_ceil(STATE));
    let automaton = automaton?;
    let letters = letters(forms, &automaton);
    let first = (Forms::FIRST, automaton.first);
    let mut seen: FxHashSet<State> = FxHashSet::from_iter([first]);
    let mut steps: Vec<Step> = vec![(first, 0, 0)];
    let mut ends = FxHashSet::default();
    let mut told_apart = BTreeSet::new();
    let mut found = Vec::new();
    let mut number = 0_usize;
    while let Some((state, ..)) = steps.get(number).copied() {
        *work = work.saturating_add(1);
        if steps.len() > LONGEST {
            return None;
        }
        if let Some((form, is_key)) = forms.form(state.0).filter(|(form, _)| taken.takes(*form)) {
            // what is no key is told apart only where something takes keys
            let is_key = is_key || !taken.key;
            let end = automaton.end(state.1);
            if ends.insert((form, is_key, end)) {
                let matches = automaton.matches(end);
                if told_apart.insert((form, is_key, matches.clone())) {
                    found.push(PathClass { form, is_key, matches, witness: Some(spelled(&steps, number)) });
                }
            }
        }
        for (byte, class) in &letters {
            let Some(form) = forms.next(state.0, *class, taken) else { continue };
            let next = (form, automaton.next(state.1, *byte));
            if seen.insert(next) {
                steps.push((next, number, *byte));
            }
        }
        number = number.saturating_add(1);
    }
    Some(found)
}

/// Bytes that neither automaton tells from one before, each with the number of its class among the forms.
fn letters(forms: &Forms, automaton: &Automaton) -> Vec<(u8, usize)> {
    let mut kinds = BTreeSet::new();
    let is_first = |(byte, class): &&(u8, usize)| kinds.insert((*class, automaton.class(*byte)));
    forms.letters().iter().filter(is_first).copied().collect()
}

/// The path on which a state was first reached.
fn spelled(steps: &[Step], mut number: usize) -> String {
    let mut bytes = Vec::new();
    while let Some((_, before, byte)) = steps.get(number).filter(|_| number > 0) {
        bytes.push(char::from(*byte));
        number = *before;
    }
    bytes.iter().rev().collect()
}
