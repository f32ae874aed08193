//! Namespaces that may ask for something: a sidecar is told of nothing else.

use crate::analysis::advice::{Advice, code, named};
use crate::mesh::site::Site;
use crate::read::document::{Document, Rule, Selector};
use std::collections::BTreeSet;

/// Callers that the rules about a host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostCallers {
    These(BTreeSet<String>),
    /// Every namespace of the site: what is named by SPIFFE ID, or of another trust domain, may run anywhere.
    All,
}

impl Default for HostCallers {
    fn default() -> HostCallers {
        HostCallers::These(BTreeSet::new())
    }
}

impl HostCallers {
    pub(super) fn of(document: &Document, rule: &Rule) -> HostCallers {
        let namespaces = document.selectors(&rule.from).map(|selector| namespace(document, selector));
        namespaces.collect::<Option<BTreeSet<_>>>().map_or(HostCallers::All, |namespaces| {
            HostCallers::These(namespaces.into_iter().map(str::to_owned).collect())
        })
    }

    pub(super) fn join(&mut self, other: &HostCallers) {
        match (&mut *self, other) {
            (HostCallers::These(own), HostCallers::These(others)) => own.extend(others.iter().cloned()),
            _ => *self = HostCallers::All,
        }
    }

    /// `exportTo` of what they may see: the gateway's own namespace, and theirs.
    pub(super) fn export<'s>(&'s self, site: &'s Site) -> Vec<&'s str> {
        let listed = site.workload_namespaces.iter().map(String::as_str);
        let theirs: Vec<&str> = match self {
            HostCallers::All if site.workload_namespaces.is_empty() => return vec!["*"],
            HostCallers::All => listed.collect(),
            HostCallers::These(these) if site.workload_namespaces.is_empty() => {
                these.iter().map(String::as_str).collect()
            }
            HostCallers::These(these) => listed.filter(|namespace| these.contains(*namespace)).collect(),
        };
        std::iter::once(".").chain(theirs).collect()
    }
}

/// The namespace that a selector names; none if it may run in any.
fn namespace<'d>(document: &Document, selector: &'d Selector) -> Option<&'d str> {
    let own = document.trust_domains().into_iter().next();
    if selector.trust_domain.as_deref().is_some_and(|domain| Some(domain) != own) {
        return None;
    }
    let of_account = selector.service_account.as_ref().and_then(|account| account.split('/').next());
    of_account.or(selector.namespace.as_deref())
}

/// Says which rules are for namespaces that the site does not let in.
pub(super) fn judge(document: &Document, site: &Site, advice: &mut Advice) {
    if site.workload_namespaces.is_empty() {
        return;
    }
    let judge = |selectors: &[Selector], list: &str, said: &mut BTreeSet<String>, advice: &mut Advice| {
        for (number, selector) in selectors.iter().enumerate() {
            let Some(namespace) = namespace(document, selector) else { continue };
            let is_in = site.workload_namespaces.iter().any(|listed| listed == namespace);
            if is_in || !said.insert(namespace.to_owned()) {
                continue;
            }
            let message =
                format!("`{namespace}` may not use the gateway: the site's `workloadNamespaces` do not list it");
            let fix = format!("add `{namespace}` to `workloadNamespaces`, or remove it here");
            advice.add(code::OUTSIDE, format!("{list}[{number}]"), message, fix);
        }
    };
    let mut sets = BTreeSet::new();
    for (number, rule) in document.rules.iter().enumerate() {
        judge(&rule.from, &format!("rules[{number}].from"), &mut BTreeSet::new(), advice);
        sets.extend(rule.from.iter().filter_map(|selector| selector.workloads.as_deref()));
    }
    for name in sets {
        let set = document.workloads.get(name).map(Vec::as_slice).unwrap_or_default();
        judge(set, &named("workloads", name), &mut BTreeSet::new(), advice);
    }
}
