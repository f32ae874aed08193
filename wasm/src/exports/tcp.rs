//! The functions that Envoy calls in a filter for TCP.

use tollgate_filter::worker;

use super::with_worker;
use crate::abi::types::Action;
use crate::host::Envoy;

#[unsafe(no_mangle)]
extern "C" fn proxy_on_new_connection(context: u32) -> Action {
    let action = with_worker(|worker| worker.connection(&mut Envoy::default(), context));
    action.map_or(Action::Pause, Action::from)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_downstream_data(context: u32, size: usize, end_of_stream: bool) -> Action {
    let action = with_worker(|worker| worker.from_caller(&mut Envoy::default(), context, size, end_of_stream));
    action.map_or(Action::Pause, Action::from)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_upstream_data(context: u32, size: usize, _end_of_stream: bool) -> Action {
    let action = with_worker(|worker| worker.from_destination(&mut Envoy::default(), context, size));
    action.map_or(Action::Pause, Action::from)
}

/// Refuses a request: this is a filter for TCP, in the wrong place. Without this function it would let everything through.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _count: usize, _end_of_stream: bool) -> Action {
    worker::request_headers_without_worker(&mut Envoy::default()).into()
}
