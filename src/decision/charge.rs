//! Step 5: a request that is let through is charged to its quotas, and may be refused after all.

use super::quotas::ApplicableQuota;
use super::{Decision, Evaluation, Further, Outcome, Reason};
use crate::policy::{Policy, Terms};
use crate::quota::{
    Account, By, ChargeOutcome, Crossing, Quota, QuotaThread, Refusal, RequestCharge, SharedStore, Transaction, Unit,
};
use std::borrow::Cow;

/// The key of requests without a trusted identity.
const ANONYMOUS: &str = "anonymous";
/// The key of a quota that has one bucket.
const ALL: &str = "*";

/// The outcomes of charging a request.
#[derive(Debug, Default)]
pub struct Charged<'p> {
    /// The outcome of each quota, in file order.
    pub outcomes: Vec<QuotaOutcome<'p>>,
    /// The debt of the request, if it has one. A request that is refused may have one, too, which is to be settled then.
    pub account: Option<Account>,
}

/// The outcome of charging a request to one quota, as the record and the answer tell it.
#[derive(Clone, Debug)]
pub struct QuotaOutcome<'p> {
    /// The quota.
    pub quota: &'p Quota,
    /// The key of its bucket, if it has one of its own.
    pub(crate) key: Cow<'p, str>,
    /// The outcome of the charge.
    pub charge: ChargeOutcome,
    /// Its number in the policy.
    pub(crate) number: u32,
    /// Tells whether it refuses, or only says that it would.
    pub(crate) enforced: bool,
}

/// Charges a request that is let through to its quotas, all or none, and changes the decision if one refuses.
pub(super) fn charge<'s>(
    policy: &'s Policy,
    evaluation: &mut Evaluation<'s>,
    bytes: u64,
    thread: &mut QuotaThread,
    store: &mut impl SharedStore,
) -> Charged<'s> {
    if evaluation.quotas.is_empty() || evaluation.decision.outcome == Outcome::Deny {
        return Charged::default();
    }
    let uncharged = |applicable| uncharged(policy, applicable, evaluation);
    let mut outcomes: Vec<QuotaOutcome<'s>> = evaluation.quotas.iter().filter_map(uncharged).collect();
    let charges: Vec<RequestCharge<'_>> = outcomes.iter().map(QuotaOutcome::request_charge).collect();
    let results = Transaction::new(thread, policy.namespace(), store).charge(&charges, bytes);
    for (outcome, charge) in outcomes.iter_mut().zip(results.outcomes) {
        outcome.charge = charge;
    }
    decide(&mut evaluation.decision, &outcomes);
    Charged { outcomes, account: results.account }
}

fn uncharged<'s>(
    policy: &'s Policy,
    applicable: &ApplicableQuota,
    evaluation: &Evaluation<'s>,
) -> Option<QuotaOutcome<'s>> {
    let quota = policy.quota(applicable.quota)?;
    Some(QuotaOutcome {
        quota,
        key: key(quota.by, evaluation, applicable.destination(policy)),
        charge: ChargeOutcome::default(),
        number: applicable.quota,
        enforced: applicable.enforced,
    })
}

impl Terms {
    /// Charges bytes as they flow. Returns the crossing if a quota's line is crossed.
    pub fn flow(
        &self,
        account: &mut Account,
        out: u64,
        inward: u64,
        thread: &mut QuotaThread,
        store: &mut impl SharedStore,
    ) -> Option<Crossing> {
        self.transaction(thread, store).flow(account, out, inward, |number| self.quota(number))
    }

    /// Notes bytes that flow and will soon be followed by more; false if they have to be charged now.
    pub fn defer(&self, account: &mut Account, out: u64, inward: u64) -> bool {
        account.defer(out, inward, |number| self.quota(number))
    }

    /// Charges what was deferred and not followed by anything.
    pub fn collect(&self, account: &mut Account, thread: &mut QuotaThread, store: &mut impl SharedStore) {
        self.transaction(thread, store).collect(account, |number| self.quota(number));
    }

    /// Settles what is left at a request's end; false if it has to be tried again.
    pub fn settle(&self, account: &mut Account, thread: &mut QuotaThread, store: &mut impl SharedStore) -> bool {
        self.transaction(thread, store).settle(account, |number| self.quota(number))
    }

    fn transaction<'t, S: SharedStore>(&'t self, thread: &'t mut QuotaThread, store: &'t mut S) -> Transaction<'t, S> {
        Transaction::new(thread, self.namespace(), store)
    }

    /// Tells whether the bytes of this request are counted.
    pub fn counts_bytes(&self, account: &Account) -> bool {
        account.counts_bytes(|number| self.quota(number))
    }
}

/// Changes the decision once the quotas have spoken: what a dry-run suspends is recorded.
fn decide<'s>(decision: &mut Decision<'s>, outcomes: &[QuotaOutcome<'s>]) {
    if let Some(outcome) = deciding(outcomes) {
        *decision = Decision { rule: Some(&outcome.quota.id), ..Decision::refusal(outcome.reason()) };
        return;
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.charge.refusal.is_some()) {
        let (reason, rule) = (outcome.reason(), Some(&*outcome.quota.id));
        if decision.outcome == Outcome::Allow {
            (decision.outcome, decision.reason, decision.rule) = (Outcome::WouldDeny, reason, rule);
        } else {
            decision.also.push(Further { reason, rule });
        }
    }
}

/// The enforced quota that decides, where several refuse: the one whose room comes last, so that nobody comes again too
/// early. One without a known moment counts as the earliest; of equal ones the first in the file.
fn deciding<'n, 's>(outcomes: &'n [QuotaOutcome<'s>]) -> Option<&'n QuotaOutcome<'s>> {
    let later = |last: &'n QuotaOutcome<'s>, outcome: &'n QuotaOutcome<'s>| {
        if outcome.charge.level.retry > last.charge.level.retry { outcome } else { last }
    };
    outcomes.iter().filter(|outcome| outcome.refuses()).reduce(later)
}

impl QuotaOutcome<'_> {
    fn request_charge(&self) -> RequestCharge<'_> {
        RequestCharge { quota: self.quota, number: self.number, key: &self.key, enforced: self.enforced }
    }

    /// The quota's number in the policy.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Tells whether the quota is enforced: else it only says that it would refuse.
    pub fn is_enforced(&self) -> bool {
        self.enforced
    }

    /// Tells whether the quota refuses, and not only says that it would.
    pub fn refuses(&self) -> bool {
        self.enforced && self.charge.refusal.is_some()
    }

    /// The key of its bucket: `overflow` where that is shared by all that came too late.
    pub fn key(&self) -> &str {
        if self.charge.overflowed { "overflow" } else { &self.key }
    }

    /// Seconds until nothing is used, rounded up; if that is known.
    pub fn reset(&self) -> Option<u64> {
        self.charge.level.reset.map(|reset| reset.div_ceil(1_000_000_000))
    }

    /// The reason for which the quota refuses, if it does.
    pub fn reason(&self) -> Reason {
        reason(self.quota, self.charge.refusal.unwrap_or(Refusal::Exhausted))
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
