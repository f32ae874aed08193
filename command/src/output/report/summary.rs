//! A policy in numbers.

use crate::read::document::Document;
use serde::Serialize;
use std::fmt;

/// The name and the revision of a policy, and how many entries it has.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    name: String,
    revision: String,
    /// Rules and deny entries.
    entries: usize,
    rules: usize,
    deny: usize,
    residency: usize,
    quotas: usize,
}

impl Summary {
    /// Summary of a policy whose revision is known.
    pub(crate) fn of(document: &Document, revision: String) -> Summary {
        let Document { name, rules, deny, residency, quotas, .. } = document;
        Summary {
            name: name.clone(),
            revision,
            entries: rules.len().saturating_add(deny.len()),
            rules: rules.len(),
            deny: deny.len(),
            residency: residency.len(),
            quotas: quotas.len(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(f, "policy {}@{}: {} rule{}", self.name, self.revision, self.rules, plural(self.rules))?;
        for (count, noun) in [(self.deny, "deny"), (self.residency, "residency")] {
            if count > 0 {
                write!(f, ", {count} {noun}")?;
            }
        }
        if self.quotas > 0 {
            write!(f, ", {} quota{}", self.quotas, plural(self.quotas))?;
        }
        Ok(())
    }
}
