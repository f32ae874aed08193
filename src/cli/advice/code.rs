//! The codes of advice. What each means, why it matters and what to write instead stands in `docs/lints.md`, under the
//! code.

use crate::policy::Severity::{self, Error, Note, Warning};

/// A kind of advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Code {
    pub(in crate::cli) name: &'static str,
    pub(in crate::cli) severity: Severity,
}

const fn error(name: &'static str) -> Code {
    Code { name, severity: Error }
}

const fn warning(name: &'static str) -> Code {
    Code { name, severity: Warning }
}

const fn note(name: &'static str) -> Code {
    Code { name, severity: Note }
}

pub(in crate::cli) const DENIED: Code = warning("TG110");
pub(in crate::cli) const EXPIRED: Code = warning("TG111");
pub(in crate::cli) const NO_REGION: Code = warning("TG112");
pub(in crate::cli) const IMPOSSIBLE: Code = warning("TG113");
pub(in crate::cli) const DUPLICATE: Code = warning("TG114");
pub(in crate::cli) const COVERED: Code = warning("TG115");
pub(in crate::cli) const PATHS_OPENED: Code = warning("TG116");
pub(in crate::cli) const PATH_SPELLING: Code = note("TG117");
pub(in crate::cli) const PREFIX_ALONE: Code = note("TG118");
pub(in crate::cli) const IDLE_QUOTA: Code = warning("TG119");
pub(in crate::cli) const WEAK_QUOTA: Code = warning("TG120");

pub(in crate::cli) const FOREIGN_PATH: Code = warning("TG121");
pub(in crate::cli) const UNKNOWN_METHOD: Code = warning("TG122");
pub(in crate::cli) const IMPOSSIBLE_NAME: Code = warning("TG123");
pub(in crate::cli) const NO_RULES: Code = warning("TG124");
pub(in crate::cli) const COSTLY_PATHS: Code = note("TG126");

pub(in crate::cli) const EVERYWHERE: Code = warning("TG201");
pub(in crate::cli) const PUBLIC_SUFFIX: Code = warning("TG202");
pub(in crate::cli) const PRIVATE: Code = warning("TG203");
pub(in crate::cli) const NAME_AND_ADDRESS: Code = warning("TG204");
pub(in crate::cli) const PRIVATE_IN_PART: Code = warning("TG205");
pub(in crate::cli) const PATHS_EVERYWHERE: Code = warning("TG206");
pub(in crate::cli) const SECRET_PATHS: Code = warning("TG207");
pub(in crate::cli) const ANONYMOUS: Code = warning("TG208");
pub(in crate::cli) const FULL_DETAIL: Code = warning("TG209");
pub(in crate::cli) const CONNECT: Code = warning("TG210");
pub(in crate::cli) const NO_TRIPWIRE: Code = note("TG211");
pub(in crate::cli) const DRY_RUN: Code = warning("TG212");

pub(in crate::cli) const NO_OWNER: Code = note("TG301");
pub(in crate::cli) const EXPIRES_SOON: Code = note("TG302");
pub(in crate::cli) const UNUSED_DESTINATION: Code = note("TG303");
pub(in crate::cli) const UNUSED_SET: Code = note("TG304");
pub(in crate::cli) const LARGE: Code = warning("TG305");
pub(in crate::cli) const FORGETFUL: Code = note("TG306");
pub(in crate::cli) const SUPPRESSION: Code = warning("TG307");

/// One code of two severities: an entry of `dryRunFor` without an end, or past it, and one that ends.
pub(in crate::cli) const ONBOARDING: Code = warning("TG312");
pub(in crate::cli) const ONBOARDED_SOON: Code = note("TG312");

pub(in crate::cli) const WILDCARD: Code = warning("TG401");
pub(in crate::cli) const ADDRESSES: Code = warning("TG402");
pub(in crate::cli) const PASSTHROUGH: Code = warning("TG403");
pub(in crate::cli) const TWO_WAYS: Code = warning("TG404");
pub(in crate::cli) const INSIDE: Code = warning("TG405");
pub(in crate::cli) const LONG_NAME: Code = note("TG406");
pub(in crate::cli) const OBJECT_SIZE: Code = warning("TG407");
pub(in crate::cli) const TOO_LARGE: Code = error("TG408");
pub(in crate::cli) const NOT_RENDERED: Code = error("TG409");
pub(in crate::cli) const NO_GUARD: Code = warning("TG410");
pub(in crate::cli) const UNASKED_PORT: Code = warning("TG411");
pub(in crate::cli) const REPLICAS: Code = error("TG412");
pub(in crate::cli) const UNPINNED: Code = warning("TG413");
pub(in crate::cli) const SOURCES: Code = error("TG414");
pub(in crate::cli) const VERIFY_ROUTE: Code = warning("TG415");
pub(in crate::cli) const RETRIES: Code = warning("TG416");
pub(in crate::cli) const TAKEN: Code = error("TG429");

pub(in crate::cli) const OUTSIDE: Code = warning("TG420");
pub(in crate::cli) const DRY_AND_LISTED: Code = warning("TG421");
pub(in crate::cli) const TOO_OLD: Code = error("TG422");
pub(in crate::cli) const UNHELD: Code = warning("TG423");
/// An error where it is rendered: the objects would lead nowhere.
pub(in crate::cli) const NO_HTTP: Code = warning("TG424");
pub(in crate::cli) const TOO_MANY_PORTS: Code = error("TG425");
pub(in crate::cli) const INSIDE_TOO_WIDE: Code = error("TG426");
pub(in crate::cli) const REFUSED: Code = warning("TG427");

/// The codes that a file can suppress: these, and those of the checker's own advice.
pub(in crate::cli) const ALL: [&str; 53] = [
    "TG101", "TG102", "TG110", "TG111", "TG112", "TG113", "TG114", "TG115", "TG116", "TG117", "TG118", "TG119",
    "TG120", "TG121", "TG122", "TG123", "TG124", "TG126", "TG201", "TG202", "TG203", "TG204", "TG205", "TG206",
    "TG207", "TG208", "TG209", "TG210", "TG211", "TG212", "TG301", "TG302", "TG303", "TG304", "TG305", "TG306",
    "TG307", "TG312", "TG401", "TG402", "TG403", "TG404", "TG405", "TG406", "TG407", "TG410", "TG411", "TG415",
    "TG416", "TG420", "TG421", "TG423", "TG427",
];
