//! A host for tests: every call can be made to fail, and everything that was done is kept.
#![expect(clippy::arithmetic_side_effects, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use crate::charges::Direction;
use crate::host::{ANY_VERSION, Action, Failure, HeaderMap, Host, Level, MetricId, MetricKind, Response, Stream};
use crate::pairs;
use crate::vm::Vm;

/// The double.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    /// Calls that fail, by their name in the ABI, and properties whose reading fails, by their path.
    pub(crate) failing: BTreeSet<&'static str>,
    /// Every call that was made, in order.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) configuration: Vec<u8>,
    pub(crate) properties: BTreeMap<String, Vec<u8>>,
    /// Filter state that was set.
    pub(crate) state: BTreeMap<String, Vec<u8>>,
    /// Request headers in the form of the ABI.
    pub(crate) headers: Vec<u8>,
    /// Trailers of the request in the form of the ABI.
    pub(crate) trailers: Vec<u8>,
    /// Names of request headers that were removed.
    pub(crate) removed: Vec<String>,
    /// Names of the request's trailers that were removed.
    pub(crate) removed_trailers: Vec<String>,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) response_headers: BTreeSet<String>,
    pub(crate) response_trailers: BTreeSet<String>,
    /// Filter state that is kept as text.
    pub(crate) texts: BTreeSet<String>,
    pub(crate) responses: Vec<Sent>,
    pub(crate) closed: Vec<Stream>,
    pub(crate) time: u64,
    /// Names and values; a metric's id is its place.
    pub(crate) metrics: Vec<(String, u64)>,
    pub(crate) monotonic: u64,
    pub(crate) shared: BTreeMap<String, (Vec<u8>, u32)>,
    /// So many values are not set, since somebody else was faster.
    pub(crate) too_late: u32,
    /// Sizes of header maps; a map that is not there has none.
    pub(crate) header_bytes: BTreeMap<HeaderMap, u64>,
    /// How often the instance is called, in milliseconds.
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
    /// Puts request headers into the form of the ABI.
    pub(crate) fn encode(&mut self, headers: &[(&str, &[u8])]) {
        self.headers = encoded(headers);
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

    fn call(&mut self, call: &'static str) -> Result<(), Failure> {
        self.calls.push(call);
        if self.failing.contains(call) { Err(Failure { call, status: 10 }) } else { Ok(()) }
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

fn encoded(headers: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), *value));
    pairs::write(&mut bytes, headers).expect("short enough");
    bytes
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

impl Host for Fake {
    fn configuration(&mut self, _: usize) -> Result<Vec<u8>, Failure> {
        self.call("proxy_get_buffer_bytes")?;
        Ok(self.configuration.clone())
    }

    fn property(&mut self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.call("proxy_get_property")?;
        if self.failing.contains(path) {
            return Err(Failure { call: "proxy_get_property", status: 3 });
        }
        // Filter state is read as it was set, by its name.
        Ok(self.properties.get(path).or(self.state.get(path)).cloned())
    }

    fn set_property(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        self.call("proxy_set_property")?;
        self.state.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn declare_text(&mut self, name: &str) -> Result<(), Failure> {
        self.call("proxy_call_foreign_function")?;
        self.texts.insert(name.to_owned());
        Ok(())
    }

    fn headers(&mut self, map: HeaderMap) -> Result<Vec<u8>, Failure> {
        self.call("proxy_get_header_map_pairs")?;
        match map {
            HeaderMap::Request => Ok(self.headers.clone()),
            HeaderMap::RequestTrailers => Ok(self.trailers.clone()),
            // Nothing asks for them.
            HeaderMap::Response | HeaderMap::ResponseTrailers => Ok(Vec::new()),
        }
    }

    fn has_header(&mut self, map: HeaderMap, name: &str) -> Result<bool, Failure> {
        self.call("proxy_get_header_map_value")?;
        Ok(self.named(map).contains(name))
    }

    fn remove_header(&mut self, map: HeaderMap, name: &[u8]) -> Result<(), Failure> {
        self.call("proxy_remove_header_map_value")?;
        match map {
            HeaderMap::Request => self.removed.push(text(name)),
            HeaderMap::RequestTrailers => self.removed_trailers.push(text(name)),
            HeaderMap::Response | HeaderMap::ResponseTrailers => drop(self.named(map).remove(&text(name))),
        }
        Ok(())
    }

    fn set_request_header(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        self.call("proxy_replace_header_map_value")?;
        self.set.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn respond(&mut self, response: &Response<'_>) -> Result<(), Failure> {
        self.call("proxy_send_local_response")?;
        self.responses.push(Sent {
            status: response.status,
            grpc_status: response.grpc_status,
            details: text(response.details),
            headers: response.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: text(response.body),
        });
        Ok(())
    }

    fn close(&mut self, stream: Stream) -> Result<(), Failure> {
        self.call("proxy_close_stream")?;
        self.closed.push(stream);
        Ok(())
    }

    fn now(&mut self) -> Result<u64, Failure> {
        self.call("proxy_get_current_time_nanoseconds")?;
        Ok(self.time)
    }

    fn define_metric(&mut self, _: MetricKind, name: &str) -> Result<MetricId, Failure> {
        self.call("proxy_define_metric")?;
        let known = self.metrics.iter().position(|(this, _)| this == name);
        let place = known.unwrap_or(self.metrics.len());
        if known.is_none() {
            self.metrics.push((name.to_owned(), 0));
        }
        Ok(MetricId(place as u32))
    }

    fn count(&mut self, metric: MetricId) -> Result<(), Failure> {
        self.call("proxy_increment_metric")?;
        *self.metric_mut(metric) += 1;
        Ok(())
    }

    fn gauge(&mut self, metric: MetricId, value: u64) -> Result<(), Failure> {
        self.call("proxy_record_metric")?;
        *self.metric_mut(metric) = value;
        Ok(())
    }

    fn monotonic(&mut self) -> Result<u64, Failure> {
        self.call("clock_time_get")?;
        Ok(self.monotonic)
    }

    fn shared(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Failure> {
        self.call("proxy_get_shared_data")?;
        Ok(self.shared.get(key).cloned())
    }

    fn set_shared(&mut self, key: &str, value: &[u8], version: u32) -> Result<bool, Failure> {
        self.call("proxy_set_shared_data")?;
        if self.too_late > 0 {
            self.too_late -= 1;
            return Ok(false);
        }
        let mismatch = self.shared.get(key).is_some_and(|(_, known)| version != ANY_VERSION && version != *known);
        if !mismatch {
            self.versions += 1;
            self.shared.insert(key.to_owned(), (value.to_vec(), self.versions));
        }
        Ok(!mismatch)
    }

    fn header_bytes(&mut self, map: HeaderMap) -> Result<u64, Failure> {
        self.call("proxy_get_header_map_size")?;
        self.header_bytes.get(&map).copied().ok_or(Failure { call: "proxy_get_header_map_size", status: 2 })
    }

    fn tick_every(&mut self, milliseconds: u32) -> Result<(), Failure> {
        self.call("proxy_set_tick_period_milliseconds")?;
        self.tick = Some(milliseconds);
        Ok(())
    }

    fn log(&mut self, level: Level, line: &str) {
        self.log.push((level, line.to_owned()));
    }
}

/// A VM with one instance of the plugin, root context 1, and the host it runs in.
pub(crate) struct Rig {
    pub(crate) host: Fake,
    pub(crate) vm: Vm,
    pub(crate) streams: u32,
}

impl Rig {
    /// Configures the plugin.
    pub(crate) fn new(policy: &str) -> Rig {
        let mut rig = Rig { host: Fake::default(), vm: Vm::default(), streams: 100 };
        rig.host.properties.insert("plugin_name".to_owned(), b"mesh.tollgate".to_vec());
        rig.identity("spiffe://cluster.local/ns/payments/sa/checkout");
        assert!(rig.configure(1, policy));
        rig
    }

    /// Configures another instance, as an update does.
    pub(crate) fn configure(&mut self, root: u32, policy: &str) -> bool {
        self.host.configuration = policy.as_bytes().to_vec();
        self.vm.created(root, 0);
        self.vm.configure(&mut self.host, root, policy.len())
    }

    pub(crate) fn identity(&mut self, id: &str) {
        self.host.properties.insert("connection\0uri_san_peer_certificate".to_owned(), id.as_bytes().to_vec());
    }

    /// Sends a request to root context 1.
    pub(crate) fn request(&mut self, headers: &[(&str, &[u8])]) -> Action {
        self.request_to(1, headers)
    }

    /// Sends a request to a root context. Forgets what was done for the one before.
    pub(crate) fn request_to(&mut self, root: u32, headers: &[(&str, &[u8])]) -> Action {
        self.host.encode(headers);
        self.request_as_encoded(root)
    }

    /// A body flows for the request sent last, so many bytes of it.
    pub(crate) fn body(&mut self, direction: Direction, size: usize) -> Action {
        self.vm.body(&mut self.host, self.streams, direction, size)
    }

    /// Trailers of so many bytes flow for the request sent last.
    pub(crate) fn trailers(&mut self, map: HeaderMap, size: u64) -> Action {
        self.host.header_bytes.insert(map, size);
        match map {
            HeaderMap::RequestTrailers => self.vm.request_trailers(&mut self.host, self.streams),
            HeaderMap::ResponseTrailers => self.vm.response_trailers(&mut self.host, self.streams),
            HeaderMap::Request | HeaderMap::Response => panic!("no trailers"),
        }
    }

    /// These trailers follow the request sent last.
    pub(crate) fn request_trailers(&mut self, trailers: &[(&str, &[u8])]) -> Action {
        self.host.trailers = encoded(trailers);
        self.vm.request_trailers(&mut self.host, self.streams)
    }

    /// A request of root context 1 that Envoy refused before the filter saw it is logged.
    pub(crate) fn refused_by_envoy(&mut self, details: &str, headers: &[(&str, &[u8])]) {
        self.forget();
        self.host.encode(headers);
        self.details(details);
        self.streams += 1;
        self.vm.created(self.streams, 1);
        self.log();
    }

    /// Envoy's words for what became of the response.
    pub(crate) fn details(&mut self, details: &str) {
        self.host.properties.insert("response\0code_details".to_owned(), details.as_bytes().to_vec());
    }

    /// The request sent last is logged.
    pub(crate) fn log(&mut self) {
        self.vm.log(&mut self.host, self.streams);
    }

    /// The request sent last has ended.
    pub(crate) fn end(&mut self) {
        self.vm.deleted(&mut self.host, self.streams);
    }

    /// Sends the request that `host.headers` holds.
    pub(crate) fn request_as_encoded(&mut self, root: u32) -> Action {
        self.forget();
        self.streams += 1;
        self.vm.created(self.streams, root);
        self.vm.request_headers(&mut self.host, self.streams)
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
        self.vm.response_headers(&mut self.host, self.streams, headers)
    }

    /// `decision REASON` of the request sent last, from its record.
    pub(crate) fn decided(&self) -> String {
        let record: serde_json::Value = serde_json::from_str(&self.host.record()).expect("a record is JSON");
        format!("{} {}", record["d"].as_str().unwrap_or("?"), record["r"].as_str().unwrap_or("?"))
    }
}
