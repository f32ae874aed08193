//! The entries that could speak of a request, for commands that explain a decision.

use super::scratch::{Lookups, Scratch};
use crate::decision::Timestamp;
use crate::index::{Candidate, Search};
use crate::policy::Policy;
use crate::request::Arrival;

/// Entries whose selectors and places match a request, whatever the rest of their targets says: numbers in file order,
/// each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Of enforced deny entries and of those in dry-run.
    pub deny: Vec<u32>,
    /// Of rules.
    pub rules: Vec<u32>,
}

impl Policy {
    /// Lists the candidates of a request; none where it was refused before any entry was looked at.
    pub fn candidates(&self, arrival: &Arrival<'_>, now: Timestamp, scratch: &mut Scratch) -> Option<Candidates> {
        let Scratch { buffers, lookups: Lookups { groups, hosts, visited, .. } } = scratch;
        let canonical = self.read(arrival, buffers).ok()?;
        let question = self.ask(&canonical, now, groups, hosts);
        let (mut deny, mut rules) = (Visited::default(), Visited::default());
        for section in [&self.deny, &self.deny_dry_run] {
            section.search(groups, hosts.wide(), question.wide_path(), &mut visited.deny, &mut deny);
        }
        self.rules.search(groups, hosts.narrow(), question.narrow_path(), &mut visited.rules, &mut rules);
        Some(Candidates { deny: deny.finish(), rules: rules.finish() })
    }
}

/// Whatever is looked at.
#[derive(Default)]
struct Visited(Vec<u32>);

impl Visited {
    fn finish(mut self) -> Vec<u32> {
        self.0.sort_unstable();
        self.0.dedup();
        self.0
    }
}

impl Search for Visited {
    fn wants_misses(&self) -> bool {
        true
    }

    fn is_open(&self, _: u8) -> bool {
        true
    }

    fn look(&mut self, candidate: Candidate<'_>) {
        self.0.push(candidate.target.entry);
    }
}
