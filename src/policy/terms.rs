//! The terms that bind a request once it was let through.

use std::sync::Arc;

use super::{QuotaEntry, Settings};
use crate::quota::{Quota, QuotaNamespace};

/// Settings and quotas of a policy, without its rules and its index: all that is needed of it until the end of a
/// request that it let through. Outlives the [`super::Policy`] as long as somebody holds it.
#[derive(Debug)]
pub struct Terms {
    settings: Arc<Settings>,
    quotas: Vec<QuotaEntry>,
    namespace: QuotaNamespace,
}

impl Terms {
    pub(super) fn new(settings: Arc<Settings>, quotas: Vec<QuotaEntry>) -> Terms {
        let namespace = QuotaNamespace::of(&settings.name, quotas.iter().map(|entry| &entry.quota));
        Terms { settings, quotas, namespace }
    }

    /// Settings of the policy.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The quotas, in file order: by number of the entry in the graph.
    pub fn quotas(&self) -> &[QuotaEntry] {
        &self.quotas
    }

    /// A quota by its number.
    pub fn quota(&self, number: u32) -> Option<&Quota> {
        self.quotas.get(number as usize).map(|entry| &entry.quota)
    }

    /// Namespace of the quotas in the shared store.
    pub fn namespace(&self) -> &QuotaNamespace {
        &self.namespace
    }
}
