//! Rules that reach further than they look.

use super::cover::{Entry, List, Targets, Where, Who};
use super::subject::Subject;
use crate::analysis::advice::{Advice, code, is_below, place_of, target};
use crate::analysis::public_suffix::{is_one, within};
use crate::read::document::{Rule, Target};
use tollgate::policy::{HostPattern, Network, networks};

/// Name spaces that no public server is in: of clusters, of clouds' metadata services, of the machine itself.
const INTERNAL: [&str; 9] =
    ["localhost", "internal", "local", "localdomain", "svc", "cluster.local", "lan", "home.arpa", "consul"];

pub(crate) fn lint(subject: &Subject<'_>, denied: &Targets<'_>, advice: &mut Advice) {
    for (number, rule) in subject.document.rules.iter().enumerate() {
        let who = Who::all(subject.document, subject.policy.settings(), &rule.from, List::Rules);
        for (item, target) in rule.to.iter().enumerate() {
            let entry = Entry { entry: number, item, target };
            for (host, pattern) in subject.document.place(target).hosts.iter().enumerate() {
                wide(rule, &entry, host, pattern, advice);
                internal(denied, &who, rule, &entry, host, pattern, advice);
            }
            addresses(subject, denied, &who, rule, &entry, advice);
        }
    }
    deny_entries(subject, advice);
}

/// `**`, and wildcards below which anybody can have a name.
fn wide(rule: &Rule, entry: &Entry<'_>, host: usize, pattern: &str, advice: &mut Advice) {
    let at = || place_of(entry.entry, entry.item, entry.target, &format!("hosts[{host}]"));
    let suffix = match Where::of_host(pattern) {
        Where::Names(HostPattern::All) => {
            let message = format!("`{}` admits every name there is: what is sent there, nobody chose", rule.id);
            let fix = "list the hosts; a dry-run records which ones are asked for".to_owned();
            return advice.add(code::EVERYWHERE, at(), message, fix);
        }
        Where::Names(HostPattern::One(name) | HostPattern::Many(name)) => within(&name),
        Where::Names(HostPattern::Star(name)) => Some(name.tail().to_owned()).filter(|tail| is_one(tail)),
        _ => return,
    };
    if let Some(suffix) = suffix {
        let message =
            format!("`{pattern}` of `{}` admits names that anybody can have: `{suffix}` is a public suffix", rule.id);
        advice.add(code::PUBLIC_SUFFIX, at(), message, "write the names that are meant".to_owned());
    }
}

/// Names of the inside.
fn internal(
    denied: &Targets<'_>,
    who: &[Who],
    rule: &Rule,
    entry: &Entry<'_>,
    host: usize,
    pattern: &str,
    advice: &mut Advice,
) {
    let place = Where::of_host(pattern);
    let Where::Names(written) = &place else { return };
    let Some(name) = written.tail() else { return };
    let Some(inside) = INTERNAL.iter().find(|inside| is_below(name, inside)) else { return };
    if is_denied(denied, who, &place, entry.target) {
        return;
    }
    let message = format!("`{}` reaches `{pattern}`: `{inside}` is a name of the inside", rule.id);
    let at = place_of(entry.entry, entry.item, entry.target, &format!("hosts[{host}]"));
    advice.add(code::PRIVATE, at, message, "an egress policy is about the outside; deny it, or say why".to_owned());
}

/// Networks of the inside, every address, and hosts that have a second way in.
fn addresses(
    subject: &Subject<'_>,
    denied: &Targets<'_>,
    who: &[Who],
    rule: &Rule,
    entry: &Entry<'_>,
    advice: &mut Advice,
) {
    let place = subject.document.place(entry.target);
    for (number, cidr) in place.cidrs.iter().enumerate() {
        let at = || place_of(entry.entry, entry.item, entry.target, &format!("cidrs[{number}]"));
        let open = networks(cidr)
            .into_iter()
            .flat_map(inside)
            .find(|network| !is_denied(denied, who, &Where::Network(*network), entry.target));
        if let Some(network) = open {
            let message = format!("`{}` reaches private or metadata addresses: `{cidr}` holds {network}", rule.id);
            let fix = "name the public networks that are meant, or deny `private`".to_owned();
            advice.add(code::PRIVATE, at(), message, fix);
        }
        if networks(cidr).iter().any(|network| network.bits() == 0) {
            let message = format!("`{}` admits every address there is", rule.id);
            advice.add(code::EVERYWHERE, at(), message, "name the networks that are meant".to_owned());
        }
    }
    if !place.cidrs.is_empty() && !place.hosts.is_empty() {
        let message = format!(
            "`{}` admits the same target by name and by address: what is said of the name is not said of the address",
            rule.id
        );
        let fix =
            "keep the names; deny entries and other rules about them do not see a request to the address".to_owned();
        let at = place_of(entry.entry, entry.item, entry.target, "cidrs");
        advice.add(code::NAME_AND_ADDRESS, at, message, fix);
    }
}

/// The private part of a network: itself, or the private networks in it.
fn inside(network: Network) -> Vec<Network> {
    let private = networks("private");
    if private.iter().any(|private| private.covers(network)) {
        return vec![network];
    }
    private.into_iter().filter(|private| network.covers(*private)).collect()
}

/// Tells whether deny entries close a place to all these callers.
fn is_denied(denied: &Targets<'_>, who: &[Who], place: &Where, target: &Target) -> bool {
    let fits = |deny: &Entry<'_>| deny.target.terms().covers(target.terms());
    denied.covering(who, std::slice::from_ref(place), fits).is_some()
}

/// Deny entries that leave a gap, or close more than they look.
fn deny_entries(subject: &Subject<'_>, advice: &mut Advice) {
    let private = networks("private");
    for (number, deny) in subject.document.deny.iter().enumerate() {
        let places = || deny.to.iter().map(|target| (target, subject.document.place(target)));
        let listed: Vec<Network> = places().flat_map(|(_, place)| place.networks).copied().collect();
        let holds = |network: &Network| listed.iter().any(|listed| listed.covers(*network));
        let is_about_private = listed.iter().any(|listed| private.iter().any(|private| private.covers(*listed)));
        let missing: Vec<&Network> = private.iter().filter(|network| !holds(network)).collect();
        if let Some(first) = missing.first().filter(|_| is_about_private) {
            let message = format!(
                "`{}` denies some private networks, and not {} and {} more",
                deny.id,
                first,
                missing.len().saturating_sub(1)
            );
            let fix = "write `cidrs: [private]`, which holds them all and those of cloud metadata".to_owned();
            advice.add(code::PRIVATE_IN_PART, format!("deny[{number}].to"), message, fix);
        }
        for (item, (given, place)) in places().enumerate() {
            let everywhere =
                place.cidrs.is_empty() && place.hosts.is_empty() || place.hosts.iter().any(|host| host == "**");
            let methods = !given.methods.is_empty() && !given.methods.iter().any(|method| method == "CONNECT");
            if everywhere && (methods || !given.paths.is_empty()) {
                let (what, key, other) = match given.paths.is_empty() {
                    true => ("methods", "methods", ""),
                    false => ("paths", "paths", ", and every request whose path is not canonical"),
                };
                let message =
                    format!("`{}` denies {what} of every host: with them, it denies every tunnel{other}", deny.id);
                let fix = format!("name the hosts whose {what} are meant");
                advice.add(code::PATHS_EVERYWHERE, target("deny", number, item, key), message, fix);
            }
        }
    }
}
