//! A policy that serves, and what of it a request stays bound to.

use std::rc::Rc;
use std::sync::Arc;

use tollgate::decision::Till;
use tollgate::policy::{Policy, Terms};

use crate::host::Host;
use crate::http::Paper;
use crate::metrics::{Quotas, Requests};
use crate::removal::Removal;
use crate::store::Store;

/// A policy, and what was computed from it.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) policy: Policy,
    pub(crate) bond: Rc<Bond>,
}

/// What a request that was let through stays bound to until its end. Open streams hold it, whatever is served meanwhile;
/// so it has no part in rules and index.
#[derive(Debug)]
pub(crate) struct Bond {
    pub(crate) terms: Arc<Terms>,
    pub(crate) removal: Removal,
    pub(crate) requests: Requests,
    quotas: Quotas,
}

impl Serving {
    /// Takes a policy into service; `requests` and `quotas` count what it decides.
    pub(crate) fn new(policy: Policy, requests: Requests, quotas: Quotas) -> Serving {
        let removal = Removal::new(policy.settings());
        let bond = Rc::new(Bond { terms: Arc::clone(policy.terms()), removal, requests, quotas });
        Serving { policy, bond }
    }
}

impl Bond {
    /// Changes buckets of this policy, and counts what happened on the way.
    pub(crate) fn with_store<H: Host, R>(
        &self,
        host: &mut H,
        till: &mut Till,
        paper: &mut Paper,
        change: impl FnOnce(&mut Till, &mut Store<'_, H>) -> R,
    ) -> R {
        let mut store = Store::new(host);
        let result = change(till, &mut store);
        if let Some(failure) = store.take_failure() {
            paper.note(host, failure, "quotas refuse");
        }
        if let Some(events) = till.ledger.take_events()
            && let Err(failure) = self.quotas.count(host, &events)
        {
            paper.note(host, failure, "what happens to quotas is not counted");
        }
        result
    }

    /// Counts that a quota refused a request or cut it off.
    pub(crate) fn count_denied(&self, host: &mut impl Host, quota: u32, paper: &mut Paper) {
        if let Err(failure) = self.quotas.count_denied(host, quota) {
            paper.note(host, failure, "what quotas refuse is not counted");
        }
    }
}
