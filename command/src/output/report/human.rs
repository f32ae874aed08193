//! Findings as people read them, with the line they speak of.

use super::Report;
use crate::output::{self, Out};
use crate::read::escape;
use crate::read::{File, Located, Position, Span};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;
use tollgate::policy::Severity;

/// Bytes of a line on either side of a place that are handed to the renderer, which shows fewer: a policy of megabytes
/// may be one line.
const AROUND: usize = 400;

/// Writes findings to stderr.
pub(crate) fn findings(findings: &[Located], files: &[File]) {
    let rendered: Vec<String> = findings.iter().map(|located| render(located, files) + "\n").collect();
    if !rendered.is_empty() {
        output::complain(&rendered.join("\n"));
    }
}

/// Writes findings to stderr and the summary of a valid policy to stdout.
pub(super) fn write(report: &Report<'_>, out: &mut Out) -> io::Result<()> {
    findings(report.findings, report.files);
    let count = |severity| report.findings.iter().filter(|located| located.finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match &report.policy {
        None => {
            let message = format!("no valid {}: {}", report.noun, counted(errors, "error"));
            output::complain(&title(Level::ERROR, &message));
            Ok(())
        }
        Some(policy) => {
            let warned = if warnings > 0 { format!(", {}", counted(warnings, "warning")) } else { String::new() };
            writeln!(out, "{policy}{warned}, ok")
        }
    }
}

/// Says on stderr why the command cannot do its work.
pub(crate) fn error(message: &str) {
    output::complain(&title(Level::ERROR, message));
}

/// Tone of a statement, which gives its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Something may be wrong.
    Mixed,
    /// Something is wrong.
    Bad,
}

/// A statement about a place of the policy, with its line.
pub(crate) fn statement(text: &str, tone: Tone, place: Option<Span>, files: &[File]) -> String {
    let level = match tone {
        Tone::Good => Level::INFO,
        Tone::Mixed => Level::WARNING,
        Tone::Bad => Level::ERROR,
    };
    let text = escape::line(text);
    let mut group = Group::with_title(level.no_name().primary_title(text.as_ref()));
    if let Some(excerpt) = place.and_then(|place| Excerpt::of(place, files)) {
        group = excerpt.add_to(group, AnnotationKind::Primary, None);
    }
    Renderer::styled().render(&[group])
}

fn title(level: Level<'_>, message: &str) -> String {
    let message = escape::line(message);
    Renderer::styled().render(&[Group::with_title(level.primary_title(message.as_ref()))])
}

fn render(located: &Located, files: &[File]) -> String {
    let finding = &located.finding;
    let level = match finding.severity {
        Severity::Note => Level::NOTE,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let message = escape::line(&finding.message);
    let fix = finding.fix.as_deref().map(escape::line);
    let mut group = Group::with_title(level.primary_title(message.as_ref()).id(finding.code));
    match located.place.and_then(|place| Excerpt::of(place, files)) {
        Some(excerpt) => {
            group = excerpt.add_to(group, AnnotationKind::Primary, None);
            if let Some(other) = located.other.and_then(|place| Excerpt::of(place, files)) {
                group = other.add_to(group, AnnotationKind::Context, Some("first here"));
            }
        }
        None => group = files.first().into_iter().fold(group, |group, file| group.element(Origin::path(path(file)))),
    }
    if let Some(fix) = &fix {
        group = group.element(Level::HELP.message(fix.as_ref()));
    }
    Renderer::styled().render(&[group])
}

fn path(file: &File) -> Cow<'_, str> {
    escape::line(file.path())
}

/// A line, or the part of it that is near enough to the place to be shown.
struct Excerpt<'f> {
    file: &'f File,
    at: Position,
    text: Cow<'f, str>,
    span: Range<usize>,
    whole: bool,
}

impl<'f> Excerpt<'f> {
    fn of(place: Span, files: &'f [File]) -> Option<Self> {
        let file = files.get(place.file)?;
        let at = file.position(place.start);
        let (start, line) = file.line(at.line);
        // a place that goes on beyond its line is shown by its beginning
        let from = place.start.saturating_sub(start).min(line.len());
        let to = place.end.saturating_sub(start).clamp(from, line.len());
        let first = line.floor_char_boundary(from.saturating_sub(AROUND));
        let last = line.ceil_char_boundary(to.min(from.saturating_add(AROUND)).saturating_add(AROUND));
        let text = line.get(first..last)?;
        let span = from.saturating_sub(first)..to.saturating_sub(first).min(text.len());
        let (text, span) = escape::excerpt(text, span);
        Some(Excerpt { file, at, text, span, whole: first == 0 })
    }

    fn add_to(self, group: Group<'f>, kind: AnnotationKind, label: Option<&'f str>) -> Group<'f> {
        let annotation: Annotation<'f> = kind.span(self.span).label(label);
        let snippet = Snippet::source(self.text).line_start(self.at.line).annotation(annotation);
        if self.whole {
            return group.element(snippet.path(path(self.file)));
        }
        // the renderer would count columns from where the excerpt begins
        group.element(Origin::path(path(self.file)).line(self.at.line).char_column(self.at.column)).element(snippet)
    }
}

/// `1 error`, `2 errors`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
