//! One request: read, decided, carried out.
//!
//! A host call that fails refuses the request, whatever the policy says of dry-runs, with the reason that names what
//! could not be read: `HOST_INVALID` for the headers, `IDENTITY_INVALID`, `ROUTE_MISMATCH` for the cluster,
//! `RULE_EXPIRED` for the clock; and with `POLICY_INVALID` where the decision could not be carried out.

use tollgate::decision::{Answer, Decision, Judged, Near, Outcome, Reason, Record, Scratch, Timestamp, answer};
use tollgate::policy::{AuditPath, Policy, Settings};
use tollgate::request::{Arrival, Presented, Source};

use crate::host::{Action, Failure, Host, Level, MetricId, Response, Stream};
use crate::pairs::Pairs;
use crate::root::{Service, Serving};

/// The name of the record in filter state; Envoy knows it as `wasm.tollgate`.
const RECORD: &str = "tollgate";

const UNCOUNTED: &str = "a request is not counted";

/// Memory that one request after another uses again.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    scratch: Scratch,
    nearest: Scratch,
    paper: Paper,
}

/// What is written about a request, and which failures the log has seen.
#[derive(Debug, Default)]
struct Paper {
    record: Vec<u8>,
    details: Vec<u8>,
    body: Vec<u8>,
    noted: Vec<&'static str>,
}

impl Paper {
    /// Logs the first failure of each host call; never one per request.
    fn note(&mut self, host: &mut impl Host, failure: Failure, consequence: &str) {
        if !self.noted.contains(&failure.call) {
            self.noted.push(failure.call);
            host.log(Level::Error, &format!("{failure}: {consequence} (logged the first time only)"));
        }
    }
}

/// Decides a request and carries the decision out.
pub(crate) fn on_request(host: &mut impl Host, service: Service<'_>, tools: &mut Tools) -> Action {
    let Tools { scratch, nearest, paper } = tools;
    let bytes = host.request_headers();
    let headers = match &bytes {
        Ok(bytes) => Pairs::parse(bytes).ok_or(Failure::MALFORMED_HEADERS),
        Err(failure) => Err(*failure),
    };
    let mut arrival = Arrival::from_headers(headers.unwrap_or_default().iter());
    let serving = match service {
        Service::Decide(serving) => serving,
        Service::Refuse(counter) => {
            return refuse_unserved(host, counter, headers.unwrap_or_default(), &arrival, paper);
        }
    };
    let policy = &serving.policy;

    let beyond = headers.map_err(|failure| (Reason::HostInvalid, failure)).and_then(|_| Beyond::read(host, policy));
    let mut judged = match &beyond {
        Ok(beyond) => {
            arrival.identity = beyond.identity.as_ref().map(|(source, id)| Presented { source: *source, id });
            arrival.cluster = beyond.cluster.as_deref();
            policy.decide(&arrival, beyond.now, scratch)
        }
        Err((reason, failure)) => {
            paper.note(host, *failure, "a request is refused");
            Judged::refused(*reason)
        }
    };
    let headers = headers.unwrap_or_default();
    if judged.decision.outcome != Outcome::Deny {
        match let_through(host, serving, headers, &arrival, &judged, paper) {
            Ok(()) => {
                count(host, serving, &judged, paper);
                return Action::Continue;
            }
            Err(failure) => {
                paper.note(host, failure, "a request is refused");
                judged.decision = Decision::refusal(Reason::PolicyInvalid);
            }
        }
    }
    let near = match (&beyond, judged.decision.reason) {
        (Ok(beyond), Reason::NoMatch | Reason::RuleExpired | Reason::RequestAmbiguous) => {
            policy.nearest(&arrival, beyond.now, nearest)
        }
        _ => None,
    };
    Refusal { settings: policy.settings(), headers, arrival: &arrival, judged: &judged, near }.send(host, paper);
    count(host, serving, &judged, paper);
    Action::Pause
}

/// Removes from a destination's response the header by which this filter names its reasons.
pub(crate) fn on_response(host: &mut impl Host, tools: &mut Tools) -> Action {
    let removed = host
        .has_response_header(answer::HEADER)
        .and_then(|has| if has && !is_refusal(host) { host.remove_response_header(answer::HEADER) } else { Ok(()) });
    if let Err(failure) = removed {
        tools.paper.note(host, failure, "a response may carry a foreign x-egress-denied");
    }
    Action::Continue
}

/// Whether the response is a refusal of this filter, or of another Tollgate in the chain.
fn is_refusal(host: &mut impl Host) -> bool {
    host.property("response\0code_details")
        .is_ok_and(|details| details.is_some_and(|details| details.starts_with(answer::DETAILS_PREFIX.as_bytes())))
}

/// What a decision needs beyond the headers. Nothing is asked for that the policy does not look at: a host call that
/// returns bytes costs more than a decision.
struct Beyond {
    identity: Option<(Source, Vec<u8>)>,
    cluster: Option<Vec<u8>>,
    now: Timestamp,
}

impl Beyond {
    fn read(host: &mut impl Host, policy: &Policy) -> Result<Beyond, (Reason, Failure)> {
        let mut identity = None;
        for source in &policy.settings().sources {
            let path = match source {
                Source::PeerCertificate => "connection\0uri_san_peer_certificate",
                Source::PeerPrincipal => "filter_state\0io.istio.peer_principal",
            };
            let id = host.property(path).map_err(|failure| (Reason::IdentityInvalid, failure))?;
            if let Some(id) = id.filter(|id| !id.is_empty()) {
                identity = Some((*source, id));
                break;
            }
        }
        let by_principal = matches!(identity, Some((Source::PeerPrincipal, _)));
        let cluster = if by_principal || policy.reads_cluster() {
            host.property("xds\0cluster_name").map_err(|failure| (Reason::RouteMismatch, failure))?
        } else {
            None
        };
        let now = if policy.reads_clock() {
            Timestamp(host.now().map_err(|failure| (Reason::RuleExpired, failure))?)
        } else {
            Timestamp::default()
        };
        Ok(Beyond { identity, cluster, now })
    }
}

/// Makes the request fit to leave. The record comes last: it is what a filter behind this one lets pass, so it never
/// says that a request was admitted which this filter could not deal with.
fn let_through(
    host: &mut impl Host,
    serving: &Serving,
    headers: Pairs<'_>,
    arrival: &Arrival<'_>,
    judged: &Judged<'_>,
    paper: &mut Paper,
) -> Result<(), Failure> {
    for (name, _) in headers.iter().filter(|(name, _)| serving.removal.takes(name)) {
        host.remove_request_header(name)?;
    }
    let settings = serving.policy.settings();
    if let Some(tripwire) = &settings.tripwire
        && let Some(secret) = tripwire.values.first()
    {
        host.set_request_header(&tripwire.header, secret)?;
    }
    record(host, paper, &Record { judged, arrival, settings, near: None })
}

fn record(host: &mut impl Host, paper: &mut Paper, record: &Record<'_>) -> Result<(), Failure> {
    paper.record.clear();
    record.write(&mut paper.record);
    host.set_property(RECORD, &paper.record)
}

fn count(host: &mut impl Host, serving: &Serving, judged: &Judged<'_>, paper: &mut Paper) {
    if let Err(failure) = serving.requests.count(host, judged) {
        paper.note(host, failure, UNCOUNTED);
    }
}

/// Refuses a request for want of a policy.
fn refuse_unserved(
    host: &mut impl Host,
    counter: Option<MetricId>,
    headers: Pairs<'_>,
    arrival: &Arrival<'_>,
    paper: &mut Paper,
) -> Action {
    // A path may hold credentials, and nobody has said that it may be recorded.
    let settings = Settings { audit_path: AuditPath::None, ..Settings::default() };
    let judged = Judged::refused(Reason::PolicyInvalid);
    Refusal { settings: &settings, headers, arrival, judged: &judged, near: None }.send(host, paper);
    if let Some(counter) = counter
        && let Err(failure) = host.count(counter)
    {
        paper.note(host, failure, UNCOUNTED);
    }
    Action::Pause
}

/// A request that is refused.
struct Refusal<'a> {
    settings: &'a Settings,
    headers: Pairs<'a>,
    arrival: &'a Arrival<'a>,
    judged: &'a Judged<'a>,
    near: Option<Near<'a>>,
}

impl Refusal<'_> {
    fn send(&self, host: &mut impl Host, paper: &mut Paper) {
        let Refusal { settings, headers, arrival, judged, near } = *self;
        if let Err(failure) = record(host, paper, &Record { judged, arrival, settings, near }) {
            paper.note(host, failure, "a refusal is not recorded");
        }
        let answer = Answer { judged, settings, request_id: headers.first(b"x-request-id"), near };
        paper.details.clear();
        answer.write_details(&mut paper.details);
        paper.body.clear();
        let is_grpc = is_grpc(headers);
        if is_grpc {
            answer.write_grpc_message(&mut paper.body);
        } else {
            answer.write_body(&mut paper.body);
        }
        let headers = [(answer::HEADER, judged.decision.reason.as_str()), ("content-type", "application/json")];
        // Envoy gives gRPC callers a content type of its own.
        let has_type = !is_grpc && !paper.body.is_empty();
        let response = Response {
            status: answer::STATUS,
            grpc_status: answer::GRPC_STATUS,
            details: &paper.details,
            headers: if has_type { &headers } else { headers.split_at(1).0 },
            body: &paper.body,
        };
        if let Err(failure) = host.respond(&response) {
            paper.note(host, failure, "a refused request is reset instead of answered");
            if let Err(failure) = host.close(Stream::Request) {
                paper.note(host, failure, "a refused request is neither answered nor reset, and goes nowhere");
            }
        }
    }
}

/// Whether Envoy takes the caller for one that speaks gRPC.
fn is_grpc(headers: Pairs<'_>) -> bool {
    headers
        .first(b"content-type")
        .and_then(|value| value.strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
}
