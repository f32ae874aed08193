//! Charges of requests that were let through: the bytes they move until their end, charged to their quotas as they
//! flow, and the slots they hold, given back at the end.
//!
//! Only requests that owe something are known here, and only by numbers that the host passes along: bodies are not
//! read.

use std::rc::Rc;
use std::task::Poll;

use rustc_hash::FxHashMap;
use tollgate::decision::{Charged, Evaluation, RequestSnapshot};
use tollgate::quota::{Account, QuotaThread};
use tollgate::record::RecordSource;
use tollgate::request::Arrival;

use crate::charger::Charger;
use crate::host::{Action, Direction, HeaderMap, Host, StreamSide};
use crate::journal::Journal;
use crate::reply::{Caller, Refusal};
use crate::serving::{BoundPolicy, Serving};
use crate::store::Store;

/// The requests of one VM that owe something.
#[derive(Debug, Default)]
pub(crate) struct StreamCharges {
    thread: QuotaThread,
    running: FxHashMap<u32, StreamCharge>,
    /// Accounts of requests that have ended, of which something could not be charged or given back yet.
    left: Vec<(Rc<BoundPolicy>, Account)>,
}

/// A request that was let through.
#[derive(Debug)]
struct StreamCharge {
    /// The policy that let it through.
    bound: Rc<BoundPolicy>,
    account: Account,
    /// The request and its caller as they stood at the decision, for the record of a later refusal; only if bytes are
    /// counted. A connection has nobody who could be answered.
    snapshot: Option<(RequestSnapshot, Option<Caller<Vec<u8>>>)>,
    /// The response has started; a connection has none, and is never answered.
    answered: bool,
    cut: Option<Cut>,
}

/// Form in which a request was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// By an answer, which flows back like the destination's.
    Answered,
    /// By a reset.
    Reset,
}

impl StreamCharges {
    /// Tells whether this VM holds slots, or has something to settle.
    pub(crate) fn is_busy(&self) -> bool {
        self.thread.is_member() || !self.left.is_empty()
    }

    /// Charges a request to its quotas, all or none; or the answer comes later.
    #[expect(clippy::too_many_arguments, reason = "two sides meet here: a request, and what charges it")]
    pub(crate) fn charge<'s>(
        &mut self,
        host: &mut impl Host,
        stream: u32,
        charger: &mut impl Charger,
        serving: &'s Serving,
        evaluation: &mut Evaluation<'s>,
        bytes: u64,
        journal: &mut Journal,
    ) -> Poll<Charged<'s>> {
        let policy = &serving.policy;
        serving.bound.with_store(host, &mut self.thread, journal, |thread, store| {
            charger.charge(stream, policy, evaluation, bytes, thread, store)
        })
    }

    /// Opens an account for a request that is let through and owes something.
    pub(crate) fn open(
        &mut self,
        stream: u32,
        bound: &Rc<BoundPolicy>,
        account: Account,
        evaluation: &Evaluation<'_>,
        arrival: &Arrival<'_>,
        caller: Option<Caller<&[u8]>>,
    ) {
        let terms = &bound.terms;
        let snapshot = terms
            .counts_bytes(&account)
            .then(|| (RequestSnapshot::of(evaluation, arrival, terms), caller.map(Caller::to_owned)));
        let (bound, answered) = (Rc::clone(bound), caller.is_none());
        self.running.insert(stream, StreamCharge { bound, account, snapshot, answered, cut: None });
    }

    /// Charges bytes of a body, of the request or the response.
    pub(crate) fn body(
        &mut self,
        host: &mut impl Host,
        stream: u32,
        direction: Direction,
        size: u64,
        journal: &mut Journal,
    ) -> Action {
        match self.running.get_mut(&stream) {
            Some(running) => running.flow(host, &mut self.thread, direction, size, journal),
            None => Action::Continue,
        }
    }

    /// Charges headers of a response, or trailers. The headers are charged with what follows them while the limit is
    /// far away: a charge costs more than all else that is done about a response.
    pub(crate) fn headers(
        &mut self,
        host: &mut impl Host,
        stream: u32,
        map: HeaderMap,
        journal: &mut Journal,
    ) -> Action {
        let Some(running) = self.running.get_mut(&stream).filter(|running| running.snapshot.is_some()) else {
            return Action::Continue;
        };
        let size = host.header_bytes(map).unwrap_or_else(|failure| {
            journal.note(host, failure, "headers or trailers are not charged");
            0
        });
        let direction = match map {
            HeaderMap::Request | HeaderMap::RequestTrailers => Direction::Upstream,
            HeaderMap::Response | HeaderMap::ResponseTrailers => Direction::Downstream,
        };
        let action = if map == HeaderMap::Response && running.defers(size) {
            Action::Continue
        } else {
            running.flow(host, &mut self.thread, direction, size, journal)
        };
        running.answered |= map == HeaderMap::Response;
        action
    }

    /// A request has ended, however it did.
    pub(crate) fn close(&mut self, host: &mut impl Host, stream: u32, journal: &mut Journal) {
        if let Some(StreamCharge { bound, account, .. }) = self.running.remove(&stream) {
            self.settle(host, bound, account, journal);
        }
    }

    /// Settles an account, now or later.
    pub(crate) fn settle(
        &mut self,
        host: &mut impl Host,
        bound: Rc<BoundPolicy>,
        mut account: Account,
        journal: &mut Journal,
    ) {
        let settled = bound.with_store(host, &mut self.thread, journal, |thread, store| {
            bound.terms.settle(&mut account, thread, store)
        });
        if !settled {
            self.left.push((bound, account));
        }
    }

    /// Gives a sign of life, charges what was deferred for too long, and tries again what is left over.
    pub(crate) fn tick(&mut self, host: &mut impl Host, journal: &mut Journal) {
        self.thread.beat(&mut Store::new(host));
        for StreamCharge { bound, account, .. } in self.running.values_mut().filter(|running| running.account.owes()) {
            bound.with_store(host, &mut self.thread, journal, |thread, store| {
                bound.terms.collect(account, thread, store)
            });
        }
        for (bound, account) in std::mem::take(&mut self.left) {
            self.settle(host, bound, account, journal);
        }
    }
}

impl StreamCharge {
    /// Has headers of a response charged later; false if they have to be charged now.
    fn defers(&mut self, size: u64) -> bool {
        self.cut.is_none() && self.bound.terms.defer(&mut self.account, 0, size)
    }

    /// Charges bytes, and cuts the request off if they exceed a quota that says so.
    fn flow(
        &mut self,
        host: &mut impl Host,
        thread: &mut QuotaThread,
        direction: Direction,
        size: u64,
        journal: &mut Journal,
    ) -> Action {
        let StreamCharge { bound, account, snapshot: Some((snapshot, caller)), answered, cut } = self else {
            return Action::Continue;
        };
        if let Some(cut) = cut {
            // Held even if the reset failed: letting more flow would release what is held.
            return if direction == Direction::Downstream && *cut == Cut::Answered {
                Action::Continue
            } else {
                Action::Pause
            };
        }
        let (out, inward) = match direction {
            Direction::Upstream => (size, 0),
            Direction::Downstream => (0, size),
        };
        let crossing = bound
            .with_store(host, thread, journal, |thread, store| bound.terms.flow(account, out, inward, thread, store));
        let Some(crossing) = crossing else { return Action::Continue };
        let Some((evaluation, outcome)) = snapshot.crossed(&bound.terms, &crossing) else { return Action::Continue };
        let (settings, arrival) = (bound.terms.settings(), snapshot.arrival());
        let quotas = [outcome];
        if crossing.cut {
            *cut = Some(Cut::Reset);
            bound.count_denied(host, crossing.quota, journal);
        }
        if !crossing.cut || *answered {
            let text = RecordSource {
                evaluation: &evaluation,
                arrival: &arrival,
                settings,
                near: None,
                quotas: &quotas,
                details: None,
            };
            if let Err(failure) = journal.record(host, &text) {
                journal.note(host, failure, "a crossed quota is not recorded");
            }
        }
        if !crossing.cut {
            return Action::Continue;
        }
        let Some(caller) = caller.as_ref().filter(|_| !*answered) else {
            let side = match (&caller, direction) {
                (None, _) => StreamSide::Downstream,
                (Some(_), Direction::Upstream) => StreamSide::Request,
                (Some(_), Direction::Downstream) => StreamSide::Response,
            };
            if let Err(failure) = host.reset(side) {
                journal.note(host, failure, "a request that was cut off is held instead of reset");
            }
            return Action::Pause;
        };
        let (caller, quotas) = (caller.as_slices(), &quotas);
        let refusal = Refusal { settings, arrival: &arrival, evaluation: &evaluation, near: None, quotas, caller };
        if refusal.send(host, journal) {
            *cut = Some(Cut::Answered);
        }
        Action::Pause
    }
}

#[cfg(test)]
mod tests;
