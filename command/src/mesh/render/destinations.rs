//! Destinations of a policy, as a renderer sees them: hosts, their ports, and who speaks what on them.

use super::callers::HostCallers;
use super::purpose::Purpose;
use crate::analysis::advice::code::Code;
use crate::analysis::advice::{Advice, code, is_below, place_of};
use crate::analysis::ports::{self, Spoken, Upstream};
use crate::mesh::site::{Gateway, Routes};
use crate::read::document::{Document, Place, Ports, Protocol, Rule, Target, Tls};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::policy::{Severity, host_spelling, networks};

/// A host that has objects of its own.
#[derive(Debug, Default)]
pub(super) struct ReachedHost {
    /// Ports that can be asked for.
    pub(super) ports: BTreeMap<u16, Spoken>,
    /// Callers that may ask.
    pub(super) callers: HostCallers,
}

/// Everything that the rules reach.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    /// Names that have objects of their own, as they are canonical.
    pub(super) hosts: BTreeMap<String, ReachedHost>,
    /// Ports that anything is reached on.
    pub(super) ports: BTreeSet<u16>,
    /// Private networks that rules admit by address.
    pub(super) private: BTreeMap<String, BTreeSet<u16>>,
}

/// Ports of a gateway that are rendered at most.
const MOST_PORTS: usize = 64;

impl Destinations {
    /// Collects what the rules reach through a gateway, and says what of it cannot be routed.
    pub(super) fn of(document: &Document, gateway: &Gateway, purpose: Purpose, advice: &mut Advice) -> Destinations {
        let mut found = Destinations { ports: gateway.ports.also.iter().copied().collect(), ..Destinations::default() };
        for (number, rule) in document.rules.iter().enumerate() {
            let callers = HostCallers::of(document, rule);
            for (item, target) in rule.to.iter().enumerate() {
                let at = TargetSpot { number, rule, callers: &callers, item, target };
                found.add(&at, document, gateway, purpose, advice);
            }
        }
        if found.ports.len() > MOST_PORTS {
            let message = format!(
                "{} ports are reached, and a gateway has {MOST_PORTS} at most, those of `ports.also` included",
                found.ports.len()
            );
            let fix = "name the ports that are needed, or give teams a gateway each".to_owned();
            advice.add(code::TOO_MANY_PORTS, String::new(), message, fix);
        }
        found
    }

    fn add(
        &mut self,
        at: &TargetSpot<'_>,
        document: &Document,
        gateway: &Gateway,
        purpose: Purpose,
        advice: &mut Advice,
    ) {
        let place = document.place(at.target);
        if place.tls == Some(Tls::Passthrough) {
            let message = "TLS that a workload speaks itself is not rendered yet: nothing is routed for it".to_owned();
            let fix = "let the gateway speak TLS (`tls: originate`); the workload asks in plain HTTP".to_owned();
            return advice.add(code::PASSTHROUGH, at.pointer("tls"), message, fix);
        }
        let routes = gateway.routes;
        if place.ports == Some(&Ports::Any) && gateway.ports.also.is_empty() {
            let message = format!("`any` is every port, and a gateway has {MOST_PORTS} at most");
            let fix = match routes {
                Routes::Listed => "name the ports".to_owned(),
                Routes::CatchAll => "say under `ports.also` of the site file which ports `any` stands for".to_owned(),
            };
            advice.add(code::TOO_MANY_PORTS, at.pointer("ports"), message, fix);
        }
        let ports = at.of_http(&place, &gateway.ports.also, purpose, advice);
        if ports.is_empty() {
            return;
        }
        // one dynamic route speaks TLS to whatever it is led to
        let is_listed = routes == Routes::Listed || place.tls == Some(Tls::None);
        for (number, written) in place.hosts.iter().enumerate() {
            let pointer = || at.pointer(&format!("hosts[{number}]"));
            // a checked pattern has a spelling
            let Ok(host) = host_spelling(written) else { continue };
            if is_below(&host, "localhost") {
                continue;
            }
            if let Some((code, message, fix)) = unroutable(&host, is_listed) {
                advice.add(code, pointer(), message, fix);
                continue;
            }
            let reached = ports::reached(&ports, &place, document.default_port());
            if reached.is_empty() {
                let message = format!(
                    "nobody can ask for `{host}`: on port 80 there is no TLS, and an authority without a port means {}",
                    document.default_port()
                );
                let fix = "write `tls: none` if it is plain HTTP, or another port".to_owned();
                advice.add(code::UNASKED_PORT, pointer(), message, fix);
            }
            self.ports.extend(reached.keys());
            if is_listed {
                self.add_host(host, &reached, at.callers, pointer, advice);
            }
        }
        for (number, cidr) in place.cidrs.iter().enumerate() {
            if is_listed {
                let message = format!("`{cidr}` cannot be routed: an object of its own needs a name");
                let fix = "name the hosts, or set `routes: catch-all` in the site file (with TLS)".to_owned();
                advice.add(code::ADDRESSES, at.pointer(&format!("cidrs[{number}]")), message, fix);
            } else {
                self.add_network(cidr, &ports);
            }
        }
    }

    fn add_host(
        &mut self,
        host: String,
        reached: &BTreeMap<u16, Spoken>,
        callers: &HostCallers,
        pointer: impl Fn() -> String,
        advice: &mut Advice,
    ) {
        let named = host.clone();
        let held = self.hosts.entry(host).or_default();
        held.callers.join(callers);
        for (port, spoken) in reached {
            let earlier = held.ports.entry(*port).or_insert(*spoken);
            earlier.http2 |= spoken.http2;
            if earlier.tls != spoken.tls {
                earlier.tls = Upstream::Tls;
                let message =
                    format!("port {port} of `{named}` is plain HTTP in one place and TLS in another: TLS is used");
                let fix = "say the same of it everywhere; a destination with a name helps".to_owned();
                advice.add(code::TWO_WAYS, pointer(), message, fix);
            }
        }
    }

    fn add_network(&mut self, cidr: &str, ports: &BTreeSet<u16>) {
        self.ports.extend(ports);
        let private = networks("private");
        for network in networks(cidr) {
            if private.iter().any(|private| private.covers(network)) {
                self.private.entry(network.to_string()).or_default().extend(ports);
            }
        }
    }
}

/// A target of a rule.
struct TargetSpot<'d> {
    number: usize,
    rule: &'d Rule,
    callers: &'d HostCallers,
    item: usize,
    target: &'d Target,
}

impl TargetSpot<'_> {
    /// Pointer to the words about a place.
    fn pointer(&self, below: &str) -> String {
        place_of(self.number, self.item, self.target, below)
    }

    /// The ports of a place on which HTTP is spoken; says of the others that nothing leads there.
    fn of_http(&self, place: &Place<'_>, also: &[u16], purpose: Purpose, advice: &mut Advice) -> BTreeSet<u16> {
        let severity = match purpose {
            Purpose::Render => Severity::Error,
            Purpose::Lint => Severity::Warning,
        };
        let code = Code { severity, ..code::NO_HTTP };
        let mut say = |below: &str, what: String| {
            let message = format!("{what}: nothing is routed for `{}` yet", self.rule.id);
            let fix = "leave it out, and let a network policy open it; if HTTP is spoken there, give it a destination with `protocol: http`";
            advice.add(code, self.pointer(below), message, fix.to_owned());
        };
        match place.protocol {
            Some(Protocol::Http | Protocol::Http2 | Protocol::Grpc) => return ports::of(place, also),
            Some(protocol) => {
                say("protocol", format!("`{}` is no HTTP", protocol.name()));
                return BTreeSet::new();
            }
            None => {}
        }
        let ports = ports::of(place, also);
        for (number, range) in place.ports.into_iter().flat_map(|ports| ports.listed()).enumerate() {
            let of_other = range.ports().find_map(|port| Some((port, Protocol::of_port(port)?)));
            if let Some((port, protocol)) = of_other {
                let of_range = if range.first() < range.last() { format!(" of `{range}`") } else { String::new() };
                let what = format!("port {port}{of_range} speaks {}, which is no HTTP", protocol.name());
                say(&format!("ports[{number}]"), what);
            }
        }
        ports.into_iter().filter(|port| Protocol::of_port(*port).is_none()).collect()
    }
}

type Complaint = (Code, String, String);

/// Says why nothing leads to a host.
fn unroutable(host: &str, is_listed: bool) -> Option<Complaint> {
    if is_of_the_cluster(host) {
        let message = format!("`{host}` is a name of the cluster itself: nothing is routed for it");
        let fix = "an egress gateway leads out; reach Services directly".to_owned();
        return Some((code::INSIDE, message, fix));
    }
    let why = match host {
        _ if !is_listed => return None,
        host if host.contains('*') => "an object of its own needs one name",
        host if host.contains('_') => "Istio takes no `_` in a name",
        _ => return None,
    };
    let message = format!("`{host}` cannot be routed: {why}");
    let fix = "name the hosts, or set `routes: catch-all` in the site file (with TLS)".to_owned();
    Some((code::WILDCARD, message, fix))
}

/// Names that the cluster's own DNS answers for: a ServiceEntry would take them from it.
fn is_of_the_cluster(host: &str) -> bool {
    (!host.contains('.') && host != "**") || ["svc", "cluster.local"].iter().any(|inside| is_below(host, inside))
}
