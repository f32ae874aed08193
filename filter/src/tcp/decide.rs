//! The decision on a connection, and carrying it out.

use std::rc::Rc;
use std::task::Poll;

use tollgate::decision::{
    Authorizer, Decision, Evaluation, Near, Outcome, QuotaOutcome, Reason, Scratch, Timestamp, Way,
};
use tollgate::record::RecordSource;
use tollgate::request::{Arrival, Connection, FirstBytes, Host as CanonicalHost, Watch};

use super::facts::Facts;
use crate::charger::Charger;
use crate::connections::{Subject, Surroundings, Undecided};
use crate::ending::Ending;
use crate::host::{Host, MetricId};
use crate::instances::CROWDED_OUT;
use crate::journal::Journal;
use crate::metrics::{self, UNCOUNTED};
use crate::reply::unserved;
use crate::serving::{Service, Serving};
use crate::worker::Worker;

/// The fate of a connection that was decided.
pub(super) enum Decided {
    /// It is led out.
    Open,
    /// It is closed.
    Closed,
}

impl<C: Charger> Worker<C> {
    /// Decides a connection of an instance by its first bytes, and carries that out. Bytes are charged as they go on.
    pub(super) fn decide_connection(
        &mut self,
        host: &mut impl Host,
        stream: u32,
        instance: u32,
        surroundings: &mut Surroundings,
        first: FirstBytes<'_>,
    ) -> Decided {
        let Worker { instances, scratch, charger, state, .. } = self;
        let latest = instances.latest(instance);
        let serving = match instances.service(host, latest) {
            Service::Decide(serving) => Rc::clone(serving),
            Service::Refuse(counter) => {
                refuse_unserved(host, first, counter, &mut state.journal);
                return Decided::Closed;
            }
        };
        let (journal, settings) = (&mut state.journal, serving.policy.settings());
        let facts = Facts::read(host, &serving, surroundings);
        let failure = facts.as_ref().err().copied();
        let facts = facts.unwrap_or_default();
        let arrival = facts.arrival(surroundings.connection(first));
        let mut evaluation = match failure {
            None => Authorizer::new(&serving.policy).decide(&arrival, facts.now, scratch),
            Some((reason, failure)) => {
                journal.note(host, failure, "a connection is refused");
                Evaluation::refused(reason)
            }
        };
        let (mut quotas, mut account) = (Vec::new(), None);
        if !evaluation.quotas.is_empty() {
            match state.charges.charge(host, stream, charger, &serving, &mut evaluation, 0, journal) {
                Poll::Ready(charged) => (quotas, account) = (charged.outcomes, charged.account),
                Poll::Pending => {
                    charger.forget(stream);
                    evaluation.decision = Decision::refusal(Reason::QuotaUnavailable);
                }
            }
        }
        if evaluation.decision.outcome != Outcome::Deny {
            let record = RecordSource {
                evaluation: &evaluation,
                arrival: &arrival,
                settings,
                near: None,
                quotas: &quotas,
                details: None,
            };
            let led = journal
                .record(host, &record)
                .and_then(|()| host.steer(&cluster(&evaluation, serving.policy.settings().tcp.rendered)));
            match led {
                Ok(()) => {
                    count(host, &serving, &evaluation, &quotas, journal);
                    if let Some(account) = account {
                        state.charges.open(stream, &serving.bound, account, &evaluation, &arrival, None);
                    }
                    let watch = match &first {
                        FirstBytes::Hello(hello) => Some(Box::new(Watch::new(hello))),
                        _ => None,
                    };
                    let subject = Subject::of(instance, &arrival);
                    state.connections.flowing.add(stream, subject, watch, &serving, evaluation.expires);
                    return Decided::Open;
                }
                Err(failure) => {
                    journal.note(host, failure, "a connection is refused");
                    evaluation.decision = Decision::refusal(Reason::PolicyInvalid);
                }
            }
        }
        if let Some(account) = account {
            state.charges.settle(host, Rc::clone(&serving.bound), account, journal);
        }
        let near = nearest(&serving, &arrival, &evaluation, facts.now, &mut state.nearest);
        Ending { settings, arrival: &arrival, evaluation: &evaluation, near, quotas: &quotas }.carry_out(host, journal);
        count(host, &serving, &evaluation, &quotas, journal);
        Decided::Closed
    }

    /// Tells whether a connection is refused whatever its first bytes are: where its surroundings name its host before any byte
    /// has come, as at waypoints. It is recorded and closed then.
    pub(super) fn is_refused_early(
        &mut self,
        host: &mut impl Host,
        instance: u32,
        surroundings: &mut Surroundings,
    ) -> bool {
        let Worker { instances, scratch, state, .. } = self;
        let Service::Decide(serving) = instances.service(host, instance) else { return false };
        if !surroundings.has_chain(host, serving.policy.settings()) {
            return false;
        }
        let Ok(facts) = Facts::read(host, serving, surroundings) else { return false };
        if facts.identity.is_none() {
            // a certificate is known once the handshake is done
            return false;
        }
        let arrival = facts.arrival(surroundings.connection(FirstBytes::Unseen));
        let evaluation = Authorizer::new(&serving.policy).decide(&arrival, facts.now, scratch);
        if evaluation.decision.outcome != Outcome::Deny || waits_for_a_name(&evaluation) {
            return false;
        }
        let near = nearest(serving, &arrival, &evaluation, facts.now, &mut state.nearest);
        let settings = serving.policy.settings();
        Ending { settings, arrival: &arrival, evaluation: &evaluation, near, quotas: &[] }
            .carry_out(host, &mut state.journal);
        count(host, serving, &evaluation, &[], &mut state.journal);
        true
    }

    /// Closes a connection that has to make room for others.
    pub(super) fn refuse_for_room(&mut self, host: &mut impl Host, mut undecided: Undecided) {
        let Worker { instances, scratch, state, .. } = self;
        let latest = instances.latest(undecided.instance);
        match instances.service(host, latest) {
            Service::Decide(serving) => {
                let surroundings = &mut undecided.surroundings;
                let facts = Facts::read(host, serving, surroundings).unwrap_or_default();
                let arrival = facts.arrival(surroundings.connection(FirstBytes::Unseen));
                let settings = serving.policy.settings();
                // for its host, and whose it is
                let mut evaluation = Authorizer::new(&serving.policy).decide(&arrival, facts.now, scratch);
                evaluation.decision = Decision::refusal(Reason::UndecidedLimit);
                Ending { settings, arrival: &arrival, evaluation: &evaluation, near: None, quotas: &[] }
                    .carry_out(host, &mut state.journal);
                count(host, serving, &evaluation, &[], &mut state.journal);
            }
            Service::Refuse(counter) => refuse_unserved(host, FirstBytes::Unseen, counter, &mut state.journal),
        }
        if let Err(failure) = metrics::count(host, CROWDED_OUT) {
            state.journal.note(host, failure, UNCOUNTED);
        }
    }

    /// Closes an open connection whose second ClientHello says something else than the first one, or cannot be read.
    pub(super) fn cut_for_hello(&mut self, host: &mut impl Host, subject: &Rc<Subject>) {
        let Worker { instances, scratch, state, .. } = self;
        let latest = instances.latest(subject.instance);
        let arrival = subject.arrival();
        match instances.service(host, latest) {
            Service::Decide(serving) => {
                let mut evaluation = Authorizer::new(&serving.policy).decide(&arrival, Timestamp::default(), scratch);
                evaluation.decision = Decision { outcome: Outcome::Cut, ..Decision::refusal(Reason::SniMismatch) };
                let settings = serving.policy.settings();
                Ending { settings, arrival: &arrival, evaluation: &evaluation, near: None, quotas: &[] }
                    .carry_out(host, &mut state.journal);
            }
            Service::Refuse(counter) => refuse_unserved(host, FirstBytes::Unseen, counter, &mut state.journal),
        }
    }
}

/// Tells whether the first bytes have yet to name the host.
pub(super) fn waits_for_a_name(evaluation: &Evaluation<'_>) -> bool {
    evaluation.host.is_none() && evaluation.decision.reason == Reason::SniMissing
}

/// Closes a connection for want of a policy.
fn refuse_unserved(host: &mut impl Host, first: FirstBytes<'_>, counter: Option<MetricId>, journal: &mut Journal) {
    let (settings, evaluation) = (&unserved(), &Evaluation::refused(Reason::PolicyInvalid));
    let arrival = &Arrival::of_connection(None, Connection { first, ..Connection::default() });
    Ending { settings, arrival, evaluation, near: None, quotas: &[] }.carry_out(host, journal);
    if let Some(Err(failure)) = counter.map(|counter| host.count(counter)) {
        journal.note(host, failure, UNCOUNTED);
    }
}

/// The rule that came nearest, where a refusal says it.
fn nearest<'p>(
    serving: &'p Serving,
    arrival: &Arrival<'_>,
    evaluation: &Evaluation<'_>,
    now: Timestamp,
    scratch: &mut Scratch,
) -> Option<Near<'p>> {
    match evaluation.decision.reason {
        Reason::NoMatch | Reason::RuleExpired | Reason::SniMissing => {
            Authorizer::new(&serving.policy).nearest(arrival, now, scratch)
        }
        _ => None,
    }
}

/// The name of the cluster to which a connection is led.
fn cluster(evaluation: &Evaluation<'_>, rendered: bool) -> String {
    let port = evaluation.port.unwrap_or_default();
    match (evaluation.way, evaluation.host) {
        (Way::Own, Some(CanonicalHost::Name(name))) if rendered => format!("tollgate.tcp|{port}|{name}"),
        (Way::Own, Some(CanonicalHost::Name(name))) => format!("outbound|{port}||{name}"),
        (Way::Http, _) => "tollgate-http".to_owned(),
        (Way::Own | Way::Dynamic, _) => format!("tollgate-dynamic-{port}"),
    }
}

/// Counts a decision, and the quotas that refused.
fn count(
    host: &mut impl Host,
    serving: &Serving,
    evaluation: &Evaluation<'_>,
    quotas: &[QuotaOutcome<'_>],
    journal: &mut Journal,
) {
    if evaluation.way == Way::Http {
        // its requests are counted
        return;
    }
    if let Err(failure) = serving.bound.requests.count(host, evaluation) {
        journal.note(host, failure, UNCOUNTED);
    }
    for quota in quotas.iter().filter(|quota| quota.refuses()) {
        serving.bound.count_denied(host, quota.number(), journal);
    }
}
