//! What the filter needs of the proxy that runs it.

use std::fmt;

/// The calls that the filter makes. One implementation calls Envoy, the other stands in for it in tests.
///
/// Every call can fail, and what a failure means is for the caller to say; none of them panics.
pub(crate) trait Host {
    /// The configuration of the plugin being configured, `size` bytes.
    fn configuration(&mut self, size: usize) -> Result<Vec<u8>, Failure>;

    /// The property at `path`, whose elements are separated by NUL bytes; `None` where there is none.
    fn property(&mut self, path: &str) -> Result<Option<Vec<u8>>, Failure>;

    /// Sets filter state: property `name` is seen by Envoy as `wasm.NAME`.
    fn set_property(&mut self, name: &str, value: &[u8]) -> Result<(), Failure>;

    /// Has Envoy keep filter state of this name as text, which its expressions can compare; without it they cannot.
    fn declare_text(&mut self, name: &str) -> Result<(), Failure>;

    /// All headers of a map in the form that [`crate::pairs`] reads. Fails where Envoy does not show the map at the time:
    /// request headers once the request has been let through, and until it has ended.
    fn headers(&mut self, map: HeaderMap) -> Result<Vec<u8>, Failure>;

    /// Tells whether the map has a header of that name.
    fn has_header(&mut self, map: HeaderMap, name: &str) -> Result<bool, Failure>;

    /// Removes every header of that name from the map. Of request headers, any call that changes them, even one that
    /// changes nothing, has Envoy choose the route anew.
    fn remove_header(&mut self, map: HeaderMap, name: &[u8]) -> Result<(), Failure>;

    /// Adds a request header, in place of any of that name.
    fn set_request_header(&mut self, name: &str, value: &str) -> Result<(), Failure>;

    /// Answers the request in place of its destination.
    fn respond(&mut self, response: &Response<'_>) -> Result<(), Failure>;

    /// Ends a stream without an answer.
    fn close(&mut self, stream: Stream) -> Result<(), Failure>;

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    fn now(&mut self) -> Result<u64, Failure>;

    /// The id of the metric of that name, which is created where it does not exist.
    fn define_metric(&mut self, kind: MetricKind, name: &str) -> Result<MetricId, Failure>;

    /// Adds one to a counter.
    fn count(&mut self, metric: MetricId) -> Result<(), Failure>;

    /// Sets a gauge.
    fn gauge(&mut self, metric: MetricId, value: u64) -> Result<(), Failure>;

    /// Nanoseconds on a clock that never goes back, the same for all threads.
    fn monotonic(&mut self) -> Result<u64, Failure>;

    /// A value that all threads of the process share, and its version; `None` where there is none.
    fn shared(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Failure>;

    /// Sets a value that all threads of the process share, and says whether it did. With a version only if the value
    /// still has it; but where there is no value, any version but [`ANY_VERSION`] creates it.
    fn set_shared(&mut self, key: &str, value: &[u8], version: u32) -> Result<bool, Failure>;

    /// Bytes of all names and values of a header map.
    fn header_bytes(&mut self, map: HeaderMap) -> Result<u64, Failure>;

    /// Has the instance that is being configured called every so many milliseconds.
    fn tick_every(&mut self, milliseconds: u32) -> Result<(), Failure>;

    /// Writes a line to the proxy's log.
    fn log(&mut self, level: Level, line: &str);
}

/// A host call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its name in the ABI.
    pub(crate) call: &'static str,
    /// What it returned (`proxy_status_t`).
    pub(crate) status: u32,
}

impl Failure {
    /// Request headers came in another form than the ABI's: status 4, parse failure.
    pub(crate) const MALFORMED_HEADERS: Failure = Failure { call: "proxy_get_header_map_pairs", status: 4 };
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} returned status {}", self.call, self.status)
    }
}

/// An answer made by the filter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Response<'a> {
    /// HTTP status; callers that speak gRPC get 200 and `grpc_status`.
    pub(crate) status: u32,
    /// gRPC status.
    pub(crate) grpc_status: u32,
    /// Response-code details, for the access log.
    pub(crate) details: &'a [u8],
    /// Headers.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// Body; for callers that speak gRPC the message.
    pub(crate) body: &'a [u8],
}

/// What the proxy does with a stream after a callback. The values are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Action {
    /// Passes it on.
    Continue = 0,
    /// Holds it.
    Pause = 1,
}

/// With this version [`Host::set_shared`] sets a value whatever it was.
pub(crate) const ANY_VERSION: u32 = 0;

/// Header maps. The values are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(crate) enum HeaderMap {
    /// Of the request.
    Request = 0,
    /// Behind the request's body.
    RequestTrailers = 1,
    /// Of the response.
    Response = 2,
    /// Behind the response's body.
    ResponseTrailers = 3,
}

/// Streams that can be closed. The values are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Stream {
    /// An HTTP request.
    Request = 0,
    /// Its response.
    Response = 1,
    /// A TCP connection of a caller.
    Downstream = 2,
}

/// Kinds of metrics. The values are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum MetricKind {
    /// Only grows.
    Counter = 0,
    /// Is set.
    Gauge = 1,
}

/// A metric, as the host numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MetricId(pub(crate) u32);

/// Levels of log lines. The values are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Level {
    /// What an operator may want to know.
    Info = 2,
    /// What an operator should look at.
    Warn = 3,
    /// What does not work.
    Error = 4,
}
