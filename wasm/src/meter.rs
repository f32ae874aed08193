//! What requests go on to move until their end, and what they hold: charged to their quotas as it flows, and given back.
//!
//! Only requests that owe something are known here, and only by numbers that Envoy passes along: bodies are not read.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use tollgate::decision::{Charged, Evaluation, Record, RequestSnapshot, Till};
use tollgate::quota::{Account, Ledger};
use tollgate::request::Arrival;

use crate::host::{Action, HeaderMap, Host, Stream};
use crate::http::{Caller, Paper, Refusal, record};
use crate::serving::{Bond, Serving};
use crate::store::Store;

/// How often an instance with quotas is called: a sign of life for what it holds, and another try for what is left over.
pub(crate) const TICK_MILLISECONDS: u32 = 1000;

/// Which way bytes flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the destination.
    Out,
    /// From it.
    In,
}

/// The requests of one VM that owe something.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    till: Till,
    running: FxHashMap<u32, Running>,
    /// Of requests that have ended: what could not be charged or given back yet.
    left: Vec<(Rc<Bond>, Account)>,
}

/// A request that was let through.
#[derive(Debug)]
struct Running {
    /// To the policy that let it through.
    bond: Rc<Bond>,
    account: Account,
    /// What a later refusal speaks of, if its bytes are counted.
    memo: Option<(RequestSnapshot, Caller<Vec<u8>>)>,
    /// The response has started.
    answered: bool,
    cut: Option<Cut>,
}

/// How a request was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// By an answer, which flows back like the destination's.
    Answered,
    /// By a reset.
    Reset,
}

impl Meters {
    /// Whether this VM holds something, or has something to settle.
    pub(crate) fn is_busy(&self) -> bool {
        self.till.membership.is_member() || !self.left.is_empty()
    }

    /// Charges a request to its quotas, all or none.
    pub(crate) fn charge<'s>(
        &mut self,
        host: &mut impl Host,
        serving: &'s Serving,
        judged: &mut Evaluation<'s>,
        bytes: u64,
        paper: &mut Paper,
    ) -> Charged<'s> {
        let policy = &serving.policy;
        serving.bond.with_store(host, &mut self.till, paper, |till, store| policy.charge(judged, bytes, till, store))
    }

    /// A request that owes something is let through.
    pub(crate) fn open(
        &mut self,
        context: u32,
        bond: &Rc<Bond>,
        account: Account,
        judged: &Evaluation<'_>,
        arrival: &Arrival<'_>,
        caller: Caller<&[u8]>,
    ) {
        let terms = &bond.terms;
        let memo =
            terms.counts_bytes(&account).then(|| (RequestSnapshot::of(judged, arrival, terms), caller.to_owned()));
        let bond = Rc::clone(bond);
        self.running.insert(context, Running { bond, account, memo, answered: false, cut: None });
    }

    /// The body of a request or a response flows, so many bytes of it.
    pub(crate) fn body(
        &mut self,
        host: &mut impl Host,
        context: u32,
        way: Way,
        size: usize,
        paper: &mut Paper,
    ) -> Action {
        match self.running.get_mut(&context) {
            Some(running) => running.flow(host, &mut self.till, way, size as u64, paper),
            None => Action::Continue,
        }
    }

    /// Headers of a response, or trailers, flow. The headers are charged with what follows them if the line is far away:
    /// to charge costs more than all else that is done about a response.
    pub(crate) fn headers(&mut self, host: &mut impl Host, context: u32, map: HeaderMap, paper: &mut Paper) -> Action {
        let Some(running) = self.running.get_mut(&context).filter(|running| running.memo.is_some()) else {
            return Action::Continue;
        };
        let size = host.header_bytes(map).unwrap_or_else(|failure| {
            paper.note(host, failure, "headers or trailers are not charged");
            0
        });
        let way = match map {
            HeaderMap::Request | HeaderMap::RequestTrailers => Way::Out,
            HeaderMap::Response | HeaderMap::ResponseTrailers => Way::In,
        };
        let action = if map == HeaderMap::Response && running.defers(size) {
            Action::Continue
        } else {
            running.flow(host, &mut self.till, way, size, paper)
        };
        running.answered |= map == HeaderMap::Response;
        action
    }

    /// A request has ended, however it did.
    pub(crate) fn close(&mut self, host: &mut impl Host, context: u32, paper: &mut Paper) {
        if let Some(Running { bond, account, .. }) = self.running.remove(&context) {
            self.settle(host, bond, account, paper);
        }
    }

    /// Settles an account, now or later.
    pub(crate) fn settle(&mut self, host: &mut impl Host, bond: Rc<Bond>, mut account: Account, paper: &mut Paper) {
        let settled =
            bond.with_store(host, &mut self.till, paper, |till, store| bond.terms.settle(&mut account, till, store));
        if !settled {
            self.left.push((bond, account));
        }
    }

    /// Gives a sign of life, charges what was deferred for too long, and tries again what is left over.
    pub(crate) fn tick(&mut self, host: &mut impl Host, paper: &mut Paper) {
        Ledger::beat(&mut self.till.membership, &mut Store::new(host));
        for Running { bond, account, .. } in self.running.values_mut().filter(|running| running.account.owes()) {
            bond.with_store(host, &mut self.till, paper, |till, store| bond.terms.collect(account, till, store));
        }
        for (bond, account) in std::mem::take(&mut self.left) {
            self.settle(host, bond, account, paper);
        }
    }
}

impl Running {
    /// Has headers of a response charged later; false if they have to be charged now.
    fn defers(&mut self, size: u64) -> bool {
        self.cut.is_none() && self.bond.terms.defer(&mut self.account, 0, size)
    }

    /// Charges bytes, and cuts the request off where they cross the line of a quota that says so.
    fn flow(&mut self, host: &mut impl Host, till: &mut Till, way: Way, size: u64, paper: &mut Paper) -> Action {
        let Running { bond, account, memo: Some((memo, caller)), answered, cut } = self else {
            return Action::Continue;
        };
        if let Some(cut) = cut {
            // Not even if it could not be reset: to let more flow would let go what is held.
            return if way == Way::In && *cut == Cut::Answered { Action::Continue } else { Action::Pause };
        }
        let (out, inward) = match way {
            Way::Out => (size, 0),
            Way::In => (0, size),
        };
        let crossing =
            bond.with_store(host, till, paper, |till, store| bond.terms.flow(account, out, inward, till, store));
        let Some(crossing) = crossing else { return Action::Continue };
        let Some((judged, note)) = memo.crossed(&bond.terms, &crossing) else { return Action::Continue };
        let (settings, arrival) = (bond.terms.settings(), memo.arrival());
        let notes = [note];
        if crossing.cut {
            *cut = Some(Cut::Reset);
            bond.count_denied(host, crossing.quota, paper);
        }
        if !crossing.cut || *answered {
            let text =
                Record { evaluation: &judged, arrival: &arrival, settings, near: None, quotas: &notes, details: None };
            if let Err(failure) = record(host, paper, &text) {
                paper.note(host, failure, "a crossed quota is not recorded");
            }
        }
        if !crossing.cut {
            return Action::Continue;
        }
        if *answered {
            let stream = if way == Way::Out { Stream::Request } else { Stream::Response };
            if let Err(failure) = host.close(stream) {
                paper.note(host, failure, "a request that was cut off is held instead of reset");
            }
        } else {
            let (caller, notes) = (caller.as_slices(), &notes);
            let refusal = Refusal { settings, arrival: &arrival, evaluation: &judged, near: None, notes, caller };
            if refusal.send(host, paper) {
                *cut = Some(Cut::Answered);
            }
        }
        Action::Pause
    }
}

#[cfg(test)]
mod tests;
