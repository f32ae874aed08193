//! The state of one thread of the proxy, and the callbacks of a filter on it.

use tollgate::decision::Scratch;

use crate::charger::{Charger, GatewayQuotas};
pub use crate::host::Direction;
use crate::host::{Action, Failure, Host, Level, StreamSide};
use crate::instances::{Instances, Layer};
use crate::serving::Service;
use crate::state::WorkerState;
use crate::streams::Stream;
use crate::{http, log, rejudge, response, trailers};

/// The state of one thread. The edge chooses the numbers of streams and instances; no two of them share one.
#[derive(Debug, Default)]
pub struct Worker<C = GatewayQuotas> {
    pub(crate) instances: Instances,
    pub(crate) scratch: Scratch,
    pub(crate) charger: C,
    pub(crate) state: WorkerState,
    /// It has been logged that this filter is asked to filter TCP.
    misplaced: bool,
}

impl<C: Charger + Default> Worker<C> {
    /// A worker of the filter for TCP connections.
    pub fn for_connections() -> Worker<C> {
        Worker { instances: Instances::of(Layer::Tcp), ..Worker::default() }
    }
}

impl<C: Charger> Worker<C> {
    /// A stream of an instance begins.
    pub fn create_stream(&mut self, stream: u32, instance: u32) {
        self.state.streams.create(stream, instance);
        self.instances.touch(instance);
    }

    /// An instance of a plugin is configured; all instances of the plugin have this name. Tells whether the proxy may
    /// use it.
    pub fn configure(&mut self, host: &mut impl Host, instance: u32, plugin: Result<&str, Failure>) -> bool {
        self.state.connections.silent.relax(instance);
        self.instances.configure(host, instance, plugin, self.state.charges.is_busy())
    }

    /// A request's headers have arrived.
    pub fn request_headers(&mut self, host: &mut impl Host, stream: u32) -> Action {
        let instance = self.state.streams.show(stream);
        let service = match instance {
            Some(instance) => self.instances.service(host, instance),
            None => Service::Refuse(None),
        };
        let instance = instance.unwrap_or_default();
        http::on_request(host, stream, instance, service, &mut self.scratch, &mut self.charger, &mut self.state)
    }

    /// The charger may have an answer for a request that is held.
    pub fn resume(&mut self, host: &mut impl Host, stream: u32) {
        http::resume(host, stream, &mut self.charger, &mut self.state);
    }

    /// So many bytes of a body flow.
    pub fn body(&mut self, host: &mut impl Host, stream: u32, direction: Direction, size: usize) -> Action {
        let WorkerState { charges, journal, streams, .. } = &mut self.state;
        let size = size as u64;
        if direction == Direction::Upstream {
            match streams.get(stream) {
                Some(Stream::Open(_)) => {}
                Some(Stream::Charging(held)) => {
                    held.body = held.body.saturating_add(size);
                    return Action::Pause;
                }
                // A body that left a request that was not let through would take its headers along.
                _ => return Action::Pause,
            }
        }
        charges.body(host, stream, direction, size, journal)
    }

    /// Trailers of a request flow.
    pub fn request_trailers(&mut self, host: &mut impl Host, stream: u32) -> Action {
        trailers::on_request(host, stream, &mut self.state)
    }

    /// Trailers of a response flow.
    pub fn response_trailers(&mut self, host: &mut impl Host, stream: u32) -> Action {
        trailers::on_response(host, stream, &mut self.state)
    }

    /// A stream has ended and is about to be logged.
    pub fn log(&mut self, host: &mut impl Host, stream: u32) {
        match self.state.streams.get(stream) {
            Some(Stream::Created { instance }) => {
                let service = self.instances.service(host, *instance);
                log::unseen(host, &service, &mut self.state);
            }
            Some(stream) => {
                if let Some((bound, reason)) = stream.take_refusal() {
                    log::ended(host, &bound, reason, &mut self.state);
                }
            }
            None => {}
        }
    }

    /// A stream has ended, or an instance is gone.
    pub fn deleted(&mut self, host: &mut impl Host, id: u32) {
        let WorkerState { charges, journal, streams, connections, .. } = &mut self.state;
        connections.remove(id);
        match streams.close(id) {
            None => {
                connections.silent.relax(id);
                self.instances.remove(id);
            }
            Some(Stream::Charging(_)) => self.charger.forget(id),
            Some(_) => charges.close(host, id, journal),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, host: &mut impl Host) {
        let WorkerState { charges, journal, .. } = &mut self.state;
        charges.tick(host, journal);
        rejudge::judge_again(host, &mut self.instances, &mut self.scratch, &mut self.state);
    }

    /// Closes a TCP connection: this is a filter for HTTP, in the wrong place. Left open, it would let everything
    /// through.
    pub fn new_connection(&mut self, host: &mut impl Host) -> Action {
        if !std::mem::replace(&mut self.misplaced, true) {
            host.log(Level::Error, "an HTTP filter stands in a chain of network filters: every connection is closed");
        }
        // Paused, it goes nowhere either.
        let _ = host.reset(StreamSide::Downstream);
        Action::Pause
    }

    /// A response's headers have arrived, the destination's or the proxy's own.
    pub fn response_headers(&mut self, host: &mut impl Host, stream: u32, count: usize) -> Action {
        response::on_response(host, stream, count, &mut self.state)
    }
}

/// Refuses a request whose headers arrive while the worker cannot be had.
pub fn request_headers_without_worker(host: &mut impl Host) -> Action {
    let (scratch, state) = (&mut Scratch::default(), &mut WorkerState::default());
    http::on_request(host, 0, 0, Service::Refuse(None), scratch, &mut GatewayQuotas, state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, Rig};
    use crate::host::Call;
    use crate::host::Direction;
    use crate::host::HeaderMap;

    #[test]
    fn a_connection_is_closed_since_this_is_no_network_filter() {
        let (mut host, mut worker) = (Fake::default(), <Worker>::default());
        assert_eq!(worker.new_connection(&mut host), Action::Pause);
        assert_eq!(host.closed, [StreamSide::Downstream]);
        host.failing.insert(Call::Reset);
        assert_eq!(worker.new_connection(&mut host), Action::Pause);
        assert_eq!(host.log.len(), 1);
    }

    #[test]
    fn what_was_cut_off_and_could_not_be_reset_is_let_go_by_nothing_that_follows() {
        let policy = r#"{"version": 1, "name": "prod",
            "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["a.com"]}]}],
            "quotas": [{"id": "q", "limit": {"bytes": "1000B", "per": "day"}}]}"#;
        let request: [(&str, &[u8]); 3] = [(":authority", b"a.com"), (":method", b"POST"), (":path", b"/")];
        for answered in [false, true] {
            let mut rig = Rig::new(policy);
            assert_eq!(rig.request(&request), Action::Continue);
            rig.host.header_bytes.extend([HeaderMap::RequestTrailers, HeaderMap::Response].map(|map| (map, 10)));
            if answered {
                assert_eq!(rig.respond(), Action::Continue);
            }
            rig.host.failing.extend([Call::Respond, Call::Reset]);
            let (host, stream) = (&mut rig.host, rig.streams);
            for _ in 0..3 {
                assert_eq!(rig.worker.body(host, stream, Direction::Upstream, 5000), Action::Pause, "{answered}");
            }
            assert_eq!(rig.worker.request_trailers(host, stream), Action::Pause, "{answered}");
            // Nobody answered, so what comes back is the destination's.
            assert_eq!(rig.worker.body(host, stream, Direction::Downstream, 5000), Action::Pause, "{answered}");
        }
    }

    #[test]
    fn nothing_is_left_of_streams_that_have_ended_however_they_did() {
        let policy = r#"{"version": 1, "name": "prod",
            "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["a.com"]}]}]}"#;
        let headers: [(&str, &[u8]); 3] = [(":authority", b"a.com"), (":method", b"GET"), (":path", b"/")];
        let refused = [(":authority", &b"b.com"[..]), headers[1], headers[2]];
        let mut rig = Rig::new(policy);
        assert_eq!(rig.request(&headers), Action::Continue);
        let first = rig.streams;
        assert_eq!(rig.request(&refused), Action::Pause);
        rig.end();
        rig.refused_by_envoy("upgrade_failed", &headers);
        rig.end();
        assert_eq!(rig.worker.state.streams.len(), 1);
        rig.worker.deleted(&mut rig.host, first);
        assert_eq!(rig.worker.state.streams.len(), 0);
    }

    #[test]
    fn streams_come_in_any_order_and_their_headers_once() {
        let policy = r#"{"version": 1, "name": "prod",
            "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["a.com"]}]}]}"#;
        let mut rig = Rig::new(policy);
        assert!(rig.configure(2, &policy.replace("a.com", "b.com")));
        rig.host.bring(&[(":authority", b"a.com"), (":method", b"GET"), (":path", b"/")]);
        for (stream, instance) in [(50, 1), (51, 2), (52, 1)] {
            rig.worker.create_stream(stream, instance);
        }
        let mut of = |stream| rig.worker.request_headers(&mut rig.host, stream);
        assert_eq!([51, 50, 52].map(&mut of), [Action::Pause, Action::Continue, Action::Continue]);
        assert_eq!(of(50), Action::Pause, "shown a second time");
        assert_eq!(of(53), Action::Pause, "nobody has created it");
        assert_eq!(rig.worker.body(&mut rig.host, 53, Direction::Upstream, 1), Action::Pause);
    }

    #[test]
    fn a_request_is_refused_while_the_worker_cannot_be_had() {
        let mut host = Fake::default();
        assert_eq!(request_headers_without_worker(&mut host), Action::Pause);
        assert_eq!(host.responses.len(), 1);
    }
}
