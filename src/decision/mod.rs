//! Decisions: their reasons, their order, and what a denied caller gets.

mod also;
pub mod answer;
mod authorize;
mod canonical;
mod charge;
mod identify;
pub mod json;
mod late;
mod pending_decision;
mod question;
mod quotas;
mod read_http;
mod read_tcp;
pub(crate) mod request_snapshot;
mod scratch;
mod search;

use crate::request::{Host, Identity, Presented};
pub use crate::timestamp::Timestamp;
pub use also::{Also, Further};
pub use answer::Answer;
pub use authorize::{Authorizer, Candidates};
pub use charge::{Charged, QuotaOutcome};
pub use quotas::ApplicableQuota;
pub use request_snapshot::RequestSnapshot;
pub use scratch::Scratch;
#[doc(hidden)]
pub use {
    canonical::Canonical,
    scratch::{Buffers, Lookups},
};

/// The fate of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Let through.
    Allow,
    /// Refused.
    Deny,
    /// Let through because of a dry-run; the reason is the one it would have been refused for.
    WouldDeny,
    /// Let through, and stopped later.
    Cut,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 4] = [Outcome::Allow, Outcome::Deny, Outcome::WouldDeny, Outcome::Cut];

    /// `allow`, `deny`, `would-deny` or `cut`, as records and commands spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::Deny => "deny",
            Outcome::WouldDeny => "would-deny",
            Outcome::Cut => "cut",
        }
    }
}

/// The reason of a decision: the closed list of the policy language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule admits the request.
    RuleAllow,
    /// The authority has no canonical host and port.
    HostInvalid,
    /// The peer presented something that is no SPIFFE ID.
    IdentityInvalid,
    /// The SPIFFE ID's trust domain is not listed.
    IdentityUntrusted,
    /// The chosen cluster stands for another host or port than the authority names.
    RouteMismatch,
    /// The server name in the caller's own TLS is another than the host that the connection was led to.
    SniMismatch,
    /// The caller's own TLS is not there, names no server or hides its name.
    SniMissing,
    /// A deny entry matches.
    DenyRule,
    /// The request's form decided: servers may read its path or method otherwise.
    RequestAmbiguous,
    /// Only an expiry stood in the way.
    RuleExpired,
    /// No rule admits it, and there is no identity.
    IdentityMissing,
    /// No rule admits it.
    NoMatch,
    /// Admitted, but to no region that the residency entries allow.
    Residency,
    /// A quota of requests is used up.
    QuotaRequests,
    /// A quota of bytes is used up.
    QuotaBytes,
    /// As many requests are in flight as a quota allows.
    QuotaConcurrent,
    /// The state of a quota could not be read or changed.
    QuotaUnavailable,
    /// The name leads to an address that the gateway may not reach. Envoy refuses it behind the filter.
    AddressInside,
    /// Too many connections wait for a decision, and this one came from the source that has most of them.
    UndecidedLimit,
    /// Envoy refused the request before the filter saw it.
    RefusedByEnvoy,
    /// There is no valid policy yet.
    PolicyInvalid,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 21] = [
        Reason::RuleAllow,
        Reason::HostInvalid,
        Reason::IdentityInvalid,
        Reason::IdentityUntrusted,
        Reason::RouteMismatch,
        Reason::SniMismatch,
        Reason::SniMissing,
        Reason::DenyRule,
        Reason::RequestAmbiguous,
        Reason::RuleExpired,
        Reason::IdentityMissing,
        Reason::NoMatch,
        Reason::Residency,
        Reason::QuotaRequests,
        Reason::QuotaBytes,
        Reason::QuotaConcurrent,
        Reason::QuotaUnavailable,
        Reason::AddressInside,
        Reason::UndecidedLimit,
        Reason::RefusedByEnvoy,
        Reason::PolicyInvalid,
    ];

    /// Tells whether the engine decides so. The others are what Envoy refuses itself, before the filter or behind it, and what
    /// the filter has no room for.
    pub fn is_decided(self) -> bool {
        !matches!(self, Reason::AddressInside | Reason::UndecidedLimit | Reason::RefusedByEnvoy)
    }

    /// Tells whether only TCP connections are refused so.
    pub fn is_of_connections(self) -> bool {
        matches!(self, Reason::SniMismatch | Reason::SniMissing | Reason::UndecidedLimit)
    }

    /// Tells whether a quota refuses: callers may come again (HTTP 429, gRPC 8).
    pub fn is_quota(self) -> bool {
        matches!(self, Reason::QuotaRequests | Reason::QuotaBytes | Reason::QuotaConcurrent | Reason::QuotaUnavailable)
    }

    /// As records, response details and commands spell it: `RULE_ALLOW`, `NO_MATCH`, ….
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::RuleAllow => "RULE_ALLOW",
            Reason::HostInvalid => "HOST_INVALID",
            Reason::IdentityInvalid => "IDENTITY_INVALID",
            Reason::IdentityUntrusted => "IDENTITY_UNTRUSTED",
            Reason::RouteMismatch => "ROUTE_MISMATCH",
            Reason::SniMismatch => "SNI_MISMATCH",
            Reason::SniMissing => "SNI_MISSING",
            Reason::DenyRule => "DENY_RULE",
            Reason::RequestAmbiguous => "REQUEST_AMBIGUOUS",
            Reason::RuleExpired => "RULE_EXPIRED",
            Reason::IdentityMissing => "IDENTITY_MISSING",
            Reason::NoMatch => "NO_MATCH",
            Reason::Residency => "RESIDENCY",
            Reason::QuotaRequests => "QUOTA_REQUESTS",
            Reason::QuotaBytes => "QUOTA_BYTES",
            Reason::QuotaConcurrent => "QUOTA_CONCURRENT",
            Reason::QuotaUnavailable => "QUOTA_UNAVAILABLE",
            Reason::AddressInside => "ADDRESS_INSIDE",
            Reason::UndecidedLimit => "UNDECIDED_LIMIT",
            Reason::RefusedByEnvoy => "REFUSED_BY_ENVOY",
            Reason::PolicyInvalid => "POLICY_INVALID",
        }
    }
}

/// The decision on one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<'p> {
    /// The fate of the request.
    pub outcome: Outcome,
    /// The reason.
    pub reason: Reason,
    /// The id of the rule, deny entry or residency entry that decided, if one did.
    pub rule: Option<&'p str>,
    /// The name of the destination through which that rule matched, if it was a named one.
    pub destination: Option<&'p str>,
    /// The path pattern that admitted the request, if the target had any.
    pub pattern: Option<&'p str>,
    /// Further reasons that a dry-run suspended, in the order of the decision.
    pub also: Also<'p>,
}

/// A request as it was read, and the decision on it.
#[derive(Clone, Debug)]
pub struct Evaluation<'s> {
    /// The SPIFFE ID and its source, if it is a valid one; whether it is trusted, the reason tells.
    pub identity: Option<Presented<'s>>,
    /// That SPIFFE ID's parts, where it is trusted: else the request counts as anonymous.
    pub trusted: Option<Identity<'s>>,
    /// The canonical host; none where the authority has none.
    pub host: Option<Host<'s>>,
    /// The port that the authority names, or else that of a compared route, or the default; none where there is no canonical host.
    pub port: Option<u16>,
    /// The decision.
    pub decision: Decision<'s>,
    /// The quotas that a request which is let through is charged to, in file order.
    pub quotas: &'s [ApplicableQuota],
    /// The way out of a TCP connection that is let through.
    pub way: Way,
    /// The first moment at which the target that admits no longer does.
    pub expires: Timestamp,
}

/// The way out of a TCP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// The cluster of the host and the port alone: it was called by them, and a target that names the host admits it.
    Own,
    /// The cluster of the port, which looks the caller's own server name up.
    #[default]
    Dynamic,
    /// The filter for HTTP, which decides each of its requests: nothing was decided about the connection itself.
    Http,
}

impl<'s> Evaluation<'s> {
    /// A request refused before anything of it was judged.
    pub fn refused(reason: Reason) -> Evaluation<'static> {
        Evaluation {
            identity: None,
            trusted: None,
            host: None,
            port: None,
            decision: Decision::refusal(reason),
            quotas: &[],
            way: Way::default(),
            expires: Timestamp::NEVER,
        }
    }

    /// The namespace of the caller, where its SPIFFE ID is trusted and has Istio's form.
    pub fn namespace(&self) -> Option<&'s str> {
        self.trusted.and_then(|identity| identity.namespace())
    }
}

impl Decision<'_> {
    /// A refusal that no entry of the policy decided.
    pub fn refusal(reason: Reason) -> Decision<'static> {
        Decision { outcome: Outcome::Deny, reason, rule: None, destination: None, pattern: None, also: Also::NONE }
    }
}

/// The rule that came nearest to admitting a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near<'p> {
    /// Its id.
    pub rule: &'p str,
    /// The first thing that failed.
    pub failed: Failed,
}

/// The first condition of a rule that failed, in the order in which they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the noun itself")]
pub enum Failed {
    Host,
    Port,
    Method,
    Path,
    Upgrade,
    Hello,
    Expired,
}

impl Failed {
    /// Everything that can fail, in that order.
    pub const ALL: [Failed; 7] =
        [Failed::Host, Failed::Port, Failed::Method, Failed::Path, Failed::Upgrade, Failed::Hello, Failed::Expired];

    /// `host`, `port`, `method`, `path`, `upgrade`, `hello` or `expired`.
    pub fn as_str(self) -> &'static str {
        match self {
            Failed::Host => "host",
            Failed::Port => "port",
            Failed::Method => "method",
            Failed::Path => "path",
            Failed::Upgrade => "upgrade",
            Failed::Hello => "hello",
            Failed::Expired => "expired",
        }
    }
}
