//! A folder that holds what was rendered.

use super::object::ObjectPart;
use super::output::{Files, is_rendered};
use crate::read::Unreadable;
use crate::read::escape;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A way in which a folder is not what is rendered.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileDifference {
    pub(crate) file: String,
    /// `ServiceEntry egress.api.example.com`, or nothing if it is about the file.
    pub(crate) object: Option<String>,
    pub(crate) how: DifferenceKind,
}

/// Kind of a difference from the rendering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DifferenceKind {
    Missing,
    Left,
    Changed,
}

impl DifferenceKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            DifferenceKind::Missing => "missing",
            DifferenceKind::Left => "left over",
            DifferenceKind::Changed => "changed",
        }
    }
}

/// The files of earlier runs in a folder; none if there is no folder.
///
/// # Errors
/// A folder or file that cannot be read.
pub(crate) fn read(folder: &Path) -> Result<Files, Unreadable> {
    let unreadable = |path: &Path, error: io::Error| Unreadable { path: escape::path(path), error };
    let mut files = Files::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in WalkDir::new(folder).max_depth(2) {
        let entry = entry.map_err(|error| unreadable(folder, error.into()))?;
        let is_yaml = entry.path().extension().is_some_and(|extension| extension == "yaml");
        if !entry.file_type().is_file() || !is_yaml {
            continue;
        }
        let text = fs::read_to_string(entry.path()).map_err(|error| unreadable(entry.path(), error))?;
        let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let name: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
        if is_rendered(&text) {
            files.insert(name.join("/"), text);
        }
    }
    Ok(files)
}

/// The first symbolic link on the way to one of these files: the folder itself, a folder in it, or the file.
pub(crate) fn link<'f>(folder: &Path, files: impl Iterator<Item = &'f String>) -> Option<PathBuf> {
    // without a slash at the end, which would lead through it
    let folder: PathBuf = folder.components().collect();
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    if is_link(&folder) {
        return Some(folder);
    }
    files.flat_map(|name| Path::new(name).ancestors()).map(|below| folder.join(below)).find(|path| is_link(path))
}

/// Writes what is rendered, and removes what an earlier run left and this one does not write. Secrets are their owner's alone.
///
/// # Errors
/// A file that cannot be written.
pub(crate) fn write(folder: &Path, files: &Files, earlier: &Files) -> io::Result<()> {
    let named = |name: &str, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", escape::path(&folder.join(name))))
    };
    for (name, text) in files {
        let path = folder.join(name);
        let is_secret = *name == ObjectPart::Secret.file();
        let is_there = earlier.get(name) == Some(text) && !(is_secret && is_open(&path));
        if !is_there {
            replace(&path, text, is_secret).map_err(|error| named(name, error))?;
        }
    }
    for name in earlier.keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(folder.join(name)).map_err(|error| named(name, error))?;
    }
    Ok(())
}

/// Puts a new file in the place of what has its name, whatever that is: nothing is written through a link.
fn replace(path: &Path, text: &str, is_secret: bool) -> io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = parent.join(format!(".{name}.new"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, OWNERS);
    }
    options.open(&new)?.write_all(text.as_bytes())?;
    fs::rename(&new, path)
}

/// The mode of a file that only its owner reads.
#[cfg(unix)]
const OWNERS: u32 = 0o600;

/// Tells whether others than its owner may read a file.
fn is_open(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & !OWNERS & 0o777 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Compares a folder with the rendering.
pub(crate) fn differences(rendered: &Files, found: &Files) -> BTreeSet<FileDifference> {
    let mut all = BTreeSet::new();
    for (file, how) in compared(rendered, found) {
        let (wanted, found) = match (how, rendered.get(file), found.get(file)) {
            (DifferenceKind::Changed, Some(wanted), Some(found)) => (documents(wanted), documents(found)),
            _ => Default::default(),
        };
        let objects: Vec<_> = compared(&wanted, &found).collect();
        if objects.is_empty() {
            all.insert(FileDifference { file: file.clone(), object: None, how });
        }
        all.extend(objects.into_iter().map(|((kind, name), how)| {
            let object = Some(format!("{kind} {name}"));
            FileDifference { file: file.clone(), object, how }
        }));
    }
    all
}

/// The keys that two maps do not have with the same value.
fn compared<'m, K: Ord, V: PartialEq>(
    wanted: &'m BTreeMap<K, V>,
    found: &'m BTreeMap<K, V>,
) -> impl Iterator<Item = (&'m K, DifferenceKind)> {
    let of_wanted = wanted.iter().filter_map(|(key, value)| match found.get(key) {
        None => Some((key, DifferenceKind::Missing)),
        Some(found) => (found != value).then_some((key, DifferenceKind::Changed)),
    });
    let left = found.keys().filter(|key| !wanted.contains_key(*key)).map(|key| (key, DifferenceKind::Left));
    of_wanted.chain(left)
}

/// The documents of a rendered file, by kind and name, which stand where the renderer puts them.
pub(super) fn documents(text: &str) -> BTreeMap<(&str, &str), &str> {
    let documents = text.split("---\n").skip(1);
    documents.map(|document| ((field(document, "\nkind: "), field(document, "\n  name: ")), document)).collect()
}

/// The rest of the line behind a key.
fn field<'d>(document: &'d str, key: &str) -> &'d str {
    let line = document.split_once(key).and_then(|(_, rest)| rest.split_once('\n'));
    line.map(|(value, _)| value).unwrap_or_default()
}
