//! The quotas that a request belongs to: all that match it, in the wide reading.

use super::question::{Asked, Question};
use crate::index::{Candidate, NONE, Search, VisitedSets};
use crate::policy::{Mode, Policy};

/// A quota that a request is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplicableQuota {
    /// Its number in the policy.
    pub(super) quota: u32,
    /// Tells whether it refuses, or only says that it would.
    pub(super) enforced: bool,
    /// The target that matched first, and the number of the destination that it names, or [`NONE`].
    target: u32,
    pub(super) destination: u32,
}

/// Lists the quotas of a request that is let through.
pub(super) fn list(
    policy: &Policy,
    asked: &Asked<'_>,
    onboarding: bool,
    visited: &mut VisitedSets,
    applicable: &mut Vec<ApplicableQuota>,
) {
    applicable.clear();
    if policy.quotas.is_empty() {
        return;
    }
    let mut search = Applicable { question: asked.question, applicable };
    for question in asked.widely() {
        search.question = question;
        policy.quotas.search(asked.groups, asked.wide, question.wide_path(), visited, &mut search);
    }
    for applicable in applicable {
        let mode = policy.quotas().get(applicable.quota as usize).and_then(|entry| entry.mode);
        applicable.enforced = match mode {
            Some(mode) => mode == Mode::Enforce,
            None => !onboarding,
        };
    }
}

/// Every quota that matches.
struct Applicable<'q, 'm> {
    question: &'q Question<'q>,
    applicable: &'m mut Vec<ApplicableQuota>,
}

impl Search for Applicable<'_, '_> {
    fn wants_misses(&self) -> bool {
        self.question.is_ambiguous()
    }

    fn is_open(&self, _: u8) -> bool {
        true
    }

    fn look(&mut self, candidate: Candidate<'_>) {
        let (quota, target) = (candidate.target.entry, candidate.number);
        let place = self.applicable.partition_point(|applicable| applicable.quota < quota);
        let known = self.applicable.get_mut(place).filter(|applicable| applicable.quota == quota);
        if known.as_ref().is_some_and(|applicable| applicable.target <= target)
            || self.question.widely(&candidate).is_none()
        {
            return;
        }
        let destination = candidate.constraints.destination;
        match known {
            Some(applicable) => (applicable.target, applicable.destination) = (target, destination),
            None => self.applicable.insert(place, ApplicableQuota { quota, target, destination, enforced: true }),
        }
    }
}

impl ApplicableQuota {
    /// The quota's number in the policy.
    pub fn number(&self) -> u32 {
        self.quota
    }

    /// The name of the destination that matched first.
    pub(super) fn destination<'p>(&self, policy: &'p Policy) -> Option<&'p str> {
        (self.destination != NONE).then_some(self.destination).and_then(|number| policy.destination_name(number))
    }
}
