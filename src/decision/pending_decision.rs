//! A decision while its steps are taken.

use super::quotas::ApplicableQuota;
use super::search::Admission;
use super::{Also, Decision, Evaluation, Further, Outcome, Reason, Way};
use crate::index::NONE;
use crate::policy::Policy;
use crate::request::{Host, Identity, Presented};
use crate::timestamp::Timestamp;

/// The request that is decided, as far as it was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subject<'s> {
    /// The SPIFFE ID and its source, whether trusted or not.
    pub(super) identity: Option<Presented<'s>>,
    pub(super) trusted: Option<Identity<'s>>,
    pub(super) host: Option<Host<'s>>,
    pub(super) port: Option<u16>,
    /// A TCP connection was called by the name of this very host.
    pub(super) is_called_by_host: bool,
}

/// A decision in the making. Apart from its subject, so that it is small and an [`Evaluation`] is written once.
#[derive(Debug, Default)]
pub(super) struct PendingDecision<'s> {
    /// The reason that a dry-run suspended first: it will be named.
    suspended: Option<Further<'s>>,
    also: Also<'s>,
    admitted: Admitted<'s>,
}

/// The parts of a decision that a rule gives.
#[derive(Clone, Copy, Debug, Default)]
struct Admitted<'s> {
    rule: Option<&'s str>,
    destination: Option<&'s str>,
    pattern: Option<&'s str>,
    /// The target names the host itself.
    names_host: bool,
    /// None: no rule admits.
    expires: Option<Timestamp>,
}

impl<'s> PendingDecision<'s> {
    /// Returns what was suspended in the first step: who asks, and where the route leads.
    pub(super) fn reasons(&self) -> [Option<Reason>; 2] {
        [self.suspended, self.also.iter().next()].map(|further| further.map(|further| further.reason))
    }

    /// Notes a reason that a dry-run suspends.
    pub(super) fn suspend(&mut self, reason: Reason, rule: Option<&'s str>) {
        let further = Further { reason, rule };
        match self.suspended {
            None => self.suspended = Some(further),
            Some(_) => self.also.push(further),
        }
    }

    /// Notes the rule that admits.
    pub(super) fn admit(&mut self, policy: &'s Policy, admission: &Admission) {
        let destination = Some(admission.destination).filter(|destination| *destination != NONE);
        self.admitted = Admitted {
            rule: policy.rule_id(admission.rule),
            destination: destination.and_then(|destination| policy.destination_name(destination)),
            pattern: admission.pattern.and_then(|address| policy.rules.pattern_text(address)),
            names_host: admission.names_host(),
            expires: Some(admission.expires),
        };
    }

    /// Notes that what admits needs another target besides, which does so until then.
    #[inline]
    pub(super) fn end_by(&mut self, expires: Timestamp) {
        self.admitted.expires = self.admitted.expires.map(|own| own.min(expires));
    }

    /// Refuses the request, whatever was suspended.
    #[inline]
    pub(super) fn deny(self, subject: &Subject<'s>, reason: Reason, rule: Option<&'s str>) -> Evaluation<'s> {
        let destination = self.admitted.destination;
        subject.evaluated(Decision { rule, destination, ..Decision::refusal(reason) }, &[], Way::default(), None)
    }

    /// Lets the request through: because a rule admits it, or because of a dry-run.
    #[inline]
    pub(super) fn let_through(self, subject: &Subject<'s>, quotas: &'s [ApplicableQuota]) -> Evaluation<'s> {
        let Admitted { rule, destination, pattern, names_host, expires } = self.admitted;
        let (outcome, reason, rule) = match self.suspended {
            None => (Outcome::Allow, Reason::RuleAllow, rule),
            Some(Further { reason, rule }) => (Outcome::WouldDeny, reason, rule),
        };
        let way = if names_host && subject.is_called_by_host { Way::Own } else { Way::Dynamic };
        subject.evaluated(
            Decision { outcome, reason, rule, destination, pattern, also: self.also },
            quotas,
            way,
            expires,
        )
    }
}

impl<'s> Subject<'s> {
    #[inline]
    fn evaluated(
        &self,
        decision: Decision<'s>,
        quotas: &'s [ApplicableQuota],
        way: Way,
        expires: Option<Timestamp>,
    ) -> Evaluation<'s> {
        let Subject { identity, trusted, host, port, .. } = *self;
        Evaluation {
            identity,
            trusted,
            host,
            port,
            decision,
            quotas,
            way,
            expires: expires.unwrap_or(Timestamp::NEVER),
        }
    }
}
