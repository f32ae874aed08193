//! The names and networks that a policy names, and those that a request's host belongs to.

use super::cidrs::Cidrs;
use super::embedded::embedded_v4;
use super::interner::Interner;
use super::network::Network;
use super::section::Ranked;
use crate::request::Host;
use std::net::IpAddr;

const EXACT: u16 = 0;
const ONE_LABEL: u16 = 1;
const LABELS: u16 = 2;
const NETWORK: u16 = 3;
/// Groups that need no name: each has a number of its own.
const TWO_LABELS: u16 = 4;
const EVERY_NAME: u16 = 5;
const EVERYTHING: u16 = 6;

/// Rank of `**`, of networks and of everything: behind every suffix, of which a name has at most 127.
const LAST: u8 = u8::MAX;

/// Numbers for hosts: the to-names of every section.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    names: Interner,
    cidrs: Cidrs,
    two_labels: Option<u32>,
    every_name: Option<u32>,
    everything: Option<u32>,
    /// Bit n: some `**.` pattern has n labels behind it; the last bit stands for all longer ones.
    suffix_labels: u128,
}

/// The to-names of a request.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    all: Vec<Ranked>,
    narrow: usize,
}

impl Resolved {
    /// Those that opening entries see, most specific first.
    pub(crate) fn narrow(&self) -> &[Ranked] {
        self.all.get(..self.narrow).unwrap_or_default()
    }

    /// Those that closing entries see: the addresses that an IPv6 literal embeds as well.
    pub(crate) fn wide(&self) -> &[Ranked] {
        &self.all
    }
}

impl Hosts {
    pub(crate) fn with_capacity(names: usize) -> Hosts {
        Hosts { names: Interner::with_capacity(names), ..Hosts::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The name itself.
    pub(crate) fn exact(&mut self, name: &str) -> Option<u32> {
        self.intern(EXACT, name.as_bytes())
    }

    /// Exactly one label before that name.
    pub(crate) fn one_label_before(&mut self, name: &str) -> Option<u32> {
        self.intern(ONE_LABEL, name.as_bytes())
    }

    /// One or more labels before that name.
    pub(crate) fn labels_before(&mut self, name: &str) -> Option<u32> {
        self.suffix_labels |= label_bit(name.as_bytes().split(|byte| *byte == b'.').count());
        self.intern(LABELS, name.as_bytes())
    }

    /// Every name of two or more labels.
    pub(crate) fn two_labels(&mut self) -> Option<u32> {
        self.two_labels = self.intern(TWO_LABELS, b"");
        self.two_labels
    }

    /// Every name.
    pub(crate) fn every_name(&mut self) -> Option<u32> {
        self.every_name = self.intern(EVERY_NAME, b"");
        self.every_name
    }

    /// Every name and every address.
    pub(crate) fn everything(&mut self) -> Option<u32> {
        self.everything = self.intern(EVERYTHING, b"");
        self.everything
    }

    /// A network.
    pub(crate) fn network(&mut self, network: Network) -> Option<u32> {
        let mut key = [0; 18];
        let (family, address, bits) = match network {
            Network::V4(address, bits) => (4, u128::from(address), bits),
            Network::V6(address, bits) => (6, address, bits),
        };
        for (to, from) in key.iter_mut().zip(address.to_be_bytes().into_iter().chain([family, bits])) {
            *to = from;
        }
        let interned = self.names.intern(NETWORK, &key)?;
        if interned.new.is_some() {
            self.cidrs.push(network, interned.number);
        }
        Some(interned.number)
    }

    pub(crate) fn finish(&mut self) {
        self.names.shrink();
        self.cidrs.finish();
    }

    /// The to-names of a host.
    pub(crate) fn resolve(&self, host: Host<'_>, resolved: &mut Resolved) {
        let all = &mut resolved.all;
        all.clear();
        match host {
            Host::Name(name) => self.resolve_name(name.as_bytes(), all),
            Host::Ip(address) => self.resolve_address(address, all),
        }
        all.extend(self.everything.map(last));
        resolved.narrow = all.len();
        if let Host::Ip(IpAddr::V6(address)) = host {
            for address in embedded_v4(address) {
                self.resolve_address(IpAddr::V4(address), all);
            }
        }
    }

    fn resolve_address(&self, address: IpAddr, all: &mut Vec<Ranked>) {
        self.cidrs.find(address, |node| all.push(last(node)));
    }

    fn resolve_name(&self, name: &[u8], all: &mut Vec<Ranked>) {
        let mut rank = 0_u8;
        let mut found = |node: Option<u32>, rank: u8| all.extend(node.map(|node| Ranked { node, rank }));
        found(self.names.find(EXACT, name), rank);
        let mut labels = 0_usize;
        let mut rest = behind_dot(name);
        if let Some(parent) = rest {
            rank = 1;
            found(self.names.find(ONE_LABEL, parent), rank);
            if self.suffix_labels != 0 {
                labels = parent.split(|byte| *byte == b'.').count();
            }
        }
        while labels > 0
            && let Some(suffix) = rest
        {
            rank = rank.saturating_add(1);
            if self.suffix_labels & label_bit(labels) != 0 {
                found(self.names.find(LABELS, suffix), rank);
            }
            rest = behind_dot(suffix);
            labels = labels.saturating_sub(1);
        }
        if behind_dot(name).is_some() {
            found(self.two_labels, LAST);
        }
        found(self.every_name, LAST);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.names.bytes().saturating_add(self.cidrs.bytes())
    }

    fn intern(&mut self, kind: u16, name: &[u8]) -> Option<u32> {
        self.names.intern(kind, name).map(|interned| interned.number)
    }
}

fn last(node: u32) -> Ranked {
    Ranked { node, rank: LAST }
}

fn behind_dot(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().position(|byte| *byte == b'.')?;
    name.get(dot.checked_add(1)?..)
}

fn label_bit(labels: usize) -> u128 {
    1_u128.wrapping_shl(labels.min(127) as u32)
}
