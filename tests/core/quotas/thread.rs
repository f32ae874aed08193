//! A worker thread, and what it does in one round.

use super::terms::Plan;
use super::world::{Seen, World};
use std::sync::Arc;
use tollgate::quota::{
    Account, ChargeResults, Crossing, Quota, QuotaNamespace, QuotaThread, Refusal, RequestCharge, Transaction,
};

/// One act of a thread.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Ask {
        identity: u32,
        bytes: u64,
    },
    /// Charges what flows; with `defer` later, if that can be.
    Flow {
        open: usize,
        out: u64,
        inward: u64,
        defer: bool,
    },
    /// Charges what was deferred.
    Collect {
        open: usize,
    },
    Settle {
        open: usize,
    },
    Beat,
}

/// Result of an act.
#[derive(Debug)]
pub struct Done {
    pub act: Act,
    pub thread: usize,
    pub vm: u32,
    pub seen: Seen,
    pub contended: u32,
    /// The request that it was about.
    pub request: Option<u64>,
    /// The refusal of each quota.
    pub refusals: Vec<Option<Refusal>>,
    pub crossing: Option<Crossing>,
    /// The charge for what flowed is deferred.
    pub deferred: bool,
    /// Nothing is owed any more.
    pub settled: bool,
}

/// A policy as the engine has it.
pub struct Policy {
    pub plans: Vec<Plan>,
    pub quotas: Vec<Quota>,
    pub namespace: QuotaNamespace,
}

/// A request that owes something, under the policy that admitted it.
pub struct Open {
    pub request: u64,
    account: Account,
    policy: Arc<Policy>,
    pub ended: bool,
}

#[derive(Default)]
pub struct Thread {
    pub id: usize,
    /// The VM that it runs: a lost one is followed by another.
    pub vm: u32,
    quotas: QuotaThread,
    pub open: Vec<Open>,
    requests: u64,
}

impl Policy {
    pub fn new(plans: &[Plan]) -> Policy {
        let quotas: Vec<Quota> = plans.iter().map(Plan::quota).collect();
        let namespace = QuotaNamespace::of("model", quotas.iter());
        Policy { plans: plans.to_vec(), quotas, namespace }
    }

    fn quota(&self, number: u32) -> Option<&Quota> {
        self.quotas.get(number as usize)
    }
}

impl Thread {
    pub fn new(id: usize) -> Thread {
        Thread { id, vm: id as u32, ..Thread::default() }
    }

    pub fn is_member(&self) -> bool {
        self.quotas.is_member()
    }

    /// The VM is lost with all it knew.
    pub fn lose(&mut self, vm: u32) {
        let (id, requests) = (self.id, self.requests);
        *self = Thread { id, vm, requests, ..Thread::default() };
    }

    pub fn act(&mut self, act: Act, policy: &Arc<Policy>, world: &World) -> Done {
        let mut handle = world.handle(self.id);
        let (thread, vm) = (self.id, self.vm);
        let mut done = Done {
            act,
            thread,
            vm,
            seen: Seen::default(),
            contended: 0,
            request: None,
            refusals: Vec::new(),
            crossing: None,
            deferred: false,
            settled: false,
        };
        let Thread { quotas: own, open, requests, .. } = self;
        match act {
            Act::Ask { identity, bytes } => {
                let keys: Vec<String> = policy.plans.iter().map(|plan| plan.key(identity)).collect();
                let charges = policy.plans.iter().zip(&policy.quotas).zip(&keys).zip(0..);
                let charges: Vec<RequestCharge<'_>> = charges
                    .map(|(((plan, quota), key), number)| RequestCharge { quota, number, key, enforced: plan.enforced })
                    .collect();
                let ChargeResults { outcomes, account } =
                    Transaction::new(own, &policy.namespace, &mut handle).charge(&charges, bytes);
                done.refusals = outcomes.iter().map(|outcome| outcome.refusal).collect();
                *requests += 1;
                let request = *requests << 8 | thread as u64;
                done.request = Some(request);
                done.settled = account.is_none();
                let refused = charges.iter().zip(&outcomes).any(|(charge, of)| charge.enforced && of.refusal.is_some());
                let policy = Arc::clone(policy);
                open.extend(account.map(|account| Open { request, account, policy, ended: refused }));
            }
            Act::Flow { open: number, out, inward, defer } => {
                if let Some(Open { request, account, policy, .. }) = running(open, number) {
                    let quotas = |number| policy.quota(number);
                    done.request = Some(*request);
                    done.deferred = defer && account.defer(out, inward, quotas);
                    if !done.deferred {
                        done.crossing =
                            Transaction::new(own, &policy.namespace, &mut handle).flow(account, out, inward, quotas);
                    }
                }
            }
            Act::Collect { open: number } => {
                if let Some(Open { request, account, policy, .. }) = running(open, number) {
                    done.request = Some(*request);
                    Transaction::new(own, &policy.namespace, &mut handle)
                        .collect(account, |number| policy.quota(number));
                }
            }
            Act::Settle { open: number } => {
                if let Some(at) = number.checked_rem(open.len())
                    && let Some(Open { request, account, policy, ended }) = open.get_mut(at)
                {
                    (done.request, *ended) = (Some(*request), true);
                    let quota = |number| policy.quota(number);
                    done.settled = Transaction::new(own, &policy.namespace, &mut handle).settle(account, quota);
                    if done.settled {
                        open.remove(at);
                    }
                }
            }
            Act::Beat => own.beat(&mut handle),
        }
        done.seen = handle.seen;
        done.contended = own.take_events().map_or(0, |events| {
            assert_eq!((events.foreign, &*events.overflowed), (0, &[][..]), "nobody else writes here");
            events.contended
        });
        done
    }
}

/// One of the requests that have not ended, by any number.
fn running(open: &mut [Open], number: usize) -> Option<&mut Open> {
    let running = open.iter().filter(|open| !open.ended).count();
    let at = number.checked_rem(running)?;
    open.iter_mut().filter(|open| !open.ended).nth(at)
}
