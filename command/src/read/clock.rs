//! The time at which requests are decided.

use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use tollgate::decision::Timestamp;

/// The clock, read once: everything of a run that names no time is decided at the same.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// A time on the command line.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "write it as 2027-01-31T00:00:00Z".to_owned())
}

/// Seconds since 1970.
pub(crate) fn seconds(at: Timestamp) -> u64 {
    at.0.div_euclid(1_000_000_000)
}

/// Seconds since 1970 as RFC 3339 has it.
pub(crate) fn written(seconds: u64) -> String {
    match i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()) {
        Some(at) => format!(
            "{}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        ),
        None => seconds.to_string(),
    }
}
