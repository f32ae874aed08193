//! Values as one writes them in a line of YAML.

use crate::scalar;
use crate::tree::{Node, Value};
use std::borrow::Cow;

/// Bytes of a value that a finding repeats.
const LONGEST: usize = 200;

/// A value in one line; none if that is long, or there is no way to write it.
pub(super) fn flow(node: &Node<'_>) -> Option<String> {
    let mut out = String::new();
    write(node, &mut out)?;
    Some(out)
}

fn write(node: &Node<'_>, out: &mut String) -> Option<()> {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(boolean) => out.push_str(if *boolean { "true" } else { "false" }),
        Value::Number(number) => out.push_str(number),
        Value::Text(word) => out.push_str(&text(word)),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, entry) in entries.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(&entry.key, out)?;
                out.push_str(": ");
                write(&entry.value, out)?;
            }
            out.push('}');
        }
        Value::OddNumber(_) | Value::Tagged => return None,
    }
    (out.len() <= LONGEST).then_some(())
}

/// A string, in quotes where it needs them.
pub(super) fn text(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-+@".contains(&byte);
    let begins = word.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'/');
    let is_url = |word: &str| word.split_once("://").is_some_and(|(_, rest)| rest.bytes().all(is_plain));
    let is_text = matches!(scalar::plain(Cow::Borrowed(word)), Value::Text(_));
    if begins && is_text && (word.bytes().all(is_plain) || is_url(word)) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(quoted(word))
}

/// A string in double quotes.
pub(super) fn quoted(word: &str) -> String {
    serde_json::to_string(word).unwrap_or_default()
}

/// The number that somebody meant who wrote it in another spelling: `0443`, `+1`, `1_000`, `1,000`, `1k`, `0x1f`.
pub(crate) fn number(word: &str) -> Option<u64> {
    let word = word.trim().trim_start_matches('+');
    if let Some(hex) = word.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    if let Some(octal) = word.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok();
    }
    let (digits, factor) = match word.char_indices().next_back()? {
        (at, 'k' | 'K') => (word.get(..at)?, 1_000),
        (at, 'm' | 'M') => (word.get(..at)?, 1_000_000),
        _ => (word, 1),
    };
    let digits: String =
        digits.trim().chars().filter(|character| !matches!(character, '_' | ',' | '\'' | ' ')).collect();
    let digits = digits.strip_suffix(".0").unwrap_or(&digits);
    digits.parse::<u64>().ok()?.checked_mul(factor)
}
