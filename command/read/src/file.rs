//! The files of a policy: finding them, reading them, counting their lines.

use super::Unreadable;
use super::span::{Position, Span};
use crate::escape;
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
    /// The object that is meant, where the caller said `FILE#NAME`.
    chosen: Option<String>,
    /// The object of which this text is a part.
    part_of: Option<String>,
    text: String,
    /// Offset of the first byte that is not UTF-8; `text` holds a replacement from there on.
    broken: Option<usize>,
    /// Offset of the first byte of every line.
    lines: OnceCell<Vec<usize>>,
    /// Characters before every block of the text.
    characters: OnceCell<Vec<usize>>,
}

/// Bytes of a block. Its characters are counted once: one line of megabytes may have many findings.
const BLOCK: usize = 1 << 14;

/// Most bytes of one file.
const MOST: u64 = 256 << 20;

/// A byte that is not UTF-8.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotUtf8 {
    /// Its offset in the file.
    pub(super) offset: usize,
}

/// A path to read, and the object that is meant there.
type Wanted = (PathBuf, Option<String>);

/// Reads every file that `paths` stand for, each once, in byte order of their paths. `FILE#NAME` is the object of that
/// name in a file.
pub(super) fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<File>, Unreadable> {
    let mut found = BTreeMap::new();
    for path in paths {
        let (path, chosen) = chosen(path.as_ref());
        find(&path, chosen.as_deref(), &mut found)?;
    }
    let mut files = Vec::with_capacity(found.len());
    let mut seen = HashSet::with_capacity(found.len());
    for (path, chosen) in found.into_values() {
        let (shown, bytes) = if is_stdin(&path) {
            let bytes = read_all(io::stdin().lock(), 0).map_err(|error| unreadable(&path, error))?;
            (PathBuf::from(STDIN), bytes)
        } else {
            // what has no canonical path, such as a pipe, has no second name either
            if let Ok(canonical) = fs::canonicalize(&path)
                && !seen.insert((canonical, chosen.clone()))
            {
                continue;
            }
            let bytes = open(&path).map_err(|error| unreadable(&path, error))?;
            (path, bytes)
        };
        files.push(File { chosen, ..File::new(files.len(), shown, bytes) });
    }
    Ok(files)
}

fn open(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let size = file.metadata()?.len();
    read_all(file, size)
}

/// Reads a file to its end, of which `size` is a guess.
fn read_all(input: impl Read, size: u64) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::other(format!("it is larger than {} MiB, which no policy needs", MOST >> 20));
    if size > MOST {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    input.take(MOST.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= MOST => Ok(bytes),
        _ => Err(too_large()),
    }
}

/// Parts a path from the name of an object behind it. A file whose own name holds `#` is that file.
fn chosen(path: &Path) -> (PathBuf, Option<String>) {
    let parts = path
        .to_str()
        .and_then(|text| text.rsplit_once('#'))
        .filter(|(file, name)| !file.is_empty() && !name.is_empty() && fs::symlink_metadata(path).is_err());
    match parts {
        Some((file, name)) => (PathBuf::from(file), Some(name.to_owned())),
        None => (path.to_owned(), None),
    }
}

/// Name of the standard input in findings.
const STDIN: &str = "<stdin>";

/// `-` stands for the standard input, as everywhere. A file of that name is `./-`.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Adds what `path` stands for, keyed by the path's bytes and the name behind it.
fn find(
    path: &Path,
    chosen: Option<&str>,
    found: &mut BTreeMap<(Vec<u8>, Option<String>), Wanted>,
) -> Result<(), Unreadable> {
    let chosen = chosen.map(str::to_owned);
    let mut add = |path: PathBuf| {
        found.insert((path.as_os_str().as_encoded_bytes().to_vec(), chosen.clone()), (path, chosen.clone()))
    };
    if is_stdin(path) || !fs::metadata(path).map_err(|error| unreadable(path, error))?.is_dir() {
        foreign(path).map_err(|error| unreadable(path, error))?;
        add(path.to_owned());
        return Ok(());
    }
    let folder = fs::canonicalize(path).map_err(|error| unreadable(path, error))?;
    let mut any = false;
    for entry in WalkDir::new(path).follow_links(true).into_iter().filter_entry(is_shown) {
        let entry = entry.map_err(|error| walking(path, error))?;
        let of_policy = is_policy(entry.path());
        if entry.path_is_symlink() && (of_policy || entry.file_type().is_dir()) {
            inside(entry.path(), &folder).map_err(|error| unreadable(entry.path(), error))?;
        }
        if of_policy && entry.file_type().is_file() {
            any = true;
            add(entry.into_path());
        } else if of_policy && !entry.file_type().is_dir() {
            return Err(unreadable(entry.path(), io::Error::other("it is no file")));
        }
    }
    match any {
        true => Ok(()),
        false => Err(unreadable(path, io::Error::other("no *.yaml, *.yml or *.json file in this folder"))),
    }
}

/// Refuses a link that leads out of its folder: whoever proposes a change may have put it there, to have files of the
/// reader's machine printed in findings.
fn inside(link: &Path, folder: &Path) -> io::Result<()> {
    if link.canonicalize()?.starts_with(folder) {
        return Ok(());
    }
    Err(io::Error::other("the link leads out of the folder; name the file itself, or copy it"))
}

/// Refuses a link with the name of a policy that leads to a file without such a name.
fn foreign(path: &Path) -> io::Result<()> {
    let is_link = !is_stdin(path) && fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink());
    if !is_link || !is_policy(path) {
        return Ok(());
    }
    let leads_to = path.canonicalize()?;
    if is_policy(&leads_to) || !leads_to.is_file() {
        return Ok(());
    }
    Err(io::Error::other("the link leads to a file that is neither *.yaml, *.yml nor *.json; name the file itself"))
}

/// Tells whether the name begins without a dot: editors and Kubernetes keep copies under names that begin with one.
fn is_shown(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn is_policy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}

fn unreadable(path: &Path, error: io::Error) -> Unreadable {
    Unreadable { path: escape::path(path), error }
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
        let shown = escape::path(&path);
        let (text, broken) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let broken = error.utf8_error().valid_up_to();
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(broken))
            }
        };
        let (lines, characters) = (OnceCell::new(), OnceCell::new());
        File { index, path, shown, chosen: None, part_of: None, text, broken, lines, characters }
    }

    /// A text that an object of this file holds under a key.
    pub(super) fn part(&self, index: usize, object: &str, key: &str, bytes: Vec<u8>) -> Self {
        let mut path = self.path.clone().into_os_string();
        path.push(format!("#{object}/{key}"));
        let (chosen, part_of) = (self.chosen.clone(), Some(object.to_owned()));
        File { chosen, part_of, ..File::new(index, PathBuf::from(path), bytes) }
    }

    /// The object that is meant, where the caller named one.
    pub(super) fn chosen(&self) -> Option<&str> {
        self.chosen.as_deref()
    }

    /// The object of which this text is a part.
    pub(super) fn part_of(&self) -> Option<&str> {
        self.part_of.as_deref()
    }

    /// The file by itself, not as one of several.
    pub(super) fn alone(self) -> Self {
        File { index: 0, ..self }
    }

    /// The path, as the caller named it or as it was found in a folder.
    pub fn path(&self) -> &str {
        &self.shown
    }

    /// Tells whether the name ends in `.json`: such a file must be JSON and nothing more.
    pub fn is_json(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "json")
    }

    /// The text.
    ///
    /// # Errors
    /// The file is not UTF-8.
    pub(super) fn text(&self) -> Result<&str, NotUtf8> {
        self.broken.map_or(Ok(self.text.as_str()), |offset| Err(NotUtf8 { offset }))
    }

    /// The lines of the text, without their ends.
    pub fn lines_of_text(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// Span of a line (counted from 1) from the byte `from` of it to its end, without the line break.
    pub fn stretch_of_line(&self, line: usize, from: usize) -> Span {
        let (start, text) = self.line(line);
        self.stretch(start.saturating_add(from), start.saturating_add(text.len()))
    }

    /// The stretch from `start` to `end`.
    pub(super) fn stretch(&self, start: usize, end: usize) -> Span {
        Span { file: self.index, start, end }
    }

    /// The one character at `offset`; nothing at the end of the file.
    pub(super) fn place(&self, offset: usize) -> Span {
        let offset = self.text.floor_char_boundary(offset);
        let character = self.text.get(offset..).and_then(|rest| rest.chars().next());
        self.stretch(offset, offset.saturating_add(character.map_or(0, char::len_utf8)))
    }

    /// Line and column of a byte offset, both counted from 1; columns are characters.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.lines().partition_point(|start| *start <= offset);
        let start = self.line_start(line);
        let before = self.characters_before(self.text.floor_char_boundary(offset));
        let column = before.saturating_sub(self.characters_before(start)).saturating_add(1);
        Position { line, column }
    }

    /// Offset of a line (counted from 1) and its text without the line break.
    pub fn line(&self, line: usize) -> (usize, &str) {
        let start = self.line_start(line);
        let end = self.lines().get(line).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..end).unwrap_or_default();
        let text = text.strip_suffix('\n').unwrap_or(text);
        (start, text.strip_suffix('\r').unwrap_or(text))
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

    fn characters_before(&self, offset: usize) -> usize {
        // a byte that continues a character begins none
        let count = |bytes: &[u8]| bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        let bytes = self.text.as_bytes();
        let blocks = self.characters.get_or_init(|| {
            let sums = bytes.chunks(BLOCK).scan(0_usize, |sum, block| {
                *sum = sum.saturating_add(count(block));
                Some(*sum)
            });
            std::iter::once(0).chain(sums).collect()
        });
        let block = offset.div_euclid(BLOCK);
        let rest = bytes.get(block.saturating_mul(BLOCK)..offset).unwrap_or_default();
        blocks.get(block).copied().unwrap_or_default().saturating_add(count(rest))
    }
}
