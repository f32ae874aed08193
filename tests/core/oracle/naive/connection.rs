//! A TCP connection, defined a second time: where it was led, and what its own TLS makes of that.

use super::request::Place;
use super::strings;
use serde_json::Value;
use std::net::IpAddr;
use tollgate::request::{Connection, FirstBytes};

/// Its first bytes as targets see them.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    /// They name the host, or none of them have come.
    pub is_named: bool,
    pub ech: bool,
    /// Nothing has come where the server may speak first.
    pub is_silent: bool,
}

/// A connection with a host outside the mesh, or with none that can be told.
pub struct Led {
    /// None where its own TLS has to name the host, and does not.
    pub place: Option<Place>,
    pub port: u16,
    /// It was led here by the name of this host, and nothing else.
    pub is_called_by_host: bool,
    /// Its own TLS names another host.
    pub is_mismatch: bool,
    /// Nobody can tell what its own TLS is.
    pub is_unreadable: bool,
    pub beginning: Beginning,
}

/// None where it was led to no host, or inside the mesh.
pub fn led(policy: &Value, connection: &Connection<'_>) -> Option<Led> {
    let own: Vec<String> =
        policy["tcp"].get("self").map_or(Vec::new(), |list| strings(list).map(str::to_owned).collect());
    let usual_port = policy["tcp"]["port"].as_u64().map_or(443, |port| port.try_into().unwrap());
    let hello = match connection.first {
        FirstBytes::Hello(hello) => Some(hello),
        _ => None,
    };
    let server_name = hello.and_then(|hello| hello.server_name);
    let named = server_name.and_then(|name| canonical(str::from_utf8(name).ok()?));
    let is_own = |place: &Place| matches!(place, Place::Name(labels) if own.contains(&labels.join(".")));
    let (led, port, is_of_service) = source(connection)?;
    let port = port.unwrap_or(usual_port);
    let (place, port, is_called_by_host, is_mismatch) = match led.strip_prefix("*.") {
        Some(suffix) if is_of_service => {
            let Place::Name(suffix) = canonical(suffix)? else { return None };
            let falls_under = |place: &Place| matches!(place, Place::Name(labels) if labels.len() > suffix.len() && labels.ends_with(&suffix));
            let is_mismatch = named.as_ref().is_some_and(|place| !falls_under(place));
            (named, port, false, is_mismatch)
        }
        _ => {
            let place = canonical(&led)?;
            if is_own(&place) && connection.authority.is_empty() {
                (named, usual_port, false, false)
            } else {
                let is_mismatch = server_name.is_some() && named.as_ref() != Some(&place);
                (Some(place), port, connection.authority.is_empty(), is_mismatch)
            }
        }
    };
    if place.as_ref().is_some_and(|place| is_of_the_mesh(place) || is_own(place)) {
        return None;
    }
    let is_unseen = connection.first == FirstBytes::Unseen;
    let beginning = Beginning {
        is_named: is_unseen || server_name.is_some(),
        ech: hello.is_some_and(|hello| hello.ech),
        is_silent: connection.first == FirstBytes::Silent,
    };
    let is_unreadable = connection.first == FirstBytes::Unreadable;
    Some(Led { place, port, is_called_by_host, is_mismatch, is_unreadable, beginning })
}

/// Host and port as the first source spells them, and whether it is one that may name a wildcard.
fn source(connection: &Connection<'_>) -> Option<(String, Option<u16>, bool)> {
    fn text(bytes: &[u8]) -> Option<&str> {
        str::from_utf8(bytes).ok()
    }
    if !connection.authority.is_empty() {
        // in any spelling, as of a request
        let (place, port) = super::request::authority(connection.authority)?;
        let host = match place {
            Place::Name(labels) => labels.join("."),
            Place::Address(address) => address.to_string(),
        };
        return Some((host, Some(port?), false));
    }
    let chain = text(connection.chain)?;
    if let [_, port, _, host] = chain.splitn(4, '|').collect::<Vec<_>>().as_slice() {
        return Some(((*host).to_owned(), Some(number(port)?), true));
    }
    if chain.starts_with("direct-") {
        return None;
    }
    let name = text(connection.outer_sni)?;
    let Some(rest) = name.strip_prefix("outbound_.") else { return Some((name.to_owned(), None, false)) };
    let [port, _, host] = rest.splitn(3, "_.").collect::<Vec<_>>()[..] else { return None };
    Some((host.to_owned(), Some(number(port)?), true))
}

fn number(digits: &str) -> Option<u16> {
    let port: u16 = digits.parse().ok()?;
    (port > 0 && port.to_string() == digits).then_some(port)
}

/// A host that is spelled as it would be printed.
fn canonical(text: &str) -> Option<Place> {
    if let Ok(address) = text.parse::<IpAddr>() {
        let is_mapped = matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
        return (address.to_string() == text && !is_mapped).then_some(Place::Address(address));
    }
    match super::request::authority(text.as_bytes()) {
        Some((Place::Name(labels), None)) if labels.join(".") == text => Some(Place::Name(labels)),
        _ => None,
    }
}

fn is_of_the_mesh(place: &Place) -> bool {
    let Place::Name(labels) = place else { return false };
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    labels.len() == 1 || labels.ends_with(&["svc"]) || labels.ends_with(&["cluster", "local"])
}
