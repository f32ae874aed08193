//! The process in the background: runs the gateway and sends it the policy file whenever that changes.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use anyhow::Result;

use super::Settings;
use super::control::Answering;
use crate::demo::{Script, Stage};
use crate::plugin::Plugin;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Runs until [`super::down`] asks to end.
pub fn serve(settings: &Settings, binary: &Path, module: &Path) -> Result<bool> {
    let policy = Watched::new(&settings.policy)?;
    let stage = Stage::start(binary, module, &super::directory(), &policy.serving, &settings.ports()?)?;
    let policy = Mutex::new(policy);
    let ended = AtomicBool::new(false);
    let answering = Answering::open()?;
    let script = Script::shipped()?;
    scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                lock(&policy).look(stage.plugin());
                sleep(LOOK);
            }
        });
        answering.answer(|| describe(&stage, &script, &lock(&policy)));
        ended.store(true, Ordering::Relaxed);
    });
    // Envoys first: whoever sees the socket gone may take the ports.
    drop(stage);
    drop(answering);
    Ok(true)
}

fn lock(policy: &Mutex<Watched>) -> std::sync::MutexGuard<'_, Watched> {
    policy.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The policy file, and what became of it.
struct Watched {
    file: PathBuf,
    text: Vec<u8>,
    serving: String,
    verdict: String,
}

impl Watched {
    /// Reads the file; the first policy must be a good one, or nothing is worth starting.
    fn new(file: &Path) -> Result<Watched> {
        let serving = crate::policy::read(file)?;
        let text = std::fs::read(file)?;
        Ok(Watched { file: file.to_owned(), text, serving, verdict: "serving".to_owned() })
    }

    /// Sends what changed, if it is a policy.
    fn look(&mut self, plugin: &Plugin) {
        // An editor may be between removing and writing it.
        let Ok(text) = std::fs::read(&self.file) else { return };
        if text == self.text {
            return;
        }
        self.text = text;
        self.verdict = match crate::policy::read(&self.file).and_then(|json| plugin.publish(&json)) {
            Ok(()) => "serving".to_owned(),
            Err(error) => format!("rejected, the last good one still serves:\n{error:#}\n"),
        };
        eprintln!("{}: {}", self.file.display(), self.verdict);
    }
}

fn describe(stage: &Stage, script: &Script, policy: &Watched) -> String {
    let mut lines = vec!["The gateway is up. Each workload has a port; whatever is asked there, it asks.".to_owned()];
    for (name, address) in stage.workloads() {
        lines.push(format!("\n# as {name}"));
        let scenarios = script.scenarios.iter().filter(|scenario| &scenario.workload == name);
        lines.extend(scenarios.take(2).map(|scenario| scenario.request.curl(*address)));
    }
    lines.push(String::new());
    lines.push(format!("Policy:    {}: {}", policy.file.display(), policy.verdict));
    lines.push(
        "           Edit it and save: it takes effect at once. `make status` tells what became of it.".to_owned(),
    );
    lines.push(format!("Audit log: {}", stage.gateway().audit().file().display()));
    lines.push(format!("Admin:     http://{}/", stage.gateway().admin().address()));
    lines.push("Stop it with `make down`.".to_owned());
    lines.join("\n")
}
