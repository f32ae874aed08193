//! What is kept of a request whose bytes are counted: it may be cut off long after its headers are gone.

use super::charge::{QuotaOutcome, reason};
use super::record::{IDENTITY_CAP, METHOD_CAP, PATH_CAP, RAW_CAP, without_query};
use super::{Decision, Evaluation, Outcome};
use crate::policy::{AuditPath, Terms};
use crate::quota::{ChargeOutcome, Crossing};
use crate::request::{Arrival, Host, Identity, Presented, Source};
use std::borrow::Cow;
use std::net::IpAddr;

/// A request, as far as records and answers speak of it: of what it brought no more than they show, so that what is kept
/// of open requests is bounded.
#[derive(Clone, Debug)]
pub struct RequestSnapshot {
    identity: Option<(Source, Box<[u8]>)>,
    trusted: bool,
    host: Option<OwnHost>,
    port: Option<u16>,
    authority: Box<[u8]>,
    method: Box<[u8]>,
    path: Option<Box<[u8]>>,
    pattern: Option<Box<str>>,
    destination: Option<Box<str>>,
}

#[derive(Clone, Debug)]
enum OwnHost {
    Name(Box<str>),
    Ip(IpAddr),
}

impl RequestSnapshot {
    /// Of a request that is let through.
    pub fn of(evaluation: &Evaluation<'_>, arrival: &Arrival<'_>, terms: &Terms) -> RequestSnapshot {
        let shows_path = terms.settings().audit_path == AuditPath::Full;
        let identity = evaluation.identity.or(arrival.identity);
        RequestSnapshot {
            identity: identity.map(|presented| (presented.source, capped(presented.id, IDENTITY_CAP))),
            trusted: evaluation.trusted.is_some(),
            host: evaluation.host.map(|host| match host {
                Host::Name(name) => OwnHost::Name(name.into()),
                Host::Ip(address) => OwnHost::Ip(address),
            }),
            port: evaluation.port,
            authority: if evaluation.host.is_none() { capped(arrival.authority, RAW_CAP) } else { Box::default() },
            method: capped(arrival.method, METHOD_CAP),
            path: arrival.path.filter(|_| shows_path).map(|path| capped(without_query(path), PATH_CAP)),
            pattern: evaluation.decision.pattern.map(Box::from),
            destination: evaluation.decision.destination.map(Box::from),
        }
    }

    /// The request as it arrived, as far as records speak of that.
    pub fn arrival(&self) -> Arrival<'_> {
        Arrival { authority: &self.authority, method: &self.method, path: self.path.as_deref(), ..Arrival::default() }
    }

    /// The judgement on it once it has crossed a quota's line, and what is said of that quota.
    pub fn crossed<'m>(
        &'m self,
        terms: &'m Terms,
        crossing: &'m Crossing,
    ) -> Option<(Evaluation<'m>, QuotaOutcome<'m>)> {
        let quota = terms.quota(crossing.quota)?;
        let Crossing { refusal, level, overflowed, .. } = *crossing;
        let charge = ChargeOutcome { refusal: Some(refusal), level, overflowed };
        let identity = self.identity.as_ref().map(|(source, id)| Presented { source: *source, id });
        let decision = Decision {
            outcome: if crossing.cut { Outcome::Cut } else { Outcome::WouldDeny },
            rule: Some(&quota.id),
            pattern: self.pattern.as_deref(),
            destination: self.destination.as_deref(),
            ..Decision::refusal(reason(quota, crossing.refusal))
        };
        let evaluation = Evaluation {
            identity,
            trusted: identity.filter(|_| self.trusted).and_then(|identity| Identity::parse(identity.id)),
            host: self.host.as_ref().map(|host| match host {
                OwnHost::Name(name) => Host::Name(name),
                OwnHost::Ip(address) => Host::Ip(*address),
            }),
            port: self.port,
            decision,
            quotas: &[],
        };
        let key = Cow::Borrowed(&*crossing.key);
        Some((evaluation, QuotaOutcome { quota, key, charge, number: crossing.quota, enforced: crossing.cut }))
    }
}

fn capped(bytes: &[u8], cap: usize) -> Box<[u8]> {
    bytes.get(..cap).unwrap_or(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Outcome, Reason, Record, Scratch, Timestamp};
    use crate::policy::Policy;
    use crate::quota::{Level, Refusal};

    const POLICY: &[u8] = br#"{"version": 1, "name": "p", "destinations": {"d": {"hosts": ["a.test"], "cidrs": ["192.0.2.0/24"]}},
        "rules": [{"id": "r", "from": [{"any": true}, {"anonymous": true}], "to": [{"destination": "d", "paths": ["/v1/**"]}]}],
        "quotas": [{"id": "q", "limit": {"bytes": "1kB", "per": "day"}}]}"#;

    fn record(
        evaluation: &Evaluation<'_>,
        arrival: &Arrival<'_>,
        policy: &Policy,
        quotas: &[QuotaOutcome<'_>],
    ) -> String {
        let mut out = Vec::new();
        Record { evaluation, arrival, settings: policy.settings(), near: None, quotas, details: None }.write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn what_is_said_of_a_request_that_is_cut_off_is_what_was_said_of_it_before() {
        let policy = Policy::load(POLICY).expect("a policy");
        let id = Presented { source: Source::PeerPrincipal, id: b"spiffe://cluster.local/ns/a/sa/b" };
        for (authority, identity) in [("A.test:443", Some(id)), ("192.0.2.7", None)] {
            let arrival = Arrival {
                identity,
                authority: authority.as_bytes(),
                method: b"GET",
                path: Some(b"/v1/x?y"),
                cluster: Some(b"outbound|443||a.test"),
                ..Arrival::default()
            };
            let mut scratch = Scratch::default();
            let before = policy.decide(&arrival, Timestamp::default(), &mut scratch);
            assert_eq!(before.decision.outcome, Outcome::Allow);
            let snapshot = RequestSnapshot::of(&before, &arrival, policy.terms());
            for cut in [true, false] {
                let key = "k".into();
                let (refusal, level) = (Refusal::Exhausted, Level::default());
                let crossing = Crossing { quota: 0, key, overflowed: false, cut, refusal, level };
                let (evaluation, charged) = snapshot.crossed(policy.terms(), &crossing).expect("the quota is there");
                let decision = &evaluation.decision;
                let outcome = if cut { Outcome::Cut } else { Outcome::WouldDeny };
                assert_eq!(
                    (decision.outcome, decision.reason, decision.rule),
                    (outcome, Reason::QuotaBytes, Some("q"))
                );
                assert_eq!((evaluation.trusted, evaluation.namespace()), (before.trusted, before.namespace()));
                assert_eq!(
                    (decision.destination, decision.pattern),
                    (before.decision.destination, before.decision.pattern)
                );
                let of =
                    |record: String| record.split_once(r#""rule":"#).map(|(_, rest)| rest.to_owned()).expect("a rule");
                let (after, before) = (
                    of(record(&evaluation, &snapshot.arrival(), &policy, &[charged])),
                    of(record(&before, &arrival, &policy, &[])),
                );
                let quota = r#""q","q":[{"id":"q","key":"k","limit":1000,"used":0}]"#;
                assert_eq!(after, before.replace(r#""r""#, quota));
            }
        }
    }

    #[test]
    fn a_quota_that_is_not_there_is_not_crossed() {
        let policy = Policy::load(POLICY).expect("a policy");
        let snapshot =
            RequestSnapshot::of(&Evaluation::refused(Reason::RuleAllow), &Arrival::default(), policy.terms());
        let key = "k".into();
        let (refusal, level) = (Refusal::Unavailable, Level::default());
        let crossing = Crossing { quota: 1, key, overflowed: false, cut: true, refusal, level };
        assert!(snapshot.crossed(policy.terms(), &crossing).is_none());
    }

    #[test]
    fn no_more_is_kept_than_a_record_can_show() {
        let long = [b'a'; 1 << 16];
        let path = [&b"/"[..], &long, b"?", &long].concat();
        let id = Presented { source: Source::PeerCertificate, id: &long };
        let arrival =
            Arrival { identity: Some(id), authority: &long, method: &long, path: Some(&path), ..Arrival::default() };
        let evaluation = Evaluation::refused(Reason::RuleAllow);
        let kept = |policy: &str| {
            let policy = Policy::load(policy.as_bytes()).expect("a policy");
            let snapshot = RequestSnapshot::of(&evaluation, &arrival, policy.terms());
            let identity = snapshot.identity.as_ref().map_or(0, |(_, id)| id.len());
            let texts = [&snapshot.authority, &snapshot.method].map(|text| text.len());
            (identity, texts, snapshot.path.map(|path| path.len()))
        };
        assert_eq!(kept(r#"{"version": 1, "name": "p"}"#), (IDENTITY_CAP, [RAW_CAP, METHOD_CAP], Some(PATH_CAP)));
        let none = kept(r#"{"version": 1, "name": "p", "audit": {"path": "none"}}"#);
        assert_eq!(none, (IDENTITY_CAP, [RAW_CAP, METHOD_CAP], None));
    }
}
