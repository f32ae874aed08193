//! The answer to a denied caller.

use std::fmt::Write as _;
use std::io::Write as _;

use super::json::string;
use super::{Evaluation, Near, QuotaOutcome, Reason, json};
use crate::policy::{Detail, Settings};
use crate::quota::{Refusal, Unit};
use crate::request::Host;

/// HTTP statuses of refusals: by the policy, and by a quota. Never 407: that asks a caller for credentials.
const STATUS: [u32; 2] = [403, 429];

/// gRPC statuses of refusals: PERMISSION_DENIED and RESOURCE_EXHAUSTED.
const GRPC_STATUS: [u32; 2] = [7, 8];

/// The response header that names the reason. Only Tollgate says it: what upstreams send under this name is removed.
pub const HEADER: &str = "x-egress-denied";

/// The beginning of the response-code details of every refusal.
pub const DETAILS_PREFIX: &str = "egress_denied{";

const SECOND: u64 = 1_000_000_000;

/// Bytes of a request id, as far as they are repeated; the usual UUID has 36.
pub const REQUEST_ID_CAP: usize = 128;

/// The answer to one denied request.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The decision, and what was read.
    pub evaluation: &'a Evaluation<'a>,
    /// Says how much a caller is told; a default one, whose name is empty, where there is no policy.
    pub settings: &'a Settings,
    /// `x-request-id`, as it arrived.
    pub request_id: Option<&'a [u8]>,
    /// The rule that came nearest.
    pub near: Option<Near<'a>>,
    /// The quota that refuses.
    pub quota: Option<&'a QuotaOutcome<'a>>,
}

impl Answer<'_> {
    /// HTTP status.
    pub fn status(&self) -> u32 {
        let [policy, quota] = STATUS;
        if self.reason().is_quota() { quota } else { policy }
    }

    /// gRPC status.
    pub fn grpc_status(&self) -> u32 {
        let [policy, quota] = GRPC_STATUS;
        if self.reason().is_quota() { quota } else { policy }
    }

    /// Returns the headers that tell a caller when to come again: `Retry-After` (RFC 9110 §10.2.3) where a moment is known, and the fields
    /// of draft-ietf-httpapi-ratelimit-headers-10. Nothing where no quota refuses.
    pub fn limits(&self) -> Vec<(&'static str, String)> {
        let Some(QuotaOutcome { quota, charge, .. }) = self.quota else { return Vec::new() };
        let wait = charge.level.retry.map(|wait| wait.div_ceil(SECOND).max(1));
        let mut fields = Vec::new();
        fields.extend(wait.map(|wait| ("retry-after", wait.to_string())));
        // Ids need no escapes.
        let mut policy = format!("\"{}\";q={}", quota.id, quota.limit.amount());
        let mut limit = format!("\"{}\";r={}", quota.id, charge.level.left);
        // Writing into memory does not fail.
        let _ = match quota.limit.period() {
            Some(period) if period.is_multiple_of(SECOND) => write!(policy, ";w={}", period.div_euclid(SECOND)),
            _ => Ok(()),
        };
        let _ = match quota.unit {
            Unit::Requests => Ok(()),
            Unit::Concurrent => write!(policy, ";qu=\"concurrent-requests\""),
            Unit::BytesOut | Unit::BytesIn | Unit::Bytes => write!(policy, ";qu=\"content-bytes\""),
        };
        let _ = wait.map(|wait| write!(limit, ";t={wait}"));
        fields.push(("ratelimit-policy", policy));
        if charge.refusal == Some(Refusal::Exhausted) {
            fields.push(("ratelimit", limit));
        }
        fields
    }

    /// Appends the response-code details: `egress_denied{NO_MATCH}`.
    pub fn write_details(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(DETAILS_PREFIX.as_bytes());
        out.extend_from_slice(self.reason().as_str().as_bytes());
        out.push(b'}');
    }

    /// Appends the body of an HTTP response: one JSON object and a newline, or nothing where the policy says so.
    pub fn write_body(&self, out: &mut Vec<u8>) {
        let Answer { evaluation, settings, .. } = self;
        if settings.detail == Detail::None {
            return;
        }
        out.extend_from_slice(b"{\"error\":\"egress_denied\"");
        string(out, ",\"reason\":", self.reason().as_str());
        let mut message = Vec::new();
        self.write_message(&mut message);
        // ASCII throughout: a sentence of this file and a canonical host.
        out.extend_from_slice(b",\"message\":");
        json::bytes(out, &message, usize::MAX);
        if !settings.name.is_empty() {
            out.extend_from_slice(b",\"policy\":");
            match &settings.revision {
                Some(revision) => json::text(out, &[&settings.name, "@", revision].concat()),
                None => json::text(out, &settings.name),
            }
        }
        if let Some(id) = self.request_id {
            out.extend_from_slice(b",\"request_id\":");
            json::bytes(out, id, REQUEST_ID_CAP);
        }
        if let Some(docs) = &settings.docs_url {
            string(out, ",\"docs\":", docs);
        }
        if settings.detail == Detail::Full {
            if let Some(rule) = evaluation.decision.rule {
                string(out, ",\"rule\":", rule);
            }
            if let Some(identity) = evaluation.identity {
                out.extend_from_slice(b",\"identity\":");
                json::bytes(out, identity.id, usize::MAX);
            }
            if let Some(near) = self.near {
                out.extend_from_slice(b",\"near\":");
                near.write(out);
            }
        }
        out.extend_from_slice(b"}\n");
    }

    /// Appends the message of a gRPC response, where Envoy sends the body as `grpc-message`: one sentence that says
    /// what was refused and what to do, or nothing where the policy says so.
    pub fn write_grpc_message(&self, out: &mut Vec<u8>) {
        if self.settings.detail != Detail::None {
            self.write_message(out);
        }
    }

    fn reason(&self) -> Reason {
        self.evaluation.decision.reason
    }

    fn write_message(&self, out: &mut Vec<u8>) {
        let (why, remedy) = explanation(self.reason());
        let port = self.evaluation.port.unwrap_or_default();
        // Writing into memory does not fail.
        let _: std::io::Result<()> = match self.evaluation.host {
            Some(Host::Name(name)) => write!(out, "Egress to {name}:{port} was refused: {why}; {remedy}."),
            Some(Host::Ip(address)) => {
                write!(out, "Egress to {} was refused: {why}; {remedy}.", std::net::SocketAddr::new(address, port))
            }
            None => write!(out, "Egress was refused: {why}; {remedy}."),
        };
    }
}

impl Near<'_> {
    /// Appends `{"rule":ID,"failed":WHAT}`.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"rule\":");
        json::text(out, self.rule);
        string(out, ",\"failed\":", self.failed.as_str());
        out.push(b'}');
    }
}

/// Returns why a request was refused, and what its sender can do.
fn explanation(reason: Reason) -> (&'static str, &'static str) {
    const ASK: &str = "ask the owners of the egress policy for a rule";
    const AGAIN: &str = "come again later, or ask the owners of the egress policy for more";
    match reason {
        Reason::HostInvalid => (
            "the request does not name one valid host",
            "send one DNS name or IP address as its Host, with the port where the scheme's is not meant",
        ),
        Reason::IdentityInvalid => (
            "the caller's certificate holds no valid SPIFFE ID",
            "call with the workload's own certificate of the mesh",
        ),
        Reason::IdentityUntrusted => {
            ("the caller's trust domain is not accepted here", "call with the workload's own certificate of this mesh")
        }
        Reason::RouteMismatch => (
            "the gateway would send it to another host or port than it names",
            "call the host by its own name and port",
        ),
        Reason::SniMismatch => (
            "the server name in its TLS is another than the host that it was sent to",
            "name the same host in TLS as in the look-up of its address",
        ),
        Reason::SniMissing => (
            "its TLS does not show the name of a server",
            "send a server name in plain text, or ask for `ech: allow` or `clientHello: optional` in the rule",
        ),
        Reason::DenyRule => ("the egress policy forbids it", "use another destination"),
        Reason::RequestAmbiguous => (
            "servers may read its path or method in more than one way",
            "send the path without dot segments, empty segments and needless escapes, and no header that overrides it",
        ),
        Reason::RuleExpired => {
            ("the rule that admitted it has expired", "ask the owners of the egress policy to renew it")
        }
        Reason::IdentityMissing => ("the caller presented no identity", "call through the mesh, over mutual TLS"),
        Reason::NoMatch => ("no rule admits it for this workload", ASK),
        Reason::Residency => ("its destination lies in a region that this workload may not use", ASK),
        Reason::QuotaRequests => ("it has used up its quota of requests", AGAIN),
        Reason::QuotaBytes => ("it has used up its quota of bytes", AGAIN),
        Reason::QuotaConcurrent => {
            ("as many of its requests as a quota allows are under way", "come again when one of them has ended")
        }
        Reason::QuotaUnavailable => ("its quota cannot be told at the moment", "come again in a moment"),
        Reason::AddressInside => (
            "its name leads to an address that the gateway may not reach",
            "use a public host, or ask the operators of the gateway to admit the address",
        ),
        Reason::UndecidedLimit => (
            "too many connections of its source have sent nothing to decide about",
            "open a connection when there is something to send",
        ),
        Reason::RefusedByEnvoy => {
            ("the gateway's proxy takes no such request", "send a plain request that names one host and a path")
        }
        // An admitted request is refused where the decision could not be carried out.
        Reason::PolicyInvalid | Reason::RuleAllow => {
            ("the gateway has no policy that it can apply", "ask the operators of the gateway to look at its log")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Decision, Failed};
    use crate::quota::{By, Calendar, ChargeOutcome, Level, Limit, Overrun, Quota, Rate};
    use crate::request::{Presented, Source};

    fn denied(reason: Reason) -> Evaluation<'static> {
        Evaluation {
            identity: Some(Presented { source: Source::PeerCertificate, id: b"spiffe://cluster.local/ns/a/sa/b" }),
            host: Some(Host::Name("api.example.com")),
            port: Some(443),
            decision: Decision { rule: Some("no-internal"), ..Decision::refusal(reason) },
            ..Evaluation::refused(reason)
        }
    }

    fn settings(detail: Detail) -> Settings {
        Settings {
            name: "prod".to_owned(),
            revision: Some("9f3c".to_owned()),
            docs_url: Some("https://wiki.example/egress".to_owned()),
            detail,
            ..Settings::default()
        }
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("an answer is UTF-8")
    }

    fn body(evaluation: &Evaluation<'_>, settings: &Settings, request_id: Option<&[u8]>) -> String {
        let near = Some(Near { rule: "payments-api", failed: Failed::Path });
        written(|out| Answer { evaluation, settings, request_id, near, quota: None }.write_body(out))
    }

    #[test]
    fn the_reason_alone_names_no_rule_and_no_identity() {
        assert_eq!(
            body(&denied(Reason::NoMatch), &settings(Detail::Reason), Some(b"id-1")),
            concat!(
                r#"{"error":"egress_denied","reason":"NO_MATCH","#,
                r#""message":"Egress to api.example.com:443 was refused: no rule admits it for this workload; "#,
                r#"ask the owners of the egress policy for a rule.","#,
                r#""policy":"prod@9f3c","request_id":"id-1","docs":"https://wiki.example/egress"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn full_detail_adds_rule_identity_and_what_came_nearest() {
        let body = body(&denied(Reason::DenyRule), &settings(Detail::Full), None);
        assert!(
            body.ends_with(concat!(
                r#""docs":"https://wiki.example/egress","rule":"no-internal","#,
                r#""identity":"spiffe://cluster.local/ns/a/sa/b","near":{"rule":"payments-api","failed":"path"}}"#,
                "\n"
            )),
            "{body}"
        );
    }

    #[test]
    fn no_detail_is_no_body() {
        let (evaluation, settings) = (denied(Reason::NoMatch), settings(Detail::None));
        assert_eq!(body(&evaluation, &settings, Some(b"id-1")), "");
        let answer = Answer { evaluation: &evaluation, settings: &settings, request_id: None, near: None, quota: None };
        assert_eq!(written(|out| answer.write_grpc_message(out)), "");
    }

    #[test]
    fn every_reason_has_details_and_one_sentence_with_or_without_a_policy() {
        for reason in Reason::ALL {
            for (evaluation, settings) in
                [(denied(reason), settings(Detail::Full)), (Evaluation::refused(reason), Settings::default())]
            {
                let answer = Answer {
                    evaluation: &evaluation,
                    settings: &settings,
                    request_id: Some(b"\xff"),
                    near: None,
                    quota: None,
                };
                assert_eq!(written(|out| answer.write_details(out)), format!("egress_denied{{{}}}", reason.as_str()));
                let message = written(|out| answer.write_grpc_message(out));
                assert!(message.starts_with("Egress") && message.ends_with('.') && message.is_ascii(), "{message}");
                let body = written(|out| answer.write_body(out));
                let body: serde_json::Value = serde_json::from_str(&body).expect("a body is JSON");
                assert_eq!(body["message"], message);
                assert_eq!(body["request_id"], "\u{ff}");
                assert_eq!(body.get("policy").is_some(), !settings.name.is_empty());
            }
        }
    }

    #[test]
    fn a_request_id_is_capped() {
        let body = body(&denied(Reason::NoMatch), &settings(Detail::Reason), Some(&[b'x'; 9000]));
        let body: serde_json::Value = serde_json::from_str(&body).expect("a body is JSON");
        assert_eq!(body["request_id"].as_str().map(str::len), Some(REQUEST_ID_CAP));
    }

    #[test]
    fn an_address_is_named_with_brackets() {
        let ip = Evaluation { host: Some(Host::Ip("::1".parse().expect("an address"))), ..denied(Reason::NoMatch) };
        assert!(body(&ip, &settings(Detail::Reason), None).contains("Egress to [::1]:443 was refused"));
    }

    const HOUR: u64 = 3600 * SECOND;

    fn quota(unit: Unit, limit: Limit) -> Quota {
        Quota { id: "q".into(), unit, limit, by: By::default(), overrun: Overrun::Cut, tag: 1 }
    }

    fn rate(amount: u64, per: u64, burst: u64, replicas: u32) -> Limit {
        Limit::Rate(Rate::new(Unit::Requests, amount, per, burst, replicas).expect("a rate"))
    }

    /// The fields of a refusal, each `name: value`.
    fn limits(quota: &Quota, refusal: Refusal, level: Level) -> Vec<String> {
        let outcome = QuotaOutcome {
            quota,
            key: "k".into(),
            charge: ChargeOutcome { refusal: Some(refusal), level, overflowed: false },
            number: 0,
            enforced: true,
        };
        let (evaluation, settings) = (denied(Reason::QuotaRequests), settings(Detail::Reason));
        let answer = Answer {
            evaluation: &evaluation,
            settings: &settings,
            request_id: None,
            near: None,
            quota: Some(&outcome),
        };
        assert_eq!((answer.status(), answer.grpc_status()), (429, 8));
        answer.limits().iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    fn waiting(retry: u64) -> Level {
        Level { used: 7, left: 0, reset: Some(HOUR), retry: Some(retry) }
    }

    #[test]
    fn a_refusal_by_a_quota_says_when_to_come_again_and_what_the_limit_is() {
        let quota = quota(Unit::Requests, rate(100, 60 * SECOND, 200, 1));
        assert_eq!(
            limits(&quota, Refusal::Exhausted, waiting(1)),
            ["retry-after: 1", "ratelimit-policy: \"q\";q=100;w=60", "ratelimit: \"q\";r=0;t=1"],
            "rounded up"
        );
        assert_eq!(limits(&quota, Refusal::Exhausted, waiting(SECOND))[0], "retry-after: 1");
        assert_eq!(limits(&quota, Refusal::Exhausted, waiting(SECOND + 1))[0], "retry-after: 2");
        assert_eq!(limits(&quota, Refusal::Exhausted, waiting(0))[0], "retry-after: 1", "never at once");
    }

    #[test]
    fn the_limit_is_that_of_this_gateway() {
        let quota = quota(Unit::Requests, rate(100, SECOND, 66, 3));
        assert_eq!(limits(&quota, Refusal::Exhausted, waiting(1))[1], "ratelimit-policy: \"q\";q=33;w=1");
    }

    #[test]
    fn a_window_that_seconds_cannot_tell_is_left_out() {
        for limit in [rate(10, SECOND / 4, 10, 1), Limit::Window(Calendar::Month, 10)] {
            let quota = quota(Unit::Requests, limit);
            assert_eq!(limits(&quota, Refusal::Exhausted, waiting(1))[1], "ratelimit-policy: \"q\";q=10");
        }
        let hour = quota(Unit::Requests, Limit::Window(Calendar::Hour, 10));
        assert_eq!(
            limits(&hour, Refusal::Exhausted, waiting(HOUR)),
            ["retry-after: 3600", "ratelimit-policy: \"q\";q=10;w=3600", "ratelimit: \"q\";r=0;t=3600"]
        );
    }

    #[test]
    fn what_is_counted_is_named_where_it_is_not_requests() {
        let bytes = quota(Unit::BytesIn, Limit::Window(Calendar::Minute, 1000));
        assert_eq!(
            limits(&bytes, Refusal::Exhausted, waiting(SECOND))[1],
            "ratelimit-policy: \"q\";q=1000;w=60;qu=\"content-bytes\""
        );
        let held = quota(Unit::Concurrent, Limit::Concurrent(5));
        assert_eq!(
            limits(&held, Refusal::Exhausted, Level { used: 5, left: 0, reset: None, retry: None }),
            ["ratelimit-policy: \"q\";q=5;qu=\"concurrent-requests\"", "ratelimit: \"q\";r=0"],
            "nobody knows when one ends"
        );
    }

    #[test]
    fn of_a_quota_that_cannot_be_told_only_the_policy_is_told() {
        let quota = quota(Unit::Requests, rate(10, SECOND, 10, 1));
        assert_eq!(limits(&quota, Refusal::Unavailable, Level::default()), ["ratelimit-policy: \"q\";q=10;w=1"]);
    }

    #[test]
    fn a_refusal_by_the_policy_is_403_and_says_nothing_of_limits() {
        let (evaluation, settings) = (denied(Reason::NoMatch), settings(Detail::Reason));
        let answer = Answer { evaluation: &evaluation, settings: &settings, request_id: None, near: None, quota: None };
        assert_eq!((answer.status(), answer.grpc_status(), answer.limits()), (403, 7, Vec::new()));
    }
}
