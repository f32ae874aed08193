//! The functions that Envoy calls in the module. One that is not exported is not called, and costs nothing.
#![expect(unsafe_code, reason = "names that a host looks for have to be what they are")]

// `#[unsafe(no_mangle)]` is sound where no other item of the module has the name: all begin `proxy_`, a prefix that the
// ABI keeps for itself, but for `_initialize`, which WASI does.

use std::alloc::{Layout, alloc};
use std::cell::RefCell;
use std::ptr::null_mut;

use tollgate_filter::worker::{self, Direction, Worker};

use crate::abi::types::Action;
use crate::host::Envoy;
use crate::plugin;

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::default();
}

/// Runs `callback` on the state of the VM, which one thread runs; `None` where it cannot be had, which no path of Envoy
/// leads to.
fn with_worker<R>(callback: impl FnOnce(&mut Worker) -> R) -> Option<R> {
    WORKER.try_with(|worker| worker.try_borrow_mut().ok().map(|mut worker| callback(&mut worker))).ok().flatten()
}

unsafe extern "C" {
    /// Runs what the linker collected to be run first. Called by hand, or the linker would wrap every export in it.
    fn __wasm_call_ctors();
}

/// The first call into the module.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: nothing of the module has run yet, and Envoy calls this once.
    unsafe { __wasm_call_ctors() }
}

/// Its presence says which version of the ABI the module speaks.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory for bytes that a call returns.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the layout is not of size 0. What is null the host takes for a failure of its call.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => null_mut(),
    }
}

/// A root context has no parent, and means nothing before it is configured.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    if parent != 0 {
        with_worker(|worker| worker.create_stream(context, parent));
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, size: usize) -> bool {
    let plugin = plugin::read();
    if plugin.as_ref().is_ok_and(plugin::Plugin::is_tcp) {
        Envoy::default().refuse_tcp();
        return false;
    }
    let plugin = plugin.map(|plugin| plugin.key());
    with_worker(|worker| {
        worker.configure(&mut Envoy::configuring(size), context, plugin.as_deref().map_err(|failure| *failure))
    })
    .unwrap_or(false)
}

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

/// A stream has ended and is about to be logged.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    with_worker(|worker| worker.log(&mut Envoy::default(), context));
}

/// A stream's context, or a root context.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with_worker(|worker| worker.deleted(&mut Envoy::default(), context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(_context: u32) {
    with_worker(|worker| worker.tick(&mut Envoy::default()));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_new_connection(_context: u32) -> Action {
    let action = with_worker(|worker| worker.new_connection(&mut Envoy::default()));
    action.map_or(Action::Pause, Action::from)
}
