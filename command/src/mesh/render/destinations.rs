//! Destinations of a policy, as a renderer sees them: hosts, their ports, and who speaks what on them.

use super::callers::HostCallers;
use super::purpose::Purpose;
use crate::analysis::advice::code::Code;
use crate::analysis::advice::{Advice, code, is_below, place_of};
use crate::analysis::ports::{self, Carried, Known, Spoken, Upstream};
use crate::mesh::site::{Gateway, Routes};
use crate::read::document::{Document, Place, Ports, Rule, Target, Tls};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::policy::{Severity, host_spelling, networks};

/// A host that has objects of its own.
#[derive(Debug, Default)]
pub(super) struct ReachedHost {
    /// Ports that can be asked for in HTTP.
    pub(super) ports: BTreeMap<u16, Spoken>,
    /// Ports that connections are carried on.
    pub(super) carried: BTreeMap<u16, Carried>,
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
    /// Those of them on which HTTP is asked for.
    pub(super) http: BTreeSet<u16>,
    /// Tells whether TLS that workloads make is led to names that have no objects of their own.
    pub(super) has_dynamic_tls: bool,
    /// Private networks that rules admit by address.
    pub(super) private: BTreeMap<String, BTreeSet<u16>>,
}

/// Ports of a gateway that are rendered at most.
const MOST_PORTS: usize = 64;

impl Destinations {
    /// Collects what the rules reach through a gateway, and says what of it cannot be routed.
    pub(super) fn of(document: &Document, gateway: &Gateway, purpose: Purpose, advice: &mut Advice) -> Destinations {
        let also: BTreeSet<u16> = gateway.ports.also.iter().copied().collect();
        let has_dynamic_tls = gateway.routes == Routes::CatchAll && gateway.ports.all.is_some();
        let mut found = Destinations { ports: also.clone(), http: also, has_dynamic_tls, ..Destinations::default() };
        for (number, rule) in document.rules.iter().enumerate() {
            let callers = HostCallers::of(document, rule);
            for (item, target) in rule.to.iter().enumerate() {
                let at = TargetSpot { number, rule, callers: &callers, item, target };
                found.add(&at, document, gateway, purpose, advice);
            }
        }
        found.settle(document, advice);
        if found.ports.len() > MOST_PORTS {
            let message = format!(
                "{} ports are reached, and a gateway has {MOST_PORTS} at most, those of `ports.also` included",
                found.ports.len()
            );
            let fix = "name the ports that are needed, or give teams a gateway each".to_owned();
            advice.add(code::TOO_MANY_PORTS, String::new(), message, fix);
            // nothing is rendered, and objects for 65,535 ports take their time
            found.hosts.clear();
        }
        found
    }

    /// Hosts with something that is known by its address.
    pub(super) fn known_by_address(&self) -> impl Iterator<Item = &str> {
        let is_known = |held: &ReachedHost| held.carried.values().any(|carried| carried.known == Known::ByAddress);
        self.hosts.iter().filter(move |(_, held)| is_known(held)).map(|(host, _)| host.as_str())
    }

    /// Leaves one thing on each port that a workload connects to. Where HTTP is asked for on a port, a sidecar reads HTTP there, and
    /// knows what is carried for other hosts by their addresses alone.
    fn settle(&mut self, document: &Document, advice: &mut Advice) {
        let default_port = document.default_port();
        for (host, held) in &mut self.hosts {
            for (port, carried) in &mut held.carried {
                if *port != default_port && self.http.contains(port) {
                    carried.known = Known::ByAddress;
                }
            }
            // what an authority without a port means is asked for on port 80
            let asked_on = |port: u16| if port == default_port { 80 } else { port };
            let asked: Vec<u16> =
                held.ports.keys().copied().filter(|port| held.carried.contains_key(&asked_on(*port))).collect();
            for port in asked {
                held.ports.remove(&port);
                let message = format!(
                    "port {port} of `{host}` is asked for in HTTP in one place, and carried as it is in another: it is carried"
                );
                let fix = "say the same of it everywhere; a destination with a name helps".to_owned();
                advice.add(code::TWO_WAYS, String::new(), message, fix);
            }
        }
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
        let (routes, also) = (gateway.routes, gateway.ports.also.as_slice());
        if gateway.ports.carrying().is_none() {
            at.say_what_is_left_out(&place, purpose, advice);
        } else if gateway.ports.server_first.is_none() && at.target.terms().options().server_first {
            let message = format!("the servers of `{}` speak first, and this gateway has no port for them", at.rule.id);
            let fix = "give the gateway `ports.serverFirst`".to_owned();
            advice.add(no_way(purpose), at.pointer("hosts[0]"), message, fix);
        }
        if place.ports == Some(&Ports::Any) && also.is_empty() {
            let message = format!("`any` is every port, and a gateway has {MOST_PORTS} at most");
            let fix = match routes {
                Routes::Listed => "name the ports".to_owned(),
                Routes::CatchAll => "say under `ports.also` of the site file which ports `any` stands for".to_owned(),
            };
            advice.add(code::TOO_MANY_PORTS, at.pointer("ports"), message, fix);
        }
        let http = ports::of_http(&place, also);
        let carried = match gateway.ports.carrying() {
            Some(_) => ports::carried(&place, at.target.terms().options(), also),
            None => BTreeMap::new(),
        };
        if http.is_empty() && carried.is_empty() {
            return;
        }
        // what no object names arrives without its port, and is known by its name alone
        let is_dynamic = |port: u16, carried: &Carried| {
            self.has_dynamic_tls && port == document.tcp_port() && carried.known == Known::ByName
        };
        let (dynamic, carried): (BTreeMap<_, _>, BTreeMap<_, _>) =
            carried.into_iter().partition(|(port, carried)| is_dynamic(*port, carried));
        // one dynamic route speaks TLS to whatever it is led to
        let is_listed =
            routes == Routes::Listed || place.tls == Some(Tls::None) || (http.is_empty() && !carried.is_empty());
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
            let reached = ports::reached(&http, &place, document.default_port());
            if reached.is_empty() && carried.is_empty() && dynamic.is_empty() {
                let message = format!(
                    "nobody can ask for `{host}`: on port 80 there is no TLS, and an authority without a port means {}",
                    document.default_port()
                );
                let fix = "write `tls: none` if it is plain HTTP, or another port".to_owned();
                advice.add(code::UNASKED_PORT, pointer(), message, fix);
            }
            self.http.extend(reached.keys());
            self.ports.extend(reached.keys().chain(carried.keys()).chain(dynamic.keys()));
            if is_listed {
                self.add_host(&host, &reached, at.callers, pointer, advice);
            }
            if !host.contains(['*', '_']) {
                self.add_carried(&host, &carried, at.callers);
            }
        }
        for (number, cidr) in place.cidrs.iter().enumerate() {
            if is_listed || http.is_empty() {
                let message = format!("`{cidr}` cannot be routed: an object of its own needs a name");
                let fix = "name the hosts, or set `routes: catch-all` in the site file (with TLS)".to_owned();
                advice.add(code::ADDRESSES, at.pointer(&format!("cidrs[{number}]")), message, fix);
            } else {
                self.add_network(cidr, &http);
            }
        }
    }

    fn add_host(
        &mut self,
        host: &str,
        reached: &BTreeMap<u16, Spoken>,
        callers: &HostCallers,
        pointer: impl Fn() -> String,
        advice: &mut Advice,
    ) {
        let held = self.hosts.entry(host.to_owned()).or_default();
        held.callers.join(callers);
        for (port, spoken) in reached {
            let earlier = held.ports.entry(*port).or_insert(*spoken);
            earlier.http2 |= spoken.http2;
            if earlier.tls != spoken.tls {
                earlier.tls = Upstream::Tls;
                let message =
                    format!("port {port} of `{host}` is plain HTTP in one place and TLS in another: TLS is used");
                let fix = "say the same of it everywhere; a destination with a name helps".to_owned();
                advice.add(code::TWO_WAYS, pointer(), message, fix);
            }
        }
    }

    /// Adds ports that connections are carried on. One that is carried in two ways is known by its address, which serves both.
    fn add_carried(&mut self, host: &str, carried: &BTreeMap<u16, Carried>, callers: &HostCallers) {
        if carried.is_empty() {
            return;
        }
        let held = self.hosts.entry(host.to_owned()).or_default();
        held.callers.join(callers);
        for (port, carried) in carried {
            let earlier = held.carried.entry(*port).or_insert(*carried);
            earlier.known = earlier.known.max(carried.known);
            earlier.tls = earlier.tls.min(carried.tls);
            // who speaks first there, and who waits, are both served by the port that waits for neither
            earlier.is_server_first |= carried.is_server_first;
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

    /// Says what of a place nothing leads to without the filter for connections.
    fn say_what_is_left_out(&self, place: &Place<'_>, purpose: Purpose, advice: &mut Advice) {
        if place.tls == Some(Tls::Passthrough) {
            let message = "TLS that a workload speaks itself needs the filter for connections, and this gateway has no port for it";
            let fix = "give the gateway `ports.tls`, or let it speak TLS (`tls: originate`); the workload asks in plain HTTP then";
            return advice.add(code::PASSTHROUGH, self.pointer("tls"), message.to_owned(), fix.to_owned());
        }
        let code = no_way(purpose);
        let mut say = |below: &str, what: String| {
            let message =
                format!("{what}: nothing is routed for `{}` without the filter for connections", self.rule.id);
            let fix =
                "give the gateway `ports.tls`; if HTTP is spoken there, give it a destination with `protocol: http`";
            advice.add(code, self.pointer(below), message, fix.to_owned());
        };
        match place.protocol {
            Some(protocol) if !protocol.is_http() => say("protocol", format!("`{}` is no HTTP", protocol.name())),
            _ => {
                let ranges = place.ports.into_iter().flat_map(|ports| ports.listed()).enumerate();
                for (number, range) in ranges {
                    let other = range.ports().find_map(|port| Some((port, ports::other_protocol(place, port)?)));
                    if let Some((port, protocol)) = other {
                        let of_range =
                            if range.first() < range.last() { format!(" of `{range}`") } else { String::new() };
                        let what = format!("port {port}{of_range} speaks {}, which is no HTTP", protocol.name());
                        say(&format!("ports[{number}]"), what);
                    }
                }
            }
        }
    }
}

/// The code of a port that nothing leads to: an error where it is rendered.
fn no_way(purpose: Purpose) -> Code {
    let severity = match purpose {
        Purpose::Render => Severity::Error,
        Purpose::Lint => Severity::Warning,
    };
    Code { severity, ..code::NO_HTTP }
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
