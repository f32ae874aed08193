//! A policy that serves, and the part of it to which a request stays bound.

use std::rc::Rc;
use std::sync::Arc;

use tollgate::policy::{Policy, Terms};
use tollgate::quota::QuotaThread;

use crate::host::{Host, MetricId};
use crate::journal::Journal;
use crate::metrics::{Quotas, Requests};
use crate::store::Store;
use crate::stripped_headers::StrippedHeaders;

/// Milliseconds between two calls of an instance with quotas. Each call is a sign of life for the slots it holds, and
/// tries again what could not be settled.
pub(crate) const TICK_MILLISECONDS: u32 = 1000;

/// Answer of an instance to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service<'a> {
    /// It decides.
    Decide(&'a Rc<Serving>),
    /// It refuses for want of a policy, and counts that.
    Refuse(Option<MetricId>),
}

/// A policy, and what was computed from it.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) policy: Policy,
    pub(crate) bound: Rc<BoundPolicy>,
}

/// Part of a policy to which a request that was let through stays bound until its end.
///
/// Open streams hold it, whatever is served meanwhile; so it keeps neither rules nor index alive.
#[derive(Debug)]
pub(crate) struct BoundPolicy {
    pub(crate) terms: Arc<Terms>,
    pub(crate) stripped: StrippedHeaders,
    pub(crate) requests: Requests,
    quotas: Quotas,
}

impl Serving {
    /// Takes a policy into service; `requests` and `quotas` count what it decides.
    pub(crate) fn new(policy: Policy, requests: Requests, quotas: Quotas) -> Serving {
        let stripped = StrippedHeaders::new(policy.settings());
        let bound = Rc::new(BoundPolicy { terms: Arc::clone(policy.terms()), stripped, requests, quotas });
        Serving { policy, bound }
    }
}

impl BoundPolicy {
    /// Changes buckets of this policy, and counts what happened on the way.
    pub(crate) fn with_store<H: Host, R>(
        &self,
        host: &mut H,
        thread: &mut QuotaThread,
        journal: &mut Journal,
        change: impl FnOnce(&mut QuotaThread, &mut Store<'_, H>) -> R,
    ) -> R {
        let mut store = Store::new(host);
        let result = change(thread, &mut store);
        if let Some(failure) = store.take_failure() {
            journal.note(host, failure, "quotas refuse");
        }
        if let Some(events) = thread.take_events()
            && let Err(failure) = self.quotas.count(host, &events)
        {
            journal.note(host, failure, "what happens to quotas is not counted");
        }
        result
    }

    /// Counts that a quota refused a request or cut it off.
    pub(crate) fn count_denied(&self, host: &mut impl Host, quota: u32, journal: &mut Journal) {
        if let Err(failure) = self.quotas.count_denied(host, quota) {
            journal.note(host, failure, "what quotas refuse is not counted");
        }
    }
}
