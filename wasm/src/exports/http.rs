//! The functions that Envoy calls in a filter for HTTP.

use tollgate_filter::worker::{self, Direction};

use super::with_worker;
use crate::abi::types::Action;
use crate::host::Envoy;

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _count: usize, _end_of_stream: bool) -> Action {
    let host = &mut Envoy::default();
    with_worker(|worker| worker.request_headers(host, context))
        .unwrap_or_else(|| worker::request_headers_without_worker(host))
        .into()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, _end_of_stream: bool) -> Action {
    let action = with_worker(|worker| worker.body(&mut Envoy::default(), context, Direction::Upstream, size));
    action.map_or(Action::Pause, Action::from)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _count: usize) -> Action {
    let action = with_worker(|worker| worker.request_trailers(&mut Envoy::default(), context));
    action.map_or(Action::Pause, Action::from)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, count: usize, _end_of_stream: bool) -> Action {
    let action = with_worker(|worker| worker.response_headers(&mut Envoy::default(), context, count));
    action.map_or(Action::Continue, Action::from)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: usize, _end_of_stream: bool) -> Action {
    let action = with_worker(|worker| worker.body(&mut Envoy::default(), context, Direction::Downstream, size));
    action.map_or(Action::Continue, Action::from)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, _count: usize) -> Action {
    let action = with_worker(|worker| worker.response_trailers(&mut Envoy::default(), context));
    action.map_or(Action::Continue, Action::from)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_new_connection(_context: u32) -> Action {
    let action = with_worker(|worker| worker.new_connection(&mut Envoy::default()));
    action.map_or(Action::Pause, Action::from)
}
