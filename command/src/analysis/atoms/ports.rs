//! The classes of ports that the terms of targets tell apart.

use super::ask;
use super::class::{Class, members, parted};
use std::collections::BTreeSet;
use tollgate::policy::{PortRange, Ports, TargetTerms};

/// The classes into which terms part the ports of a host.
#[derive(Debug)]
pub(super) struct PortClasses(Vec<Class<Port>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Port {
    Some(PortRange),
    Other,
    Unnamed,
}

impl PortClasses {
    /// The classes that terms tell apart; `names_port` tells whether authorities name their port.
    pub(super) fn of(all_terms: &[&TargetTerms], names_port: bool) -> PortClasses {
        if !names_port {
            return PortClasses(vec![Class { members: vec![Port::Unnamed] }]);
        }
        let named = pieces(all_terms.iter().flat_map(|terms| terms.ports().listed()));
        let other = port_outside(&named);
        let all = named.into_iter().map(Port::Some).chain(other.map(|_| Port::Other));
        PortClasses(parted(all, |port| all_terms.iter().map(|terms| terms.takes_port(port.witness())).collect()))
    }

    /// Number of classes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A port of each class, by its number; none where authorities name none.
    pub(super) fn witnesses(&self) -> impl Iterator<Item = (usize, Option<u16>)> {
        let first = |(at, class): (usize, &Class<Port>)| Some((at, class.members.first()?.witness_among(&self.0)));
        self.0.iter().enumerate().filter_map(first)
    }

    /// Tells of each class whether one of these terms takes some port of it; none of an authority is always one.
    pub(super) fn taken_by(&self, takes: impl Fn(Option<u16>) -> bool) -> Vec<bool> {
        let is_taken = |port: &Port| *port == Port::Unnamed || takes(port.witness_among(&self.0));
        self.0.iter().map(|class| class.members.iter().any(is_taken)).collect()
    }

    /// Some of the classes in words.
    pub(super) fn describe(&self, at: &BTreeSet<usize>) -> ask::Ports {
        let members: BTreeSet<Port> = members(&self.0, at);
        let held: BTreeSet<PortRange> = members.iter().filter_map(|port| port.range()).collect();
        if members.contains(&Port::Unnamed) {
            ask::Ports::Unnamed
        } else if members.contains(&Port::Other) {
            ask::Ports::But(PortRange::joined(named_ports(&self.0).difference(&held).copied()))
        } else {
            ask::Ports::Only(PortRange::joined(held))
        }
    }
}

impl Port {
    /// None for a port that no list names.
    fn witness(self) -> Option<u16> {
        self.range().map(PortRange::first)
    }

    fn range(self) -> Option<PortRange> {
        if let Port::Some(range) = self { Some(range) } else { None }
    }

    fn witness_among(self, classes: &[Class<Port>]) -> Option<u16> {
        match self {
            Port::Some(range) => Some(range.first()),
            Port::Other => port_outside(&named_ports(classes)),
            Port::Unnamed => None,
        }
    }
}

/// Ports that some list names.
fn named_ports(classes: &[Class<Port>]) -> BTreeSet<PortRange> {
    classes.iter().flat_map(|class| &class.members).filter_map(|port| port.range()).collect()
}

/// The ports of ranges, cut wherever one of them begins or ends.
fn pieces<'r>(ranges: impl Iterator<Item = &'r PortRange>) -> BTreeSet<PortRange> {
    let ranges: BTreeSet<PortRange> = ranges.copied().collect();
    let starts: BTreeSet<u16> =
        ranges.iter().flat_map(|range| [Some(range.first()), range.last().checked_add(1)]).flatten().collect();
    let starts: Vec<u16> = starts.into_iter().collect();
    let ends = starts.iter().skip(1).map(|next| next.saturating_sub(1)).chain([u16::MAX]);
    let pieces = starts.iter().zip(ends).filter_map(|(first, last)| PortRange::new(*first, last));
    let whole = Ports::of(ranges);
    pieces.filter(|piece| whole.contains(piece.first())).collect()
}

/// A port that no range holds: a usual one, if it can be.
fn port_outside(named: &BTreeSet<PortRange>) -> Option<u16> {
    let is_named = |port: &u16| named.iter().any(|range| (range.first()..=range.last()).contains(port));
    [443_u16, 80].into_iter().chain(1024..=u16::MAX).chain(1..1024).find(|port| !is_named(port))
}
