//! The second part of the demo: connections that nobody at the gateway can read, `connections.yaml`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::audit::Line;
use crate::gateway::Gateway;
use crate::lab::{Connection, Lab};
use crate::origin::RawOrigin;
use crate::pki::{Credentials, Signer};
use crate::plugin::Plugin;
use crate::tcp_gateway::{self, TcpGatewayConfig};
use crate::{paths, wire};

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connections {
    policy: Value,
    /// SPIFFE IDs, by name.
    workloads: BTreeMap<String, String>,
    /// The connections, in order.
    pub scenarios: Vec<ConnectionScenario>,
}

/// A connection of one workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionScenario {
    /// A title, for people.
    pub story: String,
    /// The workload's name.
    #[serde(rename = "as")]
    pub workload: String,
    /// `HOST:PORT` that the mesh leads it to.
    pub to: String,
    /// A server of its own, in place of the usual ones.
    server: Option<Server>,
    sends: Sent,
    expect: Outcome,
}

/// A server that says one thing, or two.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Server {
    /// Said before the caller has said anything; the caller waits for it.
    greets_b64: String,
    answers_b64: String,
}

/// The bytes of a caller.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sent {
    /// HTTPS to a server of this name.
    https: Option<String>,
    /// Bytes of the body of that request.
    body: usize,
    first: Option<String>,
    first_b64: Option<String>,
    /// Sent once something was answered.
    then_b64: Option<String>,
    /// Once something was answered, the policy loses this rule.
    without: Option<String>,
}

/// Expected outcome.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    decision: String,
    reason: String,
    rule: Option<String>,
    /// True if the server hears anything; absent where that depends on when the connection is cut.
    arrives: Option<bool>,
}

/// The gateway and the servers behind it. What is declared first is dropped first.
pub struct ConnectionStage {
    gateway: Gateway,
    plugin: Plugin,
    callers: BTreeMap<String, Credentials>,
    database: RawOrigin,
    /// By `HOST:PORT`: servers of their own.
    own: BTreeMap<String, RawOrigin>,
    lab: Lab,
}

/// Observations of one connection.
#[derive(Clone, Debug)]
pub struct ConnectionSeen {
    /// The audit log's line.
    pub audit: Line,
    /// The server has heard something.
    pub has_arrived: bool,
}

impl Connections {
    /// The scenarios of the repository.
    pub fn shipped() -> Result<Connections> {
        let file = paths::root().join("envoy-local/connections.yaml");
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_saphyr::from_str(&text).with_context(|| format!("{}", file.display()))
    }

    fn policy(&self, without: Option<&str>) -> String {
        let mut policy = self.policy.clone();
        if let Some(rules) = policy.get_mut("rules").and_then(Value::as_array_mut) {
            rules.retain(|rule| rule.get("id").and_then(Value::as_str) != without);
        }
        policy.to_string()
    }
}

impl ConnectionScenario {
    /// The cluster of the host and port.
    fn cluster(&self) -> String {
        let (host, port) = self.to.split_once(':').unwrap_or_default();
        format!("outbound|{port}||{host}")
    }

    /// The name by which the mesh's own TLS leads there.
    fn outer(&self) -> String {
        let (host, port) = self.to.split_once(':').unwrap_or_default();
        format!("outbound_.{port}_._.{host}")
    }

    /// Tells whether the server speaks first.
    fn is_greeted(&self) -> bool {
        self.server.as_ref().is_some_and(|server| !server.greets_b64.is_empty())
    }

    /// The bytes in words, for people.
    pub fn summary(&self) -> String {
        let Sent { https, body, first, .. } = &self.sends;
        match (https, first) {
            (Some(name), _) if *body > 0 => format!("{}: TLS to {name} ({body} bytes)", self.to),
            (Some(name), _) => format!("{}: TLS to {name}", self.to),
            (None, Some(text)) => format!("{}: \"{text}\"", self.to),
            (None, None) if self.is_greeted() => format!("{}: once it was greeted", self.to),
            (None, None) => format!("{}: bytes", self.to),
        }
    }
}

impl ConnectionStage {
    /// Starts everything.
    pub fn start(binary: &Path, module: &Path, dir: &Path, script: &Connections) -> Result<ConnectionStage> {
        let lab = Lab::in_dir(dir)?;
        let plugin = Plugin::of_connections(dir, module)?;
        plugin.publish(&script.policy(None))?;
        drop(std::fs::remove_file(dir.join("connections.audit.jsonl")));
        let database = RawOrigin::start(Vec::new(), b"answer".to_vec())?;
        let mut own: BTreeMap<String, RawOrigin> = BTreeMap::new();
        let mut clusters: BTreeMap<String, SocketAddr> = BTreeMap::new();
        for scenario in &script.scenarios {
            let address = match &scenario.server {
                Some(server) => match own.entry(scenario.to.clone()) {
                    Entry::Occupied(origin) => origin.get().address(),
                    Entry::Vacant(place) => {
                        let said = |text: &str| BASE64_STANDARD.decode(text);
                        place.insert(RawOrigin::start(said(&server.greets_b64)?, said(&server.answers_b64)?)?).address()
                    }
                },
                None if scenario.to.ends_with(":443") => lab.origin().address(),
                None => database.address(),
            };
            clusters.insert(scenario.cluster(), address);
        }
        let config = TcpGatewayConfig {
            name: "connections",
            filters: plugin.guarded(),
            clusters: clusters.into_iter().collect(),
            ..TcpGatewayConfig::default()
        };
        let gateway = tcp_gateway::start(&lab, binary, &config)?;
        let made = |(name, id): (&String, &String)| Ok((name.clone(), lab.pki().workload(Signer::Mesh, &[id])?));
        let callers = script.workloads.iter().map(made).collect::<Result<_>>()?;
        Ok(ConnectionStage { gateway, plugin, callers, database, own, lab })
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Plays a scenario.
    pub fn observe(&self, script: &Connections, scenario: &ConnectionScenario) -> Result<ConnectionSeen> {
        drop((self.lab.origin().take(), self.database.take()));
        let seen = self.gateway.audit().count();
        let credentials = self.callers.get(&scenario.workload).context("there is no such workload")?;
        let gateway = match scenario.is_greeted() {
            true => tcp_gateway::server_first(&self.gateway)?,
            false => self.gateway.address(),
        };
        let stream = self.lab.connect_by_name(gateway, Some(credentials), &scenario.outer())?;
        // a connection that is closed is what some of them are about
        let _ = self.talk(script, scenario, stream);
        let audit = self.gateway.audit().wait_for(seen, |line| line.record.is_some())?;
        let heard = [self.database.take(), self.own.get(&scenario.to).map(RawOrigin::take).unwrap_or_default()];
        let has_arrived = !self.lab.origin().take().is_empty() || heard.iter().flatten().any(|bytes| !bytes.is_empty());
        Ok(ConnectionSeen { audit, has_arrived })
    }

    fn talk(&self, script: &Connections, scenario: &ConnectionScenario, mut stream: Connection) -> Result<()> {
        let Sent { https, body, first, first_b64, then_b64, without } = &scenario.sends;
        let mut answer = [0; 1024];
        if let Some(name) = https {
            let mut stream = self.lab.https(name, stream)?;
            let head =
                format!("POST / HTTP/1.1\r\nhost: {name}\r\ncontent-length: {body}\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            stream.write_all(&vec![b'x'; *body])?;
            wire::exchange(&mut stream, b"")?;
            return Ok(());
        }
        if scenario.is_greeted() {
            anyhow::ensure!(stream.read(&mut answer)? > 0, "there is no greeting");
        }
        let bytes = match (first, first_b64) {
            (_, Some(bytes)) => BASE64_STANDARD.decode(bytes)?,
            (text, None) => text.clone().unwrap_or_default().into_bytes(),
        };
        stream.write_all(&bytes)?;
        stream.flush()?;
        let _: usize = stream.read(&mut answer)?;
        if let Some(bytes) = then_b64 {
            stream.write_all(&BASE64_STANDARD.decode(bytes)?)?;
            stream.flush()?;
            let _: usize = stream.read(&mut answer)?;
        }
        if without.is_some() {
            self.plugin.publish(&script.policy(without.as_deref()))?;
            // until the gateway closes it
            let _: usize = stream.read(&mut answer)?;
        }
        Ok(())
    }
}

impl ConnectionSeen {
    /// Everything in which it is not what the scenario expects.
    pub fn differences(&self, scenario: &ConnectionScenario) -> Vec<String> {
        let Outcome { decision, reason, rule, arrives } = &scenario.expect;
        let recorded = |key| self.audit.recorded(key).unwrap_or("absent");
        let arrived = |arrives: bool| if arrives { "something" } else { "nothing" };
        let mut compared = vec![("decision", decision.as_str(), recorded("d")), ("reason", reason, recorded("r"))];
        compared.extend(arrives.map(|arrives| ("what the server heard", arrived(arrives), arrived(self.has_arrived))));
        compared.extend(rule.as_ref().map(|rule| ("rule", rule.as_str(), recorded("rule"))));
        let differing = compared.into_iter().filter(|(_, expected, seen)| expected != seen);
        differing.map(|(what, expected, seen)| format!("{what} is {seen}, not {expected}")).collect()
    }
}
