//! Programs of the lab, each with a log of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program; it is killed when it is dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub fn start(name: &str, folder: &Path, command: &mut Command) -> Process {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Process { name: name.to_owned(), child, log }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for a condition. Panics with the end of the program's log if the program ends or patience does first.
    pub fn until(&mut self, what: &str, patience: Duration, mut is_true: impl FnMut() -> bool) {
        let deadline = Instant::now().checked_add(patience).unwrap();
        while !is_true() {
            let gone = self.child.try_wait().unwrap();
            if gone.is_some() || Instant::now() > deadline {
                let log = self.log();
                let lines: Vec<&str> = log.lines().collect();
                let last = lines.get(lines.len().saturating_sub(25)..).unwrap_or_default();
                panic!("{}: {what} did not come about ({gone:?})\n{}", self.name, last.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is there.
pub fn wait<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now().checked_add(patience).unwrap();
    loop {
        match look() {
            Ok(found) => return found,
            Err(why) if Instant::now() > deadline => panic!("{what} did not come about: {why}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
