//! Coverage of a policy: the entries that some test made speak.

use super::file::PolicySource;
use crate::read::document::Document;
use crate::read::{self, File, Position};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The ids of entries that decided about some request, and of quotas that one was charged to.
#[derive(Debug, Default)]
pub(crate) struct Coverage(HashSet<String>);

impl Coverage {
    pub(crate) fn count<'i>(&mut self, ids: impl Iterator<Item = &'i str>) {
        for id in ids {
            if !self.0.contains(id) {
                self.0.insert(id.to_owned());
            }
        }
    }
}

/// The coverage of each policy that was tested.
#[derive(Debug, Default)]
pub(crate) struct Coverages {
    of: HashMap<PolicySource, (BTreeMap<String, Option<CoveredSpot>>, Coverage)>,
}

/// Place of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CoveredSpot {
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// Entries that no test made speak, and the share of those that spoke.
#[derive(Debug, Serialize)]
pub(crate) struct CoverageReport {
    pub(crate) entries: usize,
    pub(crate) covered: usize,
    /// Of a policy without entries: 100.
    pub(crate) percent: f64,
    pub(crate) uncovered: Vec<Uncovered>,
}

/// An entry that no test made speak.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Uncovered {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    pub(crate) id: String,
}

/// A policy whose entries are to be covered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Covered<'p> {
    pub(crate) document: &'p Document,
    pub(crate) files: &'p [File],
    /// Beginning of pointers into those files.
    pub(crate) below: &'static str,
}

impl Coverages {
    /// The coverage of a policy, to go on counting.
    pub(crate) fn of(&mut self, source: &PolicySource, covered: &Covered<'_>) -> &mut Coverage {
        let (_, coverage) = self.of.entry(source.clone()).or_insert_with(|| (entries(covered), Coverage::default()));
        coverage
    }

    pub(crate) fn report(&self) -> CoverageReport {
        let entries: usize = self.of.values().map(|(entries, _)| entries.len()).fold(0, usize::saturating_add);
        let mut uncovered: Vec<Uncovered> = Vec::new();
        for (entries, Coverage(counted)) in self.of.values() {
            let silent = entries.iter().filter(|(id, _)| !counted.contains(*id));
            uncovered.extend(silent.map(|(id, spot)| Uncovered {
                file: spot.as_ref().map(|spot| spot.file.clone()),
                line: spot.as_ref().map(|spot| spot.line),
                id: id.clone(),
            }));
        }
        uncovered.sort();
        let covered = entries.saturating_sub(uncovered.len());
        let percent = if entries == 0 { 100.0 } else { covered as f64 * 100.0 / entries as f64 };
        CoverageReport { entries, covered, percent, uncovered }
    }
}

/// The ids of a policy's entries, and where they stand.
fn entries(subject: &Covered<'_>) -> BTreeMap<String, Option<CoveredSpot>> {
    let document = subject.document;
    let mut ids: Vec<(String, String)> = Vec::new();
    let mut list = |name: &str, of: &mut dyn Iterator<Item = &String>| {
        ids.extend(of.enumerate().map(|(number, id)| (format!("{}{name}[{number}]", subject.below), id.clone())));
    };
    list("deny", &mut document.deny.iter().map(|entry| &entry.id));
    list("rules", &mut document.rules.iter().map(|entry| &entry.id));
    list("residency", &mut document.residency.iter().map(|entry| &entry.id));
    list("quotas", &mut document.quotas.iter().map(|entry| &entry.id));
    let (pointers, ids): (Vec<String>, Vec<String>) = ids.into_iter().unzip();
    let places = read::places(&pointers, subject.files);
    let spot = |place: Option<read::Span>| {
        let place = place?;
        let file: &File = subject.files.get(place.file)?;
        let Position { line, .. } = file.position(place.start);
        Some(CoveredSpot { file: file.path().to_owned(), line })
    };
    ids.into_iter().zip(places.into_iter().map(spot)).collect()
}
