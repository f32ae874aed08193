//! Step 5: a request that is let through is charged to its quotas, and may be refused after all.

use super::quotas::ApplicableQuota;
use super::{Decision, Evaluation, Further, Outcome, Reason};
use crate::policy::{Policy, Terms};
use crate::quota::{
    Account, By, Consulted, Crossing, Demand, Desk, Ledger, Membership, Quota, Refusal, SharedStore, Unit,
};
use std::borrow::Cow;

/// The key of requests without a trusted identity.
const ANONYMOUS: &str = "anonymous";
/// The key of a quota that has one bucket.
const ALL: &str = "*";

/// What a thread needs to charge requests: one, whatever the policy.
#[derive(Debug, Default)]
pub struct Till {
    /// Changes buckets.
    pub ledger: Ledger,
    /// What the thread holds under.
    pub membership: Membership,
}

/// What came of a consultation.
#[derive(Debug, Default)]
pub struct Charged<'p> {
    /// What is said of each quota, in file order.
    pub notes: Vec<QuotaOutcome<'p>>,
    /// What the request goes on to owe. May be there for a request that is refused, too, and is to be settled then.
    pub account: Option<Account>,
}

/// What is said of one quota, in the record and in the answer.
#[derive(Clone, Debug)]
pub struct QuotaOutcome<'p> {
    /// The quota.
    pub quota: &'p Quota,
    /// The key of its bucket, if it has one of its own.
    pub(super) key: Cow<'p, str>,
    /// What came of it.
    pub consulted: Consulted,
    /// Its number in the policy.
    pub(super) number: u32,
    /// Whether it refuses, or only says that it would.
    pub(super) enforced: bool,
}

impl Policy {
    /// Charges a request that is let through to its quotas, all or none, and changes the decision if one refuses.
    /// `bytes` are those of the names and values of the request's headers.
    pub fn charge<'s>(
        &'s self,
        evaluation: &mut Evaluation<'s>,
        bytes: u64,
        till: &mut Till,
        shared: &mut impl SharedStore,
    ) -> Charged<'s> {
        if evaluation.quotas.is_empty() || evaluation.decision.outcome == Outcome::Deny {
            return Charged::default();
        }
        let mut notes: Vec<QuotaOutcome<'s>> =
            evaluation.quotas.iter().filter_map(|applicable| self.note(applicable, evaluation)).collect();
        let demands: Vec<Demand<'_>> = notes.iter().map(QuotaOutcome::demand).collect();
        let Till { ledger, membership } = till;
        let consultation = ledger.consult(&demands, bytes, self.books(), membership, shared);
        for (note, consulted) in notes.iter_mut().zip(consultation.results) {
            note.consulted = consulted;
        }
        decide(&mut evaluation.decision, &notes);
        Charged { notes, account: consultation.account }
    }

    fn note<'s>(&'s self, applicable: &ApplicableQuota, evaluation: &Evaluation<'s>) -> Option<QuotaOutcome<'s>> {
        let quota = self.quota(applicable.quota)?;
        Some(QuotaOutcome {
            quota,
            key: key(quota.by, evaluation, applicable.destination(self)),
            consulted: Consulted::default(),
            number: applicable.quota,
            enforced: applicable.enforced,
        })
    }
}

impl Terms {
    /// Charges bytes as they flow. Says so if a quota's line is crossed.
    pub fn flow(
        &self,
        account: &mut Account,
        out: u64,
        inward: u64,
        till: &mut Till,
        shared: &mut impl SharedStore,
    ) -> Option<Crossing> {
        self.desk(till, shared).flow(account, out, inward, |number| self.quota(number))
    }

    /// Notes bytes that flow and will soon be followed by more; false if they have to be charged now.
    pub fn defer(&self, account: &mut Account, out: u64, inward: u64) -> bool {
        account.defer(out, inward, |number| self.quota(number))
    }

    /// Charges what was deferred and not followed by anything.
    pub fn collect(&self, account: &mut Account, till: &mut Till, shared: &mut impl SharedStore) {
        self.desk(till, shared).collect(account, |number| self.quota(number));
    }

    /// Settles what is left at a request's end; false if it has to be tried again.
    pub fn settle(&self, account: &mut Account, till: &mut Till, shared: &mut impl SharedStore) -> bool {
        self.desk(till, shared).settle(account, |number| self.quota(number))
    }

    fn desk<'d, S>(&'d self, till: &'d mut Till, shared: &'d mut S) -> Desk<'d, S> {
        till.ledger.desk(self.books(), &mut till.membership, shared)
    }

    /// Whether the bytes of this request are counted.
    pub fn counts_bytes(&self, account: &Account) -> bool {
        account.counts_bytes(|number| self.quota(number))
    }
}

/// The decision, once the quotas have spoken: what is in dry-run is recorded.
fn decide<'s>(decision: &mut Decision<'s>, notes: &[QuotaOutcome<'s>]) {
    if let Some(note) = deciding(notes) {
        *decision = Decision { rule: Some(&note.quota.id), ..Decision::refusal(note.reason()) };
        return;
    }
    for note in notes.iter().filter(|note| note.consulted.refusal.is_some()) {
        let (reason, rule) = (note.reason(), Some(&*note.quota.id));
        if decision.outcome == Outcome::Allow {
            (decision.outcome, decision.reason, decision.rule) = (Outcome::WouldDeny, reason, rule);
        } else {
            decision.also.push(Further { reason, rule });
        }
    }
}

/// The enforced quota that decides, where several refuse: the one whose room comes last, so that nobody comes again too
/// early. One without a known moment counts as the earliest; of equal ones the first in the file.
fn deciding<'n, 's>(notes: &'n [QuotaOutcome<'s>]) -> Option<&'n QuotaOutcome<'s>> {
    let later = |last: &'n QuotaOutcome<'s>, note: &'n QuotaOutcome<'s>| {
        if note.consulted.level.retry > last.consulted.level.retry { note } else { last }
    };
    notes.iter().filter(|note| note.refuses()).reduce(later)
}

impl QuotaOutcome<'_> {
    fn demand(&self) -> Demand<'_> {
        Demand { quota: self.quota, number: self.number, key: &self.key, enforced: self.enforced }
    }

    /// The quota's number in the policy.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether the quota is enforced: else it only says that it would refuse.
    pub fn is_enforced(&self) -> bool {
        self.enforced
    }

    /// Whether the quota refuses, and not only says that it would.
    pub fn refuses(&self) -> bool {
        self.enforced && self.consulted.refusal.is_some()
    }

    /// The key of its bucket: `overflow` where that is shared by all that came too late.
    pub fn key(&self) -> &str {
        if self.consulted.overflowed { "overflow" } else { &self.key }
    }

    /// Seconds until nothing is used, rounded up; if that is known.
    pub fn reset(&self) -> Option<u64> {
        self.consulted.level.reset.map(|reset| reset.div_ceil(1_000_000_000))
    }

    /// The reason for which the quota refuses, if it does.
    pub fn reason(&self) -> Reason {
        reason(self.quota, self.consulted.refusal.unwrap_or(Refusal::Exhausted))
    }
}

/// The reason for which a quota refuses.
pub(super) fn reason(quota: &Quota, refusal: Refusal) -> Reason {
    match (refusal, quota.unit) {
        (Refusal::Unavailable, _) => Reason::QuotaUnavailable,
        (_, Unit::Requests) => Reason::QuotaRequests,
        (_, Unit::Concurrent) => Reason::QuotaConcurrent,
        (_, Unit::BytesOut | Unit::BytesIn | Unit::Bytes) => Reason::QuotaBytes,
    }
}

/// The key of a request's bucket: identity, namespace and destination as far as the quota is kept by them. Of these only
/// a destination's name can hold a `|`, and it comes last, so that no two requests share a key by accident.
fn key<'s>(by: By, evaluation: &Evaluation<'s>, destination: Option<&'s str>) -> Cow<'s, str> {
    let id = || evaluation.trusted.map_or(ANONYMOUS, |identity| identity.id());
    let namespace = || evaluation.trusted.and_then(|identity| identity.namespace_key()).unwrap_or_else(id);
    let parts =
        [by.identity.then(id), by.namespace.then(namespace), by.destination.then(|| destination.unwrap_or_default())];
    let mut parts = parts.into_iter().flatten();
    match (parts.next(), parts.next()) {
        (None, _) => Cow::Borrowed(ALL),
        (Some(only), None) => Cow::Borrowed(only),
        (Some(first), Some(second)) => {
            let mut key = [first, "|", second].concat();
            for part in parts {
                key.push('|');
                key.push_str(part);
            }
            Cow::Owned(key)
        }
    }
}
