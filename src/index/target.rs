//! Targets, and the sets that they stand between: the edges of a section.

/// No node, no target.
pub(crate) const NO_NODE: u32 = u32::MAX;
/// First of a set's neighbours if there are more than can be stored.
pub(super) const DENSE: u32 = u32::MAX - 1;

/// A target of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Number of the entry in its section, in file order.
    pub(crate) entry: u32,
    /// Number of its constraints.
    pub(crate) constraints: u32,
    /// Address of the first path pattern.
    pub(super) paths: u32,
    /// Number of path patterns; none: every path.
    pub(super) path_count: u32,
}

impl Target {
    pub(crate) fn has_paths(&self) -> bool {
        self.path_count > 0
    }
}

/// By set: up to four neighbours among the other side's sets.
pub(super) type Neighbours = Vec<[u32; 4]>;
