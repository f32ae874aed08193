//! Networks: nested prefixes in a sorted list, each with the next larger one that holds it. One binary search a
//! look-up, then up.

use super::network::{Network, mask_v4, mask_v6};
use std::net::IpAddr;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Net<A> {
    start: A,
    bits: u8,
    node: u32,
    parent: u32,
}

/// The networks of a policy, IPv4 and IPv6 apart.
#[derive(Debug, Default)]
pub(crate) struct Cidrs {
    v4: Vec<Net<u32>>,
    v6: Vec<Net<u128>>,
}

impl Cidrs {
    pub(crate) fn push(&mut self, network: Network, node: u32) {
        match network {
            Network::V4(start, bits) => self.v4.push(Net { start, bits, node, parent: NONE }),
            Network::V6(start, bits) => self.v6.push(Net { start, bits, node, parent: NONE }),
        }
    }

    /// Sorts and links; before, nothing is found.
    pub(crate) fn finish(&mut self) {
        link(&mut self.v4, mask_v4);
        link(&mut self.v6, mask_v6);
    }

    /// The nodes of all networks that hold the address, the smallest network first.
    pub(crate) fn find(&self, address: IpAddr, found: impl FnMut(u32)) {
        match address {
            IpAddr::V4(address) => climb(&self.v4, address.to_bits(), mask_v4, found),
            IpAddr::V6(address) => climb(&self.v6, address.to_bits(), mask_v6, found),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let v4 = self.v4.capacity().saturating_mul(size_of::<Net<u32>>());
        v4.saturating_add(self.v6.capacity().saturating_mul(size_of::<Net<u128>>()))
    }
}

fn holds<A: Copy + Eq + std::ops::BitAnd<Output = A>>(net: &Net<A>, address: A, mask: fn(u8) -> A) -> bool {
    address & mask(net.bits) == net.start
}

fn link<A: Copy + Ord + std::ops::BitAnd<Output = A>>(nets: &mut Vec<Net<A>>, mask: fn(u8) -> A) {
    nets.sort_unstable_by_key(|net| (net.start, net.bits));
    nets.shrink_to_fit();
    let mut open: Vec<(u32, Net<A>)> = Vec::new();
    for (index, net) in (0_u32..).zip(nets.iter_mut()) {
        while open.last().is_some_and(|(_, parent)| !holds(parent, net.start, mask)) {
            open.pop();
        }
        net.parent = open.last().map_or(NONE, |(index, _)| *index);
        open.push((index, *net));
    }
}

fn climb<A: Copy + Ord + std::ops::BitAnd<Output = A>>(
    nets: &[Net<A>],
    address: A,
    mask: fn(u8) -> A,
    mut found: impl FnMut(u32),
) {
    let mut at = nets.partition_point(|net| net.start <= address).checked_sub(1);
    while let Some(net) = at.and_then(|at| nets.get(at)) {
        if holds(net, address, mask) {
            found(net.node);
        }
        at = Some(net.parent as usize);
    }
}
