//! Advice that somebody has decided about, in a comment beside it:
//! `# tollgate: allow TG201 because the crawler goes everywhere`.
//!
//! A comment on a line of its own speaks of the line below and of what is indented below that; one at the end of a line
//! speaks of that line and of what is indented below it.

use super::code::{ALL, SUPPRESSION};
use crate::read::{File, Located, Span};
use std::ops::RangeInclusive;
use tollgate::policy::{Finding, Severity};

/// Beginning of a comment that allows advice.
const MARK: &str = "# tollgate:";

/// A comment that allows something.
#[derive(Debug)]
struct Allowance {
    file: usize,
    /// Lines that it speaks of.
    lines: RangeInclusive<usize>,
    codes: Vec<String>,
    place: Span,
    used: bool,
}

/// Takes out findings that comments allow, and adds findings about the comments themselves. A comment of whose codes
/// none is `looked_for` need not allow anything.
pub(crate) fn apply(findings: Vec<Located>, files: &[File], looked_for: impl Fn(&str) -> bool) -> Vec<Located> {
    let (mut allowances, mut wrong) = read_all(files);
    let mut kept = sift(findings, files, &mut allowances);
    let idle = allowances.into_iter().filter(|allowance| !allowance.used);
    for allowance in idle.filter(|allowance| allowance.codes.iter().any(|code| looked_for(code))) {
        let message = format!("there is nothing to allow here: no {}", allowance.codes.join(", "));
        kept.push(about(allowance.place, message, "remove the comment"));
    }
    kept.append(&mut wrong);
    kept.sort_by_key(|located| located.place.map(|place| (place.file, place.start)));
    kept
}

/// Takes out findings that comments allow. The comments themselves are left to others.
pub(crate) fn only(findings: Vec<Located>, files: &[File]) -> Vec<Located> {
    let (mut allowances, _) = read_all(files);
    sift(findings, files, &mut allowances)
}

/// The comments of all files that can have any, and what is wrong with them.
fn read_all(files: &[File]) -> (Vec<Allowance>, Vec<Located>) {
    let (mut allowances, mut wrong) = (Vec::new(), Vec::new());
    for (number, file) in files.iter().enumerate().filter(|(_, file)| !file.is_json()) {
        read(number, file, &mut allowances, &mut wrong);
    }
    (allowances, wrong)
}

/// The findings that no comment allows.
fn sift(findings: Vec<Located>, files: &[File], allowances: &mut [Allowance]) -> Vec<Located> {
    let mut kept: Vec<Located> = Vec::with_capacity(findings.len());
    for located in findings {
        let line =
            located.place.and_then(|place| Some((place.file, files.get(place.file)?.position(place.start).line)));
        let allows = |allowance: &&mut Allowance| {
            let speaks = line.is_some_and(|(file, line)| file == allowance.file && allowance.lines.contains(&line));
            speaks && allowance.codes.iter().any(|code| code == located.finding.code)
        };
        // errors are for nobody to allow
        let allowance = allowances.iter_mut().find(allows).filter(|_| located.finding.severity < Severity::Error);
        match allowance {
            Some(allowance) => allowance.used = true,
            None => kept.push(located),
        }
    }
    kept
}

fn about(place: Span, message: String, fix: &str) -> Located {
    let finding = Finding {
        severity: SUPPRESSION.severity,
        code: SUPPRESSION.name,
        pointer: String::new(),
        message,
        fix: Some(fix.to_owned()),
        offset: None,
    };
    Located { finding, place: Some(place), other: None }
}

fn read(number: usize, file: &File, allowances: &mut Vec<Allowance>, wrong: &mut Vec<Located>) {
    let lines: Vec<&str> = file.lines_of_text().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some((before, comment)) = line.split_once(MARK) else { continue };
        // inside a word, or inside quotes, it is no comment
        if !before.chars().next_back().is_none_or(char::is_whitespace) || before.matches('"').count() % 2 == 1 {
            continue;
        }
        let line_number = at.saturating_add(1);
        let place = file.stretch_of_line(line_number, before.len());
        match parse(comment) {
            Err((message, fix)) => wrong.push(about(place, message, fix)),
            Ok(codes) => {
                let first = if before.trim().is_empty() { next(&lines, at.saturating_add(1)) } else { at };
                let last = block_end(&lines, first);
                let lines = first.saturating_add(1)..=last.saturating_add(1);
                allowances.push(Allowance { file: number, lines, codes, place, used: false });
            }
        }
    }
}

/// The codes that a comment allows.
fn parse(comment: &str) -> Result<Vec<String>, (String, &'static str)> {
    const FORM: &str = "write `# tollgate: allow TG201 because …`";
    let rest = comment.trim().strip_prefix("allow ").ok_or_else(|| ("the comment allows nothing".to_owned(), FORM))?;
    let (codes, reason) = rest.split_once(" because ").unwrap_or((rest, ""));
    if reason.trim().is_empty() {
        return Err(("the comment gives no reason".to_owned(), FORM));
    }
    let codes: Vec<String> = codes.split([',', ' ']).filter(|code| !code.is_empty()).map(str::to_owned).collect();
    match codes.iter().find(|code| !ALL.contains(&code.as_str())) {
        Some(code) => Err((format!("`{code}` is no code of advice"), "the codes stand in docs/lints.md")),
        None if codes.is_empty() => Err(("the comment names no code".to_owned(), FORM)),
        None => Ok(codes),
    }
}

fn indent(line: &str) -> usize {
    line.len().saturating_sub(line.trim_start().len())
}

fn is_text(line: &str) -> bool {
    let text = line.trim_start();
    !text.is_empty() && !text.starts_with('#')
}

/// The next line from `from` on that says something.
fn next(lines: &[&str], from: usize) -> usize {
    let found = lines.iter().enumerate().skip(from).find(|(_, line)| is_text(line));
    found.map_or(from, |(at, _)| at)
}

/// The last line of what begins at a line: what is indented further.
fn block_end(lines: &[&str], first: usize) -> usize {
    let depth = lines.get(first).map_or(0, |line| indent(line));
    let below = lines.iter().enumerate().skip(first.saturating_add(1)).filter(|(_, line)| is_text(line));
    below.take_while(|(_, line)| indent(line) > depth).last().map_or(first, |(at, _)| at)
}
