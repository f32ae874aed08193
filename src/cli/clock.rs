//! The time at which requests are decided.

use super::Trouble;
use crate::decision::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;

/// Seconds since 1970: of a time as it is written (RFC 3339), or of the clock.
pub(super) fn seconds(given: Option<&str>) -> Result<u64, Trouble> {
    match given {
        None => Ok(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()),
        Some(text) => match Timestamp::parse(text) {
            Some(moment) => Ok(moment.0.div_euclid(1_000_000_000)),
            None => Err(Trouble::Usage(format!("`{text}` is no time; write it as 2027-01-31T00:00:00Z"))),
        },
    }
}

/// Seconds since 1970 as RFC 3339 has it.
pub(super) fn written(seconds: u64) -> String {
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
