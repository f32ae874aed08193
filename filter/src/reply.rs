//! Answers to refused callers, in place of the destination's.

use tollgate::decision::{Answer, Evaluation, Near, QuotaOutcome, answer};
use tollgate::policy::{AuditPath, Settings};
use tollgate::record::RecordSource;
use tollgate::request::Arrival;

use crate::headers::Headers;
use crate::host::{Host, Response, StreamSide};
use crate::journal::Journal;

/// Properties of the caller that an answer needs besides the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<B> {
    request_id: Option<B>,
    speaks_grpc: bool,
}

impl<'a> Caller<&'a [u8]> {
    /// Reads it from the request's headers.
    pub(crate) fn of(headers: &'a Headers) -> Caller<&'a [u8]> {
        Caller { request_id: headers.first(b"x-request-id"), speaks_grpc: is_grpc(headers) }
    }

    /// Copies as much of it as an answer repeats.
    pub(crate) fn to_owned(self) -> Caller<Vec<u8>> {
        Caller {
            request_id: self.request_id.map(|id| id.get(..answer::REQUEST_ID_CAP).unwrap_or(id).to_vec()),
            speaks_grpc: self.speaks_grpc,
        }
    }
}

impl Caller<Vec<u8>> {
    /// Lends it for an answer.
    pub(crate) fn as_slices(&self) -> Caller<&[u8]> {
        Caller { request_id: self.request_id.as_deref(), speaks_grpc: self.speaks_grpc }
    }
}

/// Tells whether Envoy takes the caller for one that speaks gRPC.
fn is_grpc(headers: &Headers) -> bool {
    headers
        .first(b"content-type")
        .and_then(|value| value.strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
}

/// Settings while there is no policy. A path may hold credentials, and nobody has said that it may be recorded.
pub(crate) fn unserved() -> Settings {
    Settings { audit_path: AuditPath::None, ..Settings::default() }
}

/// A request that is refused.
pub(crate) struct Refusal<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) arrival: &'a Arrival<'a>,
    pub(crate) evaluation: &'a Evaluation<'a>,
    pub(crate) near: Option<Near<'a>>,
    /// The quotas that were consulted.
    pub(crate) quotas: &'a [QuotaOutcome<'a>],
    pub(crate) caller: Caller<&'a [u8]>,
}

impl Refusal<'_> {
    /// Records and answers it, or else resets it. Tells whether it is answered.
    pub(crate) fn send(&self, host: &mut impl Host, journal: &mut Journal) -> bool {
        let Refusal { settings, arrival, evaluation, near, quotas, caller } = *self;
        let text = RecordSource { evaluation, arrival, settings, near, quotas, details: None };
        if let Err(failure) = journal.record(host, &text) {
            journal.note(host, failure, "a refusal is not recorded");
        }
        let quota = quotas.iter().find(|outcome| Some(&*outcome.quota.id) == evaluation.decision.rule);
        let answer = Answer { evaluation, settings, request_id: caller.request_id, near, quota };
        let Journal { details, body, .. } = journal;
        details.clear();
        answer.write_details(details);
        body.clear();
        if caller.speaks_grpc {
            answer.write_grpc_message(body);
        } else {
            answer.write_body(body);
        }
        let limits = answer.limits();
        let mut headers = vec![(answer::HEADER, evaluation.decision.reason.as_str())];
        // Envoy gives gRPC callers a content type of its own.
        if !caller.speaks_grpc && !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        headers.extend(limits.iter().map(|(name, value)| (*name, value.as_str())));
        let response =
            Response { status: answer.status(), grpc_status: answer.grpc_status(), details, headers: &headers, body };
        let Err(failure) = host.respond(&response) else { return true };
        journal.note(host, failure, "a refused request is reset instead of answered");
        if let Err(failure) = host.reset(StreamSide::Request) {
            journal.note(host, failure, "a refused request is neither answered nor reset, and goes nowhere");
        }
        false
    }
}
