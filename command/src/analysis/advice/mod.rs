//! Advice: what works, and is probably not meant. Each kind has a code, and people can allow what is as it should be.

pub(crate) mod code;
pub(crate) mod suppress;

use self::code::Code;
use crate::read::document::Target;
use std::borrow::Cow;
use tollgate::policy::{Finding, Step};

/// Limit of advice of one kind: after that, more of it is no help.
const MOST_OF_A_KIND: usize = 200;

/// Advice so far.
#[derive(Debug, Default)]
pub(crate) struct Advice {
    pub(crate) findings: Vec<Finding>,
}

impl Advice {
    pub(crate) fn add(&mut self, code: Code, pointer: String, message: String, fix: impl Into<Option<String>>) {
        let known = self.findings.iter().rev().take(MOST_OF_A_KIND).filter(|finding| finding.code == code.name).count();
        if known < MOST_OF_A_KIND {
            let Code { name, severity } = code;
            self.findings.push(Finding { severity, code: name, pointer, message, fix: fix.into(), offset: None });
        }
    }
}

/// `rules[3].to[1]`, with what is below it.
pub(crate) fn target(list: &str, entry: usize, item: usize, below: &str) -> String {
    match below {
        "" => format!("{list}[{entry}].to[{item}]"),
        below => format!("{list}[{entry}].to[{item}].{below}"),
    }
}

/// `destinations.NAME`.
pub(crate) fn named(map: &str, name: &str) -> String {
    let mut pointer = map.to_owned();
    Step::Key(Cow::Borrowed(name)).write(&mut pointer);
    pointer
}

/// Pointer to the hosts of a rule's target; into the destination, if the target names one.
pub(crate) fn place_of(entry: usize, item: usize, given: &Target, below: &str) -> String {
    match &given.destination {
        Some(name) => format!("{}.{below}", named("destinations", name)),
        None => target("rules", entry, item, below),
    }
}

/// Tells whether a name is another, or one below it.
pub(crate) fn is_below(name: &str, other: &str) -> bool {
    name.strip_suffix(other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
