//! The record of a decision.

use super::object::Bytes;
use super::{FurtherRecord, Layer, NearRecord, QuotaRecord, Record};
use crate::decision::request_snapshot::{IDENTITY_CAP, METHOD_CAP, PATH_CAP, RAW_CAP, SNI_CAP, without_query};
use crate::decision::{Evaluation, Near, Outcome, QuotaOutcome};
use crate::policy::{AuditAllowed, AuditPath, Settings};
use crate::request::{Arrival, Host};
use std::borrow::Cow;

/// Bytes of the proxy's own words, as far as they are recorded.
const DETAILS_CAP: usize = 256;

/// The facts that are recorded of one request.
#[derive(Clone, Copy, Debug)]
pub struct RecordSource<'a> {
    /// The decision, and what was read.
    pub evaluation: &'a Evaluation<'a>,
    /// The request as it arrived.
    pub arrival: &'a Arrival<'a>,
    /// Says how much is recorded; a default one, whose name is empty, where there is no policy.
    pub settings: &'a Settings,
    /// For a refused request: the rule that came nearest.
    pub near: Option<Near<'a>>,
    /// The quotas that were consulted.
    pub quotas: &'a [QuotaOutcome<'a>],
    /// The proxy's own words for a refusal that is its own, if it is.
    pub details: Option<&'a [u8]>,
}

impl<'a> RecordSource<'a> {
    /// Appends the record as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.record().write(out);
    }

    /// Returns the record.
    pub fn record(&self) -> Record<'a> {
        let RecordSource { evaluation, arrival, settings, near, quotas, details } = *self;
        let decision = &evaluation.decision;
        let bare = Record::bare(decision.outcome);
        if decision.outcome == Outcome::Allow && settings.audit_allowed == AuditAllowed::None {
            return bare;
        }
        let identity = evaluation.identity.or(arrival.identity).filter(|identity| !identity.id.is_empty());
        // Where the proxy itself refuses a request without an authority, nobody read one.
        let has_raw = evaluation.host.is_none() && !(details.is_some() && arrival.authority.is_empty());
        let server_name = arrival.connection.and_then(|connection| connection.first.server_name());
        Record {
            reason: Some(decision.reason),
            rule: decision.rule.map(Cow::Borrowed),
            details: details.map(|details| Bytes::capped(details, DETAILS_CAP)),
            quotas: (!quotas.is_empty()).then(|| quotas.iter().map(quota_record).collect()),
            identity: identity.map(|identity| Bytes::capped(identity.id, IDENTITY_CAP)),
            source: identity.map(|identity| identity.source),
            host: evaluation.host.map(|host| match host {
                Host::Name(name) => Cow::Borrowed(name),
                Host::Ip(address) => Cow::Owned(address.to_string()),
            }),
            port: evaluation.port.filter(|_| evaluation.host.is_some()),
            raw: has_raw.then(|| Bytes::capped(arrival.authority, RAW_CAP)),
            method: (!arrival.method.is_empty()).then(|| Bytes::capped(arrival.method, METHOD_CAP)),
            path: self.path(),
            near: near.map(|near| NearRecord { rule: Cow::Borrowed(near.rule), failed: near.failed }),
            policy: (!settings.name.is_empty()).then_some(Cow::Borrowed(&*settings.name)),
            revision: settings.revision.as_deref().map(Cow::Borrowed),
            also: (!decision.also.is_empty()).then(|| {
                let further = decision.also.iter();
                further
                    .map(|further| FurtherRecord { reason: further.reason, rule: further.rule.map(Cow::Borrowed) })
                    .collect()
            }),
            layer: arrival.connection.map(|_| Layer::Tcp),
            sni: server_name.map(|name| Bytes::capped(name, SNI_CAP)),
            ..bare
        }
    }

    fn path(&self) -> Option<Bytes<'a>> {
        match self.settings.audit_path {
            AuditPath::Full => self.arrival.path.map(|path| Bytes::capped(without_query(path), PATH_CAP)),
            AuditPath::Pattern => {
                self.evaluation.decision.pattern.map(|pattern| Bytes(Cow::Borrowed(pattern.as_bytes())))
            }
            AuditPath::None => None,
        }
    }
}

fn quota_record<'a>(outcome: &'a QuotaOutcome<'a>) -> QuotaRecord<'a> {
    QuotaRecord {
        id: Cow::Borrowed(&outcome.quota.id),
        key: Cow::Borrowed(outcome.key()),
        limit: outcome.quota.limit.amount(),
        used: outcome.charge.level.used,
        reset: outcome.reset(),
    }
}
