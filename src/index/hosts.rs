//! The names and networks that a policy names, and those that a request's host belongs to.

use super::cidrs::Cidrs;
use super::embedded::embedded_v4;
use super::interner::Interner;
use super::section::Ranked;
use super::star_names::{Labels, StarNames, bit};
use crate::model::Network;
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
const STAR: u16 = 7;

/// Rank of `**`, of networks and of everything: behind every suffix, of which a name has at most 127.
const LAST: u8 = u8::MAX;

/// Numbers for hosts: the to-names of every section.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    names: Interner,
    cidrs: Cidrs,
    stars: StarNames,
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

    /// Those that closing entries see: the addresses that an IPv6 literal embeds as well, and patterns whose `*` is part of an
    /// encoded label.
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

    /// A name whose `*`, at an offset, stands for one label or a part of one; and whether it is new.
    pub(crate) fn star(&mut self, pattern: &str, star: usize) -> Option<(u32, bool)> {
        let interned = self.names.intern(STAR, pattern.as_bytes())?;
        if interned.new.is_some() {
            self.stars.add(pattern.as_bytes(), star)?;
        }
        Some((interned.number, interned.new.is_some()))
    }

    /// Exactly one label before that name.
    pub(crate) fn one_label_before(&mut self, name: &str) -> Option<u32> {
        self.intern(ONE_LABEL, name.as_bytes())
    }

    /// One or more labels before that name.
    pub(crate) fn labels_before(&mut self, name: &str) -> Option<u32> {
        self.suffix_labels |= bit(name.as_bytes().split(|byte| *byte == b'.').count());
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
        let (family, address) = match network.address() {
            IpAddr::V4(address) => (4, u128::from(address.to_bits())),
            IpAddr::V6(address) => (6, address.to_bits()),
        };
        for (to, from) in key.iter_mut().zip(address.to_be_bytes().into_iter().chain([family, network.bits()])) {
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
        self.stars.shrink();
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
        match host {
            Host::Ip(IpAddr::V6(address)) => {
                for address in embedded_v4(address) {
                    self.resolve_address(IpAddr::V4(address), all);
                }
            }
            Host::Name(name) if !self.stars.is_empty() => {
                self.find_stars(name.as_bytes(), Labels::Encoded, 0, all);
            }
            _ => {}
        }
    }

    fn resolve_address(&self, address: IpAddr, all: &mut Vec<Ranked>) {
        self.cidrs.find(address, |node| all.push(last(node)));
    }

    fn resolve_name(&self, name: &[u8], all: &mut Vec<Ranked>) {
        let mut rank = 0_u8;
        all.extend(self.names.find(EXACT, name).map(|node| Ranked { node, rank }));
        if !self.stars.is_empty() {
            rank = self.find_stars(name, Labels::Plain, rank, all);
        }
        let mut found = |node: Option<u32>, rank: u8| all.extend(node.map(|node| Ranked { node, rank }));
        let mut labels = 0_usize;
        let mut rest = behind_dot(name);
        if let Some(parent) = rest {
            rank = rank.saturating_add(1);
            found(self.names.find(ONE_LABEL, parent), rank);
            if self.suffix_labels != 0 {
                labels = parent.split(|byte| *byte == b'.').count();
            }
        }
        while labels > 0
            && let Some(suffix) = rest
        {
            rank = rank.saturating_add(1);
            if self.suffix_labels & bit(labels) != 0 {
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

    #[inline(never)]
    fn find_stars(&self, name: &[u8], labels: Labels, rank: u8, all: &mut Vec<Ranked>) -> u8 {
        self.stars.find(name, labels, rank, |pattern| self.names.find(STAR, pattern), all)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.names.bytes().saturating_add(self.cidrs.bytes()).saturating_add(self.stars.bytes())
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
