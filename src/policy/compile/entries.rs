//! Entries, sets and destinations, one by one, into the index.

use super::Compiler;
use super::selectors::Selectors;
use crate::index::{List, NONE};
use crate::policy::compiled::DenyEntry;
use crate::policy::decode::{At, Field};
use crate::policy::document::{DenyDoc, QuotaDoc, ResidencyDoc, RuleDoc, SelectorDoc};
use crate::policy::exempt::Exemption;
use crate::policy::finding::{Findings, code};
use crate::policy::quota::QuotaDraft;
use crate::policy::settings::Mode;
use crate::policy::target::{DestinationDraft, Kind};
use crate::policy::target_document::{DestinationDoc, TargetDoc};
use crate::policy::value::{Id, Switch};
use crate::timestamp::Timestamp;

impl Compiler {
    /// An entry of `rules`.
    pub(in crate::policy) fn rule(&mut self, doc: RuleDoc<'_>, findings: &mut Findings<'_>) {
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
    pub(in crate::policy) fn deny(&mut self, doc: DenyDoc<'_>, findings: &mut Findings<'_>) {
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
    pub(in crate::policy) fn residency(&mut self, doc: ResidencyDoc<'_>, findings: &mut Findings<'_>) {
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
    pub(in crate::policy) fn quota(&mut self, mut doc: QuotaDoc<'_>, findings: &mut Findings<'_>) {
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
    pub(in crate::policy) fn workload_set(
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
    pub(in crate::policy) fn destination(
        &mut self,
        name: &str,
        doc: Option<DestinationDoc<'_>>,
        findings: &mut Findings<'_>,
    ) {
        let mut draft = DestinationDraft::default();
        if let Some(doc) = doc {
            if doc.hosts.is_absent() && doc.cidrs.is_absent() {
                findings.no_hosts();
            }
            draft.region = self.region(doc.region.as_ref().map(|region| &*region.0));
            draft.server_first = doc.server_first.as_ref() == Some(&Switch(true));
            draft.ports = doc.ports.good();
            let (hosts, cidrs) = (doc.hosts.good().unwrap_or_default(), doc.cidrs.good().unwrap_or_default());
            draft.places = self.places(&hosts, &cidrs, draft.region, findings);
        }
        if !self.destinations.define(name, draft) {
            findings.duplicate_key(name);
        }
    }

    /// `dryRunFor`.
    pub(in crate::policy) fn dry_run_for(
        &mut self,
        selectors: Option<Vec<At<SelectorDoc<'_>>>>,
        findings: &mut Findings<'_>,
    ) {
        self.dry_run_for = self.select(selectors, Selectors::Onboarding, findings);
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
