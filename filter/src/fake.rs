//! A host for tests: every call can be made to fail, and everything that was done is kept.
#![expect(clippy::arithmetic_side_effects, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use crate::charger::{Charger, GatewayQuotas};
use crate::headers::Headers;
use crate::host::Direction;
use crate::host::{
    Action, Attribute, Call, Expected, Failure, HeaderMap, Host, Level, MetricId, MetricKind, Response, StreamSide,
    Version,
};
use crate::worker::Worker;

/// The double.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    /// Calls that fail.
    pub(crate) failing: BTreeSet<Call>,
    /// Every call that was made, in order.
    pub(crate) calls: Vec<Call>,
    pub(crate) configuration: Vec<u8>,
    pub(crate) attributes: BTreeMap<Attribute, Vec<u8>>,
    /// Attributes that one stream has in place of those.
    pub(crate) own: BTreeMap<(u32, Attribute), Vec<u8>>,
    /// The stream that the calls speak of.
    pub(crate) stream: u32,
    /// Filter state that was set.
    pub(crate) state: BTreeMap<String, Vec<u8>>,
    /// Filter state of other filters.
    pub(crate) foreign: BTreeMap<String, Vec<u8>>,
    /// Request headers.
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Trailers of the request.
    pub(crate) trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Names of request headers that were removed.
    pub(crate) removed: Vec<String>,
    /// Names of the request's trailers that were removed.
    pub(crate) removed_trailers: Vec<String>,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) response_headers: BTreeSet<String>,
    pub(crate) response_trailers: BTreeSet<String>,
    /// Filter state that is kept as text.
    pub(crate) texts: BTreeSet<String>,
    /// Bytes of a connection that are held: of the caller, of the destination.
    pub(crate) upstream: Vec<u8>,
    pub(crate) downstream: Vec<u8>,
    /// Clusters that connections were led to.
    pub(crate) steered: Vec<String>,
    /// The streams that the calls were turned to, in order.
    pub(crate) focused: Vec<u32>,
    /// Number of held requests that went on.
    pub(crate) resumed: u32,
    /// Held connections that went on.
    pub(crate) resumed_connections: Vec<u32>,
    pub(crate) responses: Vec<Sent>,
    pub(crate) closed: Vec<StreamSide>,
    pub(crate) time: u64,
    /// Names and values; a metric's id is its place.
    pub(crate) metrics: Vec<(String, u64)>,
    pub(crate) monotonic: u64,
    pub(crate) shared: BTreeMap<String, (Vec<u8>, Version)>,
    /// Writes of shared data that fail as if somebody else had been faster.
    pub(crate) too_late: u32,
    /// Sizes of header maps; a map that is not there has none.
    pub(crate) header_bytes: BTreeMap<HeaderMap, u64>,
    /// Milliseconds between two calls of the instance.
    pub(crate) tick: Option<u32>,
    pub(crate) versions: u32,
    pub(crate) log: Vec<(Level, String)>,
}

/// An answer that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) status: u32,
    pub(crate) grpc_status: u32,
    pub(crate) details: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Fake {
    /// Sets the request's headers.
    pub(crate) fn bring(&mut self, headers: &[(&str, &[u8])]) {
        self.headers = owned(headers);
    }

    /// The cluster that was left for a filter behind to compare.
    pub(crate) fn route(&self) -> Option<String> {
        self.state.get("tollgate_route").map(|route| text(route))
    }

    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        self.metrics.iter().find(|(this, _)| this == name).map(|(_, value)| *value)
    }

    pub(crate) fn record(&self) -> String {
        text(self.state.get("tollgate").map_or(&b""[..], Vec::as_slice))
    }

    fn call(&mut self, call: Call) -> Result<(), Failure> {
        self.calls.push(call);
        if self.failing.contains(&call) { Err(Failure { call, status: 10 }) } else { Ok(()) }
    }

    fn named(&mut self, map: HeaderMap) -> &mut BTreeSet<String> {
        match map {
            HeaderMap::Response => &mut self.response_headers,
            HeaderMap::ResponseTrailers => &mut self.response_trailers,
            HeaderMap::Request | HeaderMap::RequestTrailers => panic!("not asked for"),
        }
    }

    fn metric_mut(&mut self, metric: MetricId) -> &mut u64 {
        &mut self.metrics[metric.0 as usize].1
    }
}

fn owned(headers: &[(&str, &[u8])]) -> Vec<(Vec<u8>, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

impl Host for Fake {
    fn configuration(&mut self) -> Result<Vec<u8>, Failure> {
        self.call(Call::Configuration)?;
        Ok(self.configuration.clone())
    }

    fn attribute(&mut self, attribute: Attribute) -> Result<Option<Vec<u8>>, Failure> {
        self.call(Call::Attribute(attribute))?;
        Ok(self.own.get(&(self.stream, attribute)).or(self.attributes.get(&attribute)).cloned())
    }

    fn filter_state(&mut self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.call(Call::FilterState)?;
        Ok(self.state.get(name).or(self.foreign.get(name)).cloned())
    }

    fn set_filter_state(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        self.call(Call::SetFilterState)?;
        self.state.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn declare_text(&mut self, name: &str) -> Result<(), Failure> {
        self.call(Call::DeclareText)?;
        self.texts.insert(name.to_owned());
        Ok(())
    }

    fn bytes(&mut self, direction: Direction, start: usize, most: usize) -> Result<Vec<u8>, Failure> {
        self.call(Call::Bytes(direction))?;
        let all = if direction == Direction::Upstream { &self.upstream } else { &self.downstream };
        Ok(all.iter().skip(start).take(most).copied().collect())
    }

    fn steer(&mut self, cluster: &str) -> Result<(), Failure> {
        self.call(Call::Steer)?;
        self.steered.push(cluster.to_owned());
        Ok(())
    }

    fn focus(&mut self, stream: u32) -> Result<(), Failure> {
        self.call(Call::Focus)?;
        self.stream = stream;
        self.focused.push(stream);
        Ok(())
    }

    fn headers(&mut self, map: HeaderMap) -> Result<Headers, Failure> {
        self.call(Call::Headers(map))?;
        let headers: &[_] = match map {
            HeaderMap::Request => &self.headers,
            HeaderMap::RequestTrailers => &self.trailers,
            // Nothing asks for them.
            HeaderMap::Response | HeaderMap::ResponseTrailers => &[],
        };
        Ok(headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect())
    }

    fn has_header(&mut self, map: HeaderMap, name: &str) -> Result<bool, Failure> {
        self.call(Call::HasHeader)?;
        Ok(self.named(map).contains(name))
    }

    fn remove_header(&mut self, map: HeaderMap, name: &[u8]) -> Result<(), Failure> {
        self.call(Call::RemoveHeader)?;
        match map {
            HeaderMap::Request => self.removed.push(text(name)),
            HeaderMap::RequestTrailers => self.removed_trailers.push(text(name)),
            HeaderMap::Response | HeaderMap::ResponseTrailers => drop(self.named(map).remove(&text(name))),
        }
        Ok(())
    }

    fn set_request_header(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        self.call(Call::SetHeader)?;
        self.set.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn resume_request(&mut self) -> Result<(), Failure> {
        self.call(Call::Resume)?;
        self.resumed += 1;
        Ok(())
    }

    fn resume_connection(&mut self) -> Result<(), Failure> {
        self.call(Call::ResumeConnection)?;
        self.resumed_connections.push(self.stream);
        Ok(())
    }

    fn respond(&mut self, response: &Response<'_>) -> Result<(), Failure> {
        self.call(Call::Respond)?;
        self.responses.push(Sent {
            status: response.status,
            grpc_status: response.grpc_status,
            details: text(response.details),
            headers: response.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: text(response.body),
        });
        Ok(())
    }

    fn reset(&mut self, side: StreamSide) -> Result<(), Failure> {
        self.call(Call::Reset)?;
        self.closed.push(side);
        Ok(())
    }

    fn now(&mut self) -> Result<u64, Failure> {
        self.call(Call::WallClock)?;
        Ok(self.time)
    }

    fn define_metric(&mut self, _: MetricKind, name: &str) -> Result<MetricId, Failure> {
        self.call(Call::DefineMetric)?;
        let known = self.metrics.iter().position(|(this, _)| this == name);
        let place = known.unwrap_or(self.metrics.len());
        if known.is_none() {
            self.metrics.push((name.to_owned(), 0));
        }
        Ok(MetricId(place as u32))
    }

    fn count(&mut self, metric: MetricId) -> Result<(), Failure> {
        self.call(Call::IncrementMetric)?;
        *self.metric_mut(metric) += 1;
        Ok(())
    }

    fn gauge(&mut self, metric: MetricId, value: u64) -> Result<(), Failure> {
        self.call(Call::RecordMetric)?;
        *self.metric_mut(metric) = value;
        Ok(())
    }

    fn monotonic(&mut self) -> Result<u64, Failure> {
        self.call(Call::MonotonicClock)?;
        Ok(self.monotonic)
    }

    fn shared(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Failure> {
        self.call(Call::ReadShared)?;
        Ok(self.shared.get(key).cloned())
    }

    fn set_shared(&mut self, key: &str, value: &[u8], expected: Expected) -> Result<bool, Failure> {
        self.call(Call::WriteShared)?;
        if self.too_late > 0 {
            self.too_late -= 1;
            return Ok(false);
        }
        let is_expected = match (expected, self.shared.get(key)) {
            (Expected::Any, _) | (Expected::Absent, None) => true,
            (Expected::Version(expected), Some((_, version))) => expected == *version,
            (Expected::Absent, Some(_)) | (Expected::Version(_), None) => false,
        };
        if is_expected {
            self.versions += 1;
            self.shared.insert(key.to_owned(), (value.to_vec(), Version(self.versions)));
        }
        Ok(is_expected)
    }

    fn header_bytes(&mut self, map: HeaderMap) -> Result<u64, Failure> {
        self.call(Call::HeaderBytes)?;
        self.header_bytes.get(&map).copied().ok_or(Failure { call: Call::HeaderBytes, status: 2 })
    }

    fn tick_every(&mut self, milliseconds: u32) -> Result<(), Failure> {
        self.call(Call::TickEvery)?;
        self.tick = Some(milliseconds);
        Ok(())
    }

    fn log(&mut self, level: Level, line: &str) {
        self.log.push((level, line.to_owned()));
    }
}

/// A worker with one instance of the plugin, number 1, and the host it runs in.
pub(crate) struct RigOf<C> {
    /// Name of the plugin whose instances are configured.
    pub(crate) plugin: Result<String, Failure>,
    pub(crate) host: Fake,
    pub(crate) worker: Worker<C>,
    pub(crate) streams: u32,
}

/// A rig with quotas that answer at once.
pub(crate) type Rig = RigOf<GatewayQuotas>;

impl<C: Charger + Default> RigOf<C> {
    /// Configures the plugin.
    pub(crate) fn new(policy: &str) -> RigOf<C> {
        let mut rig = RigOf::unconfigured();
        rig.identity("spiffe://cluster.local/ns/payments/sa/checkout");
        assert!(rig.configure(1, policy));
        rig
    }

    /// A worker without an instance.
    pub(crate) fn unconfigured() -> RigOf<C> {
        let plugin = Ok("mesh.tollgate/".to_owned());
        RigOf { plugin, host: Fake::default(), worker: Worker::default(), streams: 100 }
    }

    /// Configures another instance, as an update does.
    pub(crate) fn configure(&mut self, instance: u32, policy: &str) -> bool {
        self.host.configuration = policy.as_bytes().to_vec();
        self.worker.configure(&mut self.host, instance, self.plugin.as_deref().map_err(|failure| *failure))
    }

    pub(crate) fn identity(&mut self, id: &str) {
        self.host.attributes.insert(Attribute::PeerCertificate, id.as_bytes().to_vec());
    }

    /// Sends a request to instance 1.
    pub(crate) fn request(&mut self, headers: &[(&str, &[u8])]) -> Action {
        self.request_to(1, headers)
    }

    /// Sends a request to an instance. Forgets what was done for the one before.
    pub(crate) fn request_to(&mut self, instance: u32, headers: &[(&str, &[u8])]) -> Action {
        self.host.bring(headers);
        self.request_as_brought(instance)
    }

    /// A body flows for the request sent last, so many bytes of it.
    pub(crate) fn body(&mut self, direction: Direction, size: usize) -> Action {
        self.worker.body(&mut self.host, self.streams, direction, size)
    }

    /// Trailers of so many bytes flow for the request sent last.
    pub(crate) fn trailers(&mut self, map: HeaderMap, size: u64) -> Action {
        self.host.header_bytes.insert(map, size);
        match map {
            HeaderMap::RequestTrailers => self.worker.request_trailers(&mut self.host, self.streams),
            HeaderMap::ResponseTrailers => self.worker.response_trailers(&mut self.host, self.streams),
            HeaderMap::Request | HeaderMap::Response => panic!("no trailers"),
        }
    }

    /// These trailers follow the request sent last.
    pub(crate) fn request_trailers(&mut self, trailers: &[(&str, &[u8])]) -> Action {
        self.host.trailers = owned(trailers);
        self.worker.request_trailers(&mut self.host, self.streams)
    }

    /// A request of instance 1 that Envoy refused before the filter saw it is logged.
    pub(crate) fn refused_by_envoy(&mut self, details: &str, headers: &[(&str, &[u8])]) {
        self.forget();
        self.host.bring(headers);
        self.details(details);
        self.streams += 1;
        self.worker.create_stream(self.streams, 1);
        self.log();
    }

    /// Envoy's words for what became of the response.
    pub(crate) fn details(&mut self, details: &str) {
        self.host.attributes.insert(Attribute::ResponseCodeDetails, details.as_bytes().to_vec());
    }

    /// The request sent last is logged.
    pub(crate) fn log(&mut self) {
        self.worker.log(&mut self.host, self.streams);
    }

    /// The request sent last has ended.
    pub(crate) fn end(&mut self) {
        self.worker.deleted(&mut self.host, self.streams);
    }

    /// Sends the request that `host.headers` holds.
    pub(crate) fn request_as_brought(&mut self, instance: u32) -> Action {
        self.forget();
        self.streams += 1;
        self.worker.create_stream(self.streams, instance);
        self.worker.request_headers(&mut self.host, self.streams)
    }

    fn forget(&mut self) {
        self.host.calls.clear();
        self.host.state.clear();
        self.host.removed.clear();
        self.host.removed_trailers.clear();
        self.host.set.clear();
        self.host.responses.clear();
        self.host.closed.clear();
    }

    /// Answers the request sent last, with so many headers as destinations send.
    pub(crate) fn respond(&mut self) -> Action {
        self.respond_with(12)
    }

    /// Answers the request sent last, with so many headers.
    pub(crate) fn respond_with(&mut self, headers: usize) -> Action {
        self.worker.response_headers(&mut self.host, self.streams, headers)
    }

    /// `decision REASON` of the request sent last, from its record.
    pub(crate) fn decided(&self) -> String {
        let record: serde_json::Value = serde_json::from_str(&self.host.record()).expect("a record is JSON");
        format!("{} {}", record["d"].as_str().unwrap_or("?"), record["r"].as_str().unwrap_or("?"))
    }
}
