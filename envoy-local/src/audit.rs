//! The gateway's audit log, read.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

/// The audit log of one gateway.
#[derive(Clone, Debug)]
pub struct Audit(PathBuf);

/// One line of it.
#[derive(Clone, Debug)]
pub struct Line {
    /// The whole line.
    pub line: Value,
    /// The filter's record, if the request came as far as the filter.
    pub record: Option<Value>,
}

/// Envoy writes the log out every 50 ms here.
const WAIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

impl Audit {
    /// The log in this file.
    pub fn new(file: PathBuf) -> Audit {
        Audit(file)
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.0
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<Line> {
        let text = std::fs::read(&self.0).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().filter_map(Line::parse).collect()
    }

    /// The last line that satisfies this, once there is one.
    ///
    /// # Errors
    /// There is none after ten seconds.
    pub fn wait_for(&self, wanted: impl Fn(&Line) -> bool) -> Result<Line> {
        let started = Instant::now();
        loop {
            if let Some(line) = self.lines().into_iter().rev().find(|line| wanted(line)) {
                return Ok(line);
            }
            if started.elapsed() > WAIT {
                bail!("no such line in {} after {WAIT:?}", self.0.display());
            }
            sleep(POLL);
        }
    }
}

impl Line {
    fn parse(text: &str) -> Option<Line> {
        let line: Value = serde_json::from_str(text).ok()?;
        let record = line.get("egress.record").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
        Some(Line { line, record })
    }

    /// A field of the line that holds text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.line.get(key)?.as_str()
    }

    /// A field of the record that holds text: `d`, `r`, `rule`, ….
    pub fn recorded(&self, key: &str) -> Option<&str> {
        self.record.as_ref()?.get(key)?.as_str()
    }

    /// Whether the caller's connection came from this local port.
    pub fn is_from_port(&self, port: u16) -> bool {
        self.line.get("network.peer.port").and_then(Value::as_u64) == Some(u64::from(port))
    }
}
