//! The marks that instances of one plugin leave for each other in shared data.

/// A plugin, by the name that all its instances have, across updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plugin(pub(crate) String);

impl Plugin {
    /// The key of the mark that this plugin has had a good policy. All plugins of the process may use the shared data.
    pub(crate) fn mark(&self) -> String {
        ["tollgate/1/@loaded/", &self.0].concat()
    }

    /// The key of the mark that this bad policy was accepted for want of a better one. Keys cannot be deleted; there
    /// is one for each policy that was tried before the first good one.
    pub(crate) fn accepted(&self, fingerprint: u64) -> String {
        format!("tollgate/1/@accepted/{}/{fingerprint:012x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_of_other_names_share_no_marks() {
        let (a, b) = (Plugin("a/".to_owned()), Plugin("b/".to_owned()));
        assert_ne!(a.mark(), b.mark());
        assert_ne!(a.accepted(1), b.accepted(1));
        assert_ne!(a.accepted(1), a.accepted(2));
    }
}
