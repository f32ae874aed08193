//! Deterministic automata of several languages at once.

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};

/// Memory that one automaton may take.
pub(super) const LARGEST: usize = 4 << 20;

pub(super) struct Automaton {
    inner: dense::DFA<Vec<u32>>,
    pub(super) first: StateID,
}

impl Automaton {
    /// Of regular expressions, each of which matches a whole text; none if it is too large.
    pub(super) fn of(languages: &[String]) -> Option<Automaton> {
        let whole: Vec<String> = languages.iter().map(|language| format!("(?:{language})$")).collect();
        let inner = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(LARGEST))
                    .determinize_size_limit(Some(LARGEST)),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true))
            .build_many(&whole)
            .ok()?;
        let first = inner.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        Some(Automaton { inner, first })
    }

    pub(super) fn next(&self, state: StateID, byte: u8) -> StateID {
        self.inner.next_state(state, byte)
    }

    /// The class of a byte: bytes of one class lead from every state to the same.
    pub(super) fn class(&self, byte: u8) -> u8 {
        self.inner.byte_classes().get(byte)
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        self.inner.memory_usage()
    }

    /// Tells whether one of the languages has a text.
    pub(super) fn has(&self, text: &str) -> bool {
        let last = text.bytes().fold(self.first, |state, byte| self.next(state, byte));
        self.matches(self.end(last)).contains(&true)
    }

    /// The state behind the end of a text. Texts that end in the same one are in the same languages.
    pub(super) fn end(&self, state: StateID) -> StateID {
        self.inner.next_eoi_state(state)
    }

    /// Tells for each language whether it has the text that ends here.
    pub(super) fn matches(&self, end: StateID) -> Vec<bool> {
        let mut matches = vec![false; self.inner.pattern_len()];
        if self.inner.is_match_state(end) {
            for index in 0..self.inner.match_len(end) {
                if let Some(slot) = matches.get_mut(self.inner.match_pattern(end, index).as_usize()) {
                    *slot = true;
                }
            }
        }
        matches
    }
}
