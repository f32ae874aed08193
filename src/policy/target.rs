//! Places and ports of a target while it is compiled.

use super::finding::Findings;
use crate::index::{ConstraintTableBuilder, Constraints, Hosts, NONE};
use crate::model::{Ports, TargetContext, TargetOptions};

/// Owner of a target; it decides what its absent parts mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rules,
    Deny,
    DenyDryRun,
    Except,
    Quotas,
}

impl Kind {
    /// The kind of list that its targets stand in.
    pub(super) fn context(self) -> TargetContext {
        match self {
            Kind::Rules => TargetContext::Rule,
            Kind::Except => TargetContext::Exception,
            Kind::Deny | Kind::DenyDryRun | Kind::Quotas => TargetContext::Closing,
        }
    }

    /// Tells whether its targets close: they are read widely.
    pub(super) fn closes(self) -> bool {
        self.context() == TargetContext::Closing
    }

    /// Tells whether `any: true` takes in requests without an identity.
    pub(super) fn any_is_everyone(self) -> bool {
        matches!(self, Kind::Deny | Kind::DenyDryRun)
    }
}

/// Hosts and networks.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    nodes: Vec<u32>,
    /// `**` is among them.
    pub(super) every_name: bool,
    /// No place is given, where that means every one.
    pub(super) everything: bool,
}

impl Places {
    pub(super) fn add(&mut self, node: Option<u32>, findings: &mut Findings<'_>) {
        match node {
            Some(node) => self.nodes.push(node),
            None => findings.too_large(),
        }
    }
}

/// A destination, named or of a single target.
#[derive(Clone, Debug)]
pub(super) struct DestinationDraft {
    pub(super) places: Places,
    pub(super) ports: Option<Ports>,
    /// Number of the region label, or [`NONE`].
    pub(super) region: u32,
    /// Its servers may speak first.
    pub(super) server_first: bool,
}

impl Default for DestinationDraft {
    fn default() -> Self {
        DestinationDraft { places: Places::default(), ports: None, region: NONE, server_first: false }
    }
}

impl DestinationDraft {
    /// Its to-nodes in a section.
    pub(super) fn nodes(&self, kind: Kind, hosts: &mut Hosts, nodes: &mut Vec<u32>) {
        nodes.extend(&self.places.nodes);
        if self.places.every_name {
            nodes.extend(if kind.closes() { hosts.every_name() } else { hosts.two_labels() });
        }
        if self.places.everything {
            nodes.extend(hosts.everything());
        }
    }

    /// The constraints of a target that names it, where `ports` is its set of ports there.
    pub(super) fn constrain(&self, constraints: Constraints, ports: u32) -> Constraints {
        let options = TargetOptions { server_first: self.server_first, ..constraints.options };
        Constraints { ports, region: self.region, options, ..constraints }
    }

    /// Its set of ports in a section.
    pub(super) fn port_set(&self, kind: Kind, constraint_table: &mut ConstraintTableBuilder) -> Option<u32> {
        let ports = kind.context().ports(self.ports.clone());
        if ports.is_all() {
            return Some(NONE);
        }
        constraint_table.ports(ports.listed().iter().map(|range| [range.first(), range.last()]).collect())
    }
}
