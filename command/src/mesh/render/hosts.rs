//! Routes to a host that has objects of its own: out of the workload to the gateway, and out of the gateway.
//!
//! A workload asks in plain HTTP, on port 80 for what an authority without a port means, else on the port that it names. The
//! gateway goes by the authority's port, which is what Tollgate decides about, and so never elsewhere than was decided.

use super::clusters::{self, Own};
use super::destinations::ReachedHost;
use super::object::{Maker, Object, ObjectKind, ObjectPart, insert};
use crate::analysis::advice::{Advice, code};
use crate::analysis::ports::{Spoken, Upstream};
use crate::mesh::site::{Permission, Site};
use crate::read::sha256;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The longest name of an object (RFC 1123, a subdomain).
const LONGEST: usize = 253;
/// Hex digits that a name that is cut off ends in.
const HASH: usize = 16;

/// Settings that all hosts share.
pub(super) struct HostMaker<'c> {
    maker: Maker<'c>,
    site: &'c Site,
    default_port: u16,
    /// Headers that end at the gateway.
    strip: &'c [String],
}

/// A host, and how it is reached.
pub(super) struct RoutedHost<'h> {
    pub(super) maker: &'h Maker<'h>,
    /// Headers that end at the gateway.
    pub(super) strip: &'h [String],
    pub(super) host: &'h str,
    /// Name of its objects.
    pub(super) name: String,
    /// Namespaces that see it.
    pub(super) exported: Vec<&'h str>,
    pub(super) ways: Vec<PortWay>,
    trusted: &'h str,
}

/// One port of a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortWay {
    /// Port that a workload connects to, and that the ServiceEntry has.
    pub(super) mesh: u16,
    /// Port of the host.
    pub(super) upstream: u16,
    tls: Upstream,
    /// HTTP/2 is spoken to it, whatever the caller speaks.
    http2: bool,
    /// End of such a request's authority.
    pub(super) named: NamedPort,
}

/// The port at the end of a request's authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedPort {
    /// It does not, or it names the default.
    Default,
    /// It does.
    Port,
    /// It does not when the workload asks; the port is written into it on the way to the gateway, and taken out behind it.
    Added,
}

impl<'c> HostMaker<'c> {
    pub(super) fn new(maker: Maker<'c>, site: &'c Site, default_port: u16, strip: &'c [String]) -> HostMaker<'c> {
        HostMaker { maker, site, default_port, strip }
    }

    /// The objects of a host; none if there is no way to ask for it.
    pub(super) fn objects(&self, host: &str, reached: &ReachedHost, advice: &mut Advice) -> Vec<Object> {
        // no name of a gateway has a dot, so that no two hosts of two gateways can have one name
        let name = name(&self.maker.gateway.name, host);
        if !name.ends_with(host) {
            let message = format!("`{host}` is too long for the name of an object: its objects are called `{name}`");
            advice.add(code::LONG_NAME, String::new(), message, None);
        }
        let ports = &reached.ports;
        if self.maker.gateway.envoy_filter == Permission::Forbidden
            && ports.values().any(|spoken| spoken.tls == Upstream::Plain)
        {
            let message = format!(
                "`{host}` proves no name, and a ServiceEntry of another namespace can take it: the site forbids EnvoyFilter"
            );
            let fix = "speak TLS to it, or allow EnvoyFilter, so that the gateway has a cluster of its own".to_owned();
            advice.add(code::TAKEN, String::new(), message, fix);
        }
        let has_default = ports.contains_key(&self.default_port);
        let way = |(port, spoken): (&u16, &Spoken)| {
            let (mesh, named) = match *port {
                port if port == self.default_port => (80, NamedPort::Default),
                // an authority without a port means the default; the other is asked for by name, and has a number of its own
                80 if has_default => (free(ports), NamedPort::Port),
                80 => (80, NamedPort::Added),
                port => (port, NamedPort::Port),
            };
            PortWay { mesh, upstream: *port, tls: spoken.tls, http2: spoken.http2, named }
        };
        let (maker, strip, trusted) = (&self.maker, self.strip, self.site.ca_certificates.as_str());
        let exported = reached.callers.export(self.site);
        RoutedHost { maker, strip, host, name, exported, ways: ports.iter().map(way).collect(), trusted }.objects()
    }
}

/// A port of a ServiceEntry that no host is asked for on.
fn free(ports: &BTreeMap<u16, Spoken>) -> u16 {
    (10_080..).find(|port| !ports.contains_key(port)).unwrap_or_default()
}

impl RoutedHost<'_> {
    fn objects(&self) -> Vec<Object> {
        if self.ways.is_empty() {
            return Vec::new();
        }
        let mut objects = vec![self.service_entry()];
        objects.extend(self.maker.api.routes(self));
        objects.push(self.origination());
        objects.extend(self.clusters());
        objects
    }

    /// An object of the host's name.
    pub(super) fn object(&self, kind: ObjectKind, spec: Value) -> Object {
        self.maker.object(ObjectPart::Routes, kind, &self.name, spec)
    }

    fn service_entry(&self) -> Object {
        let port = |way: &PortWay| {
            let mut port = json!({"number": way.mesh, "name": format!("http-{}", way.mesh), "protocol": "HTTP"});
            if way.mesh != way.upstream {
                insert(&mut port, "targetPort", way.upstream.into());
            }
            port
        };
        let spec = json!({
            "hosts": [self.host],
            "exportTo": self.exported,
            "location": "MESH_EXTERNAL",
            "resolution": "DNS",
            "ports": self.ways.iter().map(port).collect::<Vec<_>>(),
        });
        self.object(ObjectKind::ServiceEntry, spec)
    }

    /// The gateway's own clusters, which no other namespace's ServiceEntry can be mistaken for.
    fn clusters(&self) -> Option<Object> {
        let maker = self.maker;
        let own = |(number, way): (usize, &PortWay)| {
            let route = maker.api.route_of(self, number, way);
            Own { host: self.host, port: way.upstream, tls: way.tls, http2: way.http2, route }
        };
        let own: Vec<Own<'_>> = self.ways.iter().enumerate().map(own).collect();
        let is_allowed = maker.gateway.envoy_filter == Permission::Allowed;
        is_allowed.then(|| clusters::object(maker, &self.name, &own, self.trusted))
    }

    /// Says how the host is spoken to: over TLS it has to prove its name, and gRPC stays HTTP/2.
    fn origination(&self) -> Object {
        let setting = |way: &PortWay| {
            let tls = match way.tls {
                Upstream::Plain => json!({"mode": "DISABLE"}),
                Upstream::Tls => json!({
                    "mode": "SIMPLE",
                    "sni": self.host,
                    "subjectAltNames": [self.host],
                    // left out, whether the chain is verified would be a setting of the mesh
                    "caCertificates": self.trusted,
                }),
            };
            let http = match way.http2 {
                true => json!({"h2UpgradePolicy": "UPGRADE"}),
                false => json!({"useClientProtocol": true}),
            };
            json!({"port": {"number": way.mesh}, "connectionPool": {"http": http}, "tls": tls})
        };
        let spec = json!({
            "host": self.host,
            "exportTo": ["."],
            "trafficPolicy": {"portLevelSettings": self.ways.iter().map(setting).collect::<Vec<_>>()},
        });
        self.object(ObjectKind::DestinationRule, spec)
    }
}

impl PortWay {
    /// Authorities of requests that go this way (RE2, the whole of it).
    pub(super) fn authority(&self) -> String {
        match self.named {
            NamedPort::Default => format!("[^:]+(:{})?", self.upstream),
            NamedPort::Port | NamedPort::Added => format!("[^:]+:{}", self.upstream),
        }
    }
}

/// A host's name behind a prefix; of one that is too long, the end is a hash of the whole.
pub(super) fn name(prefix: &str, host: &str) -> String {
    let long = format!("{prefix}.{host}");
    if long.len() <= LONGEST {
        return long;
    }
    let kept = LONGEST.saturating_sub(HASH).saturating_sub(2);
    let start: String = long.chars().take(kept).collect();
    let hash: String = sha256::hex(long.as_bytes()).chars().take(HASH).collect();
    format!("{}-x{hash}", start.trim_end_matches(['.', '-']))
}
