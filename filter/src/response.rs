//! Responses, a destination's or Envoy's own: this filter has to know who refused.

use tollgate::decision::{Reason, answer};

use crate::attributes::ROUTE;
use crate::host::{Action, Attribute, HeaderMap, Host};
use crate::state::WorkerState;
use crate::streams::Stream;

/// Number of headers, at most, of an answer that Envoy makes itself: status, length, type; of a refused gRPC call four.
const OF_ENVOY: usize = 4;

/// Removes from a destination's response the header by which this filter names its reasons, and notes where a filter
/// behind this one has refused the request after all. `count` is how many headers the response has.
pub(crate) fn on_response(host: &mut impl Host, stream: u32, count: usize, state: &mut WorkerState) -> Action {
    let WorkerState { journal, charges, streams, .. } = state;
    // Counted as it came.
    let action = charges.headers(host, stream, HeaderMap::Response, journal);
    let open = match streams.get(stream) {
        Some(Stream::Open(open)) => Some(open),
        _ => None,
    };
    let has = match host.has_header(HeaderMap::Response, answer::HEADER) {
        Ok(has) => has,
        Err(failure) => {
            journal.note(host, failure, "a response may carry a foreign x-egress-denied");
            return action;
        }
    };
    // Only what looks like no destination's answer is read: that costs more than all else that is done about a
    // response.
    let may_be_envoys = count <= OF_ENVOY && open.as_ref().is_some_and(|open| open.is_routed);
    if !has && !may_be_envoys {
        return action;
    }
    let refusal = Refusal::read(host);
    if let (Some(open), Some(Refusal::Behind(reason))) = (open, &refusal) {
        open.refused = Some(*reason);
    } else if has
        && !matches!(refusal, Some(Refusal::Tollgate))
        && let Err(failure) = host.remove_header(HeaderMap::Response, answer::HEADER.as_bytes())
    {
        journal.note(host, failure, "a response may carry a foreign x-egress-denied");
    }
    action
}

/// A refusal that no destination can have sent: Envoy's details of its responses say `via_upstream`.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// A refusal of this filter, or of another Tollgate in the chain.
    Tollgate,
    /// A refusal of a filter behind this one that carries out what was decided.
    Behind(Reason),
}

impl Refusal {
    fn read(host: &mut impl Host) -> Option<Refusal> {
        let details = host.attribute(Attribute::ResponseCodeDetails).ok()??;
        if details.starts_with(answer::DETAILS_PREFIX.as_bytes()) {
            return Some(Refusal::Tollgate);
        }
        let reason = match str::from_utf8(&details).ok()? {
            "rbac_access_denied_matched_policy[tollgate-address-inside]" => Reason::AddressInside,
            "rbac_access_denied_matched_policy[none]" if has_moved(host) => Reason::RouteMismatch,
            details if details.starts_with("dns_resolution_failure{") && details.contains("address_denied") => {
                Reason::AddressInside
            }
            details if details.starts_with("rbac_access_denied") && details.contains("tollgate-route") => {
                Reason::RouteMismatch
            }
            _ => return None,
        };
        Some(Refusal::Behind(reason))
    }
}

/// Tells whether the request would go elsewhere than was judged. Envoy shows the route that was chosen last.
fn has_moved(host: &mut impl Host) -> bool {
    match (host.filter_state(ROUTE), host.attribute(Attribute::Cluster)) {
        (Ok(Some(evaluation)), Ok(cluster)) => evaluation != cluster.unwrap_or_default(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Rig;
    use crate::host::Call;

    const POLICY: &str = r#"{"version": 1, "name": "prod", "authority": {"verifyRoute": "host"}, "audit": {"allowed": "none"},
        "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["a.com"]}]}]}"#;
    const REQUEST: [(&str, &[u8]); 3] = [(":authority", b"a.com"), (":method", b"GET"), (":path", b"/p?q")];
    const NONE: &str = "rbac_access_denied_matched_policy[none]";

    /// Lets a request through that was judged by the cluster of its own host.
    fn let_through() -> Rig {
        let mut rig = Rig::new(POLICY);
        rig.host.attributes.insert(Attribute::Cluster, b"outbound|443||a.com".to_vec());
        assert_eq!(rig.request(&REQUEST), Action::Continue);
        assert_eq!(rig.decided(), "allow ?");
        rig
    }

    /// Decision and reason in the record of a request that got such a response.
    fn answered(rig: &mut Rig, details: &str, has_header: bool, headers: usize) -> String {
        rig.details(details);
        if has_header {
            rig.host.response_headers.insert(answer::HEADER.to_owned());
        }
        assert_eq!(rig.respond_with(headers), Action::Continue);
        rig.log();
        rig.decided()
    }

    #[test]
    fn the_record_of_a_request_that_was_refused_behind_the_filter_says_so_and_it_is_counted() {
        for (details, reason, has_header, headers) in [
            ("dns_resolution_failure{address_denied}", "ADDRESS_INSIDE", true, 12),
            ("rbac_access_denied_matched_policy[tollgate-address-inside]", "ADDRESS_INSIDE", true, 12),
            ("rbac_access_denied_matched_policy[tollgate-address-inside]", "ADDRESS_INSIDE", false, 3),
            ("rbac_access_denied_matched_policy[tollgate-route]", "ROUTE_MISMATCH", true, 12),
            ("rbac_access_denied_matched_policy[tollgate-route]", "ROUTE_MISMATCH", false, 4),
        ] {
            let mut rig = let_through();
            assert_eq!(answered(&mut rig, details, has_header, headers), format!("deny {reason}"), "{details}");
            assert_eq!(rig.host.response_headers.contains(answer::HEADER), has_header, "it is no destination's");
            let record = rig.host.record();
            assert!(record.contains(r#""host":"a.com","port":443,"m":"GET","path":"/p","p":"prod""#), "{record}");
            assert!(record.contains(r#""id":"spiffe://cluster.local/ns/payments/sa/checkout""#), "{record}");
            let series = format!("decision=.=deny;.;reason=.={reason};.;tollgate_requests_total");
            assert_eq!(rig.host.metric(&series), Some(1));
            rig.log();
            assert_eq!(rig.host.metric(&series), Some(1), "once");
        }
    }

    #[test]
    fn a_route_that_moved_is_told_from_a_refusal_of_others() {
        for has_header in [true, false] {
            let mut rig = let_through();
            assert_eq!(answered(&mut rig, NONE, has_header, 3), "allow ?");
            assert!(!rig.host.response_headers.contains(answer::HEADER), "another filter has refused it");
            let mut rig = let_through();
            rig.host.attributes.insert(Attribute::Cluster, b"outbound|443||evil.com".to_vec());
            assert_eq!(answered(&mut rig, NONE, has_header, 3), "deny ROUTE_MISMATCH");
            let mut rig = let_through();
            rig.host.attributes.remove(&Attribute::Cluster);
            assert_eq!(answered(&mut rig, NONE, has_header, 3), "deny ROUTE_MISMATCH");
        }
    }

    #[test]
    fn no_destination_forges_a_refusal() {
        for details in ["via_upstream", "", "x dns_resolution_failure{address_denied}", "direct_response"] {
            let mut rig = let_through();
            assert_eq!(answered(&mut rig, details, true, 3), "allow ?", "{details}");
            assert!(!rig.host.response_headers.contains(answer::HEADER), "{details}");
        }
    }

    #[test]
    fn a_request_that_this_filter_refused_keeps_its_record() {
        let mut rig = Rig::new(POLICY);
        rig.request(&[(":authority", b"b.com"), REQUEST[1], REQUEST[2]]);
        let record = rig.host.record();
        answered(&mut rig, "egress_denied{NO_MATCH}", true, 4);
        assert_eq!(rig.host.record(), record);
        assert!(rig.host.response_headers.contains(answer::HEADER));
    }

    #[test]
    fn the_details_are_read_only_of_what_looks_like_an_answer_of_envoy() {
        let mut rig = let_through();
        rig.host.calls.clear();
        rig.respond_with(OF_ENVOY + 1);
        rig.log();
        assert_eq!(rig.host.calls, [Call::HasHeader]);
        let mut unbound = Rig::new(&POLICY.replace("host\"", "off\""));
        assert_eq!(unbound.request(&REQUEST), Action::Continue);
        unbound.host.calls.clear();
        unbound.respond_with(OF_ENVOY);
        assert_eq!(unbound.host.calls, [Call::HasHeader], "nothing compares its route");
    }
}
