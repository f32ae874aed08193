//! Routes to a host that has objects of its own: out of the workload to the gateway, and out of the gateway.
//!
//! A workload asks in plain HTTP, on port 80 for what an authority without a port means, else on the port that it names. The
//! gateway goes by the authority's port, which is what Tollgate decides about, and so never elsewhere than was decided.

use super::api;
use super::carried;
use super::clusters::{self, Led, Own};
use super::destinations::ReachedHost;
use super::object::{Maker, Object, ObjectKind, insert};
use super::routed::{CarriedWay, NamedPort, PortWay, RoutedHost, name, subset};
use crate::analysis::advice::{Advice, code};
use crate::analysis::ports::{Known, Spoken, Upstream};
use crate::mesh::site::{Permission, Site};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Settings that all hosts share.
pub(super) struct HostMaker<'c> {
    maker: Maker<'c>,
    site: &'c Site,
    default_port: u16,
    /// Headers that end at the gateway.
    strip: &'c [String],
    /// Addresses that stand for hosts.
    vips: &'c BTreeMap<&'c str, IpAddr>,
}

impl<'c> HostMaker<'c> {
    pub(super) fn new(
        maker: Maker<'c>,
        site: &'c Site,
        default_port: u16,
        strip: &'c [String],
        vips: &'c BTreeMap<&'c str, IpAddr>,
    ) -> HostMaker<'c> {
        HostMaker { maker, site, default_port, strip, vips }
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
                80 if has_default => (free(reached), NamedPort::Port),
                80 => (80, NamedPort::Added),
                port => (port, NamedPort::Port),
            };
            PortWay { mesh, upstream: *port, tls: spoken.tls, http2: spoken.http2, named }
        };
        let carried = reached.carried.iter().filter_map(|(port, carried)| {
            let to = carried::to(self.maker.gateway, carried)?;
            Some(CarriedWay { port: *port, known: carried.known, tls: carried.tls, to, subset: subset(*port, host) })
        });
        let routed = RoutedHost {
            maker: &self.maker,
            strip: self.strip,
            host,
            name,
            exported: reached.callers.export(self.site),
            ways: ports.iter().map(way).collect(),
            carried: carried.collect(),
            vip: self.vips.get(host).copied(),
            trusted: self.site.ca_certificates.as_str(),
        };
        routed.objects()
    }
}

/// A port of a ServiceEntry that no host is asked for on.
fn free(reached: &ReachedHost) -> u16 {
    let is_free = |port: &u16| !reached.ports.contains_key(port) && !reached.carried.contains_key(port);
    (10_080..).find(is_free).unwrap_or_default()
}

impl RoutedHost<'_> {
    fn objects(&self) -> Vec<Object> {
        if self.ways.is_empty() && self.carried.is_empty() {
            return Vec::new();
        }
        let mut objects = vec![self.service_entry()];
        objects.extend(api::of(self.maker.gateway).routes(self));
        // what is carried goes by a cluster of the gateway's own alone
        if !self.ways.is_empty() {
            objects.push(self.origination());
        }
        objects.extend(self.clusters());
        objects
    }

    fn service_entry(&self) -> Object {
        let port = |way: &PortWay| {
            let mut port = json!({"number": way.mesh, "name": format!("http-{}", way.mesh), "protocol": "HTTP"});
            if way.mesh != way.upstream {
                insert(&mut port, "targetPort", way.upstream.into());
            }
            port
        };
        let carried = |way: &CarriedWay| {
            let protocol = match way.known {
                Known::ByName => "TLS",
                Known::ByAddress => "TCP",
            };
            json!({"number": way.port, "name": format!("{}-{}", protocol.to_lowercase(), way.port), "protocol": protocol})
        };
        let mut spec = json!({
            "hosts": [self.host],
            "exportTo": self.exported,
            "location": "MESH_EXTERNAL",
            "resolution": "DNS",
            "ports": self.ways.iter().map(port).chain(self.carried.iter().map(carried)).collect::<Vec<_>>(),
        });
        if let Some(vip) = self.vip {
            insert(&mut spec, "addresses", json!([vip]));
        }
        self.object(ObjectKind::ServiceEntry, spec)
    }

    /// The gateway's own clusters, which no other namespace's ServiceEntry can be mistaken for.
    fn clusters(&self) -> Option<Object> {
        let maker = self.maker;
        let own = |(number, way): (usize, &PortWay)| {
            let route = api::of(maker.gateway).route_of(self, number, way);
            Own { host: self.host, port: way.upstream, tls: way.tls, led: Led::Routed { http2: way.http2, route } }
        };
        let carried = |way: &CarriedWay| Own { host: self.host, port: way.port, tls: way.tls, led: Led::Chosen };
        let own: Vec<Own<'_>> = self.ways.iter().enumerate().map(own).chain(self.carried.iter().map(carried)).collect();
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
