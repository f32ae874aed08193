//! What lives as long as a VM, and the callbacks of the ABI on it.

use crate::charges::Direction;
use crate::host::{Action, Host, Level, Stream};
use crate::root::Roots;
use crate::serving::Service;
use crate::state::WorkerState;
use crate::{http, log, response, trailers};

/// The context that was created last.
#[derive(Clone, Copy, Debug)]
struct Created {
    context: u32,
    /// The root context of a stream.
    root: u32,
    /// The stream's request headers were shown.
    is_shown: bool,
}

/// The state of one VM, which one thread runs.
#[derive(Debug, Default)]
pub(crate) struct Vm {
    pub(crate) roots: Roots,
    created: Option<Created>,
    state: WorkerState,
    /// It has been logged that this VM is asked to filter TCP.
    misplaced: bool,
}

impl Vm {
    /// A context was created; `parent` is 0 for root contexts, which mean nothing before they are configured.
    ///
    /// Envoy creates a stream's context right before it shows the stream's request headers, or else right before it logs
    /// a stream whose headers it has refused itself. So the last one is all there is to remember.
    pub(crate) fn created(&mut self, context: u32, parent: u32) {
        self.created = Some(Created { context, root: parent, is_shown: false });
    }

    /// A root context is configured, with `size` bytes. Tells whether Envoy may use it.
    pub(crate) fn configure(&mut self, host: &mut impl Host, context: u32, size: usize) -> bool {
        self.roots.configure(host, context, size, self.state.charges.is_busy())
    }

    /// A request's headers have arrived.
    pub(crate) fn request_headers(&mut self, host: &mut impl Host, context: u32) -> Action {
        let service = match &mut self.created {
            Some(created) if created.context == context => {
                created.is_shown = true;
                self.roots.service(host, created.root)
            }
            _ => Service::Refuse(None),
        };
        http::on_request(host, context, service, &mut self.state)
    }

    /// So many bytes of a body flow.
    pub(crate) fn body(&mut self, host: &mut impl Host, context: u32, direction: Direction, size: usize) -> Action {
        let WorkerState { charges, journal, streams, .. } = &mut self.state;
        // What goes out of a request that was not let through would take its headers along.
        if direction == Direction::Upstream && streams.get(context).is_none() {
            return Action::Pause;
        }
        charges.body(host, context, direction, size, journal)
    }

    /// Trailers of a request flow.
    pub(crate) fn request_trailers(&mut self, host: &mut impl Host, context: u32) -> Action {
        trailers::on_request(host, context, &mut self.state)
    }

    /// Trailers of a response flow.
    pub(crate) fn response_trailers(&mut self, host: &mut impl Host, context: u32) -> Action {
        trailers::on_response(host, context, &mut self.state)
    }

    /// A stream has ended and is about to be logged.
    pub(crate) fn log(&mut self, host: &mut impl Host, context: u32) {
        match self.created {
            Some(Created { context: created, root, is_shown: false }) if created == context => {
                let service = self.roots.service(host, root);
                log::unseen(host, &service, &mut self.state);
            }
            _ => log::ended(host, context, &mut self.state),
        }
    }

    /// A stream has ended, or an instance is gone.
    pub(crate) fn deleted(&mut self, host: &mut impl Host, context: u32) {
        let WorkerState { charges, journal, streams, .. } = &mut self.state;
        streams.close(context);
        charges.close(host, context, journal);
        self.roots.remove(context);
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, host: &mut impl Host) {
        let WorkerState { charges, journal, .. } = &mut self.state;
        charges.tick(host, journal);
    }

    /// A TCP connection has arrived: this is a filter for HTTP, in the wrong place. Not to close it would let
    /// everything through.
    pub(crate) fn new_connection(&mut self, host: &mut impl Host) -> Action {
        if !std::mem::replace(&mut self.misplaced, true) {
            host.log(Level::Error, "an HTTP filter stands in a chain of network filters: every connection is closed");
        }
        // Paused, it goes nowhere either.
        let _ = host.close(Stream::Downstream);
        Action::Pause
    }

    /// A response's headers have arrived, the destination's or the proxy's own.
    pub(crate) fn response_headers(&mut self, host: &mut impl Host, context: u32, count: usize) -> Action {
        response::on_response(host, context, count, &mut self.state)
    }
}

/// A request's headers have arrived while the VM cannot be had, which no path of Envoy leads to.
pub(crate) fn request_headers_without_vm(host: &mut impl Host) -> Action {
    http::on_request(host, 0, Service::Refuse(None), &mut WorkerState::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charges::Direction;
    use crate::fake::{Fake, Rig};
    use crate::host::HeaderMap;

    #[test]
    fn a_connection_is_closed_since_this_is_no_network_filter() {
        let (mut host, mut vm) = (Fake::default(), Vm::default());
        assert_eq!(vm.new_connection(&mut host), Action::Pause);
        assert_eq!(host.closed, [Stream::Downstream]);
        host.failing.insert("proxy_close_stream");
        assert_eq!(vm.new_connection(&mut host), Action::Pause);
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
            rig.host.failing.extend(["proxy_send_local_response", "proxy_close_stream"]);
            let (host, stream) = (&mut rig.host, rig.streams);
            for _ in 0..3 {
                assert_eq!(rig.vm.body(host, stream, Direction::Upstream, 5000), Action::Pause, "{answered}");
            }
            assert_eq!(rig.vm.request_trailers(host, stream), Action::Pause, "{answered}");
            // Nobody answered, so what comes back is the destination's.
            assert_eq!(rig.vm.body(host, stream, Direction::Downstream, 5000), Action::Pause, "{answered}");
        }
    }

    #[test]
    fn a_request_is_refused_while_the_vm_cannot_be_had() {
        let mut host = Fake::default();
        assert_eq!(request_headers_without_vm(&mut host), Action::Pause);
        assert_eq!(host.responses.len(), 1);
    }
}
