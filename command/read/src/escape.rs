//! Text of policies, logs, file names and requests, made fit for people's eyes.
//!
//! A character that speaks to a terminal, that hides itself or that turns text around is written as `\u{…}`, a byte
//! that is no UTF-8 likewise. JSON needs none of this: it has its own escapes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

/// Tells what is never printed as it is: C0, DEL, C1, zero-width characters, line separators, and the controls of
/// direction.
pub fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// Text for one line: a line break is escaped, too.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    text.chars().for_each(|character| push(&mut escaped, character));
    Cow::Owned(escaped)
}

/// Bytes for one line.
pub fn bytes(bytes: &[u8]) -> String {
    let mut escaped = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|character| push(&mut escaped, character));
        chunk.invalid().iter().for_each(|byte| push_byte(&mut escaped, *byte));
    }
    escaped
}

/// A path as a name of its file: what is no UTF-8 is escaped, the rest is as it is.
pub fn path(path: &Path) -> String {
    let mut name = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        name.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| push_byte(&mut name, *byte));
    }
    name
}

/// A line of a file and a stretch of it. Tabs stay: who shows the line makes them spaces.
pub fn excerpt(text: &str, span: Range<usize>) -> (Cow<'_, str>, Range<usize>) {
    let hidden = |character: char| character != '\t' && is_hidden(character);
    if !text.contains(hidden) {
        return (Cow::Borrowed(text), span);
    }
    let mut escaped = String::with_capacity(text.len());
    let (mut start, mut end) = (None, None);
    for (at, character) in text.char_indices() {
        start = start.or((at >= span.start).then_some(escaped.len()));
        end = end.or((at >= span.end).then_some(escaped.len()));
        match character {
            '\t' => escaped.push('\t'),
            other => push(&mut escaped, other),
        }
    }
    let whole = escaped.len();
    (Cow::Owned(escaped), start.unwrap_or(whole)..end.unwrap_or(whole))
}

/// Appends a character, as a terminal may show it.
pub fn push(escaped: &mut String, character: char) {
    match is_hidden(character) {
        true => escaped.extend(character.escape_unicode()),
        false => escaped.push(character),
    }
}

/// Appends a byte that is no UTF-8 as its number.
pub fn push_byte(escaped: &mut String, byte: u8) {
    // nothing is written to but memory
    let _ = write!(escaped, "\\u{{{byte:x}}}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_to_a_terminal_or_hides_is_written_as_its_number() {
        for (text, expected) in [
            ("plain é \u{4e2d} \\", "plain é \u{4e2d} \\"),
            ("\u{1b}[31m\n\t\r\u{7f}", "\\u{1b}[31m\\u{a}\\u{9}\\u{d}\\u{7f}"),
            ("\u{80}\u{85}\u{9b}\u{9f}\u{a0}", "\\u{80}\\u{85}\\u{9b}\\u{9f}\u{a0}"),
            ("\u{200a}\u{200b}\u{200f}\u{2010}", "\u{200a}\\u{200b}\\u{200f}\u{2010}"),
            ("\u{2027}\u{2028}\u{202e}\u{202f}", "\u{2027}\\u{2028}\\u{202e}\u{202f}"),
            ("\u{205f}\u{2060}\u{2069}\u{206a}\u{feff}", "\u{205f}\\u{2060}\\u{2069}\u{206a}\\u{feff}"),
        ] {
            assert_eq!(line(text), expected);
            assert_eq!(bytes(text.as_bytes()), expected);
        }
        assert_eq!(bytes(b"a\xff\xc3\xe2\x82z\x00"), "a\\u{ff}\\u{c3}\\u{e2}\\u{82}z\\u{0}");
    }

    #[test]
    fn a_stretch_of_a_line_stays_where_it_is() {
        let (text, span) = excerpt("a\u{9b}\tb\u{200b}c", 4..5);
        assert_eq!((&*text, text.get(span)), ("a\\u{9b}\tb\\u{200b}c", Some("b")));
        assert_eq!(excerpt("a\u{9b}", 3..3).1, 7..7);
        assert_eq!(excerpt("plain", 1..2), (Cow::Borrowed("plain"), 1..2));
    }
}
