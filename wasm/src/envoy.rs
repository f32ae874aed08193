//! Envoy, over proxy-wasm ABI 0.2.1: the functions that it offers to the module, and those that it calls in it.
//!
//! The only `unsafe` code of the project. Envoy is trusted to write where it was asked to and nowhere else; that it
//! says yes is not taken for granted, nor is anything about the bytes that it returns.
#![expect(unsafe_code, reason = "calls across the module's boundary are foreign functions")]

use std::alloc::{Layout, alloc};
use std::cell::RefCell;
use std::ptr::null_mut;

use crate::charges::Direction;
use crate::host::{Action, Failure, HeaderMap, Host, Level, MetricId, MetricKind, Response, Stream};
use crate::pairs;
use crate::vm::{self, Vm};

/// `proxy_status_t`.
type Status = u32;

const OK: Status = 0;
const NOT_FOUND: Status = 1;
const CAS_MISMATCH: Status = 8;
const INTERNAL_FAILURE: Status = 10;

// `proxy_buffer_type_t`.
const PLUGIN_CONFIGURATION: u32 = 7;
/// `clockid_t` of WASI.
const MONOTONIC: u32 = 1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, line: *const u8, line_size: usize) -> Status;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> Status;
    fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        size: usize,
        data: *mut *mut u8,
        data_size: *mut usize,
    ) -> Status;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, data_size: *mut usize) -> Status;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> Status;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, data_size: *mut usize) -> Status;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        data_size: *mut usize,
    ) -> Status;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> Status;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> Status;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: u32,
    ) -> Status;
    fn proxy_close_stream(stream: u32) -> Status;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> Status;
    fn proxy_increment_metric(metric: u32, by: i64) -> Status;
    fn proxy_record_metric(metric: u32, value: u64) -> Status;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        data_size: *mut usize,
        cas: *mut u32,
    ) -> Status;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, cas: u32) -> Status;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        data_size: *mut usize,
    ) -> Status;
    fn proxy_get_header_map_size(map: u32, size: *mut usize) -> Status;
    fn proxy_set_tick_period_milliseconds(period: u32) -> Status;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
}

/// Envoy.
struct Envoy;

fn check(call: &'static str, status: Status) -> Result<(), Failure> {
    if status == OK { Ok(()) } else { Err(Failure { call, status }) }
}

/// Makes a call that returns bytes. `None` where it says that there is no such thing.
fn bytes(
    name: &'static str,
    call: impl FnOnce(*mut *mut u8, *mut usize) -> Status,
) -> Result<Option<Vec<u8>>, Failure> {
    let (mut data, mut size) = (null_mut(), 0);
    match call(&raw mut data, &raw mut size) {
        NOT_FOUND => Ok(None),
        status => {
            check(name, status)?;
            if data.is_null() || size == 0 {
                return Ok(Some(Vec::new()));
            }
            // SAFETY: Envoy gets the memory of what it returns from `proxy_on_memory_allocate`, called with `size`:
            // one allocation of `size` bytes, aligned for bytes. It has filled them and does not keep the address.
            Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) }))
        }
    }
}

impl Host for Envoy {
    fn configuration(&mut self, size: usize) -> Result<Vec<u8>, Failure> {
        const CALL: &str = "proxy_get_buffer_bytes";
        let text = bytes(CALL, |data, data_size| {
            // SAFETY: both pointers are to locals of `bytes`.
            unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, data, data_size) }
        })?;
        text.ok_or(Failure { call: CALL, status: NOT_FOUND })
    }

    fn property(&mut self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        bytes("proxy_get_property", |data, data_size| {
            // SAFETY: `path` is borrowed for the call; the other pointers are to locals of `bytes`.
            unsafe { proxy_get_property(path.as_ptr(), path.len(), data, data_size) }
        })
    }

    fn set_property(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        // SAFETY: both slices are borrowed for the call, which copies them.
        let status = unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
        check("proxy_set_property", status)
    }

    fn declare_text(&mut self, name: &str) -> Result<(), Failure> {
        const CALL: &str = "proxy_call_foreign_function";
        const FUNCTION: &str = "declare_property";
        // The message `DeclarePropertyArguments` of Envoy: field 1 is the name, field 3 the type, of which 1 is text.
        let length = u8::try_from(name.len()).ok().filter(u8::is_ascii);
        let length = length.ok_or(Failure { call: CALL, status: INTERNAL_FAILURE })?;
        let arguments = [&[0x0A, length][..], name.as_bytes(), &[0x18, 1]].concat();
        bytes(CALL, |data, data_size| {
            // SAFETY: both slices are borrowed for the call; the other pointers are to locals of `bytes`.
            unsafe {
                proxy_call_foreign_function(
                    FUNCTION.as_ptr(),
                    FUNCTION.len(),
                    arguments.as_ptr(),
                    arguments.len(),
                    data,
                    data_size,
                )
            }
        })?
        .map(|_| ())
        .ok_or(Failure { call: CALL, status: NOT_FOUND })
    }

    fn headers(&mut self, map: HeaderMap) -> Result<Vec<u8>, Failure> {
        const CALL: &str = "proxy_get_header_map_pairs";
        let pairs = bytes(CALL, |data, data_size| {
            // SAFETY: both pointers are to locals of `bytes`.
            unsafe { proxy_get_header_map_pairs(map as u32, data, data_size) }
        })?;
        pairs.ok_or(Failure { call: CALL, status: NOT_FOUND })
    }

    fn has_header(&mut self, map: HeaderMap, name: &str) -> Result<bool, Failure> {
        let value = bytes("proxy_get_header_map_value", |data, data_size| {
            // SAFETY: `name` is borrowed for the call; the other pointers are to locals of `bytes`.
            unsafe { proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, data_size) }
        })?;
        Ok(value.is_some())
    }

    fn remove_header(&mut self, map: HeaderMap, name: &[u8]) -> Result<(), Failure> {
        // SAFETY: `name` is borrowed for the call.
        let status = unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) };
        check("proxy_remove_header_map_value", status)
    }

    fn set_request_header(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        // SAFETY: both slices are borrowed for the call, which copies them.
        let status = unsafe {
            proxy_replace_header_map_value(
                HeaderMap::Request as u32,
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        };
        check("proxy_replace_header_map_value", status)
    }

    fn respond(&mut self, response: &Response<'_>) -> Result<(), Failure> {
        const CALL: &str = "proxy_send_local_response";
        let Response { status, grpc_status, details, headers, body } = *response;
        let mut map = Vec::new();
        let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        pairs::write(&mut map, headers).ok_or(Failure { call: CALL, status: INTERNAL_FAILURE })?;
        // SAFETY: all slices are borrowed for the call, which copies them; the answer is sent after the callback.
        let status = unsafe {
            proxy_send_local_response(
                status,
                details.as_ptr(),
                details.len(),
                body.as_ptr(),
                body.len(),
                map.as_ptr(),
                map.len(),
                grpc_status,
            )
        };
        check(CALL, status)
    }

    fn close(&mut self, stream: Stream) -> Result<(), Failure> {
        // SAFETY: only a number is passed.
        check("proxy_close_stream", unsafe { proxy_close_stream(stream as u32) })
    }

    fn now(&mut self) -> Result<u64, Failure> {
        let mut time = 0;
        // SAFETY: the pointer is to a local.
        check("proxy_get_current_time_nanoseconds", unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
        Ok(time)
    }

    fn define_metric(&mut self, kind: MetricKind, name: &str) -> Result<MetricId, Failure> {
        let mut metric = 0;
        // SAFETY: `name` is borrowed for the call; the other pointer is to a local.
        let status = unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut metric) };
        check("proxy_define_metric", status)?;
        Ok(MetricId(metric))
    }

    fn count(&mut self, metric: MetricId) -> Result<(), Failure> {
        // SAFETY: only numbers are passed.
        check("proxy_increment_metric", unsafe { proxy_increment_metric(metric.0, 1) })
    }

    fn gauge(&mut self, metric: MetricId, value: u64) -> Result<(), Failure> {
        // SAFETY: only numbers are passed.
        check("proxy_record_metric", unsafe { proxy_record_metric(metric.0, value) })
    }

    fn monotonic(&mut self) -> Result<u64, Failure> {
        let mut time = 0;
        // SAFETY: the pointer is to a local.
        check("clock_time_get", unsafe { clock_time_get(MONOTONIC, 1, &raw mut time) })?;
        Ok(time)
    }

    fn shared(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Failure> {
        let mut version = 0;
        let value = bytes("proxy_get_shared_data", |data, data_size| {
            // SAFETY: `key` is borrowed for the call; the other pointers are to locals of this function and `bytes`.
            unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, data_size, &raw mut version) }
        })?;
        Ok(value.map(|value| (value, version)))
    }

    fn set_shared(&mut self, key: &str, value: &[u8], version: u32) -> Result<bool, Failure> {
        // SAFETY: both slices are borrowed for the call, which copies them.
        match unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version) } {
            CAS_MISMATCH => Ok(false),
            status => check("proxy_set_shared_data", status).map(|()| true),
        }
    }

    fn header_bytes(&mut self, map: HeaderMap) -> Result<u64, Failure> {
        let mut size = 0;
        // SAFETY: the pointer is to a local.
        let status = unsafe { proxy_get_header_map_size(map as u32, &raw mut size) };
        check("proxy_get_header_map_size", status).map(|()| size as u64)
    }

    fn tick_every(&mut self, milliseconds: u32) -> Result<(), Failure> {
        // SAFETY: only a number is passed.
        check("proxy_set_tick_period_milliseconds", unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
    }

    fn log(&mut self, level: Level, line: &str) {
        // SAFETY: `line` is borrowed for the call. There is nowhere to tell that logging failed.
        let _: Status = unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
    }
}

// What Envoy calls. `#[unsafe(no_mangle)]` is sound where no other item of the module has the name: all begin
// `proxy_`, a prefix that the ABI keeps for itself, but for `_initialize`, which WASI does.

thread_local! {
    static VM: RefCell<Vm> = RefCell::default();
}

/// Runs `callback` on the VM's state; `None` where it cannot be had, which no path of Envoy leads to.
fn with_vm<R>(callback: impl FnOnce(&mut Vm) -> R) -> Option<R> {
    VM.try_with(|vm| vm.try_borrow_mut().ok().map(|mut vm| callback(&mut vm))).ok().flatten()
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

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    with_vm(|vm| vm.created(context, parent));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, size: usize) -> bool {
    with_vm(|vm| vm.configure(&mut Envoy, context, size)).unwrap_or(false)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _count: usize, _end_of_stream: bool) -> Action {
    with_vm(|vm| vm.request_headers(&mut Envoy, context)).unwrap_or_else(|| vm::request_headers_without_vm(&mut Envoy))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, _end_of_stream: bool) -> Action {
    with_vm(|vm| vm.body(&mut Envoy, context, Direction::Upstream, size)).unwrap_or(Action::Pause)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _count: usize) -> Action {
    with_vm(|vm| vm.request_trailers(&mut Envoy, context)).unwrap_or(Action::Pause)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, count: usize, _end_of_stream: bool) -> Action {
    with_vm(|vm| vm.response_headers(&mut Envoy, context, count)).unwrap_or(Action::Continue)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: usize, _end_of_stream: bool) -> Action {
    with_vm(|vm| vm.body(&mut Envoy, context, Direction::Downstream, size)).unwrap_or(Action::Continue)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, _count: usize) -> Action {
    with_vm(|vm| vm.response_trailers(&mut Envoy, context)).unwrap_or(Action::Continue)
}

/// A stream has ended and is about to be logged.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    with_vm(|vm| vm.log(&mut Envoy, context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with_vm(|vm| vm.deleted(&mut Envoy, context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(_context: u32) {
    with_vm(|vm| vm.tick(&mut Envoy));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_new_connection(_context: u32) -> Action {
    with_vm(|vm| vm.new_connection(&mut Envoy)).unwrap_or(Action::Pause)
}
