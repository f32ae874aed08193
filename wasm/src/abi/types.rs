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
    DownstreamData = 2,
    UpstreamData = 3,
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

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_wasm::types as sdk;

    #[test]
    fn numbers_are_those_of_the_sdk() {
        for (ours, theirs) in [
            (Status::OK, sdk::Status::Ok),
            (Status::NOT_FOUND, sdk::Status::NotFound),
            (Status::PARSE_FAILURE, sdk::Status::ParseFailure),
            (Status::CAS_MISMATCH, sdk::Status::CasMismatch),
            (Status::INTERNAL_FAILURE, sdk::Status::InternalFailure),
        ] {
            assert_eq!(ours, Status(theirs as u32));
        }
        assert_eq!([Action::Continue, Action::Pause].map(|action| action as u32), {
            [sdk::Action::Continue, sdk::Action::Pause].map(|action| action as u32)
        });
        assert_eq!([LogLevel::Info, LogLevel::Warn, LogLevel::Error].map(|level| level as u32), {
            [sdk::LogLevel::Info, sdk::LogLevel::Warn, sdk::LogLevel::Error].map(|level| level as u32)
        });
        for (ours, theirs) in [
            (MapType::HttpRequestHeaders, sdk::MapType::HttpRequestHeaders),
            (MapType::HttpRequestTrailers, sdk::MapType::HttpRequestTrailers),
            (MapType::HttpResponseHeaders, sdk::MapType::HttpResponseHeaders),
            (MapType::HttpResponseTrailers, sdk::MapType::HttpResponseTrailers),
        ] {
            assert_eq!(ours as u32, theirs as u32, "{ours:?}");
        }
        for (ours, theirs) in [
            (StreamType::HttpRequest, sdk::StreamType::HttpRequest),
            (StreamType::HttpResponse, sdk::StreamType::HttpResponse),
            (StreamType::Downstream, sdk::StreamType::Downstream),
        ] {
            assert_eq!(ours as u32, theirs as u32, "{ours:?}");
        }
        for (ours, theirs) in [
            (BufferType::DownstreamData, sdk::BufferType::DownstreamData),
            (BufferType::UpstreamData, sdk::BufferType::UpstreamData),
            (BufferType::PluginConfiguration, sdk::BufferType::PluginConfiguration),
        ] {
            assert_eq!(ours as u32, theirs as u32, "{ours:?}");
        }
        assert_eq!([MetricType::Counter, MetricType::Gauge].map(|kind| kind as u32), {
            [sdk::MetricType::Counter, sdk::MetricType::Gauge].map(|kind| kind as u32)
        });
    }
}
