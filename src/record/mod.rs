//! The audit record: one compact JSON object about one request.
//!
//! [`Record`] is its type, with one list of fields: the filter writes it without a serialiser ([`RecordSource`]), and what
//! reads records, with the feature `serde`, reads it by the same list.

mod layer;
mod object;
mod source;
#[cfg(test)]
mod tests;

use crate::decision::{Failed, Outcome, Reason};
use crate::request::Source;
pub use layer::Layer;
pub use object::Bytes;
use object::object;
pub use source::RecordSource;
use std::borrow::Cow;

/// The version of the format.
const VERSION: u64 = 1;

object! {
    /// A record. It begins `{"v":1,"d":"allow"`, `{"v":1,"d":"would-deny"`, `{"v":1,"d":"deny"` or `{"v":1,"d":"cut"`, byte for
    /// byte: a filter behind this one lets pass what begins like the first two.
    pub struct Record<'a> {
        /// The version of the format: 1.
        "v" => version: u64,
        /// The fate of the request.
        "d" => outcome: Outcome,
        /// The reason; none where a policy leaves admitted requests unrecorded, like everything that follows.
        "r" => reason: Option<Reason>,
        /// The id of the rule, deny entry, residency entry or quota that decided, if one did.
        "rule" => rule: Option<Cow<'a, str>>,
        /// The proxy's own words for a refusal that is its own.
        "details" => details: Option<Bytes<'a>>,
        /// The quotas that were consulted, if there were any.
        "q" => quotas: Option<Vec<QuotaRecord<'a>>>,
        /// The identity as it was presented: one that is not valid or not trusted, too; `r` or `also` say so.
        "id" => identity: Option<Bytes<'a>>,
        /// The source of the identity.
        "src" => source: Option<Source>,
        /// The canonical host; addresses stand without brackets.
        "host" => host: Option<Cow<'a, str>>,
        /// The port.
        "port" => port: Option<u16>,
        /// The authority as it arrived, where it has no canonical host.
        "raw" => raw: Option<Bytes<'a>>,
        /// The method.
        "m" => method: Option<Bytes<'a>>,
        /// The path without its query, or the pattern that admitted it, as the policy says.
        "path" => path: Option<Bytes<'a>>,
        /// The rule that came nearest to admitting a refused request.
        "near" => near: Option<NearRecord<'a>>,
        /// The name of the policy.
        "p" => policy: Option<Cow<'a, str>>,
        /// Its revision.
        "rev" => revision: Option<Cow<'a, str>>,
        /// Further reasons that a dry-run suspended, in the order of the decision.
        "also" => also: Option<Vec<FurtherRecord<'a>>>,
        /// `tcp` for a connection; none for a request.
        "layer" => layer: Option<Layer>,
        /// The server name of the caller's own TLS, as it was sent.
        "sni" => sni: Option<Bytes<'a>>,
    }
}

object! {
    /// A quota in a record.
    pub struct QuotaRecord<'a> {
        /// Its id.
        "id" => id: Cow<'a, str>,
        /// The key of its bucket.
        "key" => key: Cow<'a, str>,
        /// Its limit.
        "limit" => limit: u64,
        /// Units used.
        "used" => used: u64,
        /// Seconds until nothing is used, if that is known.
        "reset" => reset: Option<u64>,
    }
}

object! {
    /// The nearest rule in a record.
    pub struct NearRecord<'a> {
        /// Its id.
        "rule" => rule: Cow<'a, str>,
        /// The first thing of it that failed.
        "failed" => failed: Failed,
    }
}

object! {
    /// A further reason in a record.
    pub struct FurtherRecord<'a> {
        /// The reason.
        "r" => reason: Reason,
        /// The id of the entry that gave it, if one did.
        "rule" => rule: Option<Cow<'a, str>>,
    }
}

impl<'a> Record<'a> {
    /// Returns the record that says nothing but the outcome.
    pub fn bare(outcome: Outcome) -> Record<'a> {
        Record {
            version: VERSION,
            outcome,
            reason: None,
            rule: None,
            details: None,
            quotas: None,
            identity: None,
            source: None,
            host: None,
            port: None,
            raw: None,
            method: None,
            path: None,
            near: None,
            policy: None,
            revision: None,
            also: None,
            layer: None,
            sni: None,
        }
    }

    /// Appends the record as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        object::Value::write(self, out);
    }
}
