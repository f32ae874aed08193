//! The gateway's audit log, as it is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;
use tollgate::decision::Reason;
use tollgate::record::{Layer, Record};
use tollgate::request::Source;

/// The audit log of one gateway.
#[derive(Debug)]
pub struct Audit {
    file: PathBuf,
    read: Mutex<Progress>,
}

/// The part of the file read so far: its bytes, and the lines in them.
#[derive(Debug, Default)]
struct Progress {
    bytes: u64,
    lines: Vec<Line>,
}

/// One line of it.
#[derive(Clone, Debug)]
pub struct Line {
    /// The whole line.
    pub line: Value,
    /// The filter's record, if the request came as far as the filter.
    pub record: Option<Record<'static>>,
}

/// Envoy writes the log out every 10 ms here.
const WAIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

impl Audit {
    /// The log in this file.
    pub fn new(file: PathBuf) -> Audit {
        Audit { file, read: Mutex::default() }
    }

    /// The log of the gateway with this name, whose files are in that folder.
    pub fn of(folder: &Path, gateway: &str) -> Audit {
        Audit::new(folder.join(format!("{gateway}.audit.jsonl")))
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<Line> {
        self.read().lines.clone()
    }

    /// Number of lines so far.
    pub fn count(&self) -> usize {
        self.read().lines.len()
    }

    /// The last line that satisfies this and is not among the first `seen` ones, if there is one yet.
    pub fn find(&self, seen: usize, wanted: impl Fn(&Line) -> bool) -> Option<Line> {
        self.read().lines.iter().skip(seen).rev().find(|line| wanted(line)).cloned()
    }

    /// The last line that satisfies this and is not among the first `seen` ones, once there is one.
    ///
    /// # Errors
    /// There is none after ten seconds.
    pub fn wait_for(&self, seen: usize, wanted: impl Fn(&Line) -> bool) -> Result<Line> {
        let started = Instant::now();
        loop {
            if let Some(line) = self.find(seen, &wanted) {
                return Ok(line);
            }
            if started.elapsed() > WAIT {
                bail!("no such line in {} after {WAIT:?}", self.file.display());
            }
            sleep(POLL);
        }
    }

    /// Everything read, what is new included. A file that is not there yet has no lines.
    fn read(&self) -> MutexGuard<'_, Progress> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        drop(read.read_on(&self.file));
        read
    }
}

impl Progress {
    fn read_on(&mut self, file: &Path) -> io::Result<()> {
        let mut file = File::open(file)?;
        file.seek(SeekFrom::Start(self.bytes))?;
        let mut new = Vec::new();
        file.read_to_end(&mut new)?;
        // Envoy may be in the middle of the last one.
        for line in new.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            self.bytes = self.bytes.saturating_add(u64::try_from(line.len()).unwrap_or_default());
            self.lines.extend(Line::parse(&String::from_utf8_lossy(line)));
        }
        Ok(())
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

    /// A field of the record that holds text, by its key: `d`, `r`, `rule`, ….
    pub fn recorded(&self, key: &str) -> Option<&str> {
        let record = self.record.as_ref()?;
        match key {
            "d" => Some(record.outcome.as_str()),
            "r" => record.reason.map(Reason::as_str),
            "rule" => record.rule.as_deref(),
            "details" => record.details.as_ref()?.text(),
            "id" => record.identity.as_ref()?.text(),
            "src" => record.source.map(Source::as_str),
            "host" => record.host.as_deref(),
            "raw" => record.raw.as_ref()?.text(),
            "m" => record.method.as_ref()?.text(),
            "path" => record.path.as_ref()?.text(),
            "p" => record.policy.as_deref(),
            "rev" => record.revision.as_deref(),
            "layer" => record.layer.map(Layer::as_str),
            "sni" => record.sni.as_ref()?.text(),
            _ => None,
        }
    }

    /// Tells whether the caller's connection came from this local port.
    pub fn is_from_port(&self, port: u16) -> bool {
        self.line.get("network.peer.port").and_then(Value::as_u64) == Some(u64::from(port))
    }
}
