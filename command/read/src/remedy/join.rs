//! One mistake, one finding.

use super::UNLISTED;
use crate::finding::Located;
use std::collections::{HashMap, HashSet};
use tollgate::policy::{TARGET_KEYS, code};

/// Maps whose names other parts use.
const MAPS: [&str; 2] = ["destinations", "workloads"];

/// Leaves out findings that follow from others, and those that an alias repeats.
pub(super) fn join(mut findings: Vec<Located>) -> Vec<Located> {
    let mistakes = Mistakes::of(&findings);
    let mut seen = HashSet::new();
    findings.retain(|located| {
        let finding = &located.finding;
        let place = located.place.map(|place| (place.file, place.start, place.end));
        // what has no place of its own, such as a key that is missing, may be the same twice
        let is_new = seen.insert((place, finding.code, finding.message.clone(), finding.pointer.matches('[').count()));
        (is_new || place.is_none()) && !mistakes.explain(located)
    });
    findings
}

/// Findings from which others follow.
#[derive(Default)]
struct Mistakes {
    /// Keys that were meant, by the map that has another in their place.
    meant: HashSet<(String, String)>,
    /// The first key of a target that stands in an entry, by the entry.
    beside: HashMap<String, String>,
    /// Selectors with several keys.
    selectors: HashSet<String>,
    /// The document is no map.
    no_map: bool,
}

impl Mistakes {
    fn of(findings: &[Located]) -> Self {
        let mut mistakes = Mistakes::default();
        for finding in findings.iter().map(|located| &located.finding) {
            let fix = finding.fix.as_deref().unwrap_or_default();
            match finding.code {
                code::UNKNOWN_KEY => {
                    let Some(key) = key_of(&finding.message) else { continue };
                    let around = around(&finding.pointer, key);
                    if let Some(word) = fix.strip_prefix("did you mean `").and_then(|rest| rest.strip_suffix("`?")) {
                        mistakes.meant.insert((around.to_owned(), word.to_owned()));
                    }
                    if let Some(word) = fix.strip_prefix("put it into `").and_then(|rest| rest.split('`').next()) {
                        mistakes.meant.insert((around.to_owned(), word.to_owned()));
                        if TARGET_KEYS.contains(&key) {
                            mistakes.beside.entry(around.to_owned()).or_insert_with(|| finding.pointer.clone());
                        }
                    }
                }
                code::TYPE if finding.pointer.is_empty() => mistakes.no_map = true,
                code::COMBINATION if finding.message == "a selector has several keys" => {
                    mistakes.selectors.insert(finding.pointer.clone());
                }
                _ => {}
            }
        }
        mistakes
    }

    /// Tells whether a finding follows from another.
    fn explain(&self, located: &Located) -> bool {
        let finding = &located.finding;
        let meant = |around: &str, key: &str| self.meant.contains(&(around.to_owned(), key.to_owned()));
        match finding.code {
            code::MISSING if self.no_map && finding.pointer.is_empty() => true,
            code::MISSING => match finding.message.strip_prefix('`').and_then(|rest| rest.strip_suffix("` is missing"))
            {
                Some(key) => meant(&finding.pointer, key),
                // a target or a destination without a place
                None => TARGET_KEYS.iter().any(|key| meant(&finding.pointer, key)),
            },
            // a name is not defined since the map around it has another name
            code::DANGLING => {
                MAPS.iter().any(|map| meant("", map) && finding.message.ends_with(&format!("in `{map}`")))
            }
            code::IDENTITY if finding.message.starts_with(UNLISTED) => {
                meant("", "identity") || meant("identity", "trustDomains")
            }
            // several keys of one target
            code::UNKNOWN_KEY => key_of(&finding.message)
                .filter(|key| TARGET_KEYS.contains(key))
                .and_then(|key| self.beside.get(around(&finding.pointer, key)))
                .is_some_and(|first| *first != finding.pointer),
            _ => {
                let selector = finding.pointer.rsplit_once('.').map_or("", |(selector, _)| selector);
                self.selectors.contains(selector)
            }
        }
    }
}

fn key_of(message: &str) -> Option<&str> {
    message.strip_prefix("unknown key `")?.strip_suffix('`')
}

/// The map that has a key, by pointers.
fn around<'p>(pointer: &'p str, key: &str) -> &'p str {
    let without = pointer.strip_suffix(key).unwrap_or(pointer);
    without.strip_suffix('.').unwrap_or(without)
}
