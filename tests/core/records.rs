//! Records of decisions: what the filter writes, a reader has back.

use tollgate::decision::{Evaluation, Near, QuotaOutcome};
use tollgate::policy::Policy;
use tollgate::record::{Record, RecordSource};
use tollgate::request::Arrival;

/// Asserts that the record of a decision, written without serde, is read by it, every field.
pub(crate) fn assert_record_is_read_back(
    policy: &Policy,
    arrival: &Arrival<'_>,
    evaluation: &Evaluation<'_>,
    quotas: &[QuotaOutcome<'_>],
) {
    let near = policy.ids().next().map(|rule| Near { rule, failed: tollgate::decision::Failed::Method });
    for (near, details) in [(None, None), (near, Some(&b"a \"detail\"\xff"[..]))] {
        let source = RecordSource { evaluation, arrival, settings: policy.settings(), near, quotas, details };
        let record = source.record();
        let mut written = Vec::new();
        record.write(&mut written);
        let text = std::str::from_utf8(&written).expect("a record is UTF-8");
        let start = format!("{{\"v\":1,\"d\":\"{}\"", evaluation.decision.outcome.as_str());
        assert!(text.starts_with(&start), "{text}");
        let read: Record<'_> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(read, record, "{text}");
        let mut again = Vec::new();
        read.write(&mut again);
        assert_eq!(again, written, "{text}");
    }
}
