//! A request after its headers are gone: it may be answered, or cut off, long after it was decided.

use super::also::{Also, Further};
use super::charge::{QuotaOutcome, reason};
use super::quotas::ApplicableQuota;
use super::{Decision, Evaluation, Outcome, Reason, Way};
use crate::policy::{AuditPath, Terms};
use crate::quota::{ChargeOutcome, Crossing};
use crate::request::{Arrival, ClientHello, Connection, FirstBytes, Host, Identity, Presented, Source};
use crate::timestamp::Timestamp;
use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;

/// Bytes of an authority that could not be made canonical, as far as they are recorded.
pub(crate) const RAW_CAP: usize = 256;
/// Bytes of a path, as far as they are recorded.
pub(crate) const PATH_CAP: usize = 2048;
/// Bytes of a method, as far as they are recorded; the longest registered one has 17.
pub(crate) const METHOD_CAP: usize = 64;
/// Bytes of a server name, as far as they are recorded: the longest name and some more.
pub(crate) const SNI_CAP: usize = 256;
/// Bytes of an identity, as far as they are recorded: the longest valid SPIFFE ID.
pub(crate) const IDENTITY_CAP: usize = 2048;

/// A request and the decision on it, owned: its [`Evaluation`], and of what arrived as much as records and answers show. So
/// what is kept of one request is bounded, whatever it brought.
#[derive(Clone, Debug)]
pub struct RequestSnapshot {
    /// Pieces of the request, one after another.
    bytes: Box<[u8]>,
    /// The canonical host and pieces of the policy, one after another.
    text: Box<str>,
    identity: Option<(Source, Range<usize>)>,
    /// The identity is a valid one.
    is_valid: bool,
    is_trusted: bool,
    host: Option<OwnHost>,
    port: Option<u16>,
    authority: Range<usize>,
    method: Range<usize>,
    path: Option<Range<usize>>,
    /// For a connection: the server name of the caller's own TLS, if there is one.
    connection: Option<Option<Range<usize>>>,
    way: Way,
    expires: Timestamp,
    outcome: Outcome,
    reason: Reason,
    rule: Option<Range<usize>>,
    destination: Option<Range<usize>>,
    pattern: Option<Range<usize>>,
    also: Box<[(Reason, Option<Range<usize>>)]>,
    quotas: Box<[ApplicableQuota]>,
}

#[derive(Clone, Debug)]
enum OwnHost {
    Name(Range<usize>),
    Ip(IpAddr),
}

impl RequestSnapshot {
    /// Keeps a request and the decision on it. Two allocations, and one each for quotas and further reasons if there are any.
    pub fn of(evaluation: &Evaluation<'_>, arrival: &Arrival<'_>, terms: &Terms) -> RequestSnapshot {
        let Evaluation { host, decision, .. } = evaluation;
        let shows_path = terms.settings().audit_path == AuditPath::Full;
        let presented = evaluation.identity.or(arrival.identity);
        let server_name = arrival.connection.and_then(|connection| connection.first.server_name());
        let pieces = [
            presented.map_or(&b""[..], |presented| capped(presented.id, IDENTITY_CAP)),
            if host.is_none() { capped(arrival.authority, RAW_CAP) } else { b"" },
            capped(arrival.method, METHOD_CAP),
            arrival.path.filter(|_| shows_path).map_or(b"", |path| capped(without_query(path), PATH_CAP)),
            server_name.map_or(b"", |name| capped(name, SNI_CAP)),
        ];
        let [id, authority, method, path, sni] = places(pieces.map(<[u8]>::len), 0);
        let name = match host {
            Some(Host::Name(name)) => name,
            _ => "",
        };
        let texts = [Some(name), decision.rule, decision.destination, decision.pattern].map(Option::unwrap_or_default);
        let [name, rule, destination, pattern] = places(texts.map(str::len), 0);
        let mut text = texts.concat();
        let mut also = Vec::new();
        for further in decision.also.iter() {
            let [rule] = places([further.rule.map_or(0, str::len)], text.len());
            text.push_str(further.rule.unwrap_or_default());
            also.push((further.reason, further.rule.map(|_| rule)));
        }
        RequestSnapshot {
            bytes: pieces.concat().into(),
            text: text.into(),
            identity: presented.map(|presented| (presented.source, id)),
            is_valid: evaluation.identity.is_some(),
            is_trusted: evaluation.trusted.is_some(),
            host: host.map(|host| match host {
                Host::Name(_) => OwnHost::Name(name),
                Host::Ip(address) => OwnHost::Ip(address),
            }),
            port: evaluation.port,
            authority,
            method,
            path: arrival.path.filter(|_| shows_path).map(|_| path),
            connection: arrival.connection.map(|_| server_name.map(|_| sni)),
            way: evaluation.way,
            expires: evaluation.expires,
            outcome: decision.outcome,
            reason: decision.reason,
            rule: decision.rule.map(|_| rule),
            destination: decision.destination.map(|_| destination),
            pattern: decision.pattern.map(|_| pattern),
            also: also.into(),
            quotas: evaluation.quotas.into(),
        }
    }

    /// The request as it arrived, as far as records speak of that.
    pub fn arrival(&self) -> Arrival<'_> {
        Arrival {
            identity: self.presented(),
            authority: self.bytes(&self.authority),
            method: self.bytes(&self.method),
            path: self.path.as_ref().map(|path| self.bytes(path)),
            connection: self.connection.as_ref().map(|sni| self.connection(sni.as_ref())),
            ..Arrival::default()
        }
    }

    /// The decision on it, as it was.
    pub fn evaluation(&self) -> Evaluation<'_> {
        let presented = self.presented();
        let mut also = Also::NONE;
        for (reason, rule) in &self.also {
            also.push(Further { reason: *reason, rule: self.text(rule.as_ref()) });
        }
        Evaluation {
            identity: presented.filter(|_| self.is_valid),
            trusted: presented.filter(|_| self.is_trusted).and_then(|presented| Identity::parse(presented.id)),
            host: self.host.as_ref().map(|host| match host {
                OwnHost::Name(name) => Host::Name(self.text(Some(name)).unwrap_or_default()),
                OwnHost::Ip(address) => Host::Ip(*address),
            }),
            port: self.port,
            decision: Decision {
                outcome: self.outcome,
                reason: self.reason,
                rule: self.text(self.rule.as_ref()),
                destination: self.text(self.destination.as_ref()),
                pattern: self.text(self.pattern.as_ref()),
                also,
            },
            quotas: &self.quotas,
            way: self.way,
            expires: self.expires,
        }
    }

    /// A connection, as far as records speak of it.
    fn connection(&self, sni: Option<&Range<usize>>) -> Connection<'_> {
        let named = |name| FirstBytes::Hello(ClientHello { server_name: Some(self.bytes(name)), ech: false });
        Connection { first: sni.map_or(FirstBytes::Unseen, named), ..Connection::default() }
    }

    /// The evaluation once it has crossed a quota's line, and what is said of that quota.
    pub fn crossed<'m>(
        &'m self,
        terms: &'m Terms,
        crossing: &'m Crossing,
    ) -> Option<(Evaluation<'m>, QuotaOutcome<'m>)> {
        let quota = terms.quota(crossing.quota)?;
        let Crossing { refusal, level, overflowed, .. } = *crossing;
        let charge = ChargeOutcome { refusal: Some(refusal), level, overflowed };
        let before = self.evaluation();
        let decision = Decision {
            outcome: if crossing.cut { Outcome::Cut } else { Outcome::WouldDeny },
            rule: Some(&quota.id),
            pattern: before.decision.pattern,
            destination: before.decision.destination,
            ..Decision::refusal(reason(quota, crossing.refusal))
        };
        let evaluation = Evaluation { identity: self.presented(), decision, quotas: &[], ..before };
        let key = Cow::Borrowed(&*crossing.key);
        Some((evaluation, QuotaOutcome { quota, key, charge, number: crossing.quota, enforced: crossing.cut }))
    }

    /// The identity that was presented, valid or not.
    fn presented(&self) -> Option<Presented<'_>> {
        self.identity.as_ref().map(|(source, id)| Presented { source: *source, id: self.bytes(id) })
    }

    fn bytes(&self, place: &Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }

    fn text(&self, place: Option<&Range<usize>>) -> Option<&str> {
        self.text.get(place?.clone())
    }
}

fn capped(bytes: &[u8], cap: usize) -> &[u8] {
    bytes.get(..cap).unwrap_or(bytes)
}

/// Places of pieces of these lengths, one after another from `start`.
fn places<const N: usize>(lengths: [usize; N], start: usize) -> [Range<usize>; N] {
    let mut at = start;
    lengths.map(|length| {
        let place = at..at.saturating_add(length);
        at = place.end;
        place
    })
}

/// Returns a path up to its query, which no record shows.
pub(crate) fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b'?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Authorizer, Outcome, Reason, Scratch, Timestamp};
    use crate::policy::Policy;
    use crate::quota::{Level, Refusal};
    use crate::record::RecordSource;

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
        RecordSource { evaluation, arrival, settings: policy.settings(), near: None, quotas, details: None }
            .write(&mut out);
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
            let before = Authorizer::new(&policy).decide(&arrival, Timestamp::default(), &mut scratch);
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
            let path = snapshot.path.as_ref().map(|path| path.len());
            assert_eq!(snapshot.bytes.len(), identity + texts[0] + texts[1] + path.unwrap_or(0));
            (identity, texts, path)
        };
        assert_eq!(kept(r#"{"version": 1, "name": "p"}"#), (IDENTITY_CAP, [RAW_CAP, METHOD_CAP], Some(PATH_CAP)));
        let none = kept(r#"{"version": 1, "name": "p", "audit": {"path": "none"}}"#);
        assert_eq!(none, (IDENTITY_CAP, [RAW_CAP, METHOD_CAP], None));
    }
}
