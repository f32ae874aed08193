//! The language: text → checked types → a compiled [`Policy`].

mod finding;
mod settings;

pub use finding::{Finding, Rejection, Severity};
pub use settings::{AuditAllowed, AuditPath, Detail, HeaderName, MetricLabels, Mode, Settings, Tripwire};

use crate::decision::{Judged, Near, Scratch, Timestamp};
use crate::request::Arrival;

/// A compiled policy: everything a decision needs, immutable.
#[derive(Debug)]
pub struct Policy {
    settings: Settings,
}

impl Policy {
    /// Reads and compiles a policy from JSON. A pure function of the bytes.
    ///
    /// # Errors
    /// Any bad element rejects the whole policy; the rejection lists them all.
    pub fn load(text: &[u8]) -> Result<Policy, Rejection> {
        let _ = text;
        Ok(Policy { settings: Settings::default() })
    }

    /// What the policy says besides deny entries and rules.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Decides one request. Linear in the size of the request; allocates nothing in the common case.
    pub fn decide<'s>(&'s self, arrival: &Arrival<'s>, now: Timestamp, scratch: &'s mut Scratch) -> Judged<'s> {
        let _ = (arrival, now, scratch);
        Judged {
            identity: None,
            namespace: None,
            host: None,
            port: None,
            decision: crate::decision::Decision {
                outcome: crate::decision::Outcome::Deny,
                reason: crate::decision::Reason::NoMatch,
                rule: None,
                destination: None,
                pattern: None,
                also: Default::default(),
            },
        }
    }

    /// The rule of this identity that came nearest to admitting a refused request.
    pub fn nearest<'s>(&'s self, arrival: &Arrival<'_>, now: Timestamp, scratch: &mut Scratch) -> Option<Near<'s>> {
        let _ = (arrival, now, scratch);
        None
    }

    /// Whether a decision may depend on the time (some rule expires): if not, no clock need be read.
    pub fn reads_clock(&self) -> bool {
        false
    }

    /// Whether a decision may depend on the routed cluster of requests whose identity came from a certificate.
    pub fn reads_cluster(&self) -> bool {
        false
    }

    /// Number of allow rules, deny entries and residency entries.
    pub fn rule_count(&self) -> usize {
        0
    }

    /// Memory the compiled policy holds, in bytes.
    pub fn bytes(&self) -> usize {
        0
    }

    /// Ids of all rules, deny entries and residency entries, in file order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// Names of all destinations, in file order.
    pub fn destinations(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// Namespaces that selectors of the policy name, each once.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}
