//! What a policy reaches, as a renderer sees it: hosts, their ports, and who speaks TLS on them.

use crate::cli::advice::code::Code;
use crate::cli::advice::{Advice, code, is_below, place_of};
use crate::cli::document::{Document, Place, Target, Tls};
use crate::cli::site::Routes;
use crate::policy::{DEFAULT_PORTS, networks};
use std::collections::{BTreeMap, BTreeSet};

/// Who speaks TLS on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Upstream {
    /// The gateway, to the destination.
    Tls,
    /// Nobody.
    Plain,
}

/// Everything that the rules reach.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    /// Names that have objects of their own, and the ports that can be asked for.
    pub(super) hosts: BTreeMap<String, BTreeMap<u16, Upstream>>,
    /// Ports that anything is reached on.
    pub(super) ports: BTreeSet<u16>,
    /// Private networks that rules admit by address.
    pub(super) private: BTreeMap<String, BTreeSet<u16>>,
}

impl Destinations {
    /// Collects what the rules reach through a gateway, and says what of it cannot be routed.
    pub(super) fn of(document: &Document, routes: Routes, advice: &mut Advice) -> Destinations {
        let mut found = Destinations::default();
        for (rule, entry) in document.rules.iter().enumerate() {
            for (item, target) in entry.to.iter().enumerate() {
                found.add(&Spot { rule, item, target }, document, routes, advice);
            }
        }
        found
    }

    fn add(&mut self, at: &Spot<'_>, document: &Document, routes: Routes, advice: &mut Advice) {
        let place = document.place(at.target);
        if place.tls == Some(Tls::Passthrough) {
            let message = "TLS that a workload speaks itself is not decided yet: nothing is routed for it".to_owned();
            let fix = "let the gateway speak TLS (`tls: originate`); the workload asks in plain HTTP".to_owned();
            return advice.add(code::PASSTHROUGH, at.pointer("tls"), message, fix);
        }
        let ports = ports(&place);
        // one dynamic route speaks TLS to whatever it is led to
        let is_listed = routes == Routes::Listed || place.tls == Some(Tls::None);
        for (number, host) in place.hosts.iter().enumerate() {
            let pointer = || at.pointer(&format!("hosts[{number}]"));
            if let Some((code, message, fix)) = unroutable(host, is_listed) {
                advice.add(code, pointer(), message, fix);
                continue;
            }
            let reached = reached(&ports, place.tls, document.default_port());
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
                self.add_host(host, &reached, pointer, advice);
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
        host: &str,
        reached: &BTreeMap<u16, Upstream>,
        pointer: impl Fn() -> String,
        advice: &mut Advice,
    ) {
        let held = self.hosts.entry(host.to_owned()).or_default();
        for (port, upstream) in reached {
            let earlier = held.entry(*port).or_insert(*upstream);
            if earlier != upstream {
                *earlier = Upstream::Tls;
                let message =
                    format!("port {port} of `{host}` is plain HTTP in one place and TLS in another: TLS is used");
                let fix = "say the same of it everywhere; a destination with a name helps".to_owned();
                advice.add(code::TWO_WAYS, pointer(), message, fix);
            }
        }
    }

    fn add_network(&mut self, cidr: &str, ports: &BTreeSet<u16>) {
        self.ports.extend(ports);
        let private = networks("private");
        for network in networks(cidr) {
            if private.iter().any(|private| network.is_within(*private)) {
                self.private.entry(network.to_string()).or_default().extend(ports);
            }
        }
    }
}

/// A target of a rule.
struct Spot<'d> {
    rule: usize,
    item: usize,
    target: &'d Target,
}

impl Spot<'_> {
    /// Where what it says of a place stands.
    fn pointer(&self, below: &str) -> String {
        place_of(self.rule, self.item, self.target, below)
    }
}

fn ports(place: &Place<'_>) -> BTreeSet<u16> {
    match place.ports {
        [] if place.tls == Some(Tls::None) => BTreeSet::from([80]),
        [] => DEFAULT_PORTS.into(),
        given => given.iter().copied().collect(),
    }
}

/// What can be asked for, and how it is reached. Port 80 with TLS is nothing that a client can name.
fn reached(ports: &BTreeSet<u16>, tls: Option<Tls>, default_port: u16) -> BTreeMap<u16, Upstream> {
    let upstream = if tls == Some(Tls::None) { Upstream::Plain } else { Upstream::Tls };
    let asked = |port: &&u16| upstream == Upstream::Plain || **port != 80 || default_port == 80;
    ports.iter().filter(asked).map(|port| (*port, upstream)).collect()
}

type Said = (Code, String, String);

/// Why nothing leads to a host.
fn unroutable(host: &str, is_listed: bool) -> Option<Said> {
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
