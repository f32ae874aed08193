//! Selections: the groups that a list of selectors takes in.

use super::target::Kind;
use crate::index::Identities;

/// Groups of identities, and named sets of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    /// Numbers of groups.
    pub(super) groups: Vec<u32>,
    /// Numbers of sets in `workloads`.
    pub(super) sets: Vec<u32>,
    /// `any: true` is among them.
    pub(super) any: bool,
}

impl Selection {
    /// Its own groups, without those of the sets. `any` is everyone in deny entries, and elsewhere every authenticated
    /// identity.
    pub(super) fn nodes(&self, kind: Kind, identities: &mut Identities, nodes: &mut Vec<u32>) {
        nodes.extend(&self.groups);
        if self.any {
            nodes.extend(if kind.any_is_everyone() { identities.everyone() } else { identities.any() });
        }
    }
}
