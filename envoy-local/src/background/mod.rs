//! The gateway in the background, to play with: `up`, `status`, `down`.

mod control;
mod serve;

use std::fs::File;
use std::io::{Write, stdout};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::demo::{Ports, Script};
use crate::{module, paths};
use control::Control;
pub use serve::serve;

/// What the background gateway is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Envoy's release.
    pub envoy: String,
    /// The policy file, absolute.
    pub policy: PathBuf,
    /// The first of its ports; 0 takes free ones for all.
    pub port: u16,
}

const POLL: Duration = Duration::from_millis(50);

fn directory() -> PathBuf {
    paths::local().join("up")
}

fn log_file() -> PathBuf {
    directory().join("up.log")
}

/// Starts it unless it runs already, and prints how to reach it. Whether it runs now.
pub fn up(settings: &Settings, module: &Path) -> Result<bool> {
    if Control::find()?.is_some() {
        writeln!(stdout(), "It is running already; `make down` stops it.\n")?;
        return status();
    }
    // Here for the message: what goes wrong later stands in a log.
    crate::policy::read(&settings.policy)?;
    settings.ports()?.check()?;
    std::fs::create_dir_all(directory())?;
    let log = File::create(log_file())?;
    let mut server = Command::new(std::env::current_exe()?)
        .args(["--envoy", &settings.envoy, "serve", "--port", &settings.port.to_string(), "--policy"])
        .arg(&settings.policy)
        .env(module::OVERRIDE, module)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // The Ctrl-C and the end of this terminal are not its concern.
        .process_group(0)
        .spawn()
        .context("cannot start the gateway's process")?;
    await_start(&mut server)?;
    status()
}

fn await_start(server: &mut Child) -> Result<()> {
    while Control::find()?.is_none() {
        if server.try_wait()?.is_some() {
            let said = std::fs::read_to_string(log_file()).unwrap_or_default();
            bail!("the gateway did not start:\n{}", said.trim_end());
        }
        sleep(POLL);
    }
    Ok(())
}

/// Prints how to reach it and what it made of the policy file. Whether it runs.
pub fn status() -> Result<bool> {
    match Control::find()? {
        Some(control) => {
            writeln!(stdout(), "{}", control.ask(control::STATUS)?.trim_end())?;
            Ok(true)
        }
        None => {
            writeln!(stdout(), "It is not running; `make up` starts it.")?;
            Ok(false)
        }
    }
}

/// Stops it, if it runs.
pub fn down() -> Result<bool> {
    match Control::find()? {
        Some(control) => {
            control.ask(control::DOWN)?;
            while Control::find()?.is_some() {
                sleep(POLL);
            }
            writeln!(stdout(), "Stopped.")?;
        }
        None => writeln!(stdout(), "It was not running.")?,
    }
    Ok(true)
}

impl Settings {
    /// The gateway, its admin interface, then the workloads in the order of their names.
    fn ports(&self) -> Result<Ports> {
        if self.port == 0 {
            return Ok(Ports::default());
        }
        let script = Script::shipped()?;
        let mut free = self.port..=u16::MAX;
        let mut next = || free.next().context("there are not enough ports above the first one");
        let (gateway, admin) = (next()?, next()?);
        let workloads = script.workloads.into_keys().map(|name| Ok((name, next()?))).collect::<Result<_>>()?;
        Ok(Ports { gateway, admin, workloads })
    }
}

impl Ports {
    /// Refuses with the port that is taken.
    fn check(&self) -> Result<()> {
        // Port 0 is never taken.
        for port in [self.gateway, self.admin].into_iter().chain(self.workloads.values().copied()) {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
                format!("port {port} is taken: choose another first port with `--port`, or `make up TOLLGATE_PORT=…`")
            })?;
        }
        Ok(())
    }
}
