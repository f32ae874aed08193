//! The gateway in the background, to play with: `up`, `status`, `down`.

mod control;
mod serve;
mod settings;

use std::fs::File;
use std::io::{Write, stdout};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::demo::Ports;
use crate::module;
use control::Control;
pub use serve::serve;
pub use settings::Settings;
use settings::directory;

/// Names callers in place of the demo's.
pub const CALLERS: &str = "TOLLGATE_AS";

const POLL: Duration = Duration::from_millis(50);

fn log_file() -> PathBuf {
    directory().join("up.log")
}

/// Starts the gateway unless it runs already, and prints how to reach it. Returns true if it runs now.
pub fn up(settings: &Settings, module: &Path) -> Result<bool> {
    if Control::find()?.is_some() {
        writeln!(stdout(), "It is running already; `make down` stops it.\n")?;
        return status();
    }
    // Here for the message: what goes wrong later stands in a log.
    let script = settings.script(&crate::policy::load(&settings.policy)?)?;
    settings.ports(&script)?.check()?;
    std::fs::create_dir_all(directory())?;
    let log = File::create(log_file())?;
    let mut server = Command::new(std::env::current_exe()?)
        .args(["--envoy", &settings.envoy, "serve", "--port", &settings.port.to_string()])
        .args(settings.callers.iter().map(|caller| format!("--as={caller}")))
        .arg("--policy")
        .arg(&settings.policy)
        .env_remove(CALLERS)
        .env(module::HTTP.variable, module)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // The Ctrl-C and the end of this terminal are not its concern.
        .process_group(0)
        .spawn()
        .context("cannot start the gateway's process")?;
    await_start(&mut server)?;
    let Some(control) = Control::find()? else { return status() };
    writeln!(stdout(), "{}\n", control.ask(control::EXAMPLES)?.trim_end())?;
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

/// Prints what the gateway made of the policy file, and who its callers are. Returns true if it runs.
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

impl Ports {
    /// Fails if a port is taken, and names it.
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
