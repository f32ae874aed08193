//! Streams without an answer: connections that are refused, and whatever ends before its caller wants it to.

use tollgate::decision::{Evaluation, Near, QuotaOutcome};
use tollgate::policy::Settings;
use tollgate::record::RecordSource;
use tollgate::request::Arrival;

use crate::host::{Host, StreamSide};
use crate::journal::Journal;

/// A stream that ends without an answer.
pub(crate) struct Ending<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) arrival: &'a Arrival<'a>,
    pub(crate) evaluation: &'a Evaluation<'a>,
    pub(crate) near: Option<Near<'a>>,
    /// The quotas that were consulted.
    pub(crate) quotas: &'a [QuotaOutcome<'a>],
}

impl Ending<'_> {
    /// Records it, and closes it on both sides.
    pub(crate) fn carry_out(&self, host: &mut impl Host, journal: &mut Journal) {
        let Ending { settings, arrival, evaluation, near, quotas } = *self;
        let record = RecordSource { evaluation, arrival, settings, near, quotas, details: None };
        if let Err(failure) = journal.record(host, &record) {
            journal.note(host, failure, "a stream that is closed is not recorded");
        }
        let side = if arrival.connection.is_some() { StreamSide::Downstream } else { StreamSide::Request };
        if let Err(failure) = host.reset(side) {
            journal.note(host, failure, "a stream is held instead of closed");
        }
    }
}
