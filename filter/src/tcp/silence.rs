//! Connections to servers that speak first: decided by caller, host and port, once they have been silent for a moment.
//!
//! A caller may be silent on purpose, to be decided without its hello. So only a target whose destination says `serverFirst`
//! admits silence; where another target may admit what is still to come, the connection goes on waiting for its first bytes.

use tollgate::decision::{Authorizer, Reason};
use tollgate::request::{Arrival, FirstBytes};

use super::decide::{Decided, waits_for_a_name};
use super::facts::Facts;
use crate::charger::Charger;
use crate::connections::{SILENT_TICK_MILLISECONDS, Surroundings};
use crate::host::{Host, StreamSide};
use crate::serving::{Service, TICK_MILLISECONDS};
use crate::worker::Worker;

/// Nanoseconds between two ticks that do everything.
const FULL_TICK: u64 = TICK_MILLISECONDS as u64 * 1_000_000;

/// The use of looking at a silent connection.
enum Look {
    /// It can be decided.
    Decides,
    /// The caller is not known yet.
    TooEarly,
    /// Its first bytes decide.
    Needless,
}

impl<C: Charger> Worker<C> {
    /// Looks at a connection that begins: where its server may speak first it is looked at soon.
    pub(super) fn may_be_silent(
        &mut self,
        host: &mut impl Host,
        instance: u32,
        surroundings: &mut Surroundings,
    ) -> bool {
        let Worker { instances, scratch, .. } = self;
        let Service::Decide(serving) = instances.service(host, instance) else { return false };
        let policy = &serving.policy;
        if !policy.knows_server_first() || surroundings.read(host, policy.settings()).is_err() {
            return false;
        }
        // whoever it is
        let arrival = Arrival::of_connection(None, surroundings.connection(FirstBytes::Unseen));
        Authorizer::new(policy).may_be_silent(&arrival, scratch)
    }

    /// Has an instance called often, for a connection that has begun and may be silent.
    pub(super) fn expect_silence(&mut self, host: &mut impl Host, instance: u32, stream: u32, since: u64) {
        let silent = &mut self.state.connections.silent;
        silent.add(stream, since);
        if !silent.is_often(instance) {
            match host.tick_every(SILENT_TICK_MILLISECONDS) {
                Ok(()) => silent.hurry(instance),
                Err(failure) => self.state.journal.note(host, failure, "servers that speak first are decided late"),
            }
        }
    }

    /// Time has passed for an instance. Those that are called often do most of what there is to do as rarely as others.
    pub fn tick_connections(&mut self, host: &mut impl Host, instance: u32) {
        let now = host.monotonic();
        if now.map_or(true, |now| self.state.connections.silent.is_full(instance, now, FULL_TICK)) {
            self.tick(host);
            if let Ok(now) = now {
                self.close_late(host, now);
            }
        }
        if let Ok(now) = now {
            self.look_at_silent(host, now);
        }
        let silent = &mut self.state.connections.silent;
        if silent.is_empty() && silent.is_often(instance) {
            match host.tick_every(TICK_MILLISECONDS) {
                Ok(()) => silent.relax(instance),
                Err(failure) => self.state.journal.note(host, failure, "ticks come more often than needed"),
            }
        }
    }

    fn look_at_silent(&mut self, host: &mut impl Host, now: u64) {
        let connections = &mut self.state.connections;
        for stream in connections.silent.due(&connections.waiting, now) {
            if host.focus(stream).is_err() {
                self.state.connections.remove(stream);
                continue;
            }
            match self.look(host, stream) {
                Look::TooEarly => {}
                Look::Needless => self.state.connections.silent.forget(stream),
                Look::Decides => {
                    self.state.connections.silent.forget(stream);
                    self.let_silent_go(host, stream);
                }
            }
        }
    }

    /// Tells what becomes of a silent connection that is looked at now.
    fn look(&mut self, host: &mut impl Host, stream: u32) -> Look {
        let Worker { instances, scratch, state, .. } = self;
        let Some(undecided) = state.connections.waiting.get(stream) else { return Look::Needless };
        let latest = instances.latest(undecided.instance);
        // what cannot be read, and what no policy serves, is refused with its reason
        let Service::Decide(serving) = instances.service(host, latest) else { return Look::Decides };
        let Ok(facts) = Facts::read(host, serving, &mut undecided.surroundings) else { return Look::Decides };
        if facts.identity.is_none() {
            return Look::TooEarly;
        }
        let mut admits = |first| {
            let arrival = facts.arrival(undecided.surroundings.connection(first));
            let evaluation = Authorizer::new(&serving.policy).decide(&arrival, facts.now, scratch);
            (evaluation.decision.reason == Reason::RuleAllow, waits_for_a_name(&evaluation))
        };
        let (is_admitted, _) = admits(FirstBytes::Silent);
        let (may_be_admitted, needs_name) = admits(FirstBytes::Unseen);
        if is_admitted || !may_be_admitted && !needs_name { Look::Decides } else { Look::Needless }
    }

    fn let_silent_go(&mut self, host: &mut impl Host, stream: u32) {
        let decided = self.decide_as(host, stream, FirstBytes::Silent);
        if let Decided::Open = decided
            && let Err(failure) = host.resume_connection()
        {
            self.state.journal.note(host, failure, "a connection is closed");
            self.state.connections.flowing.close(stream);
            if let Err(failure) = host.reset(StreamSide::Downstream) {
                self.state.journal.note(host, failure, "a connection is held instead of closed");
            }
        }
    }
}
