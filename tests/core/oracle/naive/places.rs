//! Host patterns as lists of labels, and CIDRs as masks.

use super::Side;
use super::request::{Place, unmapped};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The precision of a match: exact host, `*` inside, `*.`, `**.`, `**` or CIDR; then more labels behind the wildcard; then, for
/// `*` inside, more literal bytes. Greater is more specific.
pub type Rank = (u8, usize, usize);

/// Rank of the match of a host pattern; none if it does not match.
pub fn host(pattern: &str, place: &Place, side: Side) -> Option<Rank> {
    let Place::Name(labels) = place else {
        return None;
    };
    if pattern == "**" {
        return (side == Side::Deny || labels.len() >= 2).then_some((0, 0, 0));
    }
    let pattern = pattern.to_ascii_lowercase();
    let pattern: Vec<&str> = pattern.strip_suffix('.').unwrap_or(&pattern).split('.').collect();
    let (kind, suffix) = match pattern.as_slice() {
        ["**", suffix @ ..] => (1, suffix),
        ["*", suffix @ ..] => (2, suffix),
        labels if labels.iter().any(|label| label.contains('*')) => return inside(labels, place, side),
        exact => (4, exact),
    };
    let more = labels.len().checked_sub(suffix.len())?;
    let deep_enough = match kind {
        1 => more >= 1,
        2 => more == 1,
        _ => more == 0,
    };
    (deep_enough && labels[more..] == *suffix).then_some((kind, suffix.len(), 0))
}

/// A name with one `*` inside, label by label.
fn inside(pattern: &[&str], place: &Place, side: Side) -> Option<Rank> {
    let Place::Name(labels) = place else {
        return None;
    };
    let matches = |(pattern, label): (&&str, &String)| match pattern.split_once('*') {
        None => label == pattern,
        Some(("", "")) => true,
        Some((before, behind)) => {
            let some = label.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
            some.is_some_and(|some| !some.is_empty()) && (side == Side::Deny || !label.starts_with("xn--"))
        }
    };
    let behind = pattern.iter().rev().take_while(|label| !label.contains('*')).count();
    let literal = pattern.iter().map(|label| label.len()).sum();
    (pattern.len() == labels.len() && pattern.iter().zip(labels).all(matches)).then_some((3, behind, literal))
}

/// Rank of the match of a CIDR; none if it does not hold the host. In `deny` it also holds an IPv6 address by the IPv4
/// address embedded in it.
pub fn cidr(cidr: &str, place: &Place, side: Side) -> Option<Rank> {
    let Place::Address(address) = *place else {
        return None;
    };
    let mut addresses = vec![address];
    if let (Side::Deny, IpAddr::V6(address)) = (side, address) {
        addresses.extend(embedded(address).into_iter().map(IpAddr::V4));
    }
    let networks = if cidr == "private" { PRIVATE.to_vec() } else { vec![cidr] };
    let holds = networks.iter().any(|network| addresses.iter().any(|&address| contains(network, address)));
    holds.then_some((0, 0, 0))
}

const PRIVATE: [&str; 18] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/127",
    "100::/64",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

fn contains(network: &str, address: IpAddr) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, Some(length.parse::<u32>().unwrap())),
        None => (network, None),
    };
    match (base.parse().unwrap(), address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => same_bits(base, address, length.unwrap_or(32)),
        (IpAddr::V6(base), address) => match (unmapped(base), address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => same_bits(base, address, length.unwrap_or(128) - 96),
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differing = base.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= length.unwrap_or(128)
            }
            _ => false,
        },
        _ => false,
    }
}

fn same_bits(base: Ipv4Addr, address: Ipv4Addr, length: u32) -> bool {
    (base.to_bits() ^ address.to_bits()).leading_zeros() >= length
}

fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    let mut found = Vec::new();
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0] | [0, 0, 0, 0, 0xFFFF, 0] | [0x64, 0xFF9B, 0, 0, 0, 0] => found.push(v4(g, h)),
        [0x64, 0xFF9B, 1, ..] => found.push(v4(g, h)),
        [0x2002, high, low, ..] => found.push(v4(high, low)),
        [0x2001, 0, high, low, ..] => found.extend([v4(high, low), v4(!g, !h)]),
        _ => {}
    }
    if matches!([e, f], [0 | 0x200, 0x5EFE]) {
        found.push(v4(g, h));
    }
    found
}
