//! Which quotas a request belongs to: all that match it, in the wide reading.

use super::question::{Asked, Question};
use crate::index::{Candidate, Marks, NONE, Search};
use crate::policy::{Mode, Policy};

/// A quota that a request is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metered {
    /// Its number in the policy.
    pub(super) quota: u32,
    /// Whether it refuses, or only says that it would.
    pub(super) enforced: bool,
    /// The target that matched first, and the number of the destination that it names, or [`NONE`].
    target: u32,
    pub(super) destination: u32,
}

impl Policy {
    /// Lists the quotas of a request that is let through.
    pub(super) fn meter(&self, asked: &Asked<'_>, onboarding: bool, marks: &mut Marks, metered: &mut Vec<Metered>) {
        metered.clear();
        if self.quotas.is_empty() {
            return;
        }
        let mut search = Meter { question: asked.question, metered };
        for question in asked.widely() {
            search.question = question;
            self.quotas.search(asked.groups, asked.wide, question.wide_path(), marks, &mut search);
        }
        for metered in metered {
            let mode = self.quotas().get(metered.quota as usize).and_then(|entry| entry.mode);
            metered.enforced = match mode {
                Some(mode) => mode == Mode::Enforce,
                None => !onboarding,
            };
        }
    }
}

/// Every quota that matches.
struct Meter<'q, 'm> {
    question: &'q Question<'q>,
    metered: &'m mut Vec<Metered>,
}

impl Search for Meter<'_, '_> {
    fn wants_misses(&self) -> bool {
        self.question.is_ambiguous()
    }

    fn is_open(&self, _: u8) -> bool {
        true
    }

    fn look(&mut self, candidate: Candidate<'_>) {
        let (quota, target) = (candidate.target.entry, candidate.number);
        let place = self.metered.partition_point(|metered| metered.quota < quota);
        let known = self.metered.get_mut(place).filter(|metered| metered.quota == quota);
        if known.as_ref().is_some_and(|metered| metered.target <= target) || self.question.widely(&candidate).is_none()
        {
            return;
        }
        let destination = candidate.guard.destination;
        match known {
            Some(metered) => (metered.target, metered.destination) = (target, destination),
            None => self.metered.insert(place, Metered { quota, target, destination, enforced: true }),
        }
    }
}

impl Metered {
    /// The quota's number in the policy.
    pub fn number(&self) -> u32 {
        self.quota
    }

    /// The name of the destination that matched first.
    pub(super) fn destination<'p>(&self, policy: &'p Policy) -> Option<&'p str> {
        (self.destination != NONE).then_some(self.destination).and_then(|number| policy.destination_name(number))
    }
}
