//! A folder that holds what was rendered.

use super::output::{Files, is_rendered};
use crate::cli::source::Unreadable;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use walkdir::WalkDir;

/// A way in which a folder is not what is rendered.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Difference {
    pub(super) file: String,
    /// `ServiceEntry egress.api.example.com`, or nothing if it is about the file.
    pub(super) object: Option<String>,
    pub(super) how: How,
}

/// How something differs from what is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    Missing,
    Left,
    Changed,
}

impl How {
    pub(super) fn word(self) -> &'static str {
        match self {
            How::Missing => "missing",
            How::Left => "left over",
            How::Changed => "changed",
        }
    }
}

/// The files of earlier runs in a folder; none if there is no folder.
///
/// # Errors
/// A folder or file that cannot be read.
pub(super) fn read(folder: &Path) -> Result<Files, Unreadable> {
    let unreadable = |path: &Path, error: io::Error| Unreadable { path: path.display().to_string(), error };
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

/// Writes what is rendered, and removes what an earlier run left and this one does not write.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write(folder: &Path, files: &Files, earlier: &Files) -> io::Result<()> {
    let named = |name: &str, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", folder.join(name).display()))
    };
    for (name, text) in files.iter().filter(|(name, text)| earlier.get(*name) != Some(text)) {
        let path = folder.join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&path, text)).map_err(|error| named(name, error))?;
    }
    for name in earlier.keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(folder.join(name)).map_err(|error| named(name, error))?;
    }
    Ok(())
}

/// What of a folder is not as rendered.
pub(super) fn differences(rendered: &Files, found: &Files) -> BTreeSet<Difference> {
    let mut all = BTreeSet::new();
    for file in rendered.keys().chain(found.keys()) {
        let mut tell = |object: Option<String>, how| all.insert(Difference { file: file.clone(), object, how });
        match (rendered.get(file), found.get(file)) {
            (Some(_), None) => tell(None, How::Missing),
            (None, _) => tell(None, How::Left),
            (Some(wanted), Some(found)) if wanted != found => {
                let (wanted, found) = (documents(wanted), documents(found));
                let changed = wanted.iter().filter_map(|(name, text)| match found.get(name) {
                    None => Some((*name, How::Missing)),
                    Some(found) => (found != text).then_some((*name, How::Changed)),
                });
                let left = found.keys().filter(|name| !wanted.contains_key(*name)).map(|name| (*name, How::Left));
                let told: Vec<_> = changed.chain(left).collect();
                for ((kind, name), how) in &told {
                    tell(Some(format!("{kind} {name}")), *how);
                }
                told.is_empty() && tell(None, How::Changed)
            }
            _ => false,
        };
    }
    all
}

/// The documents of a rendered file, by kind and name, which stand where the renderer puts them.
fn documents(text: &str) -> BTreeMap<(&str, &str), &str> {
    let field = |document: &'_ str, key: &str| -> Option<(usize, usize)> {
        let start = document.find(key)?.checked_add(key.len())?;
        let end = document.get(start..)?.find('\n')?.checked_add(start)?;
        Some((start, end))
    };
    let keyed = |document| {
        let text: &str = document;
        let part = |key| field(text, key).and_then(|(start, end)| text.get(start..end)).unwrap_or_default();
        ((part("\nkind: "), part("\n  name: ")), text)
    };
    text.split("---\n").skip(1).map(keyed).collect()
}
