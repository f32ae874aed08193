//! Selectors into groups of identities, and groups into the from-lists of entries.

use super::Compiler;
use crate::index::{List, sort};
use crate::policy::decode::At;
use crate::policy::document::SelectorDoc;
use crate::policy::exempt::GroupSet;
use crate::policy::finding::{Findings, code};
use crate::policy::selector::Selection;
use crate::policy::target::Kind;

/// List that selectors stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Selectors {
    /// `from` or `notFrom` of an entry.
    Entry,
    /// A set of `workloads`.
    Set,
    /// `dryRunFor`.
    Onboarding,
}

impl Compiler {
    /// The selectors under `key` of the entry that is being read.
    pub(super) fn selection(
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
    pub(super) fn select(
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
    pub(super) fn lists_of(&mut self, kind: Kind, selection: &Selection, findings: &mut Findings<'_>) -> Vec<List> {
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
    pub(super) fn group_set(&mut self, selection: Selection) -> GroupSet {
        let mut groups = Vec::new();
        selection.nodes(Kind::Rules, &mut self.identities, &mut groups);
        GroupSet::new(groups, selection.sets)
    }
}
