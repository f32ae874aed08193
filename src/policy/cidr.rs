//! CIDRs: `10.0.0.0/8`, `fd00::/8`, a bare address, or `private`.

use super::decode::{Shape, Text};
use super::finding::{Findings, code};
use crate::model::Network;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that one entry of `cidrs` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CidrPattern {
    One(Network),
    Private,
}

impl CidrPattern {
    pub(super) fn networks(&self) -> &[Network] {
        match self {
            CidrPattern::One(network) => std::slice::from_ref(network),
            CidrPattern::Private => &PRIVATE,
        }
    }
}

impl<'de> Shape<'de> for CidrPattern {
    const EXPECTED: &'static str = "a CIDR";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if &*text == "private" {
            return Some(CidrPattern::Private);
        }
        match parse(&text) {
            Ok(network) => Some(CidrPattern::One(network)),
            Err((message, fix)) => findings.error(code::CIDR, message, fix),
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Network {
    Network::v4(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(first: u16, second: u16, last: u16, bits: u8) -> Network {
    Network::v6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, last), bits)
}

/// Addresses that no public service has, and the metadata addresses of clouds among them.
const PRIVATE: [Network; 18] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(168, 63, 129, 16, 32),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
    v6(0, 0, 0, 127),
    v6(0x100, 0, 0, 64),
    v6(0xfc00, 0, 0, 7),
    v6(0xfe80, 0, 0, 10),
    v6(0xfec0, 0, 0, 10),
    v6(0xff00, 0, 0, 8),
];

/// The networks that a checked entry of `cidrs` stands for.
pub fn networks(text: &str) -> Vec<Network> {
    match text {
        "private" => PRIVATE.to_vec(),
        _ => parse(text).into_iter().collect(),
    }
}

type Bad = (String, Option<String>);

fn parse(text: &str) -> Result<Network, Bad> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        let fix = if text.bytes().any(|byte| byte.is_ascii_alphabetic()) && !text.contains(':') {
            "names stand in `hosts`"
        } else {
            "write an address or a network, as `10.0.0.0/8` or `fd00::/8`"
        };
        return Err((format!("`{text}` is no CIDR"), Some(fix.to_owned())));
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match length {
        None => most,
        Some(length) => match prefix_length(length) {
            Some(bits) if bits <= most => bits,
            _ => return Err((format!("`{text}` has no prefix length from 0 to {most}"), None)),
        },
    };
    // an IPv4-mapped network is one of IPv4
    let (address, bits) = match address {
        IpAddr::V6(address) if bits >= 96 => match address.to_ipv4_mapped() {
            Some(mapped) => (IpAddr::V4(mapped), bits.saturating_sub(96)),
            None => (IpAddr::V6(address), bits),
        },
        other => (other, bits),
    };
    let Some(network) = Network::new(address, bits) else { return Err(host_bits(text, address, bits)) };
    let every_address = Network::v6(Ipv6Addr::UNSPECIFIED, 0);
    let mapped = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
    let (first, last) = network.ends();
    if network != every_address
        && first <= IpAddr::V6(mapped)
        && IpAddr::V6(mapped) <= last
        && network.address().is_ipv6()
    {
        return Err((
            format!("`{text}` covers all IPv4-mapped addresses, and those are read as IPv4"),
            Some("add the IPv4 CIDR `0.0.0.0/0` if IPv4 is meant, and name the IPv6 networks".to_owned()),
        ));
    }
    Ok(network)
}

/// A number from 0 to 128 without sign or leading zeros.
fn prefix_length(text: &str) -> Option<u8> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| canonical)
}

fn host_bits(text: &str, address: IpAddr, bits: u8) -> Bad {
    let meant = IpNet::new(address, bits).map(|network| network.trunc().to_string()).unwrap_or_default();
    (format!("`{text}` has host bits set"), Some(format!("the network is `{meant}`")))
}
