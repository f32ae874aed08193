//! Path patterns by `globset`, in the narrow and in the wide reading.

use super::request::{Path, Token, tokens};
use globset::{GlobBuilder, GlobMatcher};
use std::cell::RefCell;
use std::collections::HashMap;

/// Tells whether an allow rule's pattern matches a canonical path.
pub fn narrow(pattern: &str, path: &Path) -> bool {
    let tokens = tokens(pattern.as_bytes()).unwrap();
    glob(&super::request::spell(&tokens), &path.text)
}

/// Tells whether a deny entry's pattern matches: in the wide reading, and never less than in the narrow one.
pub fn wide(pattern: &str, path: &Path) -> bool {
    let text: Vec<String> = path.text.split('/').map(|segment| spell_wide(&widened(segment), false)).collect();
    let text = text.join("/");
    let in_wide_reading = branches(pattern).iter().any(|branch| {
        let mut segments: Vec<String> = branch
            .split('/')
            .map(|segment| if segment == "**" { segment.to_owned() } else { spell_wide(&widened(segment), true) })
            .collect();
        let here = glob(&segments.join("/"), &text);
        let at_the_root_of_a_prefix =
            segments.pop().is_some_and(|last| last == "**") && glob(&segments.join("/"), &text);
        here || at_the_root_of_a_prefix
    });
    in_wide_reading || narrow(pattern, path)
}

fn glob(pattern: &str, text: &str) -> bool {
    thread_local! {
        /// Compiling is what takes the time.
        static COMPILED: RefCell<HashMap<String, GlobMatcher>> = RefCell::default();
    }
    let compile = || GlobBuilder::new(pattern).literal_separator(true).build().unwrap().compile_matcher();
    COMPILED.with_borrow_mut(|known| known.entry(pattern.to_owned()).or_insert_with(compile).is_match(text))
}

/// The patterns that a pattern with `{a,b}` stands for.
fn branches(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return vec![pattern.to_owned()];
    };
    let (inside, after) = rest.split_once('}').unwrap();
    let after = branches(after);
    inside.split(',').flat_map(|branch| after.iter().map(move |after| format!("{before}{branch}{after}"))).collect()
}

/// A segment with its visible escapes decoded, cut at its first semicolon, in lower case. What was decoded is marked
/// as `Escaped`: in a pattern it is no wildcard.
fn widened(segment: &str) -> Vec<Token> {
    let tokens = tokens(segment.as_bytes()).unwrap();
    let end = tokens.iter().position(|token| matches!(token, Token::Plain(b';') | Token::Escaped(b';')));
    tokens[..end.unwrap_or(tokens.len())]
        .iter()
        .map(|token| match *token {
            Token::Plain(byte) => Token::Plain(byte.to_ascii_lowercase()),
            Token::Escaped(byte) => Token::Escaped(byte.to_ascii_lowercase()),
        })
        .collect()
}

fn spell_wide(tokens: &[Token], pattern: bool) -> String {
    let spell = |token: &Token| match *token {
        Token::Plain(b'*') if pattern => "*".to_owned(),
        Token::Escaped(byte) if !(0x21..=0x7E).contains(&byte) || b"%/\\".contains(&byte) => format!("%{byte:02x}"),
        Token::Plain(byte) | Token::Escaped(byte) => {
            let text = char::from(byte).to_string();
            if pattern { globset::escape(&text) } else { text }
        }
    };
    tokens.iter().map(spell).collect()
}
