//! Advice on a policy that works: is it what was meant?

mod connections;
mod cover;
mod habits;
mod hosts;
mod lists;
mod parts;
mod ports;
mod quotas;
mod reach;
mod settings;
mod subject;

pub(crate) use self::connections::lint as connections;
pub(crate) use self::habits::lint as habits;
pub(crate) use self::subject::Subject;
use super::advice::{Advice, suppress};
use crate::read::document::Document;
use crate::read::{self, Loaded, Located};
use tollgate::decision::Timestamp;

/// Says which rules have ended, but for those of which a comment allows it.
pub(crate) fn ended(loaded: &Loaded, document: &Document, now: Timestamp) -> Vec<Located> {
    let mut advice = Advice::default();
    for (number, rule) in document.rules.iter().enumerate() {
        reach::ended(number, rule, now, &mut advice);
    }
    if advice.findings.is_empty() {
        return Vec::new();
    }
    suppress::only(read::locate(advice.findings, &loaded.files), &loaded.files)
}

/// Everything that lint has to say of a policy.
pub(crate) fn advise(subject: &Subject<'_>) -> Advice {
    let mut advice = Advice::default();
    let denied = reach::lint(subject, &mut advice);
    hosts::lint(subject, &denied, &mut advice);
    parts::lint(subject, &mut advice);
    ports::lint(subject, &mut advice);
    lists::lint(subject, &mut advice);
    habits(subject.document, &mut advice);
    quotas::lint(subject, &mut advice);
    settings::lint(subject, &mut advice);
    advice
}
