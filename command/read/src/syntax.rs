//! Text that is no YAML, in the words of somebody who writes policies.

use super::file::File;
use super::finding::Located;
use super::span::Position;
use super::span::Span;
use granit_parser::{ErrorKind, ScanError};
use tollgate::policy::code;

/// Message, advice and place of one syntax error.
struct Answer {
    message: String,
    fix: Option<String>,
    place: Span,
}

/// Explains why the parser stopped.
pub(super) fn explain(error: &ScanError, text: &str, file: &File) -> Located {
    let offset = text.floor_char_boundary(error.marker().byte_offset().unwrap_or(text.len()));
    let source = Source { text, file, offset };
    let answer = source.answer(error.kind()).unwrap_or_else(|| Answer {
        message: error.info(),
        fix: None,
        place: file.place(offset),
    });
    Located::error(code::SYNTAX, answer.place, answer.message, answer.fix)
}

/// Says what to write where a text ceases to be JSON.
pub(super) fn of_json(mut located: Located, files: &[File]) -> Located {
    let Some(place) = located.place.filter(|_| located.finding.code == code::SYNTAX) else { return located };
    let text = files.get(place.file).and_then(|file| file.text().ok()).unwrap_or_default();
    let rest = text.get(place.start..).unwrap_or_default();
    let fix = match rest.chars().next() {
        Some('/' | '#') => "JSON has no comments: remove it, or name the file `*.yaml`",
        Some('\'') => "write strings and keys in double quotes",
        None => "close what is open",
        Some(_) if located.finding.message.contains("trailing comma") => "remove the comma before it",
        Some(_) if located.finding.message.contains("key must be a string") => "write keys in double quotes",
        Some(_) => return located,
    };
    located.finding.fix.get_or_insert_with(|| fix.to_owned());
    located
}

/// A text, and where the parser stopped.
#[derive(Clone, Copy)]
struct Source<'t> {
    text: &'t str,
    file: &'t File,
    offset: usize,
}

impl<'t> Source<'t> {
    fn answer(self, kind: &ErrorKind) -> Option<Answer> {
        match kind {
            ErrorKind::UnknownAnchor | ErrorKind::MissingAnchorOrAliasName => self.alias(),
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar => Some(self.tab()),
            ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => Some(self.quote()),
            ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
                Some(self.here("text stands behind a closing quote", "put all of the value into the quotes"))
            }
            ErrorKind::UnknownQuotedScalarEscape => {
                Some(self.here("`\\` begins an escape in double quotes", "write the value in single quotes"))
            }
            ErrorKind::UnexpectedCharacter { character: character @ ('@' | '`' | '%') } => {
                let message =
                    format!("a value cannot begin with `{}`", if *character == '`' { "backtick" } else { "@" });
                let message = if *character == '%' { message.replace('@', "%") } else { message };
                Some(self.here(&message, "put quotes around the value"))
            }
            ErrorKind::InvalidMappingValueWhitespace | ErrorKind::FlowMappingValueAdjacentCollection => {
                Some(self.here("a `:` stands without a space behind it", "write `key: value`"))
            }
            ErrorKind::BomInsideDocument => Some(self.here("a byte order mark stands inside the text", "remove it")),
            _ => self.brackets(kind).or_else(|| self.indentation(kind)),
        }
    }

    fn here(self, message: &str, fix: &str) -> Answer {
        Answer { message: message.to_owned(), fix: Some(fix.to_owned()), place: self.file.place(self.offset) }
    }

    /// `*.example.com` without quotes, which makes it an alias.
    fn alias(self) -> Option<Answer> {
        let (start, line) = self.line_of(self.offset);
        let at = self.offset.saturating_sub(start);
        // the parser points at the star, or behind the name
        let star = match line.get(at..)?.starts_with(['*', '&']) {
            true => at,
            false => line.get(..at)?.rfind(['*', '&'])?,
        };
        let star = line.get(..star)?.rfind(|character: char| character != '*').map_or(0, |before| {
            before.saturating_add(line.get(before..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8))
        });
        let rest = line.get(star..)?;
        let end = rest.find(|character: char| character.is_whitespace() || ",]}".contains(character));
        let word = rest.get(..end.unwrap_or(rest.len()))?.trim_end_matches(':');
        let begin = start.saturating_add(star);
        let place = self.file.stretch(begin, begin.saturating_add(word.len()));
        let name = word.trim_start_matches(['*', '&']);
        let is_name = word.starts_with('*') && !word.starts_with("**") && !name.is_empty();
        let (message, fix) =
            if is_name && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
                let message = format!("`{word}` repeats what `&{name}` stands at, and there is none above");
                (message, format!("write `&{name}` in front of what is to be repeated, or quotes: `\"{word}\"`"))
            } else if word == "*" {
                let message = "a value that begins with `*` needs quotes".to_owned();
                (message, "write `\"*\"`; to say every method or every port, leave the key out".to_owned())
            } else {
                let first = word.chars().next().unwrap_or('*');
                (format!("a value that begins with `{first}` needs quotes"), format!("write `\"{word}\"`"))
            };
        Some(Answer { message, fix: Some(fix), place })
    }

    fn tab(self) -> Answer {
        let (start, line) = self.line_of(self.offset);
        let indent: &str = line.get(..line.len().saturating_sub(line.trim_start().len())).unwrap_or_default();
        let offset = match indent.find('\t') {
            Some(tab) => start.saturating_add(tab),
            None => self.text.get(self.offset..).and_then(|rest| rest.find('\t')).map_or(self.offset, |tab| {
                let tab = self.offset.saturating_add(tab);
                if tab < start.saturating_add(line.len()) { tab } else { self.offset }
            }),
        };
        Answer {
            message: "a tab stands where only spaces may".to_owned(),
            fix: Some("indent with spaces".to_owned()),
            place: self.file.place(offset),
        }
    }

    /// A quote that is not closed.
    fn quote(self) -> Answer {
        let open = scan(self.text, self.text.len()).quote.unwrap_or(self.offset);
        let quote = self.text.get(open..).and_then(|rest| rest.chars().next()).unwrap_or('"');
        let Position { line, column } = self.file.position(open);
        Answer {
            message: format!("the quote of {line}:{column} is not closed"),
            fix: Some(format!("write `{quote}` at the end of the value")),
            place: self.file.place(open),
        }
    }

    /// Brackets that do not fit.
    fn brackets(self, kind: &ErrorKind) -> Option<Answer> {
        let next = self.text.get(self.offset..).and_then(|rest| rest.chars().next());
        // where the parser points at a bracket, that or one around it is never closed
        let at_bracket = matches!(next, Some('[' | '{'));
        let end = if at_bracket { self.text.len() } else { self.offset.saturating_add(1) };
        let found = scan(self.text, end);
        if let Some((open, bracket, other)) = found.mismatch {
            let Position { line, column } = self.file.position(open);
            let message = format!("the `{bracket}` of {line}:{column} is closed by `{other}`");
            let fix = Some(format!("write `{}`", closing(bracket)));
            return Some(Answer { message, fix, place: self.file.place(open) });
        }
        if let Some(stray) = found.stray {
            let message = format!("the `{}` closes nothing", next.filter(|next| "]}".contains(*next)).unwrap_or(']'));
            return Some(Answer { message, fix: Some("remove it".to_owned()), place: self.file.place(stray) });
        }
        let &(open, bracket) = if at_bracket { found.open.first() } else { found.open.last() }?;
        let close = closing(bracket);
        let Position { line, column } = self.file.position(open);
        let place = self.file.place(open);
        // a key on the same line is more likely to lack a comma
        let is_near = self.file.position(self.offset).line == line && !is_end(kind);
        let fix = match is_near {
            true => format!("write `{close}` where the value ends, and `,` between two values"),
            false => format!("write `{close}` where the value ends"),
        };
        Some(Answer { message: format!("the `{bracket}` of {line}:{column} is not closed"), fix: Some(fix), place })
    }

    /// Keys that stand neither below one another nor inside.
    fn indentation(self, kind: &ErrorKind) -> Option<Answer> {
        let (start, line) = self.line_of(self.offset);
        let here = Key::of(line)?;
        let number = self.file.position(start).line;
        if let Some(answer) = self.two_colons(kind, start, line) {
            return Some(answer);
        }
        let above = (1..number).rev().take(LOOKED_BACK).filter_map(|number| Key::of(self.file.line(number).1));
        let mut nearest: Option<Key<'_>> = None;
        for key in above {
            let distance = |key: &Key<'_>| key.column.abs_diff(here.column);
            if key.column != here.column && nearest.as_ref().is_none_or(|known| distance(&key) < distance(known)) {
                nearest = Some(key);
            }
            if nearest.is_some() && nearest.as_ref().is_some_and(|known| distance(known) == 1) {
                break;
            }
        }
        let other = nearest?;
        let begin = start.saturating_add(here.column.saturating_sub(1));
        let message = format!(
            "{} stands at column {}, and {} above it at column {}",
            here.shown(),
            here.column,
            other.shown(),
            other.column
        );
        Some(Answer {
            message,
            fix: Some("begin the keys of one map in the same column".to_owned()),
            place: self.file.stretch(begin, begin.saturating_add(here.word.len().max(1))),
        })
    }

    /// `key: value: more`.
    fn two_colons(self, kind: &ErrorKind, start: usize, line: &str) -> Option<Answer> {
        if !matches!(kind, ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement) {
            return None;
        }
        let key = Key::of(line)?;
        let value_at = key.column.saturating_sub(1).saturating_add(key.word.len()).saturating_add(1);
        let value = line.get(value_at..)?.trim();
        let second = value.contains(": ") || value.ends_with(':');
        if !second || value.starts_with(['[', '{', '"', '\'']) {
            return None;
        }
        let begin = start.saturating_add(line.len().saturating_sub(line.get(value_at..)?.trim_start().len()));
        Some(Answer {
            message: "a value holds `:` and a space".to_owned(),
            fix: Some(format!("put quotes around it: `\"{value}\"`")),
            place: self.file.stretch(begin, begin.saturating_add(value.len())),
        })
    }

    /// The line that holds a byte: where it begins, and its text.
    fn line_of(self, offset: usize) -> (usize, &'t str) {
        self.file.line(self.file.position(offset).line)
    }
}

/// Lines above that are looked at for a key beside which another should stand.
const LOOKED_BACK: usize = 50;

/// The first key or element of a line.
struct Key<'l> {
    /// Column of the key, counted from 1.
    column: usize,
    word: &'l str,
}

impl<'l> Key<'l> {
    fn of(line: &'l str) -> Option<Key<'l>> {
        let text = line.trim_start_matches(['-', ' ']);
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        let column = line.len().saturating_sub(text.len()).saturating_add(1);
        let end = text.find([':', ' ', ',', '[', '{']).unwrap_or(text.len());
        Some(Key { column, word: text.get(..end)? })
    }

    fn shown(&self) -> String {
        if self.word.is_empty() { "the value".to_owned() } else { format!("`{}`", self.word) }
    }
}

fn is_end(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnclosedFlowCollection { .. }
            | ErrorKind::UnexpectedEof
            | ErrorKind::UnexpectedEofFlowSequence
            | ErrorKind::UnexpectedEofFlowMapping
            | ErrorKind::UnexpectedEofImplicitFlowMapping
    )
}

/// Quotes and brackets that are open at a byte of a text.
#[derive(Debug, Default)]
struct Scan {
    /// The quote that is open.
    quote: Option<usize>,
    /// The brackets that are open, outermost first.
    open: Vec<(usize, char)>,
    /// A bracket, and the other that closes it.
    mismatch: Option<(usize, char, char)>,
    /// A bracket that closes nothing.
    stray: Option<usize>,
}

fn closing(bracket: char) -> char {
    if bracket == '[' { ']' } else { '}' }
}

/// Reads a text up to a byte as YAML does: comments, and quotes in which brackets are text.
fn scan(text: &str, end: usize) -> Scan {
    let mut scan = Scan::default();
    let mut comment = false;
    let mut before = '\n';
    let mut skip = false;
    for (at, character) in text.char_indices().take_while(|(at, _)| *at < end) {
        if skip {
            skip = false;
        } else if comment {
            comment = character != '\n';
        } else if let Some(quote) = scan.quote {
            match character {
                '\\' if text.get(quote..).is_some_and(|rest| rest.starts_with('"')) => skip = true,
                _ if text.get(quote..).is_some_and(|rest| rest.starts_with(character)) => scan.quote = None,
                _ => {}
            }
        } else {
            // inside a word they are text
            let begins = before.is_whitespace() || "[{,:-".contains(before);
            match character {
                '#' if before.is_whitespace() => comment = true,
                '"' | '\'' if begins => scan.quote = Some(at),
                '[' | '{' if begins || !scan.open.is_empty() => scan.open.push((at, character)),
                ']' | '}' => match scan.open.pop() {
                    Some((open, bracket)) if closing(bracket) != character => {
                        scan.mismatch = Some((open, bracket, character));
                        break;
                    }
                    None if begins => scan.stray = scan.stray.or(Some(at)),
                    _ => {}
                },
                _ => {}
            }
        }
        before = character;
    }
    scan
}
