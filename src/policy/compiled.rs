//! A compiled policy.

use super::exempt::{Exemption, GroupSet};
use super::quota::QuotaEntry;
use super::residency::Residency;
use super::settings::{Settings, VerifyRoute};
use super::terms::Terms;
use crate::index::{Hosts, Identities, Interner, NONE, Section};
use crate::quota::{Quota, QuotaNamespace};
use std::sync::Arc;

/// A compiled policy: everything a decision needs, immutable. [`Authorizer`](crate::decision::Authorizer) decides by it.
#[derive(Debug)]
pub struct Policy {
    pub(crate) settings: Arc<Settings>,
    pub(super) terms: Arc<Terms>,
    pub(super) ids: Interner,
    pub(super) rules_ids: Vec<u32>,
    pub(super) deny_entries: Vec<DenyEntry>,
    pub(crate) identities: Identities,
    pub(crate) hosts: Hosts,
    pub(crate) rules: Section,
    pub(crate) deny: Section,
    pub(crate) deny_dry_run: Section,
    pub(crate) except: Section,
    pub(crate) quotas: Section,
    pub(crate) residency: Residency,
    pub(crate) dry_run_for: GroupSet,
    pub(super) exemptions: Vec<Exemption>,
    /// By number of a set of workloads: its groups.
    pub(crate) workloads: Vec<Box<[u32]>>,
    pub(super) destinations: Vec<Box<str>>,
    pub(super) expires: bool,
    /// Some rule reads paths as keys.
    pub(crate) keys: bool,
    /// To-nodes of the destinations whose servers may speak first, sorted.
    pub(crate) server_first: Box<[u32]>,
}

impl Policy {
    /// Settings: what the policy says besides its entries.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Tells whether a decision may depend on the time (some rule expires): if not, no clock need be read.
    pub fn reads_clock(&self) -> bool {
        self.expires
    }

    /// Tells whether a decision may depend on the routed cluster of requests whose identity came from a certificate.
    pub fn reads_cluster(&self) -> bool {
        match self.settings.verify_route {
            Some(compared) => compared != VerifyRoute::Off,
            None => self.settings.reads_principals(),
        }
    }

    /// Tells whether servers of some destination may speak first.
    pub fn knows_server_first(&self) -> bool {
        !self.server_first.is_empty()
    }

    /// Number of allow rules, deny entries and residency entries.
    pub fn rule_count(&self) -> usize {
        self.rules_ids.len().saturating_add(self.deny_entries.len()).saturating_add(self.residency.entries.len())
    }

    /// Memory the compiled policy holds, in bytes.
    pub fn bytes(&self) -> usize {
        let sections = [&self.rules, &self.deny, &self.deny_dry_run, &self.except, &self.quotas];
        // besides themselves, their tags
        let quotas = self.quotas().iter().map(|entry| entry.bytes().saturating_add(16));
        let exemptions = self.exemptions.iter().map(Exemption::bytes);
        let workloads = self.workloads.iter().map(|set| size_of_val(&**set).saturating_add(16));
        let destinations = self.destinations.iter().map(|name| name.len().saturating_add(16));
        let parts = [
            self.ids.bytes(),
            self.rules_ids.capacity().saturating_mul(4),
            self.deny_entries.capacity().saturating_mul(size_of::<DenyEntry>()),
            self.identities.bytes(),
            self.hosts.bytes(),
            self.residency.bytes(),
            size_of_val(&*self.server_first),
        ];
        let all = parts.into_iter().chain(sections.into_iter().map(Section::bytes));
        all.chain(quotas)
            .chain(exemptions)
            .chain(workloads)
            .chain(destinations)
            .fold(size_of::<Policy>(), usize::saturating_add)
    }

    /// The quotas, in file order: by number of the entry in the graph.
    pub fn quotas(&self) -> &[QuotaEntry] {
        self.terms.quotas()
    }

    /// A quota by its number.
    pub fn quota(&self, number: u32) -> Option<&Quota> {
        self.terms.quota(number)
    }

    /// Terms that a request stays bound to once it was let through.
    pub fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// Namespace of the quotas in the shared store.
    pub fn namespace(&self) -> &QuotaNamespace {
        self.terms.namespace()
    }

    /// Ids of all rules, deny entries, residency entries and quotas.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.of_kind(0)
    }

    /// Id and named destination of each target of the rules: what can admit a request, and through what.
    pub fn leads(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let named = |(rule, destination)| Some((self.rule_id(rule)?, self.destination_name(destination)));
        self.rules.leads().filter_map(named)
    }

    /// Ids of the deny entries, in file order.
    pub fn deny_ids(&self) -> impl Iterator<Item = &str> {
        self.deny_entries.iter().map(|entry| self.ids.text(entry.id))
    }

    /// Ids of the residency entries, in file order.
    pub fn residency_ids(&self) -> impl Iterator<Item = &str> {
        self.residency.entries.iter().map(|(id, _)| self.ids.text(*id))
    }

    /// Names of all destinations.
    pub fn destinations(&self) -> impl Iterator<Item = &str> {
        self.destinations.iter().map(|name| &**name)
    }

    /// Namespaces that selectors of the policy name, each once.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.identities.namespaces()
    }

    pub(crate) fn rule_id(&self, rule: u32) -> Option<&str> {
        self.rules_ids.get(rule as usize).map(|address| self.ids.text(*address))
    }

    pub(crate) fn deny_id(&self, entry: u32) -> Option<&str> {
        self.deny_entries.get(entry as usize).map(|entry| self.ids.text(entry.id))
    }

    pub(crate) fn residency_id(&self, entry: u32) -> Option<&str> {
        self.residency.entries.get(entry as usize).map(|(id, _)| self.ids.text(*id))
    }

    pub(crate) fn destination_name(&self, destination: u32) -> Option<&str> {
        self.destinations.get(destination as usize).map(|name| &**name)
    }

    /// Exemption of a deny entry, and the number under which the `except` section knows it.
    pub(crate) fn exemption(&self, entry: u32) -> Option<(u32, &Exemption)> {
        let number = self.deny_entries.get(entry as usize)?.exemption;
        self.exemptions.get(number as usize).filter(|_| number != NONE).map(|exemption| (number, exemption))
    }
}

/// A deny entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct DenyEntry {
    /// Address of its id.
    pub(super) id: u32,
    /// Number of its exemption, or [`NONE`].
    pub(super) exemption: u32,
}
