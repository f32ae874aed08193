//! The callbacks of a connection.

use tollgate::request::{Crossing, FirstBytes, HTTP_BEGINNING, MOST_HELD, Progress, begins_http};

use super::decide::Decided;
use crate::charger::Charger;
use crate::connections::{Surroundings, Undecided};
use crate::host::{Action, Attribute, Direction, Failure, Host};
use crate::serving::Service;
use crate::state::WorkerState;
use crate::worker::Worker;

/// Bytes of a watched connection that are read at once: records that pass are skipped, not read.
const PIECE: usize = 1_024;
/// Bytes of a destination's piece in which its own hello is looked for.
const ANSWER: usize = 512;

/// Protocol of a connection, as far as its first bytes tell.
enum Beginning {
    /// More bytes are needed.
    Incomplete,
    /// HTTP, at a gateway with one port for everything.
    Http,
    /// TLS, or anything else.
    Other,
}

impl<C: Charger> Worker<C> {
    /// A connection begins. It is held, since nobody knows yet where it goes; what it was led to is known at waypoints alone.
    pub fn connection(&mut self, host: &mut impl Host, stream: u32) -> Action {
        let Some(instance) = self.state.streams.show(stream) else { return Action::Pause };
        let mut surroundings = Surroundings::default();
        if self.is_refused_early(host, instance, &mut surroundings) {
            return Action::Pause;
        }
        let since = host.monotonic().unwrap_or_else(|failure| {
            self.state.journal.note(host, failure, "a connection that sends nothing is closed at once");
            0
        });
        let may_be_silent = self.may_be_silent(host, instance, &mut surroundings);
        self.state.connections.waiting.add(stream, instance, surroundings, since);
        if may_be_silent {
            self.expect_silence(host, instance, stream, since);
        }
        self.make_room(host, stream);
        Action::Pause
    }

    /// Closes an undecided connection if there are too many; the callback of `stream` runs.
    fn make_room(&mut self, host: &mut impl Host, stream: u32) {
        let waiting = &mut self.state.connections.waiting;
        let unsourced = waiting.unsourced();
        if unsourced.is_empty() {
            return;
        }
        for asked in unsourced {
            let address = host.focus(asked).and_then(|()| host.attribute(Attribute::SourceAddress));
            waiting.source(asked, &address.ok().flatten().unwrap_or_default());
        }
        if let Some(crowded) = waiting.crowded()
            && let Some(undecided) = waiting.take(crowded)
            && host.focus(crowded).is_ok()
        {
            self.refuse_for_room(host, undecided);
        }
        if let Err(failure) = host.focus(stream) {
            self.state.journal.note(host, failure, "a connection is held");
        }
    }

    /// The host holds so many bytes of a caller, or they have just come; `is_last`: none will follow.
    pub fn from_caller(&mut self, host: &mut impl Host, stream: u32, size: usize, is_last: bool) -> Action {
        if self.state.connections.flowing.get(stream).is_some() {
            return self.flow_out(host, stream, size, 0);
        }
        if size == 0 && is_last && self.state.connections.silent.is_expected(stream) {
            // nothing will come, and the server may speak first
            return match self.decide_as(host, stream, FirstBytes::Silent) {
                Decided::Open => Action::Continue,
                Decided::Closed => Action::Pause,
            };
        }
        let is_http = match self.read_beginning(host, stream, size, is_last) {
            Ok(Beginning::Incomplete) => return Action::Pause,
            Ok(Beginning::Http) => true,
            Ok(Beginning::Other) => false,
            Err(failure) => {
                self.state.journal.note(host, failure, "a connection is refused");
                return self.give_up(host, stream);
            }
        };
        let Some(mut undecided) = self.state.connections.waiting.take(stream) else { return Action::Pause };
        let first = if is_http { FirstBytes::Http } else { undecided.reader.first_bytes() };
        match self.decide_connection(host, stream, undecided.instance, &mut undecided.surroundings, first) {
            Decided::Open => self.flow_out(host, stream, size, undecided.seen),
            Decided::Closed => Action::Pause,
        }
    }

    /// Reads the first bytes of an undecided connection as far as they have come.
    fn read_beginning(
        &mut self,
        host: &mut impl Host,
        stream: u32,
        size: usize,
        is_last: bool,
    ) -> Result<Beginning, Failure> {
        let Worker { instances, state, .. } = self;
        let Some(undecided) = state.connections.waiting.get(stream) else { return Ok(Beginning::Incomplete) };
        while undecided.seen < size && undecided.reader.progress() == Progress::Incomplete {
            let most = size.saturating_sub(undecided.seen).min(MOST_HELD);
            let bytes = host.bytes(Direction::Upstream, undecided.seen, most)?;
            if bytes.is_empty() {
                break;
            }
            let read = undecided.reader.read(&bytes);
            undecided.seen = undecided.seen.saturating_add(read);
        }
        let progress = undecided.reader.progress();
        if progress == Progress::Incomplete && !is_last {
            return Ok(Beginning::Incomplete);
        }
        let latest = instances.latest(undecided.instance);
        if progress == Progress::NoHello
            && let Service::Decide(serving) = instances.service(host, latest)
            && serving.policy.settings().tcp.http
        {
            return Ok(match begins_http(&host.bytes(Direction::Upstream, 0, size.min(HTTP_BEGINNING))?) {
                None if !is_last => Beginning::Incomplete,
                Some(true) => Beginning::Http,
                None | Some(false) => Beginning::Other,
            });
        }
        Ok(Beginning::Other)
    }

    /// So many bytes of a destination have come.
    pub fn from_destination(&mut self, host: &mut impl Host, stream: u32, size: usize) -> Action {
        let WorkerState { connections, charges, journal, .. } = &mut self.state;
        let Some(open) = connections.flowing.get(stream).filter(|open| !open.is_closed) else { return Action::Pause };
        if let Some(watch) = &mut open.watch {
            match host.bytes(Direction::Downstream, 0, size.min(ANSWER)) {
                Ok(bytes) => watch.server(&bytes),
                // the watch goes on
                Err(failure) => journal.note(host, failure, "a destination's answer is not read"),
            }
            if watch.is_over() {
                open.watch = None;
            }
        }
        let action = charges.body(host, stream, Direction::Downstream, size as u64, journal);
        open.is_closed |= action == Action::Pause;
        action
    }

    /// Closes what has sent nothing for too long, and what has been held for too long.
    pub(super) fn close_late(&mut self, host: &mut impl Host, now: u64) {
        for stream in self.state.connections.waiting.late(now) {
            if host.focus(stream).is_ok() {
                self.give_up(host, stream);
            } else {
                self.state.connections.remove(stream);
            }
        }
        for stream in self.state.connections.flowing.late(now) {
            if host.focus(stream).is_ok() {
                self.cut(host, stream);
            } else {
                self.state.connections.remove(stream);
            }
        }
    }

    /// A connection ends before it was decided: it is recorded, if it has sent anything.
    pub fn log_connection(&mut self, host: &mut impl Host, stream: u32) {
        if self.state.connections.waiting.get(stream).is_some_and(|undecided| undecided.seen > 0) {
            self.give_up(host, stream);
        }
    }

    /// Refuses a connection whose first bytes do not come, or cannot be read.
    fn give_up(&mut self, host: &mut impl Host, stream: u32) -> Action {
        self.decide_as(host, stream, FirstBytes::Unreadable);
        Action::Pause
    }

    /// Decides an undecided connection as if it began so, whatever has come of it.
    pub(super) fn decide_as(&mut self, host: &mut impl Host, stream: u32, first: FirstBytes<'_>) -> Decided {
        let undecided = self.state.connections.waiting.take(stream);
        let Some(Undecided { instance, mut surroundings, .. }) = undecided else { return Decided::Closed };
        self.decide_connection(host, stream, instance, &mut surroundings, first)
    }

    /// Watches and charges what a caller sends; the first bytes up to `read` were read.
    fn flow_out(&mut self, host: &mut impl Host, stream: u32, size: usize, read: usize) -> Action {
        let WorkerState { connections, charges, journal, .. } = &mut self.state;
        let Some(open) = connections.flowing.get(stream).filter(|open| !open.is_closed) else { return Action::Pause };
        let from = if read > 0 { read } else { open.held };
        let fresh = size.saturating_sub(open.held);
        let crossing = match &mut open.watch {
            None => Crossing::Pass,
            Some(watch) => {
                let (mut at, mut crossing) = (from, Crossing::Pass);
                if from == size && open.held_since.is_some() {
                    crossing = Crossing::Hold;
                }
                while at < size && crossing != Crossing::Close {
                    at = at.saturating_add(watch.skip(size.saturating_sub(at)));
                    let most = size.saturating_sub(at).min(PIECE);
                    if most == 0 {
                        crossing = Crossing::Pass;
                        break;
                    }
                    crossing = match host.bytes(Direction::Upstream, at, most) {
                        Ok(bytes) if bytes.len() == most => watch.client(&bytes),
                        Ok(_) => Crossing::Close,
                        Err(failure) => {
                            journal.note(host, failure, "a connection is closed");
                            Crossing::Close
                        }
                    };
                    at = at.saturating_add(most);
                }
                if watch.is_over() {
                    open.watch = None;
                }
                crossing
            }
        };
        match crossing {
            Crossing::Close => return self.cut(host, stream),
            Crossing::Hold => {
                open.held = size;
                if open.held_since.is_none() {
                    open.held_since = Some(host.monotonic().unwrap_or_default());
                }
            }
            Crossing::Pass => {
                open.held = 0;
                open.held_since = None;
            }
        }
        let action = charges.body(host, stream, Direction::Upstream, fresh as u64, journal);
        open.is_closed |= action == Action::Pause;
        if crossing == Crossing::Hold { Action::Pause } else { action }
    }

    /// Closes an open connection for its second ClientHello.
    fn cut(&mut self, host: &mut impl Host, stream: u32) -> Action {
        if let Some(open) = self.state.connections.flowing.get(stream) {
            open.is_closed = true;
            let subject = std::rc::Rc::clone(&open.subject);
            self.cut_for_hello(host, &subject);
        }
        Action::Pause
    }
}
