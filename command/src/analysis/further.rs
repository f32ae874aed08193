//! A further reason of a dry-run, as commands show it.

use serde::Serialize;
use std::fmt;
use tollgate::decision::{Also, Further};

/// A reason and the id of the entry that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FurtherShown {
    pub(crate) r: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
}

impl FurtherShown {
    pub(crate) fn all(also: &Also<'_>) -> Vec<FurtherShown> {
        let shown =
            |Further { reason, rule }: Further<'_>| FurtherShown { r: reason.as_str(), rule: rule.map(str::to_owned) };
        also.iter().map(shown).collect()
    }
}

impl fmt::Display for FurtherShown {
    /// `DENY_RULE by no-internal`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.r)?;
        match &self.rule {
            Some(rule) => write!(f, " by {rule}"),
            None => Ok(()),
        }
    }
}
