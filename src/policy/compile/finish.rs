//! The end of the reading: names that were used before they were defined, and the whole policy.

use super::{Compiler, STAGED, Sections, Waiting, room};
use crate::policy::compiled::Policy;
use crate::policy::exempt::sorted;
use crate::policy::finding::{Findings, Rejection, code};
use crate::policy::settings::Settings;
use crate::policy::target::Kind;
use crate::policy::terms::Terms;
use std::sync::Arc;

impl Compiler {
    /// Findings that need everything to be read.
    pub(in crate::policy) fn finish(&mut self, findings: &mut Findings<'_>) {
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
                && let Some(constraints) = draft.constraint_table.constraints(defined.constrain(constraints, ports))
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
    pub(in crate::policy) fn into_policy(mut self, settings: Settings, bytes: usize) -> Result<Policy, Rejection> {
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
        let mut server_first = Vec::new();
        for destination in self.destinations.values().flatten().filter(|destination| destination.server_first) {
            destination.nodes(Kind::Rules, &mut self.hosts, &mut server_first);
        }
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
            server_first: sorted(server_first),
        })
    }
}

fn dangling(map: &str, name: &str, pointers: Vec<String>, findings: &mut Findings<'_>) {
    for pointer in pointers {
        let message = format!("`{name}` is not defined in `{map}`");
        findings.error_at(pointer, code::DANGLING, message, "define it, or mend the name".to_owned());
    }
}
