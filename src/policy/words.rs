//! Words of the language: each a value.

use super::finding::{Findings, Listed, code, nearest};

/// Declares the words of a type: each a value.
macro_rules! words {
    ($type:ty, $expected:literal { $($word:literal => $value:expr,)* }) => {
        impl<'de> Shape<'de> for $type {
            const EXPECTED: &'static str = $expected;
            fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
                match &*text {
                    $($word => Some($value),)*
                    other => $crate::policy::words::not_a_word(other, &[$($word),*], findings),
                }
            }
        }
    };
}
pub(super) use words;

/// Says which words there are, or which one was meant.
pub(super) fn not_a_word<T>(word: &str, known: &[&str], findings: &mut Findings<'_>) -> Option<T> {
    let fix = match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the words here are {}", Listed(known)),
    };
    findings.error(code::VALUE, format!("`{word}` is not known here"), fix)
}
