//! Doing something again whenever files change.

use crate::commands::error::CommandError;
use crate::commands::exit::Exit;
use crate::read::escape;
use notify::{Event, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Time without changes before the work is done again: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// Does `work`, and does it again after every change of these paths and of those that it depends on, which it returns.
/// Ends with its failure, or with the exit code that it returns since nobody reads its output.
pub(super) fn forever(
    paths: BTreeSet<PathBuf>,
    mut work: impl FnMut() -> Result<Result<BTreeSet<PathBuf>, Exit>, CommandError>,
) -> Result<Exit, CommandError> {
    let (sender, changes) = mpsc::channel();
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // nobody listens any more at the end
        let _ = sender.send(event);
    });
    let mut watcher = watcher.map_err(|error| CommandError::Usage(format!("files cannot be watched: {error}")))?;
    let mut watched = BTreeSet::new();
    watch(&mut watcher, &mut watched, &paths)?;
    loop {
        let paths = match work()? {
            Ok(paths) => paths,
            Err(exit) => return Ok(exit),
        };
        // what was not watched while it was read may have changed since
        if !watch(&mut watcher, &mut watched, &paths)? {
            wait(&changes);
        }
    }
}

/// Watches the folders of paths; says whether any is new.
fn watch(
    watcher: &mut impl Watcher,
    watched: &mut BTreeSet<PathBuf>,
    paths: &BTreeSet<PathBuf>,
) -> Result<bool, CommandError> {
    let mut any = false;
    for folder in paths.iter().map(|path| folder_of(path)) {
        if watched.insert(folder.clone()) {
            any = true;
            let unwatchable =
                |error| CommandError::Usage(format!("`{}` cannot be watched: {error}", escape::path(&folder)));
            watcher.watch(&folder, RecursiveMode::Recursive).map_err(unwatchable)?;
        }
    }
    Ok(any)
}

/// The folder to watch for changes of a path: an editor puts a new file in the place of the old.
fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Waits for a change that could matter, and until it is quiet again.
fn wait(changes: &Receiver<notify::Result<Event>>) {
    while let Ok(event) = changes.recv() {
        if event.is_ok_and(|event| matters(&event)) {
            break;
        }
    }
    while changes.recv_timeout(QUIET).is_ok() {}
}

/// Reading a file is an event, too.
fn matters(event: &Event) -> bool {
    let is_policy = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
    };
    !event.kind.is_access() && event.paths.iter().any(is_policy)
}
