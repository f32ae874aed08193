//! The end of a request: records of refusals that are not this filter's own.
//!
//! A record that is set before Envoy writes its log is the one that the log shows.

use tollgate::decision::{Evaluation, Outcome, Reason, answer};
use tollgate::record::RecordSource;
use tollgate::request::{Arrival, Presented};

use crate::attributes::{self, RECORD};
use crate::host::{Attribute, HeaderMap, Host};
use crate::metrics::{self, UNCOUNTED};
use crate::reply;
use crate::serving::{BoundPolicy, Service};
use crate::state::WorkerState;

/// A request that Envoy refused before this filter saw it.
pub(crate) fn unseen(host: &mut impl Host, service: &Service<'_>, state: &mut WorkerState) {
    // Another filter of this kind has refused or recorded it: its record stands in the same place.
    if !matches!(host.filter_state(RECORD), Ok(None)) {
        return;
    }
    let details = host.attribute(Attribute::ResponseCodeDetails).ok().flatten().unwrap_or_default();
    if details.starts_with(answer::DETAILS_PREFIX.as_bytes()) {
        return;
    }
    let bound = match service {
        Service::Decide(serving) => Some(&*serving.bound),
        Service::Refuse(_) => None,
    };
    replace(host, bound, Reason::RefusedByEnvoy, Some(&details), state);
}

/// A request that was let through, or held, and refused after all: its record says so in the end.
pub(crate) fn ended(host: &mut impl Host, bound: &BoundPolicy, reason: Reason, state: &mut WorkerState) {
    replace(host, Some(bound), reason, None, state);
}

/// Records what is known at a request's end, in place of any record before, and counts it.
fn replace(
    host: &mut impl Host,
    bound: Option<&BoundPolicy>,
    reason: Reason,
    details: Option<&[u8]>,
    state: &mut WorkerState,
) {
    let unserved = reply::unserved();
    let settings = bound.map_or(&unserved, |bound| bound.terms.settings());
    let journal = &mut state.journal;
    // Envoy may never have read any.
    let headers = host.headers(HeaderMap::Request).unwrap_or_default();
    let identity = attributes::identity(host, settings).ok().flatten();
    let mut arrival = Arrival::from_headers(headers.iter());
    arrival.identity = identity.as_ref().map(|(source, id)| Presented { source: *source, id });
    let mut buffer = Vec::new();
    let evaluation = Evaluation::afterwards(reason, &arrival, settings, &mut buffer);
    let text = RecordSource { evaluation: &evaluation, arrival: &arrival, settings, near: None, quotas: &[], details };
    if let Err(failure) = journal.record(host, &text) {
        journal.note(host, failure, "a refusal is not recorded");
    }
    let counted = match bound {
        Some(bound) => bound.requests.count(host, &evaluation),
        None => metrics::count(host, &metrics::request(Outcome::Deny, reason)),
    };
    if let Err(failure) = counted {
        journal.note(host, failure, UNCOUNTED);
    }
}

#[cfg(test)]
mod tests {
    use crate::fake::Rig;
    use crate::host::{Call, HeaderMap};
    use serde_json::Value;

    const POLICY: &str = r#"{"version": 1, "name": "prod", "revision": "r1"}"#;
    const REFUSED: &str = "decision=.=deny;.;reason=.=REFUSED_BY_ENVOY;.;tollgate_requests_total";
    const REQUEST: [(&str, &[u8]); 3] = [(":authority", b"A.com"), (":method", b"GET"), (":path", b"/p?q")];

    fn record(rig: &Rig) -> Value {
        serde_json::from_str(&rig.host.record()).expect("JSON")
    }

    #[test]
    fn what_envoy_refuses_itself_is_recorded_with_what_is_known_and_counted() {
        let mut rig = Rig::new(POLICY);
        rig.refused_by_envoy("upgrade_failed", &REQUEST);
        assert_eq!(
            rig.host.record(),
            concat!(
                r#"{"v":1,"d":"deny","r":"REFUSED_BY_ENVOY","details":"upgrade_failed","#,
                r#""id":"spiffe://cluster.local/ns/payments/sa/checkout","src":"peer-certificate","#,
                r#""host":"a.com","port":443,"m":"GET","path":"/p","p":"prod","rev":"r1"}"#
            )
        );
        assert_eq!(rig.host.metric(REFUSED), Some(1));
    }

    #[test]
    fn what_envoy_never_read_is_not_in_the_record() {
        let mut rig = Rig::new(POLICY);
        rig.host.failing.insert(Call::Headers(HeaderMap::Request));
        rig.identity("");
        rig.refused_by_envoy("low_version", &[]);
        assert_eq!(
            rig.host.record(),
            r#"{"v":1,"d":"deny","r":"REFUSED_BY_ENVOY","details":"low_version","p":"prod","rev":"r1"}"#
        );
        assert!(rig.host.log.iter().all(|(_, line)| !line.contains("header_map")), "nothing is amiss");
    }

    #[test]
    fn without_a_policy_it_is_recorded_without_its_path() {
        let mut rig = Rig::unconfigured();
        rig.refused_by_envoy("upgrade_failed", &REQUEST);
        let record = record(&rig);
        assert_eq!((&record["r"], &record["host"]), (&"REFUSED_BY_ENVOY".into(), &"a.com".into()));
        assert!(record.get("path").is_none() && record.get("p").is_none(), "{record}");
        assert_eq!(rig.host.metric(REFUSED), Some(1));
    }

    #[test]
    fn a_request_that_was_seen_is_not_refused_by_envoy() {
        for policy in [POLICY, r#"{"version": 1, "name": "prod", "mode": "dry-run"}"#] {
            let mut rig = Rig::new(policy);
            rig.request(&REQUEST);
            let (before, seen) = (rig.host.record(), rig.streams);
            rig.host.calls.clear();
            rig.log();
            assert!(rig.host.calls.is_empty(), "{:?}", rig.host.calls);
            // Nor does it look so once another stream was created.
            rig.worker.create_stream(seen + 1, 1);
            rig.log();
            assert_eq!(rig.host.record(), before);
        }
    }

    #[test]
    fn the_record_of_another_filter_of_this_kind_is_left_alone() {
        let mut rig = Rig::new(POLICY);
        rig.host.foreign.insert("tollgate".to_owned(), b"{}".to_vec());
        rig.refused_by_envoy("rbac_access_denied_matched_policy[none]", &REQUEST);
        assert_eq!((rig.host.record(), rig.host.metric(REFUSED)), (String::new(), Some(0)));
        rig.host.foreign.remove("tollgate");
        rig.refused_by_envoy("egress_denied{NO_MATCH}", &REQUEST);
        assert_eq!((rig.host.record(), rig.host.metric(REFUSED)), (String::new(), Some(0)));
    }
}
