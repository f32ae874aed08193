//! Envoy as the filter's host.

use tollgate_filter::headers::Headers;
use tollgate_filter::host::{
    Action, Attribute, Call, Direction, Expected, Failure, HeaderMap, Host, Level, MetricId, MetricKind, Response,
    StreamSide, Version,
};

use crate::abi::hostcalls;
use crate::abi::types::{self, BufferType, LogLevel, MapType, MetricType, Status, StreamType};
use crate::message;
use crate::pairs;

/// The version with which shared data is set whatever it was.
const ANY_VERSION: u32 = 0;
/// A version that no value has: they are counted up from 1, and there are not that many. Set with it, a value is
/// created.
const NO_VERSION: u32 = u32::MAX;

/// Envoy.
#[derive(Debug, Default)]
pub(crate) struct Envoy {
    /// Bytes of the configuration that is being loaded.
    configuration: usize,
}

impl Envoy {
    /// While a root context is configured, with so many bytes.
    pub(crate) fn configuring(configuration: usize) -> Envoy {
        Envoy { configuration }
    }

    /// Says why a plugin is not loaded: its name is that of the other layer.
    pub(crate) fn refuse_layer(&mut self, is_tcp: bool) {
        self.log(
            Level::Error,
            if is_tcp {
                "this module filters TCP, and a plugin with it is named `tollgate-tcp`: not loaded"
            } else {
                "a plugin named `tollgate-tcp` would filter TCP, which this module cannot: not loaded"
            },
        );
    }
}

/// Names the call that failed.
fn of<T>(call: Call, result: Result<T, Status>) -> Result<T, Failure> {
    result.map_err(|status| Failure { call, status: status.0 })
}

impl Host for Envoy {
    fn configuration(&mut self) -> Result<Vec<u8>, Failure> {
        let size = self.configuration;
        if size == 0 {
            return Ok(Vec::new());
        }
        let text = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size);
        // A policy that was cut may be another policy.
        let whole = text.and_then(|text| text.filter(|text| text.len() == size).ok_or(Status::NOT_FOUND));
        of(Call::Configuration, whole)
    }

    fn attribute(&mut self, attribute: Attribute) -> Result<Option<Vec<u8>>, Failure> {
        let path = match attribute {
            Attribute::PeerCertificate => "connection\0uri_san_peer_certificate",
            Attribute::PeerPrincipal => "filter_state\0io.istio.peer_principal",
            Attribute::Cluster => "xds\0cluster_name",
            Attribute::ResponseCodeDetails => "response\0code_details",
            Attribute::FilterChain => "xds\0filter_chain_name",
            Attribute::ServerName => "connection\0requested_server_name",
            Attribute::TunnelAuthority => "filter_state\0tollgate.authority",
            Attribute::SourceAddress => "source\0address",
        };
        of(Call::Attribute(attribute), hostcalls::get_property(path))
    }

    fn filter_state(&mut self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        of(Call::FilterState, hostcalls::get_property(name))
    }

    fn set_filter_state(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        of(Call::SetFilterState, hostcalls::set_property(name, value))
    }

    fn declare_text(&mut self, name: &str) -> Result<(), Failure> {
        // `DeclarePropertyArguments` of Envoy: field 1 is the name, 3 the type, of which 1 is text.
        let arguments = [message::text(1, name), message::number(3, 1)].concat();
        let declared = hostcalls::call_foreign_function("declare_property", &arguments);
        of(Call::DeclareText, declared.and_then(|answer| answer.ok_or(Status::NOT_FOUND)).map(|_| ()))
    }

    fn headers(&mut self, map: HeaderMap) -> Result<Headers, Failure> {
        let bytes = hostcalls::get_map_bytes(map_type(map)).and_then(|bytes| bytes.ok_or(Status::NOT_FOUND));
        let headers = bytes.and_then(|bytes| pairs::read(bytes).ok_or(Status::PARSE_FAILURE));
        of(Call::Headers(map), headers)
    }

    fn has_header(&mut self, map: HeaderMap, name: &str) -> Result<bool, Failure> {
        of(Call::HasHeader, hostcalls::get_map_value_bytes(map_type(map), name)).map(|value| value.is_some())
    }

    fn header_bytes(&mut self, map: HeaderMap) -> Result<u64, Failure> {
        of(Call::HeaderBytes, hostcalls::get_map_size(map_type(map))).map(|size| size as u64)
    }

    fn remove_header(&mut self, map: HeaderMap, name: &[u8]) -> Result<(), Failure> {
        of(Call::RemoveHeader, hostcalls::remove_map_value(map_type(map), name))
    }

    fn set_request_header(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        of(Call::SetHeader, hostcalls::set_map_value(MapType::HttpRequestHeaders, name, value))
    }

    fn bytes(&mut self, direction: Direction, start: usize, most: usize) -> Result<Vec<u8>, Failure> {
        let buffer = match direction {
            Direction::Upstream => BufferType::DownstreamData,
            Direction::Downstream => BufferType::UpstreamData,
        };
        let bytes = hostcalls::get_buffer(buffer, start, most);
        of(Call::Bytes(direction), bytes.and_then(|bytes| bytes.ok_or(Status::NOT_FOUND)))
    }

    fn steer(&mut self, cluster: &str) -> Result<(), Failure> {
        // `SetEnvoyFilterStateArguments` of Envoy: field 1 is the name, 2 the value, 3 the span, of which 2 is the connection.
        let name = message::text(1, "envoy.tcp_proxy.cluster");
        let arguments = [name, message::text(2, cluster), message::number(3, 2)].concat();
        let set = hostcalls::call_foreign_function("set_envoy_filter_state", &arguments);
        of(Call::Steer, set.and_then(|answer| answer.ok_or(Status::NOT_FOUND)).map(|_| ()))
    }

    fn focus(&mut self, stream: u32) -> Result<(), Failure> {
        of(Call::Focus, hostcalls::set_effective_context(stream))
    }

    fn resume_request(&mut self) -> Result<(), Failure> {
        of(Call::Resume, hostcalls::continue_stream(StreamType::HttpRequest))
    }

    fn resume_connection(&mut self) -> Result<(), Failure> {
        of(Call::ResumeConnection, hostcalls::continue_stream(StreamType::Downstream))
    }

    fn respond(&mut self, response: &Response<'_>) -> Result<(), Failure> {
        let Response { status, grpc_status, details, headers, body } = *response;
        of(Call::Respond, hostcalls::send_http_response(status, details, headers, body, grpc_status))
    }

    fn reset(&mut self, side: StreamSide) -> Result<(), Failure> {
        let stream = match side {
            StreamSide::Request => StreamType::HttpRequest,
            StreamSide::Response => StreamType::HttpResponse,
            StreamSide::Downstream => StreamType::Downstream,
        };
        of(Call::Reset, hostcalls::close_stream(stream))
    }

    fn now(&mut self) -> Result<u64, Failure> {
        of(Call::WallClock, hostcalls::get_current_time())
    }

    fn monotonic(&mut self) -> Result<u64, Failure> {
        of(Call::MonotonicClock, hostcalls::get_monotonic_time())
    }

    fn define_metric(&mut self, kind: MetricKind, name: &str) -> Result<MetricId, Failure> {
        let kind = match kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
        };
        of(Call::DefineMetric, hostcalls::define_metric(kind, name)).map(MetricId)
    }

    fn count(&mut self, metric: MetricId) -> Result<(), Failure> {
        of(Call::IncrementMetric, hostcalls::increment_metric(metric.0, 1))
    }

    fn gauge(&mut self, metric: MetricId, value: u64) -> Result<(), Failure> {
        of(Call::RecordMetric, hostcalls::record_metric(metric.0, value))
    }

    fn shared(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Failure> {
        match of(Call::ReadShared, hostcalls::get_shared_data(key))? {
            None => Ok(None),
            // To write it back would overwrite it blindly.
            Some((_, ANY_VERSION)) => of(Call::ReadShared, Err(Status::INTERNAL_FAILURE)),
            Some((value, version)) => Ok(Some((value, Version(version)))),
        }
    }

    fn set_shared(&mut self, key: &str, value: &[u8], expected: Expected) -> Result<bool, Failure> {
        let version = match expected {
            Expected::Any => ANY_VERSION,
            Expected::Absent => NO_VERSION,
            Expected::Version(version) => version.0,
        };
        match hostcalls::set_shared_data(key, value, version) {
            Err(Status::CAS_MISMATCH) => Ok(false),
            result => of(Call::WriteShared, result).map(|()| true),
        }
    }

    fn tick_every(&mut self, milliseconds: u32) -> Result<(), Failure> {
        of(Call::TickEvery, hostcalls::set_tick_period(milliseconds))
    }

    fn log(&mut self, level: Level, line: &str) {
        let level = match level {
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        hostcalls::log(level, line);
    }
}

fn map_type(map: HeaderMap) -> MapType {
    match map {
        HeaderMap::Request => MapType::HttpRequestHeaders,
        HeaderMap::RequestTrailers => MapType::HttpRequestTrailers,
        HeaderMap::Response => MapType::HttpResponseHeaders,
        HeaderMap::ResponseTrailers => MapType::HttpResponseTrailers,
    }
}

impl From<Action> for types::Action {
    fn from(action: Action) -> types::Action {
        match action {
            Action::Continue => types::Action::Continue,
            Action::Pause => types::Action::Pause,
        }
    }
}
