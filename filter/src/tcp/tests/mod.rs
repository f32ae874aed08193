//! Connections with a host that can be made to fail.
#![expect(clippy::arithmetic_side_effects, reason = "a test may panic")]

mod connections;
mod one_port;
mod silence;

use crate::charger::GatewayQuotas;
use crate::fake::Fake;
use crate::host::{Action, Attribute, StreamSide};
use crate::worker::Worker;

const POLICY: &str = r#"{"version": 1, "name": "p", "rules": [
    {"id": "api", "from": [{"namespace": "payments"}], "to": [{"hosts": ["api.test"]}]},
    {"id": "db", "from": [{"namespace": "payments"}], "to": [
        {"hosts": ["db.test"], "ports": [5432], "clientHello": "optional"}]},
    {"id": "wild", "from": [{"namespace": "payments"}], "to": [{"hosts": ["*.wild.test"]}]}],
    "quotas": [{"id": "bytes", "to": [{"hosts": ["db.test"]}], "limit": {"bytes": 1000, "per": "day"}},
               {"id": "two", "to": [{"hosts": ["api.test"]}], "limit": {"concurrent": 2}}]}"#;
const SECOND: u64 = 1_000_000_000;

/// The policy as waypoints have it.
fn at_a_waypoint() -> String {
    POLICY.replacen('{', r#"{"identity": {"sources": ["peer-certificate", "peer-principal"]}, "#, 1)
}

/// A worker with one instance of the plugin, number 1.
struct Rig {
    host: Fake,
    worker: Worker<GatewayQuotas>,
    streams: u32,
}

impl Rig {
    fn new(policy: &str) -> Rig {
        let mut rig = Rig { host: Fake::default(), worker: Worker::for_connections(), streams: 100 };
        rig.host.time = 1_700_000_000 * SECOND;
        rig.configure(1, policy);
        rig.identity("spiffe://cluster.local/ns/payments/sa/checkout");
        rig
    }

    fn configure(&mut self, instance: u32, policy: &str) {
        self.host.configuration = policy.as_bytes().to_vec();
        assert!(self.worker.configure(&mut self.host, instance, Ok("mesh.tollgate-tcp/")), "{:?}", self.host.log);
    }

    fn identity(&mut self, id: &str) {
        self.host.attributes.insert(Attribute::PeerCertificate, id.as_bytes().to_vec());
    }

    /// A connection begins that was led to a host and a port.
    fn connect(&mut self, host: &str, port: u16) -> u32 {
        self.connect_as(&format!("outbound_.{port}_._.{host}"), "192.0.2.1:4711")
    }

    fn connect_as(&mut self, outer: &str, source: &str) -> u32 {
        self.connect_to(1, outer, source)
    }

    /// A connection comes to an instance.
    fn connect_to(&mut self, instance: u32, outer: &str, source: &str) -> u32 {
        self.streams += 1;
        self.host.stream = self.streams;
        for (attribute, value) in [(Attribute::ServerName, outer), (Attribute::SourceAddress, source)] {
            self.host.own.insert((self.streams, attribute), value.as_bytes().to_vec());
        }
        self.host.upstream.clear();
        self.host.state.clear();
        self.worker.create_stream(self.streams, instance);
        assert_eq!(self.worker.connection(&mut self.host, self.streams), Action::Pause);
        self.streams
    }

    /// The caller sends more; what was let go before is not held any more.
    fn send(&mut self, stream: u32, bytes: &[u8]) -> Action {
        self.host.stream = stream;
        self.host.upstream.extend_from_slice(bytes);
        let size = self.host.upstream.len();
        let action = self.worker.from_caller(&mut self.host, stream, size, false);
        if action == Action::Continue {
            self.host.upstream.clear();
        }
        action
    }

    fn answer(&mut self, stream: u32, bytes: &[u8]) -> Action {
        self.host.stream = stream;
        self.host.downstream = bytes.to_vec();
        self.worker.from_destination(&mut self.host, stream, bytes.len())
    }

    /// `decision REASON`, from the record.
    fn decided(&self) -> String {
        let Some(record) = self.host.state.get("tollgate-tcp") else { return "nothing".to_owned() };
        let record: serde_json::Value = serde_json::from_slice(record).expect("JSON");
        assert_eq!(record["layer"], "tcp");
        format!("{} {}", record["d"].as_str().unwrap_or("?"), record["r"].as_str().unwrap_or("?"))
    }

    fn closed(&mut self) -> bool {
        let closed = std::mem::take(&mut self.host.closed);
        assert!(closed.iter().all(|side| *side == StreamSide::Downstream));
        !closed.is_empty()
    }

    fn tick(&mut self) {
        self.worker.tick_connections(&mut self.host, 1);
    }

    fn end(&mut self, stream: u32) {
        self.worker.deleted(&mut self.host, stream);
    }
}
