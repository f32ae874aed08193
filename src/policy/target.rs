//! Places of a target, and what its parts may be combined to.

use super::document::TargetDoc;
use super::finding::{Findings, code};
use super::model::Ports;
use crate::index::{ConstraintTableBuilder, EncodedSlash, Hosts, NONE};

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
    /// Tells whether its targets close: they are read widely.
    pub(super) fn closes(self) -> bool {
        matches!(self, Kind::Deny | Kind::DenyDryRun | Kind::Quotas)
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
}

impl Default for DestinationDraft {
    fn default() -> Self {
        DestinationDraft { places: Places::default(), ports: None, region: NONE }
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

    /// Its set of ports in a section: what is not given is 80 and 443 in a rule, and every port elsewhere.
    pub(super) fn port_set(&self, kind: Kind, constraint_table: &mut ConstraintTableBuilder) -> Option<u32> {
        let usual = Ports::usual();
        let ports = match (&self.ports, kind) {
            (Some(ports), _) => ports,
            (None, Kind::Rules) => &usual,
            (None, _) => &Ports::ALL,
        };
        if ports.is_all() {
            return Some(NONE);
        }
        constraint_table.ports(ports.listed().iter().map(|range| [range.first(), range.last()]).collect())
    }
}

/// Combinations that the parts of a target may not have.
pub(super) fn check(doc: &TargetDoc<'_>, kind: Kind, findings: &mut Findings<'_>) {
    if doc.destination.is_absent() {
        if !kind.closes() && doc.hosts.is_absent() && doc.cidrs.is_absent() {
            let fix = "name a `destination`, or give `hosts`, `cidrs` or both".to_owned();
            findings.error::<()>(code::MISSING, "the target says nowhere to", fix);
        }
    } else {
        let inline = [
            ("hosts", doc.hosts.is_absent()),
            ("cidrs", doc.cidrs.is_absent()),
            ("ports", doc.ports.is_absent()),
            ("region", doc.region.is_absent()),
            ("tls", doc.tls.is_absent()),
        ];
        for (key, _) in inline.iter().filter(|(_, absent)| !absent) {
            let message = format!("`{key}` stands beside `destination`");
            findings.error_in(key, code::COMBINATION, message, "the destination says it; keep one".to_owned());
        }
    }
    if kind == Kind::Quotas
        && !doc.paths.is_absent()
        && doc.methods.as_ref().is_some_and(|methods| methods.iter().all(|method| &*method.0 == "CONNECT"))
    {
        let message = "a CONNECT request has no path, so that `paths` says nothing of it";
        let fix = "remove `paths`, or list the methods of requests that have one".to_owned();
        findings.error_in("paths", code::COMBINATION, message, fix);
    }
    if doc.encoded_slash.as_ref() == Some(&EncodedSlash::Key) {
        keys(doc, kind, findings);
    }
    if doc.encoded_slash.is_absent() {
        for path in doc.paths.as_ref().into_iter().flatten().filter(|path| path.encoded_slash) {
            findings.enter_key("paths");
            findings.enter_item(path.item);
            let message = format!("`{}` holds `%2F`, which no canonical path has", path.text);
            findings.error::<()>(code::PATH, message, "add `encodedSlash: data` to the target".to_owned());
            findings.leave();
            findings.leave();
        }
    }
}

/// Says where paths cannot be read as keys.
fn keys(doc: &TargetDoc<'_>, kind: Kind, findings: &mut Findings<'_>) {
    if kind != Kind::Rules {
        let fix = "write `data`: what closes is compared with `%2F` as it is and as `/`".to_owned();
        let message = "`key` is for rules: what closes compares every reading of a path";
        findings.error_in("encodedSlash", code::COMBINATION, message, fix);
        return;
    }
    for path in doc.paths.as_ref().into_iter().flatten().filter(|path| !path.begins_literally()) {
        findings.enter_key("paths");
        findings.enter_item(path.item);
        let message = format!("`{}` begins with no segment of its own, behind which a key could stand", path.text);
        let fix = format!("write it first, as `/BUCKET{}`", path.text);
        findings.error::<()>(code::PATH, message, fix);
        findings.leave();
        findings.leave();
    }
}
