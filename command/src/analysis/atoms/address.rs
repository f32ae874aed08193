//! Addresses, in ranges.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tollgate::policy::Network;

/// All addresses from the first to the last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Range {
    is_v6: bool,
    first: u128,
    last: u128,
}

/// IPv6 prefixes behind which an IPv4 address follows, and how many bits follow that (RFC 4291, 2765, 6052, 3056, 4380).
const PREFIXES: [(u128, u32); 5] =
    [(0, 0), (0xffff << 48, 0), (0x64_ff9b << 96, 0), (0x2002 << 112, 80), (0x2001_0000 << 96, 64)];

impl Range {
    pub(super) const ALL_V4: Range = Range { is_v6: false, first: 0, last: u32::MAX as u128 };
    pub(super) const ALL_V6: Range = Range { is_v6: true, first: 0, last: u128::MAX };

    /// One address; an IPv4-mapped one is read as IPv4.
    pub(super) fn one(address: IpAddr) -> Range {
        let (is_v6, bits) = match address.to_canonical() {
            IpAddr::V4(address) => (false, u128::from(address.to_bits())),
            IpAddr::V6(address) => (true, address.to_bits()),
        };
        Range { is_v6, first: bits, last: bits }
    }

    /// The addresses of a network.
    pub(super) fn of(network: &Network) -> Range {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        let (first, last) = network.ends();
        Range { is_v6: first.is_ipv6(), first: bits(first), last: bits(last) }
    }

    pub(super) fn covers(&self, other: &Range) -> bool {
        self.is_v6 == other.is_v6 && self.first <= other.first && other.last <= self.last
    }

    pub(super) fn meets(&self, other: &Range) -> bool {
        self.is_v6 == other.is_v6 && self.first <= other.last && other.first <= self.last
    }

    /// Cuts the range at the bounds of others.
    pub(super) fn cut<'r>(&self, others: impl Iterator<Item = &'r Range>) -> Vec<Range> {
        let mut starts = BTreeSet::from([self.first]);
        let mut add = |range: &Range| {
            starts.insert(range.first);
            starts.extend(range.last.checked_add(1));
        };
        if self.is_v6 {
            // read as IPv4
            add(&Range { is_v6: true, first: 0xffff_0000_0000, last: 0xffff_ffff_ffff });
        }
        others.filter(|range| range.is_v6 == self.is_v6).for_each(add);
        let starts: Vec<u128> = starts.into_iter().filter(|start| (self.first..=self.last).contains(start)).collect();
        let ends = starts.iter().skip(1).map(|next| next.saturating_sub(1)).chain([self.last]);
        let ranges = starts.iter().zip(ends).map(|(first, last)| Range { first: *first, last, ..self.clone() });
        ranges.filter(|range| !(self.is_v6 && range.first >> 32 == 0xffff)).collect()
    }

    /// The IPv6 addresses that hold an IPv4 address of this range behind a prefix. Those that hold one in their lower half only
    /// (ISATAP, the client of Teredo, the local prefix of NAT64) are in no range.
    pub(super) fn embedded(&self) -> impl Iterator<Item = Range> + '_ {
        PREFIXES.iter().filter(|_| !self.is_v6).map(|(prefix, after)| {
            let at = |bits: u128| prefix | bits.wrapping_shl(*after);
            let rest = 1_u128.wrapping_shl(*after).saturating_sub(1);
            Range { is_v6: true, first: at(self.first), last: at(self.last) | rest }
        })
    }

    /// One of the addresses, as an authority spells it.
    pub(super) fn witness(&self) -> String {
        match self.spell(self.first) {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        }
    }

    fn spell(&self, bits: u128) -> IpAddr {
        if self.is_v6 {
            return Ipv6Addr::from_bits(bits).into();
        }
        Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)).into()
    }
}

/// Ranges that touch, joined.
pub(super) fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort();
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.is_v6 == range.is_v6 && last.last.checked_add(1) == Some(range.first) => {
                last.last = range.last;
            }
            _ => joined.push(range),
        }
    }
    joined
}

impl fmt::Display for Range {
    /// An address, a CIDR block, or the first and the last address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.spell(self.first), self.spell(self.last));
        let differing = self.first ^ self.last;
        let is_block = differing & differing.wrapping_add(1) == 0 && self.first & differing == 0;
        let width = if self.is_v6 { u128::BITS } else { u32::BITS };
        match width.saturating_sub(differing.count_ones()) {
            _ if !is_block => write!(f, "{first}-{last}"),
            bits if bits == width => write!(f, "{first}"),
            bits => write!(f, "{first}/{bits}"),
        }
    }
}
