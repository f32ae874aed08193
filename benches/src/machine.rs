//! Machine and commit of a measurement.

use std::fs::read_to_string;
use std::process::Command;

/// Cores, processor, kernel and compiler, in one line.
pub fn describe() -> String {
    let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler = output("rustc", &["--version"]);
    format!("{cores} cores ({processor}), Linux {}, {compiler}", kernel.trim())
}

/// Today, and the commit that was measured.
pub fn when() -> String {
    let changed = !output("git", &["status", "--porcelain", "--", "src", "wasm", "benches"]).is_empty();
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
    format!("{}, {commit}{}", output("date", &["-u", "+%Y-%m-%d"]), if changed { " with changes" } else { "" })
}

/// Output of a command; empty if it cannot be run.
pub fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
