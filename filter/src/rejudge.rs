//! Open connections and tunnels, judged again where that is due.

use std::rc::Rc;

use tollgate::decision::{Authorizer, Evaluation, Outcome, Reason, Scratch, Timestamp};
use tollgate::request::{Arrival, Upgrade};

use crate::connections::Subject;
use crate::ending::Ending;
use crate::host::Host;
use crate::instances::Instances;
use crate::serving::{Service, Serving};
use crate::state::WorkerState;

/// Judges again what another policy has let through than the one that serves, and what was let through until now; closes what is
/// admitted no longer. Streams that are decided alike are decided once.
pub(crate) fn judge_again(
    host: &mut impl Host,
    instances: &mut Instances,
    scratch: &mut Scratch,
    state: &mut WorkerState,
) {
    let WorkerState { connections, journal, .. } = state;
    if connections.flowing.is_empty() {
        return;
    }
    let now = match host.now() {
        Ok(now) => Timestamp(now),
        Err(failure) => {
            journal.note(host, failure, "open connections are not judged again");
            return;
        }
    };
    let doubtful = connections.flowing.doubtful(now, |instance| {
        let latest = instances.latest(instance);
        match instances.service(host, latest) {
            Service::Decide(serving) => Some(Rc::clone(serving)),
            Service::Refuse(_) => None,
        }
    });
    let (mut refused, mut policies, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
    for (subject, serving) in doubtful {
        let evaluation = decide(&subject, &serving, now, scratch, &mut buffer);
        if evaluation.decision.outcome == Outcome::Deny {
            refused.push(subject);
            policies.push(serving);
        } else {
            connections.flowing.confirm(&subject, &serving, evaluation.expires);
        }
    }
    let streams = connections.flowing.among(&refused);
    for ((subject, serving), streams) in refused.iter().zip(&policies).zip(streams) {
        let mut evaluation = decide(subject, serving, now, scratch, &mut buffer);
        evaluation.decision.outcome = Outcome::Cut;
        let (settings, arrival) = (serving.policy.settings(), &subject.arrival());
        let ending = Ending { settings, arrival, evaluation: &evaluation, near: None, quotas: &[] };
        for stream in streams {
            if let Err(failure) = host.focus(stream) {
                journal.note(host, failure, "a connection that is gone is forgotten");
                connections.flowing.remove(stream);
                continue;
            }
            ending.carry_out(host, journal);
            connections.flowing.close(stream);
        }
    }
}

fn decide<'s>(
    subject: &'s Subject,
    serving: &'s Serving,
    now: Timestamp,
    scratch: &'s mut Scratch,
    buffer: &'s mut Vec<u8>,
) -> Evaluation<'s> {
    let arrival = subject.arrival();
    if subject.is_whole() {
        Authorizer::new(&serving.policy).decide(&arrival, now, scratch)
    } else {
        Evaluation::afterwards(Reason::RequestAmbiguous, &arrival, serving.policy.settings(), buffer)
    }
}

/// Tells whether a request opens a tunnel, which stays what it was asked for whatever becomes of the policy.
pub(crate) fn is_tunnel(arrival: &Arrival<'_>) -> bool {
    arrival.method.eq_ignore_ascii_case(b"CONNECT") || arrival.upgrade != Upgrade::Absent
}
