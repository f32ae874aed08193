//! What is kept of a request whose bytes are counted: it may be cut off long after its headers are gone.

use super::charge::{Note, reason};
use super::{Decision, Judged, Outcome};
use crate::policy::Policy;
use crate::quota::{Consulted, Crossing};
use crate::request::{Arrival, Host, Identity, Presented, Source};
use std::borrow::Cow;
use std::net::IpAddr;

/// A request, as far as records and answers speak of it.
#[derive(Clone, Debug)]
pub struct Memo {
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

impl Memo {
    /// Of a request that is let through.
    pub fn of(judged: &Judged<'_>, arrival: &Arrival<'_>) -> Memo {
        Memo {
            identity: judged.identity.map(|presented| (presented.source, presented.id.into())),
            trusted: judged.trusted.is_some(),
            host: judged.host.map(|host| match host {
                Host::Name(name) => OwnHost::Name(name.into()),
                Host::Ip(address) => OwnHost::Ip(address),
            }),
            port: judged.port,
            authority: arrival.authority.into(),
            method: arrival.method.into(),
            path: arrival.path.map(Box::from),
            pattern: judged.decision.pattern.map(Box::from),
            destination: judged.decision.destination.map(Box::from),
        }
    }

    /// The request as it arrived, as far as records speak of that.
    pub fn arrival(&self) -> Arrival<'_> {
        Arrival { authority: &self.authority, method: &self.method, path: self.path.as_deref(), ..Arrival::default() }
    }

    /// The judgement on it once it has crossed a quota's line, and what is said of that quota.
    pub fn crossed<'m>(&'m self, policy: &'m Policy, crossing: &'m Crossing) -> Option<(Judged<'m>, Note<'m>)> {
        let quota = policy.quota(crossing.quota)?;
        let Crossing { refusal, level, overflowed, .. } = *crossing;
        let consulted = Consulted { refusal: Some(refusal), level, overflowed };
        let identity = self.identity.as_ref().map(|(source, id)| Presented { source: *source, id });
        let decision = Decision {
            outcome: if crossing.cut { Outcome::Cut } else { Outcome::WouldDeny },
            rule: Some(&quota.id),
            pattern: self.pattern.as_deref(),
            destination: self.destination.as_deref(),
            ..Decision::refusal(reason(quota, crossing.refusal))
        };
        let judged = Judged {
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
        Some((judged, Note { quota, key, consulted, number: crossing.quota, enforced: crossing.cut }))
    }
}
