//! The proxy that runs the filter, as the filter sees it.

use std::fmt;

pub use tollgate::quota::Version;

use crate::headers::Headers;

/// Calls that the filter makes. An edge implements them for its proxy, and a double stands in for it in tests.
///
/// Every call can fail, and what a failure means is for the caller to say; none of them panics.
pub trait Host {
    /// The text of the configuration that is being loaded.
    fn configuration(&mut self) -> Result<Vec<u8>, Failure>;

    /// An attribute of the stream; `None` where it has none.
    fn attribute(&mut self, attribute: Attribute) -> Result<Option<Vec<u8>>, Failure>;

    /// Filter state that [`Host::set_filter_state`] has set; `None` where there is none.
    fn filter_state(&mut self, name: &str) -> Result<Option<Vec<u8>>, Failure>;

    /// Sets filter state of the stream, which logs and filters behind this one can see.
    fn set_filter_state(&mut self, name: &str, value: &[u8]) -> Result<(), Failure>;

    /// Has the proxy keep filter state of this name as text, which its expressions can compare; without it they cannot.
    fn declare_text(&mut self, name: &str) -> Result<(), Failure>;

    /// All headers of a map. Fails where the proxy does not show the map at the time: Envoy does not show request
    /// headers once the request has been let through, and until it has ended.
    fn headers(&mut self, map: HeaderMap) -> Result<Headers, Failure>;

    /// Tells whether the map has a header of that name.
    fn has_header(&mut self, map: HeaderMap, name: &str) -> Result<bool, Failure>;

    /// Bytes of all names and values of a header map.
    fn header_bytes(&mut self, map: HeaderMap) -> Result<u64, Failure>;

    /// Removes every header of that name from the map. Any call that changes request headers, even one that changes
    /// nothing, has Envoy choose the route anew.
    fn remove_header(&mut self, map: HeaderMap, name: &[u8]) -> Result<(), Failure>;

    /// Adds a request header, in place of any of that name.
    fn set_request_header(&mut self, name: &str, value: &str) -> Result<(), Failure>;

    /// Bytes of a TCP connection that the host holds: those at `start`, at most so many. Fails where there are none.
    fn bytes(&mut self, direction: Direction, start: usize, most: usize) -> Result<Vec<u8>, Failure>;

    /// Leads a TCP connection that is held to a cluster of that name.
    fn steer(&mut self, cluster: &str) -> Result<(), Failure>;

    /// Has the following calls speak of another stream than the one whose callback runs.
    fn focus(&mut self, stream: u32) -> Result<(), Failure>;

    /// Has a request go on that was held.
    fn resume_request(&mut self) -> Result<(), Failure>;

    /// Has a TCP connection go on that was held.
    fn resume_connection(&mut self) -> Result<(), Failure>;

    /// Answers the request in place of its destination.
    fn respond(&mut self, response: &Response<'_>) -> Result<(), Failure>;

    /// Ends a stream without an answer.
    fn reset(&mut self, side: StreamSide) -> Result<(), Failure>;

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    fn now(&mut self) -> Result<u64, Failure>;

    /// Nanoseconds on a clock that never goes back, the same for all threads.
    fn monotonic(&mut self) -> Result<u64, Failure>;

    /// The id of the metric of that name, which is created where it does not exist.
    fn define_metric(&mut self, kind: MetricKind, name: &str) -> Result<MetricId, Failure>;

    /// Adds one to a counter.
    fn count(&mut self, metric: MetricId) -> Result<(), Failure>;

    /// Sets a gauge.
    fn gauge(&mut self, metric: MetricId, value: u64) -> Result<(), Failure>;

    /// A value that all threads of the process share, and its version; `None` where there is none.
    fn shared(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Failure>;

    /// Sets a value that all threads of the process share, if it is as expected. Tells whether it did.
    fn set_shared(&mut self, key: &str, value: &[u8], expected: Expected) -> Result<bool, Failure>;

    /// Has the instance that is being configured called every so many milliseconds.
    fn tick_every(&mut self, milliseconds: u32) -> Result<(), Failure>;

    /// Writes a line to the proxy's log.
    fn log(&mut self, level: Level, line: &str);
}

/// A call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The call.
    pub call: Call,
    /// The number by which the host says why.
    pub status: u32,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed with status {}", self.call, self.status)
    }
}

/// A call of [`Host`], by what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each has the name of its method")]
pub enum Call {
    Configuration,
    Plugin,
    Attribute(Attribute),
    FilterState,
    SetFilterState,
    DeclareText,
    Headers(HeaderMap),
    HasHeader,
    HeaderBytes,
    RemoveHeader,
    SetHeader,
    Bytes(Direction),
    Steer,
    Focus,
    Resume,
    ResumeConnection,
    Respond,
    Reset,
    WallClock,
    MonotonicClock,
    DefineMetric,
    IncrementMetric,
    RecordMetric,
    ReadShared,
    WriteShared,
    TickEvery,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Call::Configuration => "reading the configuration",
            Call::Plugin => "reading the plugin's name",
            Call::Attribute(attribute) => return write!(f, "reading {}", attribute.as_str()),
            Call::FilterState => "reading filter state",
            Call::SetFilterState => "setting filter state",
            Call::DeclareText => "declaring filter state as text",
            Call::Headers(HeaderMap::Request) => "reading request headers",
            Call::Headers(HeaderMap::RequestTrailers) => "reading request trailers",
            Call::Headers(HeaderMap::Response) => "reading response headers",
            Call::Headers(HeaderMap::ResponseTrailers) => "reading response trailers",
            Call::HasHeader => "looking for a header",
            Call::HeaderBytes => "measuring headers",
            Call::RemoveHeader => "removing a header",
            Call::SetHeader => "setting a header",
            Call::Bytes(Direction::Upstream) => "reading bytes of a caller",
            Call::Bytes(Direction::Downstream) => "reading bytes of a destination",
            Call::Steer => "leading a connection",
            Call::Focus => "turning to another stream",
            Call::Resume => "resuming a request",
            Call::ResumeConnection => "resuming a connection",
            Call::Respond => "answering a request",
            Call::Reset => "resetting a stream",
            Call::WallClock => "reading the clock",
            Call::MonotonicClock => "reading the monotonic clock",
            Call::DefineMetric => "defining a metric",
            Call::IncrementMetric => "counting",
            Call::RecordMetric => "setting a gauge",
            Call::ReadShared => "reading shared data",
            Call::WriteShared => "writing shared data",
            Call::TickEvery => "asking for ticks",
        })
    }
}

/// Attributes of a stream, by Envoy's names: each edge has its own way to ask for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    /// The URI in the certificate that the peer showed.
    PeerCertificate,
    /// The peer's identity as the mesh's tunnel passed it along.
    PeerPrincipal,
    /// The cluster of the route. Envoy leaves it as it is until the end of a callback, whatever the callback changes.
    Cluster,
    /// Envoy's response code details: its reason for the response.
    ResponseCodeDetails,
    /// The name of the chain of filters that a connection came to.
    FilterChain,
    /// The server name of the mesh's own TLS.
    ServerName,
    /// The authority of the CONNECT request that a connection is in.
    TunnelAuthority,
    /// The address and the port that a connection came from.
    SourceAddress,
}

impl Attribute {
    /// Its name, as expressions of Envoy spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Attribute::PeerCertificate => "connection.uri_san_peer_certificate",
            Attribute::PeerPrincipal => "filter_state['io.istio.peer_principal']",
            Attribute::Cluster => "xds.cluster_name",
            Attribute::ResponseCodeDetails => "response.code_details",
            Attribute::FilterChain => "xds.filter_chain_name",
            Attribute::ServerName => "connection.requested_server_name",
            Attribute::TunnelAuthority => "filter_state['tollgate.authority']",
            Attribute::SourceAddress => "source.address",
        }
    }
}

/// An answer made by the filter.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// HTTP status; callers that speak gRPC get 200 and `grpc_status`.
    pub status: u32,
    /// gRPC status.
    pub grpc_status: u32,
    /// Response-code details, for the access log.
    pub details: &'a [u8],
    /// Headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// Body; for callers that speak gRPC the message.
    pub body: &'a [u8],
}

/// Fate of a stream after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Continue,
    /// It is held.
    Pause,
}

/// Expectation of a shared value that is to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Any,
    /// None is there.
    Absent,
    /// It still has this version.
    Version(Version),
}

/// Header maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeaderMap {
    /// Headers of the request.
    Request,
    /// Trailers of the request, behind its body.
    RequestTrailers,
    /// Headers of the response.
    Response,
    /// Trailers of the response, behind its body.
    ResponseTrailers,
}

/// Direction in which bytes flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Bytes that flow to the destination.
    Upstream,
    /// Bytes that flow from it.
    Downstream,
}

/// Sides of a stream that can be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamSide {
    /// An HTTP request.
    Request,
    /// Its response.
    Response,
    /// A TCP connection of a caller.
    Downstream,
}

/// Kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Is set.
    Gauge,
}

/// A metric, as the host numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricId(pub u32);

/// Levels of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// An operator may want to know it.
    Info,
    /// An operator should look at it.
    Warn,
    /// Something does not work.
    Error,
}
