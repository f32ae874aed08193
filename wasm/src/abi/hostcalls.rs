//! Functions that Envoy offers to the module.
//!
//! Envoy is trusted to write where it was asked to and nowhere else. Neither its success nor anything about the bytes
//! that it returns is taken for granted: every call gives back its status, and none panics.
#![expect(unsafe_code, reason = "calls across the module's boundary are foreign functions")]

use std::ptr::null_mut;

use super::types::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};
use crate::pairs;

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
    fn proxy_continue_stream(stream: u32) -> Status;
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
    fn proxy_set_effective_context(context: u32) -> Status;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
}

fn check(status: Status) -> Result<(), Status> {
    if status == Status::OK { Ok(()) } else { Err(status) }
}

/// Makes a call that returns bytes. `None` where it says that there is no such thing.
fn bytes(call: impl FnOnce(*mut *mut u8, *mut usize) -> Status) -> Result<Option<Vec<u8>>, Status> {
    let (mut data, mut size) = (null_mut(), 0);
    match call(&raw mut data, &raw mut size) {
        Status::NOT_FOUND => Ok(None),
        status => {
            check(status)?;
            if data.is_null() || size == 0 {
                return Ok(Some(Vec::new()));
            }
            // SAFETY: Envoy gets the memory of what it returns from `proxy_on_memory_allocate`, called with `size`:
            // one allocation of `size` bytes, aligned for bytes. It has filled them and does not keep the address.
            Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) }))
        }
    }
}

/// Writes a line to the log. A failure is ignored: there is nowhere to tell of it.
pub(crate) fn log(level: LogLevel, line: &str) {
    // SAFETY: `line` is borrowed for the call.
    let _: Status = unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
}

/// Nanoseconds since 1970-01-01T00:00:00Z.
pub(crate) fn get_current_time() -> Result<u64, Status> {
    let mut time = 0;
    // SAFETY: the pointer is to a local.
    check(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(time)
}

/// Nanoseconds on a clock that never goes back.
pub(crate) fn get_monotonic_time() -> Result<u64, Status> {
    let mut time = 0;
    // SAFETY: the pointer is to a local.
    check(Status(unsafe { clock_time_get(MONOTONIC, 1, &raw mut time) }))?;
    Ok(time)
}

/// A piece of a buffer.
pub(crate) fn get_buffer(kind: BufferType, start: usize, size: usize) -> Result<Option<Vec<u8>>, Status> {
    // SAFETY: both pointers are to locals of `bytes`.
    bytes(|data, data_size| unsafe { proxy_get_buffer_bytes(kind as u32, start, size, data, data_size) })
}

/// The property at `path`, whose elements are separated by NUL bytes; `None` where there is none.
pub(crate) fn get_property(path: &str) -> Result<Option<Vec<u8>>, Status> {
    // SAFETY: `path` is borrowed for the call; the other pointers are to locals of `bytes`.
    bytes(|data, data_size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, data_size) })
}

/// Sets filter state: property `name` is seen by Envoy as `wasm.NAME`.
pub(crate) fn set_property(name: &str, value: &[u8]) -> Result<(), Status> {
    // SAFETY: both slices are borrowed for the call, which copies them.
    check(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// All headers of a map, in the form that [`pairs`] reads.
pub(crate) fn get_map_bytes(map: MapType) -> Result<Option<Vec<u8>>, Status> {
    // SAFETY: both pointers are to locals of `bytes`.
    bytes(|data, data_size| unsafe { proxy_get_header_map_pairs(map as u32, data, data_size) })
}

/// Bytes of all names and values of a map.
pub(crate) fn get_map_size(map: MapType) -> Result<usize, Status> {
    let mut size = 0;
    // SAFETY: the pointer is to a local.
    check(unsafe { proxy_get_header_map_size(map as u32, &raw mut size) })?;
    Ok(size)
}

/// The value of a header; `None` where the map has none of that name.
pub(crate) fn get_map_value_bytes(map: MapType, name: &str) -> Result<Option<Vec<u8>>, Status> {
    // SAFETY: `name` is borrowed for the call; the other pointers are to locals of `bytes`.
    bytes(|data, data_size| unsafe {
        proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, data_size)
    })
}

/// Removes every header of that name.
pub(crate) fn remove_map_value(map: MapType, name: &[u8]) -> Result<(), Status> {
    // SAFETY: `name` is borrowed for the call.
    check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Adds a header, in place of any of that name.
pub(crate) fn set_map_value(map: MapType, name: &str, value: &str) -> Result<(), Status> {
    // SAFETY: both slices are borrowed for the call, which copies them.
    check(unsafe { proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Answers a request in place of its destination.
pub(crate) fn send_http_response(
    status: u32,
    details: &[u8],
    headers: &[(&str, &str)],
    body: &[u8],
    grpc_status: u32,
) -> Result<(), Status> {
    let mut map = Vec::new();
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    pairs::write(&mut map, headers).ok_or(Status::INTERNAL_FAILURE)?;
    // SAFETY: all slices are borrowed for the call, which copies them; the answer is sent after the callback.
    check(unsafe {
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
    })
}

/// Has the following calls speak of another context.
pub(crate) fn set_effective_context(context: u32) -> Result<(), Status> {
    // SAFETY: only a number is passed.
    check(unsafe { proxy_set_effective_context(context) })
}

/// Has a stream go on that was paused.
pub(crate) fn continue_stream(stream: StreamType) -> Result<(), Status> {
    // SAFETY: only a number is passed.
    check(unsafe { proxy_continue_stream(stream as u32) })
}

/// Ends a stream without an answer.
pub(crate) fn close_stream(stream: StreamType) -> Result<(), Status> {
    // SAFETY: only a number is passed.
    check(unsafe { proxy_close_stream(stream as u32) })
}

/// The id of the metric of that name, which is created where it does not exist.
pub(crate) fn define_metric(kind: MetricType, name: &str) -> Result<u32, Status> {
    let mut metric = 0;
    // SAFETY: `name` is borrowed for the call; the other pointer is to a local.
    check(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut metric) })?;
    Ok(metric)
}

/// Adds to a counter.
pub(crate) fn increment_metric(metric: u32, by: i64) -> Result<(), Status> {
    // SAFETY: only numbers are passed.
    check(unsafe { proxy_increment_metric(metric, by) })
}

/// Sets a gauge.
pub(crate) fn record_metric(metric: u32, value: u64) -> Result<(), Status> {
    // SAFETY: only numbers are passed.
    check(unsafe { proxy_record_metric(metric, value) })
}

/// A value of shared data, and its version; `None` where there is none.
pub(crate) fn get_shared_data(key: &str) -> Result<Option<(Vec<u8>, u32)>, Status> {
    let mut cas = 0;
    // SAFETY: `key` is borrowed for the call; the other pointers are to locals of this function and of `bytes`.
    let value = bytes(|data, data_size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, data_size, &raw mut cas)
    })?;
    Ok(value.map(|value| (value, cas)))
}

/// Sets a value of shared data. The version 0 overwrites whatever is there. Any other creates an absent value, and
/// fails if the present one has another version.
pub(crate) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
    // SAFETY: both slices are borrowed for the call, which copies them.
    check(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
}

/// Calls a function that this proxy offers beside the ABI; `None` where it does not know it.
pub(crate) fn call_foreign_function(name: &str, arguments: &[u8]) -> Result<Option<Vec<u8>>, Status> {
    // SAFETY: both slices are borrowed for the call; the other pointers are to locals of `bytes`.
    bytes(|data, data_size| unsafe {
        proxy_call_foreign_function(name.as_ptr(), name.len(), arguments.as_ptr(), arguments.len(), data, data_size)
    })
}

/// Has the root context that is being configured called every so many milliseconds.
pub(crate) fn set_tick_period(milliseconds: u32) -> Result<(), Status> {
    // SAFETY: only a number is passed.
    check(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}
