//! Trailers, which servers may take for headers.

use tollgate::decision::{Reason, answer};

use crate::host::{Action, Failure, HeaderMap, Host, StreamSide};
use crate::state::WorkerState;
use crate::streams::Stream;
use crate::stripped_headers::StrippedHeaders;

/// Trailers of a request flow.
pub(crate) fn on_request(host: &mut impl Host, stream: u32, state: &mut WorkerState) -> Action {
    let WorkerState { journal, charges, streams, .. } = state;
    let open = match streams.get(stream) {
        Some(Stream::Open(open)) => open,
        Some(Stream::Charging(held)) => {
            held.has_trailers = true;
            return Action::Pause;
        }
        // Held: letting more flow would release a request that was refused.
        _ => return Action::Pause,
    };
    // Counted as they came.
    let action = charges.headers(host, stream, HeaderMap::RequestTrailers, journal);
    let Err(failure) = clean(host, &open.bound.stripped) else { return action };
    journal.note(host, failure, "a request is reset behind its body");
    open.refused = Some(Reason::PolicyInvalid);
    if let Err(failure) = host.reset(StreamSide::Request) {
        journal.note(host, failure, "trailers that could not be cleaned are held");
    }
    Action::Pause
}

/// Removes trailers that servers could take for a header that no request may have.
fn clean(host: &mut impl Host, stripped: &StrippedHeaders) -> Result<(), Failure> {
    let trailers = host.headers(HeaderMap::RequestTrailers)?;
    for name in trailers.names().filter(|name| stripped.strips_trailer(name)) {
        host.remove_header(HeaderMap::RequestTrailers, name)?;
    }
    Ok(())
}

/// Handles trailers of a response. Refusals of this filter have none: a reason in them is a destination's, and is
/// removed.
pub(crate) fn on_response(host: &mut impl Host, stream: u32, state: &mut WorkerState) -> Action {
    let WorkerState { journal, charges, .. } = state;
    let action = charges.headers(host, stream, HeaderMap::ResponseTrailers, journal);
    let removed = host.has_header(HeaderMap::ResponseTrailers, answer::HEADER).and_then(|has| match has {
        true => host.remove_header(HeaderMap::ResponseTrailers, answer::HEADER.as_bytes()),
        false => Ok(()),
    });
    if let Err(failure) = removed {
        journal.note(host, failure, "trailers may carry a foreign x-egress-denied");
    }
    action
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Rig;
    use crate::host::Call;

    const POLICY: &str = r#"{"version": 1, "name": "prod",
        "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["a.com"]}]}],
        "requestHeaders": {"remove": ["x-internal"]}, "tripwire": {"header": "x-guard", "values": ["0123456789abcdef"]}}"#;
    const REQUEST: [(&str, &[u8]); 3] = [(":authority", b"a.com"), (":method", b"POST"), (":path", b"/")];

    #[test]
    fn what_no_header_may_be_no_trailer_is_in_any_spelling() {
        let dry_run = POLICY.replace("a.com", "b.com").replacen('{', r#"{"mode": "dry-run", "#, 1);
        for policy in [POLICY, &dry_run] {
            let mut rig = Rig::new(policy);
            assert_eq!(rig.request(&REQUEST), Action::Continue);
            let trailers = [
                "x-internal",
                "x_internal",
                "x-forwarded-client-cert",
                "x-envoy-retry-on",
                "x_envoy_retry_on",
                "x-http-method-override",
                "x_http-method_override",
                "x-guard",
            ];
            let all: Vec<_> = trailers.iter().chain(&["grpc-status", "x-own"]).map(|name| (*name, &b"1"[..])).collect();
            assert_eq!(rig.request_trailers(&all), Action::Continue);
            assert_eq!(rig.host.removed_trailers, trailers);
        }
    }

    #[test]
    fn trailers_that_cannot_be_cleaned_reset_the_request_and_are_recorded() {
        for call in [Call::Headers(HeaderMap::RequestTrailers), Call::RemoveHeader, Call::Reset] {
            let mut rig = Rig::new(POLICY);
            assert_eq!(rig.request(&REQUEST), Action::Continue);
            rig.host.failing.extend([call, Call::RemoveHeader]);
            assert_eq!(rig.request_trailers(&[("x-internal", b"1")]), Action::Pause, "{call}");
            assert_eq!(rig.host.closed.len(), usize::from(call != Call::Reset));
            rig.host.failing.clear();
            rig.log();
            assert_eq!(rig.decided(), "deny POLICY_INVALID", "{call}");
        }
    }

    #[test]
    fn nothing_follows_a_request_that_was_not_let_through() {
        let mut rig = Rig::new(POLICY);
        rig.host.failing.extend([Call::Respond, Call::Reset]);
        assert_eq!(rig.request(&[REQUEST[1], REQUEST[2], (":authority", b"b.com")]), Action::Pause);
        assert_eq!(rig.body(crate::host::Direction::Upstream, 10), Action::Pause);
        assert_eq!(rig.request_trailers(&[]), Action::Pause);
    }

    #[test]
    fn what_a_destination_says_of_denials_in_trailers_is_removed() {
        let mut rig = Rig::new(POLICY);
        rig.request(&REQUEST);
        rig.host.calls.clear();
        assert_eq!(rig.trailers(HeaderMap::ResponseTrailers, 0), Action::Continue);
        assert_eq!(rig.host.calls, [Call::HasHeader]);
        for name in [answer::HEADER, "grpc-status"] {
            rig.host.response_trailers.insert(name.to_owned());
        }
        assert_eq!(rig.trailers(HeaderMap::ResponseTrailers, 0), Action::Continue);
        assert_eq!(rig.host.response_trailers.iter().collect::<Vec<_>>(), ["grpc-status"]);
    }
}
