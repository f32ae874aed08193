//! Networks of the inside, in every form in which an address may come back from a look-up.

use serde_json::{Value, json};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tollgate::policy::Network;
use tollgate::policy::networks;

/// A range of addresses as configurations name it. Unlike a [`Network`] it may lie within `::ffff:0:0/96`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AddressRange {
    address: IpAddr,
    bits: u8,
}

/// Bits in front of an IPv4 address that an IPv6 address embeds, and where the first of its own stands.
const EMBEDDINGS: [(Ipv6Addr, u8); 5] = [
    // compatible, mapped, translated, NAT64, 6to4
    (Ipv6Addr::UNSPECIFIED, 96),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Networks that embed IPv4 addresses where nobody can tell which: NAT64 of a site's own, and Teredo.
const OPAQUE: [AddressRange; 2] = [
    AddressRange { address: IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0)), bits: 48 },
    AddressRange { address: IpAddr::V6(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0)), bits: 32 },
];

/// Every network of the inside (`private` of the language), and what stands for one in IPv6.
pub(super) fn inside() -> Vec<AddressRange> {
    let mut ranges: Vec<AddressRange> = networks("private").into_iter().flat_map(forms).chain(OPAQUE).collect();
    ranges.sort_unstable();
    ranges.dedup();
    ranges
}

/// A network, and the networks of IPv6 that embed it.
pub(super) fn forms(network: Network) -> Vec<AddressRange> {
    let own = AddressRange::from(network);
    let IpAddr::V4(address) = network.address() else { return vec![own] };
    let embedded = EMBEDDINGS.map(|(prefix, before)| {
        let behind = 96_u8.saturating_sub(before);
        let address = Ipv6Addr::from_bits(prefix.to_bits() | u128::from(address.to_bits()) << behind);
        AddressRange { address: address.into(), bits: network.bits().saturating_add(before) }
    });
    std::iter::once(own).chain(embedded).collect()
}

/// Everything but these networks and what embeds them, as few ranges as there can be.
pub(super) fn outside(networks: &[Network]) -> Vec<AddressRange> {
    let open: Vec<AddressRange> = networks.iter().copied().map(AddressRange::from).collect();
    let mut rest = Vec::new();
    let mut left = vec![AddressRange::EVERY_V4, AddressRange::EVERY_V6];
    while let Some(range) = left.pop() {
        if open.iter().any(|open| range.is_within(*open)) {
            continue;
        }
        match range.halves().filter(|_| open.iter().any(|open| open.is_within(range))) {
            Some(halves) => left.extend(halves),
            None => rest.push(range),
        }
    }
    rest.sort_unstable();
    rest
}

impl AddressRange {
    const EVERY_V4: AddressRange = AddressRange { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), bits: 0 };
    const EVERY_V6: AddressRange = AddressRange { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), bits: 0 };
    /// Every address of both families.
    pub(super) const EVERY: [AddressRange; 2] = [AddressRange::EVERY_V4, AddressRange::EVERY_V6];

    pub(super) fn is_v4(self) -> bool {
        self.address.is_ipv4()
    }

    /// Tells whether it lies within `::ffff:0:0/96`, where IPv6 writes IPv4 addresses.
    pub(super) fn is_mapped(self) -> bool {
        matches!(self.address, IpAddr::V6(address) if self.bits >= 96 && address.to_ipv4_mapped().is_some())
    }

    /// Envoy's CidrRange.
    pub(super) fn envoy(self) -> Value {
        json!({"address_prefix": self.address, "prefix_len": self.bits})
    }

    fn is_within(self, outer: AddressRange) -> bool {
        let behind = |range: AddressRange| match range.address {
            IpAddr::V4(address) => {
                u128::from(address.to_bits()).checked_shr(u32::from(32_u8.saturating_sub(outer.bits)))
            }
            IpAddr::V6(address) => address.to_bits().checked_shr(u32::from(128_u8.saturating_sub(outer.bits))),
        };
        self.is_v4() == outer.is_v4()
            && self.bits >= outer.bits
            && behind(self).unwrap_or_default() == behind(outer).unwrap_or_default()
    }

    fn halves(self) -> Option<[AddressRange; 2]> {
        let bits = self.bits.checked_add(1)?;
        let upper = match self.address {
            IpAddr::V4(address) => {
                Ipv4Addr::from_bits(address.to_bits() | 1_u32.checked_shl(32_u32.checked_sub(bits.into())?)?).into()
            }
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() | 1_u128.checked_shl(128_u32.checked_sub(bits.into())?)?).into()
            }
        };
        Some([AddressRange { bits, ..self }, AddressRange { address: upper, bits }])
    }
}

impl From<Network> for AddressRange {
    fn from(network: Network) -> AddressRange {
        AddressRange { address: network.address(), bits: network.bits() }
    }
}

impl fmt::Display for AddressRange {
    /// In CIDR notation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ranges: &[AddressRange]) -> Vec<String> {
        ranges.iter().map(ToString::to_string).collect()
    }

    fn network(text: &str) -> Network {
        networks(text)[0]
    }

    #[test]
    fn a_network_of_ipv4_has_five_more_forms() {
        let expected = [
            "10.0.0.0/8",
            "::a00:0/104",
            "::ffff:10.0.0.0/104",
            "::ffff:0:a00:0/104",
            "64:ff9b::a00:0/104",
            "2002:a00::/24",
        ];
        assert_eq!(texts(&forms(network("10.0.0.0/8"))), expected);
        assert_eq!(texts(&forms(network("fc00::/7"))), ["fc00::/7"]);
    }

    #[test]
    fn the_inside_is_all_of_it() {
        let all = texts(&inside());
        for range in ["169.254.0.0/16", "64:ff9b::a9fe:0/112", "64:ff9b:1::/48", "2001::/32", "fc00::/7"] {
            assert!(all.iter().any(|own| own == range), "{range}: {all:?}");
        }
        // whom NAT64 leads out stays within reach
        assert!(!all.iter().any(|own| own == "64:ff9b::/96"), "{all:?}");
    }

    #[test]
    fn outside_is_what_is_left() {
        let left = texts(&outside(&[network("128.0.0.0/2")]));
        assert_eq!(left, ["0.0.0.0/1", "192.0.0.0/2", "::/0"]);
        assert_eq!(texts(&outside(&[])), ["0.0.0.0/0", "::/0"]);
        let one = outside(&[network("10.20.0.7"), network("fd00::1")]);
        assert_eq!(one.len(), 32 + 128);
        let is_in = |address: &str| one.iter().any(|range| AddressRange::from(network(address)).is_within(*range));
        assert!(["10.20.0.6", "10.20.0.8", "203.0.113.1", "fd00::2", "::1"].iter().all(|address| is_in(address)));
        assert!(!is_in("10.20.0.7") && !is_in("fd00::1"));
    }
}
