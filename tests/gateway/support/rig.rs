//! One gateway with the filter, and callers that hold their keys themselves.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_local::audit::Line;
use tollgate_local::config::filter;
use tollgate_local::config::listener::Paths;
use tollgate_local::gateway::{Gateway, GatewayConfig};
use tollgate_local::lab::{Connection, Lab};
use tollgate_local::origin::Received;
use tollgate_local::pki::{Credentials, Signer};
use tollgate_local::plugin::Plugin;
use tollgate_local::wire::{self, Response};

/// A caller with this header is taken to come through a waypoint's tunnel with this principal.
pub(crate) const PRINCIPAL_HEADER: &str = "x-lab-principal";

pub(crate) struct Rig {
    // Envoy goes before what it stands on.
    pub(crate) gateway: Gateway,
    pub(crate) plugin: Plugin,
    pub(crate) lab: Lab,
    callers: HashMap<String, Credentials>,
    revisions: AtomicU32,
}

/// Observations of one exchange.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The caller's response; none if Envoy hung up.
    pub(crate) response: Option<Response>,
    /// The line of the audit log; nothing if Envoy refused to read the request at all.
    pub(crate) line: Option<Line>,
    /// The requests that reached the origin.
    pub(crate) received: Vec<Received>,
}

/// A gateway that shows the filter the very bytes.
pub(crate) fn verbatim() -> GatewayConfig<'static> {
    GatewayConfig { paths: Paths::Verbatim, ..GatewayConfig::default() }
}

impl Rig {
    /// Starts a gateway with this policy, whatever it is. The filters of `config` stand behind Tollgate and its
    /// tripwire.
    pub(crate) fn start(envoy: &Path, module: &Path, policy: &str, config: GatewayConfig<'_>) -> Rig {
        let lab = Lab::temporary().unwrap();
        let plugin = Plugin::new(lab.dir(), module).unwrap();
        plugin.publish(policy).unwrap();
        let mut filters = vec![filter::principal_from_header(PRINCIPAL_HEADER)];
        filters.extend(plugin.guarded());
        filters.extend(config.filters);
        let gateway = Gateway::start(&lab, envoy, &GatewayConfig { filters, ..config }).unwrap();
        Rig { gateway, plugin, lab, callers: HashMap::new(), revisions: AtomicU32::new(0) }
    }

    /// Starts one gateway after another, each with another Envoy and with these callers made. What a failed test
    /// prints begins with the Envoy that it failed in.
    pub(crate) fn start_each(
        policy: &Value,
        callers: &'static [&'static str],
        config: GatewayConfig<'static>,
    ) -> impl Iterator<Item = Rig> + use<> {
        let policy = policy.to_string();
        super::envoys().into_iter().map(move |envoy| {
            println!("{}", envoy.display());
            let mut rig = Rig::start(&envoy, &super::filter(), &policy, config.clone());
            for caller in callers {
                rig.caller(caller);
            }
            rig
        })
    }

    /// Sends a good policy, and returns once the gateway decides by it. Its revision becomes a number of its own.
    pub(crate) fn serve(&self, policy: &Value) -> String {
        let revision = format!("test-{}", self.revisions.fetch_add(1, Ordering::Relaxed));
        let mut policy = policy.clone();
        policy["revision"] = json!(revision);
        self.plugin.publish(&policy.to_string()).unwrap();
        self.await_revision(&revision);
        revision
    }

    /// Waits until a request is decided by this revision.
    pub(crate) fn await_revision(&self, revision: &str) {
        let started = Instant::now();
        // No setting of a policy suspends or hides this denial.
        let probe = b"GET / HTTP/1.1\r\nhost: probe:0\r\nconnection: close\r\n\r\n";
        while self.send(None, probe).line.and_then(|line| Some(line.recorded("rev")? == revision)) != Some(true) {
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "revision {revision} is not served; the end of Envoy's log:\n{}",
                tail(&self.gateway.log())
            );
        }
        self.lab.origin().take();
    }

    /// The value of a counter or gauge of the filter, as Prometheus scrapes it: `NAME{LABELS}`.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let page = self.gateway.admin().prometheus().unwrap();
        page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
    }

    /// The credentials of a workload, made when first asked for. Panics if no certificate can hold the identity.
    pub(crate) fn caller(&mut self, identity: &str) -> &Credentials {
        let pki = self.lab.pki();
        self.callers.entry(identity.to_owned()).or_insert_with(|| pki.workload(Signer::Mesh, &[identity]).unwrap())
    }

    /// The credentials that [`Rig::caller`] has made.
    pub(crate) fn credentials(&self, caller: &str) -> &Credentials {
        &self.callers[caller]
    }

    /// A connection, for more than one exchange.
    pub(crate) fn connect(&self, caller: Option<&str>) -> Connection {
        self.lab.connect(self.gateway.address(), caller.map(|id| &self.callers[id]), b"http/1.1").unwrap()
    }

    /// Sends these bytes on a connection of their own as a caller made by [`Rig::caller`], or anonymously.
    pub(crate) fn send(&self, caller: Option<&str>, request: &[u8]) -> Seen {
        self.exchange(caller, b"http/1.1", |stream| wire::exchange(stream, request))
    }

    /// Sends a request in HTTP/2, from frames up, on a connection of its own.
    pub(crate) fn send_http2(&self, caller: Option<&str>, request: &super::http2::Request<'_>) -> Seen {
        self.exchange(caller, b"h2", |stream| request.exchange(stream).map(|()| Response::default()))
    }

    /// Opens a tunnel and sends bytes through it.
    pub(crate) fn tunnel(&self, caller: Option<&str>, request: &[u8], through: &[u8]) -> Seen {
        self.exchange(caller, b"http/1.1", |stream| {
            let response = wire::exchange(stream, request)?;
            if matches!(response.status, 101 | 200) {
                stream.write_all(through)?;
                stream.read_exact(&mut vec![0; through.len()])?;
            }
            Ok(response)
        })
    }

    /// Opens a connection of its own, and lets `talk` say anything on it.
    pub(crate) fn exchange(
        &self,
        caller: Option<&str>,
        alpn: &[u8],
        talk: impl FnOnce(&mut Connection) -> io::Result<Response>,
    ) -> Seen {
        self.lab.origin().take();
        let seen = self.gateway.audit().count();
        let credentials = caller.map(|id| &self.callers[id]);
        let mut stream = self.lab.connect(self.gateway.address(), credentials, alpn).unwrap();
        let port = stream.sock.local_addr().unwrap().port();
        let response = talk(&mut stream).ok();
        // Tunnels are recorded when they end.
        drop(stream);
        let received = self.lab.origin().take();
        Seen { response, line: self.line(seen, port), received }
    }

    /// The line of the log about the connection from this port. Envoy's only worker writes them in order, so there is
    /// none once the line of a later request is there. Ports are used again: the first `seen` lines are of others.
    fn line(&self, seen: usize, port: u16) -> Option<Line> {
        let audit = self.gateway.audit();
        let patience = Instant::now();
        while patience.elapsed() < Duration::from_millis(50) {
            if let Some(line) = audit.find(seen, |line| line.is_from_port(port)) {
                return Some(line);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut later = self.lab.connect(self.gateway.address(), None, b"http/1.1").unwrap();
        let marker = later.sock.local_addr().unwrap().port();
        wire::exchange(&mut later, b"GET / HTTP/1.1\r\nhost: probe:0\r\nconnection: close\r\n\r\n").unwrap();
        audit.wait_for(seen, |line| line.is_from_port(marker)).unwrap();
        audit.find(seen, |line| line.is_from_port(port))
    }
}

impl Seen {
    /// The status that the caller saw; 0 if Envoy hung up.
    pub(crate) fn status(&self) -> u16 {
        self.response.as_ref().map_or(0, |response| response.status)
    }

    /// The record's field, or `-`.
    pub(crate) fn recorded(&self, key: &str) -> &str {
        self.line.as_ref().and_then(|line| line.recorded(key)).unwrap_or("-")
    }

    /// Tells whether the filter judged the request, and not Envoy before it.
    pub(crate) fn was_judged(&self) -> bool {
        !matches!(self.recorded("r"), "-" | "REFUSED_BY_ENVOY")
    }

    /// Tells whether anything of it reached the origin.
    pub(crate) fn got_through(&self) -> bool {
        !self.received.is_empty()
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
