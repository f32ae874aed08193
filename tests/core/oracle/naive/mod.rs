//! The policy language once more, by plain scans over the policy's JSON. Written from the words of the specification
//! alone, for policies that are known to be valid: whatever is quick elsewhere is slow and obvious here.

mod connection;
mod paths;
mod places;
mod request;
mod target;

use connection::Beginning;
use places::Rank;
use request::{Path, Place};
use serde_json::Value;
use std::cmp::Reverse;
use std::net::IpAddr;
use target::Match;
use tollgate::request::{Arrival, Connection, FirstBytes, Presented, Source, Upgrade};

/// Part of a policy, which decides the reading: a part that opens is read narrowly, one that closes widely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    Rules,
    Deny,
    /// Read narrowly, but a key that is left out stands for everything.
    Except,
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub outcome: &'static str,
    pub reason: &'static str,
    pub rule: Option<String>,
    pub also: Vec<Reason>,
    /// The named destination that admitted, where one did.
    pub destination: Option<String>,
    pub port: Option<u16>,
    /// A connection goes to the cluster of its host: it was led there by that name, and so is it admitted.
    pub own: bool,
}

/// A request with a canonical host.
pub struct Request<'a> {
    who: Option<Who>,
    place: Place,
    port: u16,
    method: &'a [u8],
    path: Option<Path>,
    upgrade: Upgrade<'a>,
    overridden: bool,
    /// The beginning of a TCP connection; it has no method, path or upgrade.
    connection: Option<Beginning>,
}

/// A trusted identity.
struct Who {
    id: String,
    trust_domain: String,
    segments: Vec<String>,
}

/// A reason and the id of what gave it.
pub type Reason = (&'static str, Option<String>);

pub fn decide(policy: &Value, arrival: &Arrival<'_>, now: u64) -> Verdict {
    if let Some(connection) = &arrival.connection {
        return decide_connection(policy, arrival, connection, now);
    }
    let dry_run = is_dry_run(policy);
    let mut suspended = Vec::new();

    // 1. Host, identity, route.
    let Some((place, named)) = request::authority(arrival.authority) else {
        return deny(("HOST_INVALID", None), None);
    };
    if arrival.method == b"CONNECT" && named.is_none() {
        return deny(("HOST_INVALID", None), None);
    }
    let default = policy["authority"]["defaultPort"].as_u64().map_or(443, |port| port.try_into().unwrap());
    let port = named.unwrap_or(default);
    let who = match identity(policy, arrival) {
        Ok(who) => who,
        Err(reason) if dry_run => {
            suspended.push((reason, None));
            None
        }
        Err(reason) => return deny((reason, None), Some(port)),
    };
    let port = match routed_port(policy, arrival, &place, named) {
        Ok(routed) => routed.unwrap_or(port),
        Err(()) if dry_run => {
            suspended.push(("ROUTE_MISMATCH", None));
            port
        }
        Err(()) => return deny(("ROUTE_MISMATCH", None), Some(port)),
    };
    let path = arrival.path.map(request::path);
    let (method, upgrade, overridden) = (arrival.method, arrival.upgrade, arrival.overridden);
    let request = Request { who, place, port, method, path, upgrade, overridden, connection: None };
    authorize(policy, &request, suspended, now, false)
}

fn decide_connection(policy: &Value, arrival: &Arrival<'_>, connection: &Connection<'_>, now: u64) -> Verdict {
    let dry_run = is_dry_run(policy);
    let mut suspended = Vec::new();
    if connection.first == FirstBytes::Http && policy["tcp"]["http"] == true {
        return Verdict { outcome: "allow", ..deny(("RULE_ALLOW", None), None) };
    }
    let Some(led) = connection::led(policy, connection) else { return deny(("HOST_INVALID", None), None) };
    let port = Some(led.port);
    let who = match identity(policy, arrival) {
        Ok(who) => who,
        Err(reason) if dry_run => {
            suspended.push((reason, None));
            None
        }
        Err(reason) => return deny((reason, None), port),
    };
    if led.is_mismatch {
        if !dry_run {
            return deny(("SNI_MISMATCH", None), port);
        }
        suspended.push(("SNI_MISMATCH", None));
    }
    let is_called_by_host = led.is_called_by_host;
    let Some(request) = seen(who, led) else { return deny(("SNI_MISSING", None), port) };
    authorize(policy, &request, suspended, now, is_called_by_host)
}

fn is_dry_run(policy: &Value) -> bool {
    policy.get("mode").is_some_and(|mode| mode == "dry-run")
}

fn deny((reason, rule): Reason, port: Option<u16>) -> Verdict {
    Verdict { outcome: "deny", reason, rule, also: Vec::new(), destination: None, port, own: false }
}

/// Takes the steps behind the first, which has suspended these reasons.
fn authorize(
    policy: &Value,
    request: &Request<'_>,
    mut suspended: Vec<Reason>,
    now: u64,
    is_called_by_host: bool,
) -> Verdict {
    let (dry_run, port) = (is_dry_run(policy), request.port);

    // 2. Deny entries.
    for entry in entries(policy, "deny") {
        let Some(reason) = denies(policy, entry, request) else {
            continue;
        };
        let reason = (reason, Some(id(entry)));
        if entry.get("mode").is_none_or(|mode| mode == "enforce") {
            return deny(reason, Some(port));
        }
        suspended.push(reason);
    }

    // 3. and 4. Rules and residency.
    let onboarding = entries(policy, "dryRunFor").iter().any(|selector| selects(policy, selector, request, false));
    let (admitted, names_host) = admit(policy, request, now);
    if let Err(reason) = &admitted {
        if !(dry_run || onboarding) {
            return deny(reason.clone(), Some(port));
        }
        suspended.push(reason.clone());
    }
    let also: Vec<Reason> = suspended.iter().skip(1).take(16).cloned().collect();
    let own = is_called_by_host && names_host;
    let (outcome, (reason, rule), destination) = match (suspended.into_iter().next(), admitted) {
        (Some(reason), _) => ("would-deny", reason, None),
        (None, Ok(Admitted { rule, destination, .. })) => ("allow", ("RULE_ALLOW", Some(rule)), destination),
        (None, Err(_)) => panic!("an enforced reason has returned"),
    };
    Verdict { outcome, reason, rule, also, destination, port: Some(port), own }
}

/// The ids of the quotas that a request is charged to, by a policy in dry-run: nothing but its host can refuse it.
pub fn quotas(policy: &Value, arrival: &Arrival<'_>) -> Vec<String> {
    let Some((place, named)) = request::authority(arrival.authority) else { return Vec::new() };
    if arrival.method == b"CONNECT" && named.is_none() {
        return Vec::new();
    }
    let default = policy["authority"]["defaultPort"].as_u64().map_or(443, |port| port.try_into().unwrap());
    let routed = routed_port(policy, arrival, &place, named).unwrap_or(None);
    let request = Request {
        who: identity(policy, arrival).unwrap_or(None),
        port: routed.or(named).unwrap_or(default),
        place,
        method: arrival.method,
        path: arrival.path.map(request::path),
        upgrade: arrival.upgrade,
        overridden: arrival.overridden,
        connection: None,
    };
    counting(policy, &request)
}

/// A connection as entries see it; none where nobody can tell its host.
fn seen(who: Option<Who>, led: connection::Led) -> Option<Request<'static>> {
    Some(Request {
        who,
        place: led.place.filter(|_| !led.is_unreadable)?,
        port: led.port,
        method: b"",
        path: None,
        upgrade: Upgrade::Absent,
        overridden: false,
        connection: Some(led.beginning),
    })
}

/// The ids of the quotas that a connection is charged to, by a policy in dry-run, if it is let through.
pub fn quotas_of_connection(policy: &Value, arrival: &Arrival<'_>, connection: &Connection<'_>) -> Vec<String> {
    if connection.first == FirstBytes::Http && policy["tcp"]["http"] == true {
        return Vec::new();
    }
    let who = identity(policy, arrival).unwrap_or(None);
    let request = connection::led(policy, connection).and_then(|led| seen(who, led));
    let Some(request) = request else { return Vec::new() };
    counting(policy, &request)
}

fn counting(policy: &Value, request: &Request<'_>) -> Vec<String> {
    let from = |quota: &Value| {
        let from = entries(quota, "from");
        from.is_empty() || from.iter().any(|selector| selects(policy, selector, request, false))
    };
    let to = |quota: &Value| {
        let to = entries(quota, "to");
        let matches = |target| target::target(policy, target, request, Side::Deny) != Match::No;
        to.is_empty() || to.iter().any(matches)
    };
    entries(policy, "quotas").iter().filter(|quota| from(quota) && to(quota)).map(id).collect()
}

/// Tells whether an allow rule's pattern matches the path of a request.
pub fn admits_path(pattern: &str, arrival: &Arrival<'_>) -> bool {
    arrival.path.map(request::path).is_some_and(|path| {
        // What is ambiguous was admitted as a key.
        let key = path.key.clone().filter(|_| path.ambiguous);
        let path = key.map_or(path.clone(), |text| Path { text, ambiguous: false, ..path });
        !path.ambiguous && paths::narrow(pattern, &path)
    })
}

fn entries<'p>(policy: &'p Value, key: &str) -> &'p [Value] {
    policy.get(key).map_or(&[], |list| list.as_array().unwrap())
}

pub fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap())
}

fn id(entry: &Value) -> String {
    entry["id"].as_str().unwrap().to_owned()
}

fn trust_domains(policy: &Value) -> Vec<&str> {
    match policy["identity"].get("trustDomains") {
        Some(list) => strings(list).collect(),
        None => vec!["cluster.local"],
    }
}

/// The identity from the first source that gave one, if the policy takes identities from there; an empty one counts as
/// none.
fn presented<'a>(policy: &Value, arrival: &Arrival<'a>) -> Option<Presented<'a>> {
    let name = |source| match source {
        Source::PeerCertificate => "peer-certificate",
        Source::PeerPrincipal => "peer-principal",
    };
    let sources: Vec<&str> =
        policy["identity"].get("sources").map_or(vec!["peer-certificate"], |list| strings(list).collect());
    arrival.identity.filter(|presented| !presented.id.is_empty() && sources.contains(&name(presented.source)))
}

fn identity(policy: &Value, arrival: &Arrival<'_>) -> Result<Option<Who>, &'static str> {
    let Some(presented) = presented(policy, arrival) else {
        return Ok(None);
    };
    let (trust_domain, segments) = request::spiffe(presented.id).ok_or("IDENTITY_INVALID")?;
    if !trust_domains(policy).contains(&trust_domain.as_str()) {
        return Err("IDENTITY_UNTRUSTED");
    }
    let id = String::from_utf8(presented.id.to_vec()).unwrap();
    Ok(Some(Who { id, trust_domain, segments }))
}

/// The port of the route, where a route is compared and agrees.
fn routed_port(policy: &Value, arrival: &Arrival<'_>, place: &Place, named: Option<u16>) -> Result<Option<u16>, ()> {
    let listed =
        |source: &str| policy["identity"].get("sources").is_some_and(|list| strings(list).any(|s| s == source));
    let waypoint = match presented(policy, arrival) {
        Some(presented) => presented.source == Source::PeerPrincipal,
        None => listed("peer-principal"),
    };
    let compared = match policy["authority"].get("verifyRoute") {
        Some(Value::Bool(full)) => {
            if *full {
                "full"
            } else {
                "off"
            }
        }
        Some(word) => word.as_str().unwrap(),
        None => {
            if waypoint {
                "full"
            } else {
                "off"
            }
        }
    };
    let Some(cluster) = arrival.cluster.filter(|cluster| !cluster.is_empty() && compared != "off") else {
        return Ok(None);
    };
    let cluster = str::from_utf8(cluster).unwrap();
    let number = |text: &str| text.parse::<u16>().ok().filter(|number| number.to_string() == text);
    if let Some(rest) = cluster.strip_prefix("tollgate-dynamic") {
        let rest = if rest == "-literal" { "" } else { rest.strip_prefix("-inside").unwrap_or(rest) };
        let is_port = rest.strip_prefix('-').and_then(number).is_some_and(|port| port > 0);
        return if rest.is_empty() || is_port { Ok(None) } else { Err(()) };
    }
    let fields: Vec<&str> = cluster.split('|').collect();
    let (port, host) = match fields.as_slice() {
        ["tollgate.out", port, host] => (port, host),
        ["tollgate.out", ..] => return Err(()),
        [_, port, _, host] => (port, host),
        _ => return Err(()),
    };
    let Some(port) = number(port) else { return Err(()) };
    let same_host = match (place, host.parse::<IpAddr>()) {
        (Place::Address(address), Ok(routed)) => *address == routed,
        (Place::Name(labels), _) => {
            let host = host.to_ascii_lowercase();
            match host.strip_prefix("*.") {
                Some(suffix) => waypoint && labels.join(".").ends_with(&format!(".{suffix}")),
                None => labels.join(".") == host,
            }
        }
        _ => false,
    };
    match compared {
        "host" if same_host => Ok(None),
        "full" if same_host && named.is_none_or(|named| named == port) => Ok(Some(port)),
        _ => Err(()),
    }
}

/// Tells whether a selector matches. With `in_deny`, `any` takes requests without an identity too.
fn selects(policy: &Value, selector: &Value, request: &Request<'_>, in_deny: bool) -> bool {
    let (key, value) = selector.as_object().unwrap().iter().find(|(key, _)| *key != "trustDomain").unwrap();
    if key == "workloads" {
        let set = policy["workloads"][value.as_str().unwrap()].as_array().unwrap();
        return set.iter().any(|selector| selects(policy, selector, request, in_deny));
    }
    let Some(who) = &request.who else {
        return key == "anonymous" || key == "any" && in_deny;
    };
    let trust_domain = selector.get("trustDomain").map_or(trust_domains(policy)[0], |name| name.as_str().unwrap());
    let segments: Vec<&str> = who.segments.iter().map(String::as_str).collect();
    let account = match segments.as_slice() {
        ["ns", namespace, "sa", name] if who.trust_domain == trust_domain => Some((*namespace, *name)),
        _ => None,
    };
    match key.as_str() {
        "any" => true,
        "anonymous" => false,
        "spiffe" => who.id == value.as_str().unwrap(),
        "serviceAccount" => account == value.as_str().unwrap().split_once('/'),
        "namespace" => account.is_some_and(|(namespace, _)| namespace == value),
        _ => panic!("no selector: {key}"),
    }
}

/// The reason for which a deny entry refuses the request, if it does.
fn denies(policy: &Value, entry: &Value, request: &Request<'_>) -> Option<&'static str> {
    let listed = |key: &str| entries(entry, key);
    let from = listed("from");
    if !from.is_empty() && !from.iter().any(|selector| selects(policy, selector, request, true)) {
        return None;
    }
    if listed("notFrom").iter().any(|selector| selects(policy, selector, request, false)) {
        return None;
    }
    let excepted = |target: &Value| matches!(target::target(policy, target, request, Side::Except), Match::Yes(_));
    if listed("except").iter().any(excepted) {
        return None;
    }
    let to = listed("to");
    let matches: Vec<Match> = to.iter().map(|target| target::target(policy, target, request, Side::Deny)).collect();
    if to.is_empty() || matches.iter().any(|found| matches!(found, Match::Yes(_))) {
        Some("DENY_RULE")
    } else if matches.contains(&Match::ByForm) {
        Some("REQUEST_AMBIGUOUS")
    } else {
        None
    }
}

/// A target that admits a request, or would if it had not expired.
struct Admission<'p> {
    /// Less is more specific: the host, then whether it is without paths.
    precedence: (Reverse<Rank>, bool),
    rule: String,
    destination: Option<&'p str>,
    region: Option<&'p str>,
}

/// The rule that admits a request.
struct Admitted {
    rule: String,
    /// The destination through which it does.
    destination: Option<String>,
    /// Its target names the host exactly.
    names_host: bool,
}

/// The rule that admits the request, or why none does; and whether a target admits it that names the host exactly, residency apart.
fn admit(policy: &Value, request: &Request<'_>, now: u64) -> (Result<Admitted, Reason>, bool) {
    let mut admitting = Vec::new();
    let mut expired_only = Vec::new();
    let (mut form_only, mut hello_only) = (false, false);
    for rule in entries(policy, "rules") {
        if !entries(rule, "from").iter().any(|selector| selects(policy, selector, request, false)) {
            continue;
        }
        let expired = rule.get("expiresAt").is_some_and(|text| now >= nanoseconds(text.as_str().unwrap()));
        for target in entries(rule, "to") {
            let found = |rank| Admission {
                precedence: (Reverse(rank), target.get("paths").is_none()),
                rule: id(rule),
                destination: target.get("destination").map(|name| name.as_str().unwrap()),
                region: target::region(policy, target),
            };
            match (target::target(policy, target, request, Side::Rules), expired) {
                (Match::Yes(rank), false) => admitting.push(found(rank)),
                (Match::Yes(rank), true) => expired_only.push(found(rank)),
                (Match::ByForm, false) => form_only = true,
                (Match::ByHello, false) => hello_only = true,
                (Match::ByForm | Match::ByHello, true) | (Match::No, _) => {}
            }
        }
    }
    // Of equals the first, which is the first in the file.
    let most_specific = |found: &[Admission<'_>]| {
        let first = found.iter().min_by_key(|found| found.precedence);
        first.map(|found| Admitted {
            rule: found.rule.clone(),
            destination: found.destination.map(str::to_owned),
            names_host: found.precedence.0.0.0 == 4,
        })
    };
    let Some(admission) = most_specific(&admitting) else {
        let reason = match (most_specific(&expired_only), &request.who) {
            (Some(Admitted { rule, .. }), _) => ("RULE_EXPIRED", Some(rule)),
            (None, _) if form_only => ("REQUEST_AMBIGUOUS", None),
            (None, _) if hello_only => ("SNI_MISSING", None),
            (None, None) => ("IDENTITY_MISSING", None),
            (None, Some(_)) => ("NO_MATCH", None),
        };
        return (Err(reason), false);
    };
    let regions: Vec<&str> = admitting.iter().filter_map(|found| found.region).collect();
    let names_host = admission.names_host;
    match residency(policy, request, &regions) {
        Some(entry) => (Err(("RESIDENCY", Some(entry))), names_host),
        None => (Ok(admission), names_host),
    }
}

/// The residency entry that the regions of the admitting targets do not satisfy, if there is one.
fn residency(policy: &Value, request: &Request<'_>, regions: &[&str]) -> Option<String> {
    let bound: Vec<&Value> = entries(policy, "residency")
        .iter()
        .filter(|entry| entries(entry, "from").iter().any(|selector| selects(policy, selector, request, false)))
        .collect();
    let lists = |entry: &Value, region: &str| strings(&entry["regions"]).any(|listed| listed == region);
    if regions.iter().any(|region| bound.iter().all(|entry| lists(entry, region))) {
        return None;
    }
    let unsatisfied = bound.iter().find(|entry| !regions.iter().any(|region| lists(entry, region)));
    unsatisfied.or(bound.first()).map(|entry| id(entry))
}

/// A moment of the form `2027-01-31T00:00:00Z`, since 1970.
fn nanoseconds(text: &str) -> u64 {
    let numbers: Vec<u64> = text.split(['-', 'T', ':', 'Z']).filter_map(|digits| digits.parse().ok()).collect();
    let [year, month, day, hour, minute, second] = numbers.try_into().unwrap();
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: u64 = lengths.iter().take(month as usize - 1).sum();
    let days = years + months + day - 1;
    (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000
}
