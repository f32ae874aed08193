//! The forms of paths, as an automaton that is made once.

use super::automaton::Automaton;
use super::{PathForm, Taken};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

/// Bytes that paths of the two forms are made of, the plainest first.
fn bytes() -> impl Iterator<Item = u8> {
    (b'a'..=b'z').chain(b'!'..=b'`').chain(b'{'..=b'~')
}

/// Canonical paths, those canonical but for `%2F`, and keys.
pub(super) struct Forms {
    states: Vec<State>,
    /// Bytes in the order of [`bytes`], with the number of the class of each: bytes of one lead to the same states.
    letters: Vec<(u8, usize)>,
}

#[derive(Default)]
struct State {
    /// By the number of the byte's class.
    next: Vec<usize>,
    /// The form of a path that ends here, and whether it is a key.
    form: Option<(PathForm, bool)>,
    /// True if some canonical path goes on from here.
    to_canonical: bool,
    /// Or one that is canonical but for `%2F`.
    to_encoded_slash: bool,
    /// Or one that is a key.
    to_key: bool,
}

impl Forms {
    pub(super) const FIRST: usize = 0;

    /// None only if the languages below were too large.
    pub(super) fn get() -> Option<&'static Forms> {
        static FORMS: OnceLock<Option<Forms>> = OnceLock::new();
        FORMS.get_or_init(Forms::new).as_ref()
    }

    fn new() -> Option<Forms> {
        let automaton = Automaton::of(&languages())?;
        let mut classes: Vec<u8> = Vec::new();
        let mut firsts: Vec<u8> = Vec::new();
        let mut letters: Vec<(u8, usize)> = Vec::new();
        for byte in bytes() {
            let class = automaton.class(byte);
            let number = classes.iter().position(|known| *known == class).unwrap_or(classes.len());
            if number == classes.len() {
                classes.push(class);
                firsts.push(byte);
            }
            letters.push((byte, number));
        }
        let mut numbers = HashMap::from([(automaton.first, Forms::FIRST)]);
        let mut order = vec![automaton.first];
        let mut states: Vec<State> = Vec::new();
        while let Some(at) = order.get(states.len()).copied() {
            let mut next = Vec::new();
            for byte in &firsts {
                let to = automaton.next(at, *byte);
                let number = *numbers.entry(to).or_insert(order.len());
                if number == order.len() {
                    order.push(to);
                }
                next.push(number);
            }
            let (form, is_key) = match automaton.matches(automaton.end(at)).as_slice() {
                [true, _, false, false, key, dots] => (Some(PathForm::Canonical), *key && !dots),
                [false, true, false, false, key, dots] => (Some(PathForm::EncodedSlash), *key && !dots),
                [_, _, _, _, true, false] => (Some(PathForm::Key), true),
                _ => (None, false),
            };
            let to_canonical = form == Some(PathForm::Canonical);
            let to_encoded_slash = form == Some(PathForm::EncodedSlash);
            let form = form.map(|form| (form, is_key));
            states.push(State { next, form, to_canonical, to_encoded_slash, to_key: is_key });
        }
        let mut forms = Forms { states, letters };
        while forms.spread() {}
        Some(forms)
    }

    /// Carries back one step what may come. Returns true if that changed anything.
    fn spread(&mut self) -> bool {
        let mut has_changed = false;
        for at in (0..self.states.len()).rev() {
            let nexts = self.states.get(at).into_iter().flat_map(|state| &state.next);
            let nexts: Vec<&State> = nexts.filter_map(|next| self.states.get(*next)).collect();
            let to_canonical = nexts.iter().any(|next| next.to_canonical);
            let to_encoded_slash = nexts.iter().any(|next| next.to_encoded_slash);
            let to_key = nexts.iter().any(|next| next.to_key);
            let Some(state) = self.states.get_mut(at) else { continue };
            has_changed |= to_canonical && !state.to_canonical
                || to_encoded_slash && !state.to_encoded_slash
                || to_key && !state.to_key;
            state.to_key |= to_key;
            state.to_canonical |= to_canonical;
            state.to_encoded_slash |= to_encoded_slash;
        }
        has_changed
    }

    /// Bytes in the order of [`bytes`], with the number of the class of each.
    pub(super) fn letters(&self) -> &[(u8, usize)] {
        &self.letters
    }

    /// The state that follows a byte of this class; none where no path of the wanted forms goes on.
    pub(super) fn next(&self, state: usize, class: usize, taken: Taken) -> Option<usize> {
        let number = *self.states.get(state)?.next.get(class)?;
        let next = self.states.get(number)?;
        let goes_on = next.to_canonical || taken.encoded_slash() && next.to_encoded_slash || taken.key && next.to_key;
        goes_on.then_some(number)
    }

    /// The form of a path that ends in a state, if it is one of these, and whether it is a key.
    pub(super) fn form(&self, state: usize) -> Option<(PathForm, bool)> {
        self.states.get(state)?.form
    }
}

/// The languages of canonical paths, of those canonical but for `%2F`, and of what neither may hold; of keys, and of what those may
/// not hold.
fn languages() -> [String; 6] {
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
    let key = format!("/|/(?:{ordinary})+(?:(?:/|%2F)(?:{ordinary}|/|%2F)*)?");
    let (slash, semicolon) = (r"(?:/|%2F|%(?:25)+(?:2[Ff]|5[Cc]))", "(?:;|%3B|%(?:25)+3[Bb])");
    let key_dots = format!(r"(?:.*{slash})(?:\.|%(?:25)+2[Ee]){{1,2}}(?:(?:{slash}|{semicolon}).*)?");
    let in_first = format!("/(?:[^/%]|%(?:[013-9A-F][0-9A-F]|2[0-9A-E]))*{}", hidden.trim_start_matches(".*"));
    [canonical, with_slash, dots, hidden, key, format!("{key_dots}|{in_first}")]
}

#[cfg(test)]
mod tests {
    use super::Forms;
    use crate::analysis::atoms::paths::{PathForm, Taken, is_key};

    fn form(path: &str) -> Option<(PathForm, bool)> {
        let forms = Forms::get()?;
        let mut state = Forms::FIRST;
        for byte in path.bytes() {
            let (_, class) = forms.letters().iter().find(|(known, _)| *known == byte)?;
            state = forms.next(state, *class, Taken { data: true, key: true })?;
        }
        forms.form(state)
    }

    #[test]
    fn forms_are_those_that_decide() {
        const PIECES: [&str; 32] = [
            "/",
            "/",
            "/",
            ".",
            "..",
            ";",
            "%3B",
            "%2F",
            "%2f",
            "%5C",
            "\\",
            "%25",
            "2",
            "5",
            "E",
            "F",
            "f",
            "%2E",
            "%41",
            "a",
            "~",
            "%7E",
            "%7F",
            "%00",
            "%C3%A9",
            "%C3",
            "%A9",
            "%ED%A0%80",
            "%F4%90%80%80",
            "%F0%90%80%80",
            "%20",
            "%",
        ];
        let mut rng = fastrand::Rng::with_seed(7);
        let mut seen = [0; 4];
        for _ in 0..400_000 {
            let pieces = (0..rng.usize(0..8)).filter_map(|_| rng.choice(PIECES));
            let path: String = std::iter::once("/").chain(pieces).collect();
            let decided = Some(PathForm::of(&path)).filter(|form| *form != PathForm::Ambiguous);
            let decided = decided.map(|form| (form, is_key(&path)));
            // paths are walked as they are spelled in the end, with escapes in upper case
            let lower = |pair: &str| pair.chars().take(2).any(|digit| digit.is_ascii_lowercase());
            if path.split('%').skip(1).any(lower) {
                continue;
            }
            assert_eq!(form(&path), decided, "{path}");
            seen[match decided {
                Some((PathForm::Canonical, _)) => 0,
                Some((PathForm::EncodedSlash, _)) => 1,
                Some(_) => 2,
                None => 3,
            }] += 1;
        }
        assert!(seen.iter().all(|count| *count > 1_000), "{seen:?}");
    }
}
