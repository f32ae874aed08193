//! Entries, one by one, into the index; and what holds between them.
//!
//! Keys of a map come in any order, and Kubernetes sorts them: a rule may name a destination, a set of workloads or a
//! trust domain that is defined after it. Such a name gets a place in the index at once, which is filled at the end.

use super::compiled::{DenyEntry, Policy};
use super::decode::{At, Field};
use super::document::{DenyDoc, DestinationDoc, QuotaDoc, ResidencyDoc, RuleDoc, SelectorDoc, TargetDoc};
use super::exempt::{Exemption, GroupSet, sorted};
use super::finding::{Findings, Rejection, code};
use super::names::{Defined, NamedSets};
use super::quota::{QuotaDraft, QuotaEntry};
use super::residency::ResidencyDraft;
use super::selector::Selection;
use super::settings::{Mode, Settings};
use super::target::{DestinationDraft, Kind};
use super::terms::Terms;
use super::value::Id;
use crate::index::{Constraints, EncodedSlash, Hosts, Identities, Interner, List, NONE, SectionBuilder, sort};
use crate::timestamp::Timestamp;
use rustc_hash::FxHashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

/// Most patterns that are no cheap form, in a target and in a policy.
const GLOBS_A_TARGET: usize = 64;
const GLOBS_A_POLICY: usize = 512;
/// Most names with a `*` inside, in a policy.
const STARS_A_POLICY: usize = 10_000;

/// Deny entries in dry-run that are found of those that match alike: a record names one and up to 16 more.
pub(crate) const STAGED: u32 = 17;

/// Trust domains that a finding names.
const DOMAINS_SHOWN: usize = 8;

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

/// List that selectors stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selectors {
    /// `from` or `notFrom` of an entry.
    Entry,
    /// A set of `workloads`.
    Set,
    /// `dryRunFor`.
    Onboarding,
}

#[derive(Clone, Copy)]
struct Waiting {
    kind: Kind,
    target: u32,
    destination: u32,
}

/// Trust domains that selectors named before the list of them was read.
#[derive(Debug, Default)]
pub(super) struct Domains {
    pub(super) listed: Option<Vec<String>>,
    named: Vec<(String, String)>,
}

impl Domains {
    /// A selector names this trust domain where the reading stands.
    fn name(&mut self, domain: &str, findings: &mut Findings<'_>) {
        match &self.listed {
            Some(listed) if listed.iter().any(|listed| listed == domain) => {}
            Some(listed) => not_listed(domain, listed, findings.pointer(), findings),
            None => self.named.push((domain.to_owned(), findings.pointer())),
        }
    }

    /// Once the list is known.
    pub(super) fn finish(&mut self, listed: &[String], findings: &mut Findings<'_>) {
        for (domain, pointer) in std::mem::take(&mut self.named) {
            if !listed.contains(&domain) {
                not_listed(&domain, listed, pointer, findings);
            }
        }
    }
}

fn not_listed(domain: &str, listed: &[String], pointer: String, findings: &mut Findings<'_>) {
    let message = format!("the trust domain `{domain}` is not in `identity.trustDomains`");
    let shown: Vec<&str> = listed.iter().take(DOMAINS_SHOWN).map(String::as_str).collect();
    let more = if listed.len() > shown.len() { " and others" } else { "" };
    findings.error_at(pointer, code::IDENTITY, message, format!("it lists `{}`{more}", shown.join("`, `")));
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

    /// An entry of `rules`.
    pub(super) fn rule(&mut self, doc: RuleDoc<'_>, findings: &mut Findings<'_>) {
        let expires = doc.expires_at.as_ref().map_or(Timestamp::NEVER, |expiry| expiry.0);
        require(&[("id", doc.id.is_absent()), ("from", doc.from.is_absent()), ("to", doc.to.is_absent())], findings);
        let id = self.id(doc.id.good(), findings);
        let number = count(self.rules.len(), findings);
        self.rules.push(id);
        let selection = self.selection("from", doc.from.good(), findings);
        let froms = self.lists_of(Kind::Rules, &selection, findings);
        self.targets("to", Kind::Rules, number, expires, doc.to.good(), &froms, findings);
    }

    /// An entry of `deny`.
    pub(super) fn deny(&mut self, doc: DenyDoc<'_>, findings: &mut Findings<'_>) {
        require(&[("id", doc.id.is_absent())], findings);
        let id = self.id(doc.id.good(), findings);
        let number = count(self.deny.len(), findings);
        let kind = match doc.mode.good() {
            Some(Mode::DryRun) => Kind::DenyDryRun,
            _ => Kind::Deny,
        };
        let everyone = doc.from.is_absent();
        let mut selection = self.selection("from", doc.from.good(), findings);
        selection.any |= everyone;
        let froms = self.lists_of(kind, &selection, findings);
        self.targets("to", kind, number, Timestamp::NEVER, or_everything(doc.to), &froms, findings);

        let not_from = doc.not_from.good();
        let except = doc.except.good();
        let exemption = if not_from.is_none() && except.is_none() {
            NONE
        } else {
            let exemption = count(self.exemptions.len(), findings);
            let not_from = self.selection("notFrom", not_from, findings);
            let not_from = self.group_set(not_from);
            self.exemptions.push(Exemption { not_from });
            self.targets("except", Kind::Except, number, Timestamp::NEVER, except, &[List::One(exemption)], findings);
            exemption
        };
        self.deny.push(DenyEntry { id, exemption });
    }

    /// An entry of `residency`.
    pub(super) fn residency(&mut self, doc: ResidencyDoc<'_>, findings: &mut Findings<'_>) {
        require(
            &[("id", doc.id.is_absent()), ("from", doc.from.is_absent()), ("regions", doc.regions.is_absent())],
            findings,
        );
        let id = self.id(doc.id.good(), findings);
        let selection = self.selection("from", doc.from.good(), findings);
        let regions = doc.regions.good().unwrap_or_default();
        self.residency.push(id, selection, regions.iter().map(|region| &*region.0));
    }

    /// An entry of `quotas`.
    pub(super) fn quota(&mut self, mut doc: QuotaDoc<'_>, findings: &mut Findings<'_>) {
        require(&[("id", doc.id.is_absent()), ("limit", doc.limit.is_absent())], findings);
        let draft = QuotaDraft::read(&mut doc, findings);
        self.id(doc.id.good(), findings);
        let number = count(self.quotas.len(), findings);
        self.quotas.push(draft);
        let everyone = doc.from.is_absent();
        let mut selection = self.selection("from", doc.from.good(), findings);
        if everyone {
            // not `any`, which leaves out anonymous requests here
            selection.groups.extend(self.identities.everyone());
        }
        let froms = self.lists_of(Kind::Quotas, &selection, findings);
        self.targets("to", Kind::Quotas, number, Timestamp::NEVER, or_everything(doc.to), &froms, findings);
    }

    /// A set of `workloads`.
    pub(super) fn workload_set(
        &mut self,
        name: &str,
        selectors: Option<Vec<At<SelectorDoc<'_>>>>,
        findings: &mut Findings<'_>,
    ) {
        let set = self.select(selectors, Selectors::Set, findings);
        if !self.workloads.define(name, set) {
            findings.duplicate_key(name);
        }
    }

    /// A value of `destinations`.
    pub(super) fn destination(&mut self, name: &str, doc: Option<DestinationDoc<'_>>, findings: &mut Findings<'_>) {
        let mut draft = DestinationDraft::default();
        if let Some(doc) = doc {
            if doc.hosts.is_absent() && doc.cidrs.is_absent() {
                findings.no_hosts();
            }
            draft.region = self.region(doc.region.as_ref().map(|region| &*region.0));
            draft.ports = doc.ports.good();
            let (hosts, cidrs) = (doc.hosts.good().unwrap_or_default(), doc.cidrs.good().unwrap_or_default());
            draft.places = self.places(&hosts, &cidrs, draft.region, findings);
        }
        if !self.destinations.define(name, draft) {
            findings.duplicate_key(name);
        }
    }

    /// `dryRunFor`.
    pub(super) fn dry_run_for(&mut self, selectors: Option<Vec<At<SelectorDoc<'_>>>>, findings: &mut Findings<'_>) {
        self.dry_run_for = self.select(selectors, Selectors::Onboarding, findings);
    }

    /// Findings that need everything to be read.
    pub(super) fn finish(&mut self, findings: &mut Findings<'_>) {
        for (name, pointers) in self.workloads.undefined() {
            dangling("workloads", &name, pointers, findings);
        }
        for (name, pointers) in self.destinations.undefined() {
            dangling("destinations", &name, pointers, findings);
        }
        let mut nodes = std::mem::take(&mut self.nodes);
        for (set, lists) in self.workloads.reserved() {
            for (kind, list) in lists {
                nodes.clear();
                set.nodes(kind, &mut self.identities, &mut nodes);
                self.sections.get(kind).froms.define(list, &mut nodes);
            }
        }
        for (destination, lists) in self.destinations.reserved() {
            for (kind, list) in lists {
                nodes.clear();
                destination.nodes(kind, &mut self.hosts, &mut nodes);
                self.sections.get(kind).tos.define(list, &mut nodes);
            }
        }
        for Waiting { kind, target, destination } in std::mem::take(&mut self.waiting) {
            let Some(defined) = self.destinations.get(destination) else { continue };
            let draft = self.sections.get(kind);
            let constraints =
                draft.constraints_of(target).and_then(|constraints| draft.constraint_table.get(constraints)).copied();
            let ports = defined.port_set(kind, &mut draft.constraint_table);
            if let (Some(constraints), Some(ports)) = (constraints, ports)
                && let Some(constraints) =
                    draft.constraint_table.constraints(Constraints { ports, region: defined.region, ..constraints })
            {
                draft.set_constraints(target, constraints);
            } else {
                findings.too_large();
            }
        }
        for quota in std::mem::take(&mut self.quotas) {
            self.divided.extend(quota.finish(self.replicas, findings));
        }
    }

    /// The policy, once everything was read and nothing was wrong.
    pub(super) fn into_policy(mut self, settings: Settings, bytes: usize) -> Result<Policy, Rejection> {
        let mut findings = Findings::default();
        let dry_run_for = std::mem::take(&mut self.dry_run_for);
        let dry_run_for = self.group_set(dry_run_for);
        let Some(residency) = self.residency.finish(&self.workloads, &mut self.identities, room(bytes)) else {
            findings.too_large();
            return Err(findings.into_rejection(settings.name));
        };
        let workloads = self.workloads.values().map(|set| {
            let mut groups = Vec::new();
            if let Some(set) = set {
                set.nodes(Kind::Rules, &mut self.identities, &mut groups);
            }
            sorted(groups)
        });
        let workloads = workloads.collect();
        self.identities.shrink();
        self.hosts.finish();
        let exemption_of: Vec<u32> = self.deny.iter().map(|entry| entry.exemption).collect();
        // every quota that matches counts: none stands for another
        let each_for_itself: Vec<u32> = (0..).take(self.divided.len()).collect();
        let (froms, tos) = (self.identities.len(), self.hosts.len());
        let Sections { rules, deny, deny_dry_run, except, quotas } = self.sections;
        let expires = rules.constraint_table.expires();
        let keys = rules.constraint_table.has_keys();
        let sections = (
            rules.finish(froms, tos, bytes, &[], 1),
            deny.finish(froms, tos, bytes, &exemption_of, 1),
            deny_dry_run.finish(froms, tos, bytes, &exemption_of, STAGED),
            except.finish(self.exemptions.len(), tos, bytes, &[], 1),
            quotas.finish(froms, tos, bytes, &each_for_itself, 1),
        );
        let (Some(rules), Some(deny), Some(deny_dry_run), Some(except), Some(quotas)) = sections else {
            findings.too_large();
            return Err(findings.into_rejection(settings.name));
        };
        self.rules.shrink_to_fit();
        self.deny.shrink_to_fit();
        self.divided.shrink_to_fit();
        let settings = Arc::new(settings);
        Ok(Policy {
            terms: Arc::new(Terms::new(Arc::clone(&settings), self.divided)),
            settings,
            ids: self.ids.without_table(),
            rules_ids: self.rules,
            deny_entries: self.deny,
            identities: self.identities,
            hosts: self.hosts,
            rules,
            deny,
            deny_dry_run,
            except,
            quotas,
            residency,
            dry_run_for,
            exemptions: self.exemptions,
            workloads,
            destinations: self.destinations.into_names(),
            expires,
            keys,
        })
    }

    /// Address of an entry's id.
    fn id(&mut self, id: Option<Id<'_>>, findings: &mut Findings<'_>) -> u32 {
        let Some(Id(id)) = id else { return NONE };
        match self.ids.intern(0, id.as_bytes()).and_then(|interned| interned.new) {
            Some(address) => address,
            None => {
                let fix = "ids are unique across `deny`, `rules`, `residency` and `quotas`".to_owned();
                findings.error_in("id", code::DUPLICATE, format!("the id `{}` is taken", &*id), fix);
                NONE
            }
        }
    }

    /// The selectors under `key` of the entry that is being read.
    fn selection(
        &mut self,
        key: &'static str,
        selectors: Option<Vec<At<SelectorDoc<'_>>>>,
        findings: &mut Findings<'_>,
    ) -> Selection {
        findings.enter_key(key);
        let selection = self.select(selectors, Selectors::Entry, findings);
        findings.leave();
        selection
    }

    /// The list of selectors where the reading stands.
    fn select(
        &mut self,
        selectors: Option<Vec<At<SelectorDoc<'_>>>>,
        of: Selectors,
        findings: &mut Findings<'_>,
    ) -> Selection {
        let mut selection = Selection::default();
        for selector in selectors.unwrap_or_default() {
            findings.enter_item(selector.item);
            if of != Selectors::Onboarding && !selector.value.until.is_absent() {
                let fix = "only entries of `dryRunFor` have an end, and rules: those by `expiresAt`".to_owned();
                findings.error_in("until", code::UNKNOWN_KEY, "unknown key `until`", fix);
            }
            if of == Selectors::Set && !selector.value.workloads.is_absent() {
                let fix = "write the selectors of that set here".to_owned();
                findings.error::<()>(code::COMBINATION, "a set cannot hold another set", fix);
            } else {
                self.selector(selector.value, &mut selection, findings);
            }
            findings.leave();
        }
        sort(&mut selection.sets);
        selection
    }

    fn selector(&mut self, doc: SelectorDoc<'_>, selection: &mut Selection, findings: &mut Findings<'_>) {
        let given = [
            doc.spiffe.is_absent(),
            doc.service_account.is_absent(),
            doc.namespace.is_absent(),
            doc.workloads.is_absent(),
            doc.any.is_absent(),
            doc.anonymous.is_absent(),
        ]
        .into_iter()
        .filter(|absent| !absent)
        .count();
        if given != 1 {
            let message = if given == 0 { "a selector selects nothing" } else { "a selector has several keys" };
            let fix = "give each one of `spiffe`, `serviceAccount`, `namespace`, `workloads`, `any`, `anonymous`";
            findings.error::<()>(code::COMBINATION, message, fix.to_owned());
            return;
        }
        let with_domain = !doc.service_account.is_absent() || !doc.namespace.is_absent();
        if !doc.trust_domain.is_absent() && !with_domain {
            let fix = "it goes with `serviceAccount` and `namespace`".to_owned();
            findings.error_in("trustDomain", code::COMBINATION, "`trustDomain` says nothing here", fix);
        }
        let domain = doc.trust_domain.good();
        let domain = domain.as_ref().map(|domain| &*domain.0);
        if let Some(domain) = domain {
            findings.enter_key("trustDomain");
            self.domains.name(domain, findings);
            findings.leave();
        }
        let group = if let Some(spiffe) = doc.spiffe.good() {
            findings.enter_key("spiffe");
            self.domains.name(spiffe.trust_domain(), findings);
            findings.leave();
            self.identities.spiffe(&spiffe.id)
        } else if let Some(account) = doc.service_account.good() {
            self.identities.service_account(domain, account.key(&mut self.key))
        } else if let Some(namespace) = doc.namespace.good() {
            self.identities.namespace(domain, &namespace.0)
        } else if let Some(name) = doc.workloads.good() {
            findings.enter_key("workloads");
            selection.sets.extend(self.workloads.refer(&name, findings));
            findings.leave();
            return;
        } else if doc.any.good().is_some() {
            selection.any = true;
            return;
        } else if doc.anonymous.good().is_some() {
            self.identities.anonymous()
        } else {
            return; // its value was wrong, and that is a finding already
        };
        match group {
            Some(group) => selection.groups.push(group),
            None => findings.too_large(),
        }
    }

    /// The from-lists of an entry: one for what it lists itself, one for each set.
    fn lists_of(&mut self, kind: Kind, selection: &Selection, findings: &mut Findings<'_>) -> Vec<List> {
        let mut lists = Vec::new();
        self.nodes.clear();
        selection.nodes(kind, &mut self.identities, &mut self.nodes);
        let draft = self.sections.get(kind);
        if !self.nodes.is_empty() {
            lists.extend(draft.froms.add(&mut self.nodes));
        }
        for set in &selection.sets {
            lists.extend(self.workloads.list(*set, kind, || draft.froms.reserve()));
        }
        let wanted = selection.sets.len().saturating_add(usize::from(!self.nodes.is_empty()));
        if lists.len() < wanted {
            findings.too_large();
        }
        lists
    }

    /// The groups that a list in an opening place selects.
    fn group_set(&mut self, selection: Selection) -> GroupSet {
        let mut groups = Vec::new();
        selection.nodes(Kind::Rules, &mut self.identities, &mut groups);
        GroupSet::new(groups, selection.sets)
    }

    #[expect(clippy::too_many_arguments, reason = "an entry's parts, each needed once")]
    fn targets(
        &mut self,
        key: &'static str,
        kind: Kind,
        entry: u32,
        expires: Timestamp,
        targets: Option<Vec<At<TargetDoc<'_>>>>,
        froms: &[List],
        findings: &mut Findings<'_>,
    ) {
        findings.enter_key(key);
        for target in targets.unwrap_or_default() {
            findings.enter_item(target.item);
            if self.target(kind, entry, expires, target.value, froms, findings).is_none() {
                findings.too_large();
            }
            findings.leave();
        }
        findings.leave();
    }

    /// None if there is no room.
    fn target(
        &mut self,
        kind: Kind,
        entry: u32,
        expires: Timestamp,
        doc: TargetDoc<'_>,
        froms: &[List],
        findings: &mut Findings<'_>,
    ) -> Option<()> {
        super::target::check(&doc, kind, findings);
        let paths = doc.paths.good().unwrap_or_default();
        self.count_globs(&paths, findings);
        let region = self.region(doc.region.as_ref().map(|region| &*region.0));
        let methods = match doc.methods.good() {
            Some(methods) => {
                self.sections.get(kind).constraint_table.methods(methods.iter().map(|method| &*method.0))?
            }
            None => NONE,
        };
        let mut constraints = Constraints {
            ports: NONE,
            methods,
            upgrades: !doc.upgrades.is_absent(),
            encoded_slash: doc.encoded_slash.good().unwrap_or(EncodedSlash::Refused),
            region,
            destination: NONE,
            expires,
        };
        let mut late = None;
        let to = if let Some(name) = doc.destination.good() {
            findings.enter_key("destination");
            let number = self.destinations.refer(&name, findings);
            findings.leave();
            let number = number?;
            constraints.destination = number;
            let draft = self.sections.get(kind);
            match self.destinations.defined(number) {
                Defined::Yes(destination) => {
                    constraints.ports = destination.port_set(kind, &mut draft.constraint_table)?;
                    constraints.region = destination.region;
                }
                Defined::Later => late = Some(number),
            }
            self.destinations.list(number, kind, || draft.tos.reserve())?
        } else {
            let ports = doc.ports.good();
            let (hosts, cidrs) = (doc.hosts.good().unwrap_or_default(), doc.cidrs.good().unwrap_or_default());
            let mut places = self.places(&hosts, &cidrs, region, findings);
            places.everything = kind.closes() && hosts.is_empty() && cidrs.is_empty();
            let destination = DestinationDraft { places, ports, region };
            self.nodes.clear();
            destination.nodes(kind, &mut self.hosts, &mut self.nodes);
            let draft = self.sections.get(kind);
            constraints.ports = destination.port_set(kind, &mut draft.constraint_table)?;
            draft.tos.add(&mut self.nodes)?
        };
        let draft = self.sections.get(kind);
        let constraints = draft.constraint_table.constraints(constraints)?;
        let target = draft.target(entry, constraints, paths.iter().map(|path| (&*path.text, path.kind)))?;
        if froms.iter().try_for_each(|from| draft.link(target, *from, to)).is_none() {
            let fix = "put the selectors of those sets into one set".to_owned();
            findings.error::<()>(code::LIMIT, "the sets of this entry times its targets are too many", fix);
        }
        self.waiting.extend(late.map(|destination| Waiting { kind, target, destination }));
        Some(())
    }

    fn count_globs(&mut self, paths: &[super::path_pattern::PathPattern<'_>], findings: &mut Findings<'_>) {
        let globs = paths.iter().filter(|path| path.is_costly()).count();
        let fix = "exact paths, `/prefix/**` and whole-segment `*` are not counted";
        if globs > GLOBS_A_TARGET {
            let message = format!("{globs} patterns are no cheap form; a target may have {GLOBS_A_TARGET}");
            findings.error_in("paths", code::LIMIT, message, fix.to_owned());
        }
        let before = self.globs;
        self.globs = self.globs.saturating_add(globs);
        if before <= GLOBS_A_POLICY && self.globs > GLOBS_A_POLICY {
            let message = format!("more than {GLOBS_A_POLICY} patterns of the policy are no cheap form");
            findings.error_in("paths", code::LIMIT, message, fix.to_owned());
        }
    }

    fn count_star(&mut self, is_new: bool, findings: &mut Findings<'_>) {
        self.stars = self.stars.saturating_add(usize::from(is_new));
        if is_new && self.stars == STARS_A_POLICY.saturating_add(1) {
            let message = format!("more than {STARS_A_POLICY} names of the policy have a `*` inside");
            let fix = "`*.example.com` and `**.example.com` are not counted".to_owned();
            findings.error_in("hosts", code::LIMIT, message, fix);
        }
    }

    /// Number of a region label, or [`NONE`].
    fn region(&mut self, region: Option<&str>) -> u32 {
        region.map_or(NONE, |region| self.residency.region(region))
    }

    fn places(
        &mut self,
        hosts: &[super::model::HostPattern<'_>],
        cidrs: &[super::cidr::CidrPattern],
        region: u32,
        findings: &mut Findings<'_>,
    ) -> super::target::Places {
        use super::model::HostPattern;
        let mut places = super::target::Places::default();
        for host in hosts {
            let node = match host {
                HostPattern::Exact(name) => {
                    let node = self.hosts.exact(name);
                    self.one_region(node, name, region, findings);
                    node
                }
                HostPattern::Star(name) => self.hosts.star(name.text(), name.star()).map(|(node, is_new)| {
                    self.count_star(is_new, findings);
                    node
                }),
                HostPattern::One(name) => self.hosts.one_label_before(name),
                HostPattern::Many(name) => self.hosts.labels_before(name),
                HostPattern::All => {
                    places.every_name = true;
                    continue;
                }
            };
            places.add(node, findings);
        }
        for cidr in cidrs.iter().flat_map(super::cidr::CidrPattern::networks) {
            places.add(self.hosts.network(*cidr), findings);
        }
        places
    }

    /// One exact host has one region.
    fn one_region(&mut self, host: Option<u32>, name: &str, region: u32, findings: &mut Findings<'_>) {
        let Some(host) = host.filter(|_| region != NONE) else { return };
        let known = *self.regions_of_hosts.entry(host).or_insert(region);
        if known != region {
            let message = format!(
                "the host `{name}` is in region `{}` here and in `{}` elsewhere",
                self.residency.region_name(region),
                self.residency.region_name(known)
            );
            findings.error_in("region", code::COMBINATION, message, "a host has one region".to_owned());
        }
    }
}

/// Bound of what a text can multiply: as much as it has bytes, but for small ones.
fn room(bytes: usize) -> usize {
    bytes.max(1 << 20)
}

/// The targets of an entry that means everything where it gives none.
fn or_everything<'a>(targets: Field<Vec<At<TargetDoc<'a>>>>) -> Option<Vec<At<TargetDoc<'a>>>> {
    match targets {
        Field::Absent => Some(vec![At { item: 0, value: TargetDoc::default() }]),
        given => given.good(),
    }
}

fn require(keys: &[(&str, bool)], findings: &mut Findings<'_>) {
    for (key, absent) in keys {
        if *absent {
            findings.missing(key);
        }
    }
}

fn count(len: usize, findings: &mut Findings<'_>) -> u32 {
    u32::try_from(len).unwrap_or_else(|_| {
        findings.too_large();
        NONE
    })
}

fn dangling(map: &str, name: &str, pointers: Vec<String>, findings: &mut Findings<'_>) {
    for pointer in pointers {
        let message = format!("`{name}` is not defined in `{map}`");
        findings.error_at(pointer, code::DANGLING, message, "define it, or mend the name".to_owned());
    }
}
