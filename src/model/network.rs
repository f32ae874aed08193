//! A network of addresses.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network without host bits, never one of the IPv4-mapped addresses (`::ffff:0:0/96`): those are read as IPv4. It is never read
/// from text by the library, whose parser takes leading zeros (`010.0.0.0/8`) for decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// `None` where the prefix is longer than addresses are, where host bits are set, and for what is IPv4-mapped.
    pub fn new(address: IpAddr, bits: u8) -> Option<Network> {
        let network = IpNet::new(address, bits).ok().filter(|network| network.trunc() == *network)?;
        let is_mapped = matches!(address, IpAddr::V6(address) if bits >= 96 && address.to_ipv4_mapped().is_some());
        (!is_mapped).then_some(Network(network))
    }

    /// An IPv4 network whose host bits are zero, for constants.
    pub(crate) const fn v4(address: Ipv4Addr, bits: u8) -> Network {
        Network(IpNet::V4(Ipv4Net::new_assert(address, bits)))
    }

    /// An IPv6 network whose host bits are zero and that is not IPv4-mapped, for constants.
    pub(crate) const fn v6(address: Ipv6Addr, bits: u8) -> Network {
        Network(IpNet::V6(Ipv6Net::new_assert(address, bits)))
    }

    /// The first address.
    pub fn address(self) -> IpAddr {
        self.0.network()
    }

    /// Bits of the prefix: 0 to 32, or to 128.
    pub fn bits(self) -> u8 {
        self.0.prefix_len()
    }

    /// The first and the last address.
    pub fn ends(self) -> (IpAddr, IpAddr) {
        (self.0.network(), self.0.broadcast())
    }

    /// Tells whether every address of another network is one of it. None of IPv6 holds any of IPv4: a mapped address is read as IPv4.
    pub fn covers(self, other: Network) -> bool {
        self.0.contains(&other.0)
    }

    /// The networks that it is a part of, the narrowest first.
    pub fn wider(self) -> impl Iterator<Item = Network> {
        std::iter::successors(self.0.supernet(), IpNet::supernet).map(Network)
    }
}

impl fmt::Display for Network {
    /// In CIDR notation (RFC 4632, RFC 4291).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
