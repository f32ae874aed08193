//! CPU time and memory of a process, from `/proc`.

use std::fs::{read_dir, read_to_string};
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of all its threads.
pub(crate) fn cpu_time(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in read_dir(format!("/proc/{process}/task"))? {
        let schedule = read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += schedule.split_whitespace().next().context("an empty schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Bytes of memory that it holds.
pub(crate) fn resident(process: u32) -> Result<f64> {
    let status = read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? * 1024.0)
}
