//! The process in the background: runs the gateway and sends it the policy file whenever that changes.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use anyhow::Result;

use super::control::Answering;
use super::settings::{Settings, directory};
use crate::demo::{Script, Stage};
use crate::plugin::Plugin;

/// Time between two looks at the policy file.
const LOOK: Duration = Duration::from_millis(200);

/// Runs until [`down`](super::down) asks to end.
pub fn serve(settings: &Settings, binary: &Path, module: &Path) -> Result<bool> {
    let loaded = crate::policy::load(&settings.policy)?;
    let script = settings.script(&loaded)?;
    let policy = Watched::new(&settings.policy, loaded.json)?;
    let ports = settings.ports(&script)?;
    let stage = Stage::start(binary, module, &directory(), &script, &policy.serving, &ports)?;
    let policy = Mutex::new(policy);
    let ended = AtomicBool::new(false);
    let answering = Answering::open()?;
    scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                lock(&policy).look(stage.plugin());
                sleep(LOOK);
            }
        });
        answering.answer(|| state(&stage, &script, &lock(&policy)), || examples(&stage, &script));
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

/// The policy file as it was last read, and the verdict on it.
struct Watched {
    file: PathBuf,
    text: Vec<u8>,
    serving: String,
    verdict: String,
}

impl Watched {
    /// Reads the file, which was loaded as `serving`.
    fn new(file: &Path, serving: String) -> Result<Watched> {
        let text = std::fs::read(file)?;
        Ok(Watched { file: file.to_owned(), text, serving, verdict: "serving".to_owned() })
    }

    /// Sends the policy if the file has changed and is valid.
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

/// The state of the policy first, then who asks where.
fn state(stage: &Stage, script: &Script, policy: &Watched) -> String {
    let mut lines = vec![format!("Policy:    {}: {}", policy.file.display(), policy.verdict.trim_end())];
    lines.push(
        "           edit it and save: it takes effect at once, and `make status` tells what became of it".to_owned(),
    );
    let width = stage.workloads().keys().map(String::len).max().unwrap_or_default();
    for (number, (name, address)) in stage.workloads().iter().enumerate() {
        let head = if number == 0 { "Callers:" } else { "" };
        lines.push(format!("{head:<10} {name:<width$}  http://{address}  {}", identity(script, name)));
    }
    lines.push(format!("Audit log: {}", stage.gateway().audit().file().display()));
    lines.push(format!("Admin:     http://{}/", stage.gateway().admin().address()));
    lines.push("`make down` stops it.".to_owned());
    lines.join("\n")
}

/// Commands to try: what is asked at a caller's port, that caller asks.
fn examples(stage: &Stage, script: &Script) -> String {
    let mut lines = Vec::new();
    for (name, address) in stage.workloads() {
        lines.push(format!("# as {name} ({})", identity(script, name)));
        let mut scenarios = script.scenarios.iter().filter(|scenario| &scenario.workload == name).peekable();
        if scenarios.peek().is_none() {
            lines.push(format!("curl -i --path-as-is --connect-to ::{address} http://HOST/PATH"));
        }
        lines.extend(scenarios.take(2).map(|scenario| scenario.request.curl(*address)));
        lines.push(String::new());
    }
    lines.join("\n")
}

fn identity<'a>(script: &'a Script, name: &str) -> &'a str {
    let spiffe = script.workloads.get(name).and_then(|member| member.spiffe.as_deref());
    spiffe.unwrap_or("no certificate")
}
