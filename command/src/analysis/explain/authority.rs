//! Authorities in words.

use crate::read::escape;
use std::net::{IpAddr, Ipv6Addr};
use tollgate::request::{Authority, Host, check_name};

/// A canonical host and a port as a request names them.
pub(crate) fn of(host: &Host<'_>, port: u16) -> String {
    match host {
        Host::Ip(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Host::Ip(address) => format!("{address}:{port}"),
        Host::Name(name) => format!("{name}:{port}"),
    }
}

/// A canonical host by itself.
pub(crate) fn shown(host: &Host<'_>) -> String {
    match host {
        Host::Name(name) => (*name).to_owned(),
        Host::Ip(address) => address.to_string(),
    }
}

/// The fault of an invalid authority.
pub(crate) fn fault(authority: &[u8]) -> String {
    if Authority::parse(authority, &mut Vec::new()).is_some() {
        return "a CONNECT has to name its port".to_owned();
    }
    // No colon inside of brackets begins a port, closed or not.
    let begins_port = match (authority.first(), authority.iter().rposition(|byte| matches!(byte, b':' | b']'))) {
        (Some(b'['), _) if !authority.contains(&b']') => None,
        (_, place) => place.filter(|place| authority.get(*place) == Some(&b':')),
    };
    let (host, port) = authority.split_at(begins_port.unwrap_or(authority.len()));
    let lower = host.to_ascii_lowercase();
    let name = lower.strip_suffix(b".").unwrap_or(&lower);
    let is_bracketed = |host: &[u8]| match host {
        [b'[', address @ .., b']'] => str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        _ => false,
    };
    if host.starts_with(b"[") && !is_bracketed(host) {
        return format!("`{}` is no address", escape::bytes(host));
    }
    let is_quad = str::from_utf8(name).is_ok_and(|name| name.parse::<std::net::Ipv4Addr>().is_ok());
    match check_name(name) {
        Err(error) if !host.starts_with(b"[") && !is_quad => error.to_string(),
        _ => format!("`{}` is no port", escape::bytes(port.get(1..).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn what_is_wrong_with_an_authority_is_named() {
        for (authority, expected) in [
            ("a.example:99999", "`99999` is no port"),
            ("a.example:0443", "`0443` is no port"),
            ("10.0.0.1:0", "`0` is no port"),
            ("[::1]:x", "`x` is no port"),
            ("[::1", "`[::1` is no address"),
            ("a b", "it holds the byte 0x20"),
            ("2852039166", "its last label is a number, which makes it an IP address"),
            ("a.example", "a CONNECT has to name its port"),
        ] {
            assert_eq!(fault(authority.as_bytes()), expected, "{authority}");
        }
    }
}
