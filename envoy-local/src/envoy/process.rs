//! One running Envoy.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Admin;

/// Command line of an Envoy.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The executable.
    pub binary: &'a Path,
    /// Name here: its files are `NAME.json` (bootstrap), `NAME.log`.
    pub name: &'a str,
    /// Folder of its files.
    pub dir: &'a Path,
    /// Worker threads.
    pub concurrency: u32,
}

/// A running Envoy that ends with this value, and also if this process is killed.
#[derive(Debug)]
pub struct Envoy {
    process: Child,
    guard: Child,
    admin: Admin,
    log: PathBuf,
}

/// Longer than the slowest start seen on a loaded machine.
const START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

impl Launch<'_> {
    /// Starts Envoy and returns once it serves.
    ///
    /// # Errors
    /// Carries the end of Envoy's log if it refuses its configuration.
    pub fn start(&self, bootstrap: &Value) -> Result<Envoy> {
        let file = |extension: &str| self.dir.join(format!("{}.{extension}", self.name));
        let (config, log, address) = (file("json"), file("log"), file("admin"));
        std::fs::write(&config, serde_json::to_vec_pretty(bootstrap)?)?;
        // One of an earlier Envoy would be believed.
        drop(std::fs::remove_file(&address));
        let process = Command::new(self.binary)
            .arg("--config-path")
            .arg(&config)
            .arg("--admin-address-path")
            .arg(&address)
            .args(["--disable-hot-restart", "--log-level", "info", "--file-flush-interval-msec", "10"])
            .args(["--concurrency", &self.concurrency.to_string()])
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        let guard = guard(process.id())?;
        let placeholder = Admin(SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut envoy = Envoy { process, guard, admin: placeholder, log };
        envoy.wait_until_ready(&address)?;
        Ok(envoy)
    }
}

/// A process that kills Envoy once this process is gone, however it went: its end of a pipe closes then.
/// In a process group of its own, so that the Ctrl-C which ends this process does not end the guard first.
fn guard(envoy: u32) -> Result<Child> {
    Command::new("sh")
        .args(["-c", "read -r _; kill -KILL \"$0\"", &envoy.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("cannot run sh")
}

impl Envoy {
    /// Its admin interface.
    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// Tells whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    fn wait_until_ready(&mut self, address: &Path) -> Result<()> {
        let started = Instant::now();
        loop {
            if !self.is_running() {
                bail!("Envoy ended at once; the end of {}:\n{}", self.log.display(), self.log_end());
            }
            if let Some(admin) = std::fs::read_to_string(address).ok().and_then(|text| text.trim().parse().ok()) {
                self.admin = Admin(admin);
                if self.admin.is_ready() {
                    return Ok(());
                }
            }
            if started.elapsed() > START {
                bail!("Envoy is not ready after {START:?}; the end of {}:\n{}", self.log.display(), self.log_end());
            }
            sleep(POLL);
        }
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let mut lines: Vec<_> = log.lines().rev().take(15).collect();
        lines.reverse();
        lines.join("\n")
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // The guard first: later, Envoy's process id may already be another's.
        for process in [&mut self.guard, &mut self.process] {
            // Errors mean that it is gone already.
            drop(process.kill());
            drop(process.wait());
        }
    }
}
