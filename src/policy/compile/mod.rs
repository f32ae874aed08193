//! Entries, one by one, into the index; and what holds between them. Here stands the state that they are compiled in.
//!
//! Keys of a map come in any order, and Kubernetes sorts them: a rule may name a destination, a set of workloads or a
//! trust domain that is defined after it. Such a name gets a place in the index at once, which is filled at the end.

mod entries;
mod finish;
mod limits;
mod places;
mod selectors;
mod targets;

use super::compiled::DenyEntry;
use super::domains::Domains;
use super::exempt::Exemption;
use super::names::NamedSets;
use super::quota::{QuotaDraft, QuotaEntry};
use super::residency::ResidencyDraft;
use super::selector::Selection;
use super::target::{DestinationDraft, Kind};
use crate::index::{Hosts, Identities, Interner, SectionBuilder};
use rustc_hash::FxHashMap;
use std::num::NonZeroU32;

/// Deny entries in dry-run that are found of those that match alike: a record names one and up to 16 more.
pub(crate) const STAGED: u32 = 17;

/// A policy that is being compiled.
pub(super) struct Compiler {
    pub(super) ids: Interner,
    pub(super) identities: Identities,
    pub(super) hosts: Hosts,
    pub(super) sections: Sections,
    /// By rule: address of its id.
    pub(super) rules: Vec<u32>,
    pub(super) deny: Vec<DenyEntry>,
    pub(super) residency: ResidencyDraft,
    quotas: Vec<QuotaDraft>,
    /// The quotas, once limits were divided by `replicas`.
    divided: Vec<QuotaEntry>,
    pub(super) replicas: NonZeroU32,
    pub(super) workloads: NamedSets<Selection>,
    pub(super) destinations: NamedSets<DestinationDraft>,
    pub(super) domains: Domains,
    dry_run_for: Selection,
    pub(super) exemptions: Vec<Exemption>,
    regions_of_hosts: FxHashMap<u32, u32>,
    globs: usize,
    /// Names with a `*` inside, each counted once.
    stars: usize,
    /// Targets whose destination was not defined when they were read.
    waiting: Vec<Waiting>,
    /// Room for the lists that are being read.
    nodes: Vec<u32>,
    /// Room for the name that is being read.
    key: String,
}

/// The parts of the graph.
pub(super) struct Sections {
    pub(super) rules: SectionBuilder,
    pub(super) deny: SectionBuilder,
    pub(super) deny_dry_run: SectionBuilder,
    pub(super) except: SectionBuilder,
    pub(super) quotas: SectionBuilder,
}

impl Sections {
    pub(super) fn get(&mut self, kind: Kind) -> &mut SectionBuilder {
        match kind {
            Kind::Rules => &mut self.rules,
            Kind::Deny => &mut self.deny,
            Kind::DenyDryRun => &mut self.deny_dry_run,
            Kind::Except => &mut self.except,
            Kind::Quotas => &mut self.quotas,
        }
    }
}

#[derive(Clone, Copy)]
struct Waiting {
    kind: Kind,
    target: u32,
    destination: u32,
}

impl Compiler {
    /// `bytes`: size of the text, from which the sizes of the tables are guessed.
    pub(super) fn new(bytes: usize) -> Compiler {
        let names = bytes.div_euclid(160);
        Compiler {
            ids: Interner::with_capacity(names),
            identities: Identities::with_capacity(names),
            hosts: Hosts::with_capacity(names),
            sections: Sections {
                rules: SectionBuilder::new(false, room(bytes)),
                deny: SectionBuilder::new(true, room(bytes)),
                deny_dry_run: SectionBuilder::new(true, room(bytes)),
                except: SectionBuilder::new(false, room(bytes)),
                quotas: SectionBuilder::new(true, room(bytes)),
            },
            rules: Vec::new(),
            deny: Vec::new(),
            residency: ResidencyDraft::default(),
            quotas: Vec::new(),
            divided: Vec::new(),
            replicas: NonZeroU32::MIN,
            workloads: NamedSets::default(),
            destinations: NamedSets::default(),
            domains: Domains::default(),
            dry_run_for: Selection::default(),
            exemptions: Vec::new(),
            regions_of_hosts: FxHashMap::default(),
            globs: 0,
            stars: 0,
            waiting: Vec::new(),
            nodes: Vec::new(),
            key: String::new(),
        }
    }
}

/// Bound of what a text can multiply: as much as it has bytes, but for small ones.
fn room(bytes: usize) -> usize {
    bytes.max(1 << 20)
}
