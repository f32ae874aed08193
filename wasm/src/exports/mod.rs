//! The functions that Envoy calls in the module, those of both layers. One that is not exported is not called, and costs
//! nothing: `http` and `tcp` hold those of one layer alone, and a module has one of them.
#![expect(unsafe_code, reason = "names that a host looks for have to be what they are")]

// `#[unsafe(no_mangle)]` is sound where no other item of the module has the name: all begin `proxy_`, a prefix that the
// ABI keeps for itself, but for `_initialize`, which WASI does.

use std::alloc::{Layout, alloc};
use std::cell::RefCell;
use std::ptr::null_mut;

use tollgate_filter::worker::Worker;

use crate::host::Envoy;
use crate::plugin;

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "tcp")]
mod tcp;

/// This module filters TCP connections.
const IS_TCP: bool = cfg!(feature = "tcp");

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::new(new_worker());
}

/// The worker of the layer that this module filters.
fn new_worker() -> Worker {
    if IS_TCP { Worker::for_connections() } else { Worker::default() }
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
    if let Ok(plugin) = &plugin
        && plugin.is_tcp() != IS_TCP
    {
        Envoy::default().refuse_layer(IS_TCP);
        return false;
    }
    let plugin = plugin.map(|plugin| plugin.key());
    with_worker(|worker| {
        worker.configure(&mut Envoy::configuring(size), context, plugin.as_deref().map_err(|failure| *failure))
    })
    .unwrap_or(false)
}

/// A stream has ended and is about to be logged.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    with_worker(|worker| {
        if IS_TCP {
            worker.log_connection(&mut Envoy::default(), context);
        } else {
            worker.log(&mut Envoy::default(), context);
        }
    });
}

/// A stream's context, or a root context.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with_worker(|worker| worker.deleted(&mut Envoy::default(), context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context: u32) {
    with_worker(|worker| {
        if IS_TCP {
            worker.tick_connections(&mut Envoy::default(), context);
        } else {
            worker.tick(&mut Envoy::default());
        }
    });
}
