//! Evaluations of requests that the proxy refused, before anything was decided or after it.

use super::{Decision, Evaluation, Reason, Way};
use crate::policy::Settings;
use crate::request::{Arrival, Authority, Identity};
use crate::timestamp::Timestamp;

impl<'s> Evaluation<'s> {
    /// A refusal that this engine did not decide; host and identity are read as for a decision, as far as they can be.
    /// `buffer` holds the host where it is not spelled canonically.
    pub fn afterwards(
        reason: Reason,
        arrival: &Arrival<'s>,
        settings: &Settings,
        buffer: &'s mut Vec<u8>,
    ) -> Evaluation<'s> {
        let presented = arrival.identity.filter(|presented| !presented.id.is_empty());
        let identity = presented.and_then(|presented| Identity::parse(presented.id));
        let trusts = |known: &Identity<'_>| settings.trust_domains.iter().any(|domain| domain == known.trust_domain());
        let authority = Authority::parse(arrival.authority, buffer);
        Evaluation {
            identity: presented.filter(|_| identity.is_some()),
            trusted: identity.filter(trusts),
            host: authority.map(|authority| authority.host),
            port: authority.map(|authority| authority.port.unwrap_or(settings.default_port)),
            decision: Decision::refusal(reason),
            quotas: &[],
            way: Way::default(),
            expires: Timestamp::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Host, Presented, Source};

    #[test]
    fn what_can_be_read_is_read_and_nothing_is_guessed() {
        let settings = Settings::default();
        let late = |id: &'static [u8], authority: &'static [u8]| {
            let identity = Some(Presented { source: Source::PeerCertificate, id });
            let arrival = Arrival { identity, authority, ..Arrival::default() };
            let mut buffer = Vec::new();
            let evaluation = Evaluation::afterwards(Reason::RefusedByEnvoy, &arrival, &settings, &mut buffer);
            let host = match evaluation.host {
                Some(Host::Name(name)) => Some(name.to_owned()),
                _ => None,
            };
            (evaluation.identity.is_some(), evaluation.namespace().map(str::to_owned), host, evaluation.port)
        };
        let host = Some("a.example".to_owned());
        assert_eq!(
            late(b"spiffe://cluster.local/ns/n/sa/s", b"A.example:80"),
            (true, Some("n".into()), host.clone(), Some(80))
        );
        assert_eq!(late(b"spiffe://elsewhere/ns/n/sa/s", b"a.example"), (true, None, host, Some(443)));
        assert_eq!(late(b"", b""), (false, None, None, None));
        assert_eq!(late(b"no id", b"a..b"), (false, None, None, None));
    }
}
