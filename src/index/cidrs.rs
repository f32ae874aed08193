//! Networks: nested prefixes in a sorted list, each with the next larger one that holds it. One binary search a
//! look-up, then up.

use crate::model::Network;
use std::net::IpAddr;

const NONE: u32 = u32::MAX;

/// An IPv4 network stands at the upper end of the 128 bits, so that one code serves both.
#[derive(Clone, Copy, Debug)]
struct Net {
    start: u128,
    bits: u8,
    node: u32,
    parent: u32,
}

impl Net {
    fn holds(&self, address: u128) -> bool {
        // none of the leading bits differs; a shift by all of them leaves none
        (address ^ self.start).checked_shr(128_u32.saturating_sub(u32::from(self.bits))).unwrap_or(0) == 0
    }
}

/// The networks of a policy, IPv4 and IPv6 apart.
#[derive(Debug, Default)]
pub(crate) struct Cidrs {
    v4: Vec<Net>,
    v6: Vec<Net>,
}

impl Cidrs {
    pub(crate) fn push(&mut self, network: Network, node: u32) {
        let bits = network.bits();
        match network.address() {
            IpAddr::V4(start) => self.v4.push(Net { start: widened(start.to_bits()), bits, node, parent: NONE }),
            IpAddr::V6(start) => self.v6.push(Net { start: start.to_bits(), bits, node, parent: NONE }),
        }
    }

    /// Sorts and links; before, nothing is found.
    pub(crate) fn finish(&mut self) {
        link(&mut self.v4);
        link(&mut self.v6);
    }

    /// The nodes of all networks that hold the address, the smallest network first.
    pub(crate) fn find(&self, address: IpAddr, found: impl FnMut(u32)) {
        match address {
            IpAddr::V4(address) => climb(&self.v4, widened(address.to_bits()), found),
            IpAddr::V6(address) => climb(&self.v6, address.to_bits(), found),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.v4.capacity().saturating_add(self.v6.capacity()).saturating_mul(size_of::<Net>())
    }
}

fn widened(address: u32) -> u128 {
    u128::from(address) << 96
}

#[inline(never)]
fn link(nets: &mut Vec<Net>) {
    nets.sort_unstable_by_key(|net| (net.start, net.bits));
    nets.shrink_to_fit();
    let mut open: Vec<(u32, Net)> = Vec::new();
    for (index, net) in (0_u32..).zip(nets.iter_mut()) {
        while open.last().is_some_and(|(_, parent)| !parent.holds(net.start)) {
            open.pop();
        }
        net.parent = open.last().map_or(NONE, |(index, _)| *index);
        open.push((index, *net));
    }
}

fn climb(nets: &[Net], address: u128, mut found: impl FnMut(u32)) {
    let mut at = nets.partition_point(|net| net.start <= address).checked_sub(1);
    while let Some(net) = at.and_then(|at| nets.get(at)) {
        if net.holds(address) {
            found(net.node);
        }
        at = Some(net.parent as usize);
    }
}
