//! The codes of advice. `docs/lints.md` says under each what it means, why it matters and what to write instead.

use tollgate::policy::Severity::{self, Error, Note, Warning};

/// A kind of advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
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

/// One code of two severities: a target that TLS of the callers' own does not get through, and one that it opens whole.
pub(crate) const NOTHING_OVER_TLS: Code = note("TG105");
pub(crate) const OPENED_OVER_TLS: Code = warning("TG105");

pub(crate) const DENIED: Code = warning("TG110");
pub(crate) const EXPIRED: Code = warning("TG111");
pub(crate) const NO_REGION: Code = warning("TG112");
pub(crate) const IMPOSSIBLE: Code = warning("TG113");
pub(crate) const DUPLICATE: Code = warning("TG114");
pub(crate) const COVERED: Code = warning("TG115");
pub(crate) const PATHS_OPENED: Code = warning("TG116");
pub(crate) const PATH_SPELLING: Code = note("TG117");
pub(crate) const PREFIX_ALONE: Code = note("TG118");
pub(crate) const IDLE_QUOTA: Code = warning("TG119");
pub(crate) const WEAK_QUOTA: Code = warning("TG120");

pub(crate) const FOREIGN_PATH: Code = warning("TG121");
pub(crate) const UNKNOWN_METHOD: Code = warning("TG122");
pub(crate) const IMPOSSIBLE_NAME: Code = warning("TG123");
pub(crate) const NO_RULES: Code = warning("TG124");
pub(crate) const CLOSED_WHOLE: Code = warning("TG125");
pub(crate) const COSTLY_PATHS: Code = note("TG126");

pub(crate) const EVERYWHERE: Code = warning("TG201");
pub(crate) const PUBLIC_SUFFIX: Code = warning("TG202");
pub(crate) const PRIVATE: Code = warning("TG203");
pub(crate) const NAME_AND_ADDRESS: Code = warning("TG204");
pub(crate) const PRIVATE_IN_PART: Code = warning("TG205");
pub(crate) const PATHS_EVERYWHERE: Code = warning("TG206");
pub(crate) const SECRET_PATHS: Code = warning("TG207");
pub(crate) const ANONYMOUS: Code = warning("TG208");
pub(crate) const FULL_DETAIL: Code = warning("TG209");
pub(crate) const CONNECT: Code = warning("TG210");
pub(crate) const NO_TRIPWIRE: Code = note("TG211");
pub(crate) const DRY_RUN: Code = warning("TG212");
pub(crate) const OTHER_PROTOCOLS: Code = warning("TG220");

pub(crate) const NO_OWNER: Code = note("TG301");
pub(crate) const EXPIRES_SOON: Code = note("TG302");
pub(crate) const UNUSED_DESTINATION: Code = note("TG303");
pub(crate) const UNUSED_SET: Code = note("TG304");
pub(crate) const LARGE: Code = warning("TG305");
pub(crate) const FORGETFUL: Code = note("TG306");
pub(crate) const SUPPRESSION: Code = warning("TG307");

/// One code of two severities: an entry of `dryRunFor` without an end, or past it, and one that ends.
pub(crate) const ONBOARDING: Code = warning("TG312");
pub(crate) const ONBOARDED_SOON: Code = note("TG312");

pub(crate) const WILDCARD: Code = warning("TG401");
pub(crate) const ADDRESSES: Code = warning("TG402");
pub(crate) const PASSTHROUGH: Code = warning("TG403");
pub(crate) const TWO_WAYS: Code = warning("TG404");
pub(crate) const INSIDE: Code = warning("TG405");
pub(crate) const LONG_NAME: Code = note("TG406");
pub(crate) const OBJECT_SIZE: Code = warning("TG407");
pub(crate) const TOO_LARGE: Code = error("TG408");
pub(crate) const NOT_RENDERED: Code = error("TG409");
pub(crate) const NO_GUARD: Code = warning("TG410");
pub(crate) const UNASKED_PORT: Code = warning("TG411");
pub(crate) const REPLICAS: Code = error("TG412");
pub(crate) const UNPINNED: Code = warning("TG413");
pub(crate) const SOURCES: Code = error("TG414");
pub(crate) const VERIFY_ROUTE: Code = warning("TG415");
pub(crate) const RETRIES: Code = warning("TG416");
pub(crate) const PATCHED: Code = warning("TG428");
pub(crate) const TAKEN: Code = error("TG429");

pub(crate) const OUTSIDE: Code = warning("TG420");
pub(crate) const DRY_AND_LISTED: Code = warning("TG421");
pub(crate) const TOO_OLD: Code = error("TG422");
pub(crate) const UNHELD: Code = warning("TG423");
/// An error where it is rendered: the objects would lead nowhere.
pub(crate) const NO_HTTP: Code = warning("TG424");
pub(crate) const TOO_MANY_PORTS: Code = error("TG425");
pub(crate) const INSIDE_TOO_WIDE: Code = error("TG426");
pub(crate) const REFUSED: Code = warning("TG427");

/// The codes that only a gateway with `ports.tls` gives.
pub(crate) const OF_CONNECTIONS: [&str; 2] = [NOTHING_OVER_TLS.name, CLOSED_WHOLE.name];

/// The codes that a file can suppress: these, and those of the checker's own advice.
pub(crate) const ALL: [&str; 57] = [
    "TG101", "TG102", "TG105", "TG110", "TG111", "TG112", "TG113", "TG114", "TG115", "TG116", "TG117", "TG118",
    "TG119", "TG120", "TG121", "TG122", "TG123", "TG124", "TG125", "TG126", "TG201", "TG202", "TG203", "TG204",
    "TG205", "TG206", "TG207", "TG208", "TG209", "TG210", "TG211", "TG212", "TG220", "TG301", "TG302", "TG303",
    "TG304", "TG305", "TG306", "TG307", "TG312", "TG401", "TG402", "TG403", "TG404", "TG405", "TG406", "TG407",
    "TG410", "TG411", "TG415", "TG416", "TG420", "TG421", "TG423", "TG427", "TG428",
];
