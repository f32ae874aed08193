//! Output of a worker: records of requests, and a line in the log for the first failure of each host call.

use tollgate::record::RecordSource;

use crate::attributes::{RECORD, TCP_RECORD};
use crate::host::{Call, Failure, Host, Level};

/// Buffers that one request after another uses again, and the failures that were logged.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    record: Vec<u8>,
    /// Response-code details of an answer.
    pub(crate) details: Vec<u8>,
    /// Body of an answer.
    pub(crate) body: Vec<u8>,
    logged: Vec<Call>,
}

impl Journal {
    /// Logs the first failure of each host call; never one per request.
    pub(crate) fn note(&mut self, host: &mut impl Host, failure: Failure, consequence: &str) {
        if !self.logged.contains(&failure.call) {
            self.logged.push(failure.call);
            host.log(Level::Error, &format!("{failure}: {consequence} (logged the first time only)"));
        }
    }

    /// Sets the record of a request, in place of any before.
    pub(crate) fn record(&mut self, host: &mut impl Host, record: &RecordSource<'_>) -> Result<(), Failure> {
        self.record.clear();
        record.write(&mut self.record);
        let name = if record.arrival.connection.is_some() { TCP_RECORD } else { RECORD };
        host.set_filter_state(name, &self.record)
    }
}
