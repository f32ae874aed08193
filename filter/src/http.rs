//! One request, from its headers to its end.
//!
//! `Read → Decided → Charging → Done`: it is *read* ([`Read`]), and *decided* by the policy while nothing is carried
//! out ([`Decided`]). Where its quotas do not answer at once it is held, *charging* ([`Charging`]), and [`resume`] goes
//! on with it. It is *done* when it is let through or refused; until its end [`Streams`](crate::streams::Streams) knows
//! what became of it.
//!
//! A host call that fails refuses the request, whatever the policy says of dry-runs, with the reason that names what
//! could not be read: `HOST_INVALID` for the headers, `IDENTITY_INVALID`, `ROUTE_MISMATCH` for the cluster,
//! `RULE_EXPIRED` for the clock; and with `POLICY_INVALID` where the decision could not be carried out.

use std::rc::Rc;
use std::task::Poll;

use tollgate::decision::{Authorizer, Decision, Evaluation, Outcome, QuotaOutcome, Reason, RequestSnapshot, Scratch};
use tollgate::quota::Account;
use tollgate::record::RecordSource;
use tollgate::request::Arrival;

use crate::attributes::ROUTE;
use crate::charger::Charger;
use crate::charging::Charging;
use crate::connections::Subject;
use crate::headers::Headers;
use crate::host::Direction;
use crate::host::{Action, Failure, HeaderMap, Host, MetricId, StreamSide};
use crate::journal::Journal;
use crate::metrics::UNCOUNTED;
use crate::read::Read;
use crate::rejudge;
use crate::reply::{Caller, Refusal, unserved};
use crate::serving::{Service, Serving, TICK_MILLISECONDS};
use crate::state::WorkerState;
use crate::streams::Stream;
use crate::trailers;

/// Decides a request whose headers have arrived, and carries the decision out as soon as its quotas have answered.
pub(crate) fn on_request(
    host: &mut impl Host,
    stream: u32,
    instance: u32,
    service: Service<'_>,
    scratch: &mut Scratch,
    charger: &mut impl Charger,
    state: &mut WorkerState,
) -> Action {
    let headers = host.headers(HeaderMap::Request);
    let serving = match service {
        Service::Decide(serving) => serving,
        Service::Refuse(counter) => {
            return refuse_unserved(host, counter, &headers.unwrap_or_default(), &mut state.journal);
        }
    };
    let read = Read::new(host, headers, &serving.policy);
    let arrival = read.arrival();
    let evaluation = match &read.attributes {
        Ok(attributes) => Authorizer::new(&serving.policy).decide(&arrival, attributes.now, scratch),
        Err((reason, failure)) => {
            state.journal.note(host, *failure, "a request is refused");
            Evaluation::refused(*reason)
        }
    };
    let mut decided = Decided { instance, serving, read: &read, arrival: &arrival, evaluation, quotas: Vec::new() };
    match decided.charge(host, stream, charger, state) {
        Poll::Ready(account) => decided.carry_out(host, stream, account, state),
        Poll::Pending => {
            let snapshot = RequestSnapshot::of(&decided.evaluation, &arrival, &serving.bound.terms);
            let serving = Rc::clone(serving);
            state
                .streams
                .hold(stream, Box::new(Charging { instance, serving, read, snapshot, body: 0, has_trailers: false }));
            Action::Pause
        }
    }
}

/// Goes on with a request that is held, if its quotas have answered. One that is not held any more is left alone.
pub(crate) fn resume(host: &mut impl Host, stream: u32, charger: &mut impl Charger, state: &mut WorkerState) {
    let Some(charging) = state.streams.take_held(stream) else { return };
    let Charging { instance, serving, read, snapshot, body, has_trailers } = &*charging;
    let arrival = read.arrival();
    let mut decided = Decided {
        instance: *instance,
        serving,
        read,
        arrival: &arrival,
        evaluation: snapshot.evaluation(),
        quotas: Vec::new(),
    };
    let action = match decided.charge(host, stream, charger, state) {
        Poll::Ready(account) => decided.carry_out(host, stream, account, state),
        Poll::Pending => {
            state.streams.hold(stream, charging);
            return;
        }
    };
    if action == Action::Continue
        && flow_on(host, stream, *body, *has_trailers, state) == Action::Continue
        && let Err(failure) = host.resume_request()
    {
        state.journal.note(host, failure, "a request that was let through is reset");
        if let Some(Stream::Open(open)) = state.streams.get(stream) {
            open.refused = Some(Reason::PolicyInvalid);
        }
        if let Err(failure) = host.reset(StreamSide::Request) {
            state.journal.note(host, failure, "a request that was let through goes nowhere");
        }
    }
}

/// Deals with what followed the headers of a request while it was held.
fn flow_on(host: &mut impl Host, stream: u32, body: u64, has_trailers: bool, state: &mut WorkerState) -> Action {
    let WorkerState { charges, journal, .. } = state;
    if body > 0 && charges.body(host, stream, Direction::Upstream, body, journal) == Action::Pause {
        return Action::Pause;
    }
    if has_trailers { trailers::on_request(host, stream, state) } else { Action::Continue }
}

/// A request that is decided but for its quotas; nothing is carried out yet.
struct Decided<'r> {
    instance: u32,
    serving: &'r Rc<Serving>,
    read: &'r Read,
    arrival: &'r Arrival<'r>,
    evaluation: Evaluation<'r>,
    /// The quotas that were consulted.
    quotas: Vec<QuotaOutcome<'r>>,
}

impl Decided<'_> {
    /// Charges it to its quotas, if it has any. Returns what it goes on to owe.
    fn charge(
        &mut self,
        host: &mut impl Host,
        stream: u32,
        charger: &mut impl Charger,
        state: &mut WorkerState,
    ) -> Poll<Option<Account>> {
        if self.evaluation.quotas.is_empty() {
            return Poll::Ready(None);
        }
        let WorkerState { charges, journal, .. } = state;
        let bytes = self.read.headers.size();
        let charged = charges.charge(host, stream, charger, self.serving, &mut self.evaluation, bytes, journal);
        charged.map(|charged| {
            self.quotas = charged.outcomes;
            charged.account
        })
    }

    /// Lets it through, or refuses it.
    fn carry_out(
        mut self,
        host: &mut impl Host,
        stream: u32,
        account: Option<Account>,
        state: &mut WorkerState,
    ) -> Action {
        let WorkerState { nearest, journal, charges, streams, connections } = state;
        let Decided { serving, read, arrival, .. } = self;
        if self.evaluation.decision.outcome != Outcome::Deny {
            match self.let_through(host, journal) {
                Ok(()) => {
                    self.count(host, journal);
                    streams.open(stream, &serving.bound, read.is_routed());
                    if let Some(account) = account {
                        let caller = Caller::of(&read.headers);
                        charges.open(stream, &serving.bound, account, &self.evaluation, arrival, Some(caller));
                    }
                    if rejudge::is_tunnel(arrival) {
                        if let Err(failure) = host.tick_every(TICK_MILLISECONDS) {
                            journal.note(host, failure, "a tunnel stays open, whatever the policy says");
                        }
                        let subject = Subject::of(self.instance, arrival);
                        connections.flowing.add(stream, subject, None, serving, self.evaluation.expires);
                    }
                    return Action::Continue;
                }
                Err(failure) => {
                    journal.note(host, failure, "a request is refused");
                    self.evaluation.decision = Decision::refusal(Reason::PolicyInvalid);
                }
            }
        }
        if let Some(account) = account {
            charges.settle(host, Rc::clone(&serving.bound), account, journal);
        }
        let Decided { evaluation, quotas, .. } = &self;
        let policy = &serving.policy;
        let near = match (&read.attributes, evaluation.decision.reason) {
            (Ok(attributes), Reason::NoMatch | Reason::RuleExpired | Reason::RequestAmbiguous) => {
                Authorizer::new(policy).nearest(arrival, attributes.now, nearest)
            }
            _ => None,
        };
        let (settings, caller) = (policy.settings(), Caller::of(&read.headers));
        Refusal { settings, arrival, evaluation, near, quotas, caller }.send(host, journal);
        self.count(host, journal);
        Action::Pause
    }

    /// Makes the request fit to leave, changing as little as can be: any change has Envoy choose the route anew, which
    /// only a filter behind this one can see. The record comes last: it is what that filter lets pass, so it never says
    /// that a request was admitted which this filter could not deal with.
    fn let_through(&self, host: &mut impl Host, journal: &mut Journal) -> Result<(), Failure> {
        let Decided { serving, read, arrival, evaluation, quotas, .. } = self;
        for name in read.headers.names().filter(|name| serving.bound.stripped.strips(name)) {
            host.remove_header(HeaderMap::Request, name)?;
        }
        let settings = serving.policy.settings();
        if let Some(tripwire) = &settings.tripwire
            && let Some(secret) = tripwire.values.first()
        {
            host.set_request_header(&tripwire.header, secret)?;
        }
        let respelled = evaluation.host.and_then(|canonical| canonical.respelled(arrival.authority));
        if let Some(authority) = &respelled {
            host.set_request_header(":authority", authority)?;
        }
        if read.is_routed() {
            match (arrival.cluster, evaluation.host) {
                // Nothing stood for the other spelling: its own name has to lead to its own cluster.
                (None, Some(canonical)) if respelled.is_some() => {
                    let cluster = canonical.cluster(evaluation.port.unwrap_or_default());
                    host.set_filter_state(ROUTE, cluster.as_bytes())?;
                }
                (cluster, _) => host.set_filter_state(ROUTE, cluster.unwrap_or_default())?,
            }
        }
        journal.record(host, &RecordSource { evaluation, arrival, settings, near: None, quotas, details: None })
    }

    /// Counts the decision, and the quotas that refused.
    fn count(&self, host: &mut impl Host, journal: &mut Journal) {
        let bound = &self.serving.bound;
        if let Err(failure) = bound.requests.count(host, &self.evaluation) {
            journal.note(host, failure, UNCOUNTED);
        }
        for quota in self.quotas.iter().filter(|quota| quota.refuses()) {
            bound.count_denied(host, quota.number(), journal);
        }
    }
}

/// Refuses a request for want of a policy.
fn refuse_unserved(
    host: &mut impl Host,
    counter: Option<MetricId>,
    headers: &Headers,
    journal: &mut Journal,
) -> Action {
    let settings = unserved();
    let arrival = &Arrival::from_headers(headers.iter());
    let evaluation = &Evaluation::refused(Reason::PolicyInvalid);
    let caller = Caller::of(headers);
    Refusal { settings: &settings, arrival, evaluation, near: None, quotas: &[], caller }.send(host, journal);
    if let Some(counter) = counter
        && let Err(failure) = host.count(counter)
    {
        journal.note(host, failure, UNCOUNTED);
    }
    Action::Pause
}

#[cfg(test)]
mod tests;
