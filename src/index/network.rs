//! A network of addresses.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A network: the address with all host bits zero, and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// Prefix length 0–32.
    V4(u32, u8),
    /// Prefix length 0–128; never inside `::ffff:0:0/96`, which is read as IPv4.
    V6(u128, u8),
}

/// The leading `bits` bits set; all of them for 32 and above.
pub(crate) fn mask_v4(bits: u8) -> u32 {
    u32::MAX.checked_shr(u32::from(bits)).map_or(u32::MAX, |host| !host)
}

/// The leading `bits` bits set; all of them for 128 and above.
pub(crate) fn mask_v6(bits: u8) -> u128 {
    u128::MAX.checked_shr(u32::from(bits)).map_or(u128::MAX, |host| !host)
}

impl fmt::Display for Network {
    /// In CIDR notation (RFC 4632, RFC 4291).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Network::V4(address, bits) => write!(f, "{}/{bits}", Ipv4Addr::from_bits(address)),
            Network::V6(address, bits) => write!(f, "{}/{bits}", Ipv6Addr::from_bits(address)),
        }
    }
}

impl Network {
    /// Every network that it is a part of, the widest first. None of IPv6 holds any of IPv4: a mapped address is read as IPv4.
    pub fn wider(self) -> impl Iterator<Item = Network> {
        let bits = match self {
            Network::V4(_, bits) | Network::V6(_, bits) => bits,
        };
        (0..bits).map(move |bits| match self {
            Network::V4(address, _) => Network::V4(address & mask_v4(bits), bits),
            Network::V6(address, _) => Network::V6(address & mask_v6(bits), bits),
        })
    }

    /// Tells whether every address of it is one of the other's.
    pub fn is_within(self, outer: Network) -> bool {
        match (self, outer) {
            (Network::V4(inner, length), Network::V4(outer, bits)) => length >= bits && inner & mask_v4(bits) == outer,
            (Network::V6(inner, length), Network::V6(outer, bits)) => length >= bits && inner & mask_v6(bits) == outer,
            _ => false,
        }
    }
}
