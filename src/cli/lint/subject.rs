//! What advice is about, and where it is collected.

use super::code::Code;
use crate::cli::document::{Document, Target};
use crate::decision::Timestamp;
use crate::policy::{Finding, Policy, Step};
use std::borrow::Cow;

/// A policy to advise on.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) policy: &'s Policy,
    pub(super) document: &'s Document,
    /// Bytes of its JSON text.
    pub(super) size: usize,
    pub(super) now: Timestamp,
}

/// How much advice there is of one kind at most: after that, more of it is no help.
const MOST_OF_A_KIND: usize = 200;

/// Advice so far.
#[derive(Debug, Default)]
pub(super) struct Advice {
    pub(super) findings: Vec<Finding>,
}

impl Advice {
    pub(super) fn add(&mut self, code: Code, pointer: String, message: String, fix: impl Into<Option<String>>) {
        let known = self.findings.iter().rev().take(MOST_OF_A_KIND).filter(|finding| finding.code == code.name).count();
        if known < MOST_OF_A_KIND {
            let Code { name, severity } = code;
            self.findings.push(Finding { severity, code: name, pointer, message, fix: fix.into(), offset: None });
        }
    }
}

/// `rules[3].to[1]`, with what is below it.
pub(super) fn target(list: &str, entry: usize, item: usize, below: &str) -> String {
    match below {
        "" => format!("{list}[{entry}].to[{item}]"),
        below => format!("{list}[{entry}].to[{item}].{below}"),
    }
}

/// `destinations.NAME`.
pub(super) fn named(map: &str, name: &str) -> String {
    let mut pointer = map.to_owned();
    Step::Key(Cow::Borrowed(name)).write(&mut pointer);
    pointer
}

impl Subject<'_> {
    /// Where the hosts of a rule's target stand: with the destination, if it names one.
    pub(super) fn place_pointer(&self, entry: usize, item: usize, target: &Target, below: &str) -> String {
        match &target.destination {
            Some(name) => format!("{}.{below}", named("destinations", name)),
            None => self::target("rules", entry, item, below),
        }
    }
}
