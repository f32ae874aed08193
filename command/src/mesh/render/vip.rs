//! Virtual IP addresses: each stands for one host, so that a sidecar knows a connection that says nothing by where it goes.

use super::routed::hash;
use crate::mesh::site::Family;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reserved by everybody and routed by nobody (RFC 1112, class E), and beside what Istio gives to hosts itself, 240.240.0.0/16.
const V4: Ipv4Addr = Ipv4Addr::new(240, 0, 0, 0);
/// For benchmarks alone (RFC 5180), and beside what Istio gives to hosts itself.
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 0x7467, 0, 0, 0, 0);
/// Bits of an address that tell hosts apart.
const BITS: u32 = 23;

/// An address for each host, from its name: the same wherever and whenever it is asked for, unless two names share one.
pub(super) fn of<'h>(hosts: impl Iterator<Item = &'h str>, family: Family) -> BTreeMap<&'h str, IpAddr> {
    let mut taken = BTreeSet::new();
    let last = (1_u32 << BITS).saturating_sub(2);
    let own = |host: &'h str| {
        let first = hash(host) & last;
        // neither the first nor the last address of the block
        let mut free = (first..=last).chain(1..first).filter(|number| *number > 0);
        let number = free.find(|number| taken.insert(*number))?;
        Some((host, address(number, family)))
    };
    hosts.filter_map(own).collect()
}

fn address(number: u32, family: Family) -> IpAddr {
    match family {
        Family::V6Only => IpAddr::V6(Ipv6Addr::from_bits(V6.to_bits() | u128::from(number))),
        Family::V4Preferred | Family::All => IpAddr::V4(Ipv4Addr::from_bits(V4.to_bits() | number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_an_address_of_its_own() {
        let hosts: Vec<String> = (0..20_000).map(|number| format!("h{number}.example")).collect();
        let addresses = of(hosts.iter().map(String::as_str), Family::V4Preferred);
        let all: BTreeSet<_> = addresses.values().collect();
        assert_eq!((addresses.len(), all.len()), (20_000, 20_000));
        let [first, last] = [Ipv4Addr::new(240, 0, 0, 0), Ipv4Addr::new(240, 127, 255, 255)].map(IpAddr::V4);
        assert!(all.iter().all(|address| **address > first && **address < last));
    }

    #[test]
    fn a_host_keeps_its_address_among_others() {
        let alone = of(["db.example"].into_iter(), Family::All);
        let among = of(["a.example", "db.example", "z.example"].into_iter(), Family::All);
        assert_eq!(alone["db.example"], among["db.example"]);
        assert!(of(["db.example"].into_iter(), Family::V6Only)["db.example"].is_ipv6());
    }
}
