//! The files of a policy: finding them, reading them, counting their lines.

use super::Unreadable;
use super::finding::{Located, Place};
use crate::policy::code;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct File {
    index: usize,
    path: PathBuf,
    shown: String,
    text: String,
    /// Offset of the first byte that is not UTF-8; `text` holds a replacement from there on.
    broken: Option<usize>,
    /// Offset of the first byte of every line.
    lines: OnceCell<Vec<usize>>,
}

/// A place as editors count: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in that line.
    pub column: usize,
}

/// Reads every file that `paths` stand for, each once, in byte order of their paths.
pub(super) fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<File>, Unreadable> {
    let mut found = BTreeMap::new();
    for path in paths {
        find(path.as_ref(), &mut found)?;
    }
    let mut files = Vec::with_capacity(found.len());
    let mut seen = HashSet::with_capacity(found.len());
    for path in found.into_values() {
        if is_stdin(&path) {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map_err(|error| unreadable(&path, error))?;
            files.push(File::new(files.len(), PathBuf::from(STDIN), bytes));
            continue;
        }
        // what has no canonical path, such as a pipe, has no second name either
        if let Ok(canonical) = fs::canonicalize(&path)
            && !seen.insert(canonical)
        {
            continue;
        }
        let bytes = fs::read(&path).map_err(|error| unreadable(&path, error))?;
        files.push(File::new(files.len(), path, bytes));
    }
    Ok(files)
}

/// What the standard input is called in findings.
const STDIN: &str = "<stdin>";

/// `-` stands for the standard input, as everywhere. A file of that name is `./-`.
pub(in crate::cli) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Adds what `path` stands for, keyed by the path's bytes.
fn find(path: &Path, found: &mut BTreeMap<Vec<u8>, PathBuf>) -> Result<(), Unreadable> {
    let mut add = |path: PathBuf| found.insert(path.as_os_str().as_encoded_bytes().to_vec(), path);
    if is_stdin(path) || !fs::metadata(path).map_err(|error| unreadable(path, error))?.is_dir() {
        add(path.to_owned());
        return Ok(());
    }
    let mut any = false;
    for entry in WalkDir::new(path).follow_links(true).into_iter().filter_entry(is_shown) {
        let entry = entry.map_err(|error| walking(path, error))?;
        if entry.file_type().is_file() && is_policy(entry.path()) {
            any = true;
            add(entry.into_path());
        }
    }
    match any {
        true => Ok(()),
        false => Err(unreadable(path, io::Error::other("no *.yaml, *.yml or *.json file in this folder"))),
    }
}

/// Editors and Kubernetes keep copies under names that begin with a dot.
fn is_shown(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn is_policy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}

fn unreadable(path: &Path, error: io::Error) -> Unreadable {
    Unreadable { path: path.to_string_lossy().into_owned(), error }
}

fn walking(folder: &Path, error: walkdir::Error) -> Unreadable {
    let path = error.path().unwrap_or(folder).to_owned();
    let error = match error.loop_ancestor() {
        Some(_) => io::Error::other("the link leads back to a folder above it"),
        None => error.into_io_error().unwrap_or_else(|| io::Error::other("the folder cannot be listed")),
    };
    unreadable(&path, error)
}

impl File {
    pub(super) fn new(index: usize, path: PathBuf, bytes: Vec<u8>) -> Self {
        let shown = path.to_string_lossy().into_owned();
        let (text, broken) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let broken = error.utf8_error().valid_up_to();
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(broken))
            }
        };
        File { index, path, shown, text, broken, lines: OnceCell::new() }
    }

    /// The file by itself, not as one of several.
    pub(super) fn alone(self) -> Self {
        File { index: 0, ..self }
    }

    /// The path, as the caller named it or as it was found in a folder.
    pub fn path(&self) -> &str {
        &self.shown
    }

    /// Whether the file is to be read as JSON and nothing more.
    pub(in crate::cli) fn is_json(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "json")
    }

    /// The text; a finding if the file is not UTF-8.
    pub(super) fn text(&self) -> Result<&str, Box<Located>> {
        match self.broken {
            None => Ok(&self.text),
            Some(offset) => Err(Box::new(Located::error(
                code::SYNTAX,
                self.place(offset),
                "the file is not UTF-8".to_owned(),
                Some("save it as UTF-8".to_owned()),
            ))),
        }
    }

    /// The lines of the text, without their ends.
    pub(in crate::cli) fn lines_of_text(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// What stands in a line (counted from 1) from a byte of it on.
    pub(in crate::cli) fn stretch_of_line(&self, line: usize, from: usize) -> Place {
        let (start, text) = self.line(line);
        self.stretch(start.saturating_add(from), start.saturating_add(text.len()))
    }

    /// The stretch from `start` to `end`.
    pub(super) fn stretch(&self, start: usize, end: usize) -> Place {
        Place { file: self.index, start, end }
    }

    /// The one character at `offset`; nothing at the end of the file.
    pub(super) fn place(&self, offset: usize) -> Place {
        let offset = self.text.floor_char_boundary(offset);
        let character = self.text.get(offset..).and_then(|rest| rest.chars().next());
        self.stretch(offset, offset.saturating_add(character.map_or(0, char::len_utf8)))
    }

    /// Where a byte stands.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.lines().partition_point(|start| *start <= offset);
        let start = self.line_start(line);
        let before = self.text.get(start..self.text.floor_char_boundary(offset)).unwrap_or_default();
        Position { line, column: before.chars().count().saturating_add(1) }
    }

    /// Offset of a line (counted from 1) and its text without the line break.
    pub(crate) fn line(&self, line: usize) -> (usize, &str) {
        let start = self.line_start(line);
        let rest = self.text.get(start..).unwrap_or_default();
        (start, rest.lines().next().unwrap_or_default())
    }

    fn line_start(&self, line: usize) -> usize {
        self.lines().get(line.saturating_sub(1)).copied().unwrap_or_default()
    }

    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let breaks = self.text.match_indices('\n').map(|(offset, _)| offset.saturating_add(1));
            std::iter::once(0).chain(breaks).collect()
        })
    }
}
