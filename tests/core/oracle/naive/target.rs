//! Match of a target: every part for itself, then all of them together.

use super::connection::Beginning;
use super::places::{self, Rank};
use super::request::{Path, Place};
use super::{Request, Side, paths, strings};
use serde_json::Value;
use tollgate::request::Upgrade;

/// Match of a target with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Match {
    No,
    /// Every part matches but those that the request's form leaves open.
    ByForm,
    /// Every part matches but the beginning of the connection.
    ByHello,
    Yes(Rank),
}

pub fn target(policy: &Value, target: &Value, request: &Request<'_>, side: Side) -> Match {
    // Places, ports and region of a target stand in the destination that it names, or in itself.
    let where_to = match target.get("destination") {
        Some(name) => &policy["destinations"][name.as_str().unwrap()],
        None => target,
    };
    let Some(rank) = place(where_to, &request.place, side) else {
        return Match::No;
    };
    if let Some(beginning) = request.connection {
        return match port(where_to, request.port, side) {
            true => connection(target, where_to, beginning, side, rank),
            false => Match::No,
        };
    }
    if !port(where_to, request.port, side) || !upgrade(target, request.upgrade, side) {
        return Match::No;
    }
    let has = |key: &str| target.get(key).is_some();
    let encoded_slash = target.get("encodedSlash").map(|word| word.as_str().unwrap());
    // Such a target compares keys, and nothing else.
    let of_key = request.path.as_ref().filter(|_| encoded_slash == Some("key"));
    let of_key = of_key.map(|path| Path {
        text: path.key.clone().unwrap_or_default(),
        ambiguous: path.key.is_none(),
        encoded_slash: false,
        ..path.clone()
    });
    let path = of_key.as_ref().or(request.path.as_ref());
    // Nobody sees what a tunnel asks for.
    let tunnel = match side {
        Side::Deny => request.method.eq_ignore_ascii_case(b"CONNECT"),
        Side::Rules | Side::Except => request.method == b"CONNECT",
    };
    let unclear = tunnel || path.is_none_or(|path| path.ambiguous || path.encoded_slash && encoded_slash.is_none());
    let path_matches = match (path, target.get("paths")) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(_), Some(_)) if unclear => false,
        (Some(path), Some(patterns)) => {
            strings(patterns).filter(|pattern| !(path.is_long() && costly(pattern))).any(|pattern| match side {
                Side::Deny => paths::wide(pattern, path) || paths::wide(pattern, &path.slashed()),
                Side::Rules | Side::Except => paths::narrow(pattern, path),
            })
        }
    };
    let method_matches = method(target, request.method, side);
    // What nobody compares with so long a path may match it.
    let uncompared = side == Side::Deny
        && request.path.as_ref().is_some_and(Path::is_long)
        && target.get("paths").is_some_and(|patterns| strings(patterns).any(costly));

    // What an override header or an unclear path leaves open.
    let path_is_open = has("paths") && (unclear || request.overridden || uncompared);
    let method_is_open = has("methods") && (request.overridden || side == Side::Deny && tunnel);
    let open = path_is_open || method_is_open;
    let by_form = match side {
        // Matches whatever servers make of it.
        Side::Deny => (path_matches || path_is_open) && (method_matches || method_is_open),
        // Would match if it were not for the form.
        Side::Rules | Side::Except => (path_matches || has("paths") && unclear) && method_matches,
    };
    if path_matches && method_matches && (side == Side::Deny || !open) {
        Match::Yes(rank)
    } else if open && by_form {
        Match::ByForm
    } else {
        Match::No
    }
}

/// Match of the rest of a target with a connection whose contents nobody reads.
fn connection(target: &Value, where_to: &Value, beginning: Beginning, side: Side, rank: Rank) -> Match {
    let has = |key: &str| target.get(key).is_some();
    let lists = has("methods") || has("paths") || has("upgrades");
    match side {
        Side::Deny => Match::Yes(rank),
        Side::Except | Side::Rules if lists && !has("overTls") => Match::No,
        Side::Except => Match::Yes(rank),
        Side::Rules => {
            let server_first = where_to.get("serverFirst").is_some_and(|first| *first == true);
            let is_optional = target.get("clientHello").is_some_and(|word| word == "optional");
            let is_taken =
                !beginning.is_silent && (beginning.is_named || is_optional) && (!beginning.ech || has("ech"));
            match is_taken || server_first {
                true => Match::Yes(rank),
                false => Match::ByHello,
            }
        }
    }
}

pub fn region<'p>(policy: &'p Value, target: &'p Value) -> Option<&'p str> {
    match target.get("destination") {
        Some(name) => policy["destinations"][name.as_str().unwrap()].get("region"),
        None => target.get("region"),
    }
    .map(|region| region.as_str().unwrap())
}

fn place(target: &Value, place: &Place, side: Side) -> Option<Rank> {
    let (hosts, cidrs) = (target.get("hosts"), target.get("cidrs"));
    if hosts.is_none() && cidrs.is_none() {
        return Some((0, 0, 0));
    }
    let hosts = hosts.into_iter().flat_map(strings).filter_map(|pattern| places::host(pattern, place, side));
    let cidrs = cidrs.into_iter().flat_map(strings).filter_map(|cidr| places::cidr(cidr, place, side));
    hosts.chain(cidrs).max()
}

fn port(target: &Value, port: u16, side: Side) -> bool {
    match (target.get("ports"), side) {
        (Some(Value::String(word)), _) => word == "any",
        (Some(ports), _) => ports.as_array().unwrap().iter().any(|listed| match listed {
            Value::String(range) => {
                let (first, last) = range.split_once('-').unwrap();
                (first.parse().unwrap()..=last.parse().unwrap()).contains(&port)
            }
            number => *number == port,
        }),
        (None, Side::Rules) => port == 80 || port == 443,
        (None, Side::Deny | Side::Except) => true,
    }
}

fn upgrade(target: &Value, upgrade: Upgrade<'_>, side: Side) -> bool {
    match (target.get("upgrades"), side) {
        (Some(_), Side::Deny) => upgrade != Upgrade::Absent,
        (Some(values), _) => match upgrade {
            Upgrade::Absent => true,
            Upgrade::To(value) => strings(values).any(|listed| value.eq_ignore_ascii_case(listed.as_bytes())),
            Upgrade::Several => false,
        },
        (None, Side::Rules) => upgrade == Upgrade::Absent,
        (None, Side::Deny | Side::Except) => true,
    }
}

fn method(target: &Value, method: &[u8], side: Side) -> bool {
    if side != Side::Deny && method == b"CONNECT" && target.get("paths").is_some() {
        return false;
    }
    match (target.get("methods"), side) {
        (Some(methods), Side::Deny) => strings(methods).any(|listed| method.eq_ignore_ascii_case(listed.as_bytes())),
        (Some(methods), _) => strings(methods).any(|listed| method == listed.as_bytes()),
        (None, Side::Rules) => well_spelled(method) && method != b"CONNECT",
        (None, Side::Deny | Side::Except) => true,
    }
}

fn well_spelled(method: &[u8]) -> bool {
    let Some((first, rest)) = method.split_first() else {
        return false;
    };
    first.is_ascii_uppercase()
        && rest.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_-".contains(byte))
}

/// Tells whether a pattern is more than an exact path, a tree, or whole segments that are `*`, once its alternatives
/// are written one by one.
fn costly(pattern: &str) -> bool {
    if let Some((before, rest)) = pattern.split_once('{') {
        let (inside, behind) = rest.split_once('}').unwrap();
        return inside.split(',').any(|branch| costly(&format!("{before}{branch}{behind}")));
    }
    let body = pattern.strip_suffix("/**").unwrap_or(pattern);
    body.split('/').any(|segment| segment.contains('*') && segment != "*")
}
