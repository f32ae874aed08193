//! Policies that a command line names.

use super::error::CommandError;
use crate::analysis::atoms::Side;
use crate::output::progress;
use crate::output::report::{Format, Summary};
use crate::read::document::Document;
use crate::read::escape;
use crate::read::{self, Loaded, revision};
use std::path::Path;

/// Reads a policy, with a sign of life.
pub(super) fn load<P: AsRef<Path>>(paths: &[P], format: Format) -> Result<Loaded, CommandError> {
    progress::during("reading the policy", || read::load(paths))
        .map_err(|failure| CommandError::loading(failure, format))
}

/// A policy in numbers.
pub(super) fn summary(loaded: &Loaded, document: &Document) -> Result<Summary, CommandError> {
    Ok(Summary::of(document, revision::of(&revision::whole(&loaded.json)?)?))
}

/// Reads a policy to ask it about many requests.
pub(super) fn side(path: &Path) -> Result<Side, CommandError> {
    let loaded = load(&[path], Format::Human)?;
    Side::new(loaded).ok_or_else(|| CommandError::Internal("a valid policy cannot be read again".to_owned()))
}

/// Fails with the hint that the policy comes first, if the policy is no file and the other argument is one.
pub(super) fn comes_first(policy: &Path, other: &str, what: &str) -> Result<(), CommandError> {
    if read::is_stdin(policy) || policy.exists() || !Path::new(other).exists() {
        return Ok(());
    }
    Err(CommandError::Usage(format!("`{}` is no file: the policy comes first, then {what}", escape::path(policy))))
}

/// Reads the policy again as a typed document.
///
/// # Errors
/// It cannot be read back, which is an internal error: the checker has accepted it.
pub(super) fn document(loaded: &Loaded) -> Result<Document, CommandError> {
    let document = Document::read(&loaded.json);
    document.ok_or_else(|| CommandError::Internal("the policy cannot be read back".to_owned()))
}
