//! Numbers of the ABI, as far as the module uses them.

/// `proxy_status_t`. A number, not an enumeration: hosts return values that no list of an SDK holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Status(pub(crate) u32);

impl Status {
    /// The call has succeeded.
    pub(crate) const OK: Status = Status(0);
    /// There is no such thing.
    pub(crate) const NOT_FOUND: Status = Status(1);
    /// Bytes have another form than the ABI's.
    pub(crate) const PARSE_FAILURE: Status = Status(4);
    /// Somebody else was faster.
    pub(crate) const CAS_MISMATCH: Status = Status(8);
    /// The host has failed.
    pub(crate) const INTERNAL_FAILURE: Status = Status(10);
}

/// `proxy_action_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Action {
    Continue = 0,
    Pause = 1,
}

/// `proxy_log_level_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum LogLevel {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// `proxy_header_map_type_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[expect(clippy::enum_variant_names, reason = "they are the names of the SDKs")]
pub(crate) enum MapType {
    HttpRequestHeaders = 0,
    HttpRequestTrailers = 1,
    HttpResponseHeaders = 2,
    HttpResponseTrailers = 3,
}

/// `proxy_buffer_type_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum BufferType {
    PluginConfiguration = 7,
}

/// `proxy_stream_type_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum StreamType {
    HttpRequest = 0,
    HttpResponse = 1,
    Downstream = 2,
}

/// `proxy_metric_type_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum MetricType {
    Counter = 0,
    Gauge = 1,
}
