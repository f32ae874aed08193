//! The codes of advice. What each means, why it matters and what to write instead stands in `docs/lints.md`, under the
//! code.

use crate::policy::Severity::{self, Note, Warning};

/// A kind of advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) name: &'static str,
    pub(super) severity: Severity,
}

const fn warning(name: &'static str) -> Code {
    Code { name, severity: Warning }
}

const fn note(name: &'static str) -> Code {
    Code { name, severity: Note }
}

pub(super) const DENIED: Code = warning("TG110");
pub(super) const EXPIRED: Code = warning("TG111");
pub(super) const NO_REGION: Code = warning("TG112");
pub(super) const IMPOSSIBLE: Code = warning("TG113");
pub(super) const DUPLICATE: Code = warning("TG114");
pub(super) const COVERED: Code = warning("TG115");
pub(super) const PATHS_OPENED: Code = warning("TG116");
pub(super) const PATH_SPELLING: Code = note("TG117");
pub(super) const PREFIX_ALONE: Code = note("TG118");
pub(super) const IDLE_QUOTA: Code = warning("TG119");
pub(super) const WEAK_QUOTA: Code = warning("TG120");

pub(super) const EVERYWHERE: Code = warning("TG201");
pub(super) const PUBLIC_SUFFIX: Code = warning("TG202");
pub(super) const PRIVATE: Code = warning("TG203");
pub(super) const NAME_AND_ADDRESS: Code = warning("TG204");
pub(super) const PRIVATE_IN_PART: Code = warning("TG205");
pub(super) const PATHS_EVERYWHERE: Code = warning("TG206");
pub(super) const SECRET_PATHS: Code = warning("TG207");
pub(super) const ANONYMOUS: Code = warning("TG208");
pub(super) const FULL_DETAIL: Code = warning("TG209");
pub(super) const CONNECT: Code = warning("TG210");
pub(super) const NO_TRIPWIRE: Code = note("TG211");
pub(super) const DRY_RUN: Code = warning("TG212");

pub(super) const NO_OWNER: Code = note("TG301");
pub(super) const EXPIRES_SOON: Code = note("TG302");
pub(super) const UNUSED_DESTINATION: Code = note("TG303");
pub(super) const UNUSED_SET: Code = note("TG304");
pub(super) const LARGE: Code = warning("TG305");
pub(super) const FORGETFUL: Code = note("TG306");
pub(super) const SUPPRESSION: Code = warning("TG307");

/// The codes that a file can suppress: these, and those of the checker's own advice.
pub(super) const ALL: [&str; 32] = [
    "TG101", "TG102", "TG110", "TG111", "TG112", "TG113", "TG114", "TG115", "TG116", "TG117", "TG118", "TG119",
    "TG120", "TG201", "TG202", "TG203", "TG204", "TG205", "TG206", "TG207", "TG208", "TG209", "TG210", "TG211",
    "TG212", "TG301", "TG302", "TG303", "TG304", "TG305", "TG306", "TG307",
];
