//! Policies as people write them: YAML and JSON, in one file or several, with the place of everything that is wrong.
//!
//! [`load`] reads the files, makes one JSON text of them and hands that to [`Policy::load_with_advice`], the only
//! checker of the language. Whatever the checker finds is then shown where it stands in the files.

mod file;
mod finding;
mod json;
mod merge;
mod merged_keys;
mod pointer;
mod scalar;
mod tree;
mod typed;
mod yaml;

pub(in crate::cli) use file::is_stdin;
pub use file::{File, Position};
pub use finding::{Located, Place};
pub(in crate::cli) use typed::{rejected, typed};

use crate::policy::{Finding, Policy};
use std::path::Path;
use std::{fmt, io};

/// A policy and the text that it was compiled from.
#[derive(Debug)]
pub struct Loaded {
    /// The compiled policy.
    pub policy: Policy,
    /// The same policy as one JSON text, as the filter takes it.
    pub json: String,
    /// What is probably not as meant, though it works, and what it comes to.
    pub advice: Vec<Located>,
    /// The files, for showing where the advice stands.
    pub files: Vec<File>,
    /// Where the elements of the policy's lists stand; empty if the files were not read that far.
    entries: json::Entries,
}

impl Loaded {
    /// The places of elements such as `rules[3]`.
    pub(in crate::cli) fn places(&self, pointers: &[String]) -> Vec<Option<Place>> {
        let own;
        let entries = match self.files.as_slice() {
            [file] if self.entries.is_empty() => {
                own = file.text().ok().and_then(json::entries).unwrap_or_default();
                &own
            }
            _ => &self.entries,
        };
        let place = |pointer: &String| {
            let (list, item) = pointer.strip_suffix(']')?.split_once('[')?;
            entries.get(list)?.get(item.parse::<usize>().ok()?).copied()
        };
        pointers.iter().map(place).collect()
    }
}

/// Why files gave no policy.
#[derive(Debug)]
pub enum Failure {
    /// A file or folder could not be read.
    Unreadable(Unreadable),
    /// What the files say is rejected.
    Rejected(Rejected),
}

/// A file or folder that could not be read.
#[derive(Debug)]
pub struct Unreadable {
    /// As the caller named it, or as it was found in a folder.
    pub path: String,
    /// Why.
    pub error: io::Error,
}

/// Everything that is wrong with a policy, and the files in which it stands.
#[derive(Debug)]
pub struct Rejected {
    /// At least one finding.
    pub findings: Vec<Located>,
    /// The files that the findings speak of.
    pub files: Vec<File>,
    /// What they should have been: `policy`.
    pub noun: &'static str,
}

/// What files are read as.
const POLICY: &str = "policy";

/// Reads files and folders as one policy.
///
/// `-` is the standard input, read as YAML. A folder stands for every `*.yaml`, `*.yml` and `*.json` below it, names that begin with a dot excepted. Keys other
/// than the lists `deny`, `rules`, `residency`, `quotas` and the maps `destinations`, `workloads` stand in one file
/// only; lists are joined in byte order of the files' paths, maps merged.
///
/// # Errors
/// A path that cannot be read, or everything that is wrong with the policy, each with its place.
pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Loaded, Failure> {
    let files = file::read(paths).map_err(Failure::Unreadable)?;
    let (json, entries) = match translate(&files) {
        Ok(translated) => translated,
        Err(findings) => return Err(Failure::Rejected(Rejected { findings, files, noun: POLICY })),
    };
    match Policy::load_with_advice(json.as_bytes()) {
        Ok((policy, advice)) => {
            let advice = if advice.is_empty() { Vec::new() } else { locate(advice, &files) };
            Ok(Loaded { policy, json, advice, files, entries })
        }
        Err(rejection) => {
            let findings = locate(rejection.findings, &files);
            Err(Failure::Rejected(Rejected { findings, files, noun: POLICY }))
        }
    }
}

/// Reads files and folders, each a text of its own, as JSON. They may have merge keys, which policies may not. `noun`
/// is what each of them should be.
pub(in crate::cli) fn texts<P: AsRef<Path>>(paths: &[P], noun: &'static str) -> Result<Vec<(File, String)>, Failure> {
    let files = file::read(paths).map_err(Failure::Unreadable)?;
    let mut texts = Vec::with_capacity(files.len());
    for file in files {
        let file = file.alone();
        let root = yaml::parse(&file).map_err(|finding| vec![*finding]);
        let json = root.and_then(|mut root| {
            merged_keys::resolve(&mut root);
            json::write(&root)
        });
        match json {
            Ok(json) => texts.push((file, json)),
            Err(findings) => {
                return Err(Failure::Rejected(Rejected { findings, files: vec![file], noun }));
            }
        }
    }
    Ok(texts)
}

/// A policy that stands under a key of a file, as JSON.
///
/// # Errors
/// Everything that is wrong with it, shown in that file.
pub(in crate::cli) fn load_inline(json: &str, key: &str, file: &File) -> Result<Loaded, Failure> {
    let files = vec![file.clone()];
    let below = |mut finding: Finding| {
        let dot = if finding.pointer.is_empty() || finding.pointer.starts_with('[') { "" } else { "." };
        finding.pointer = format!("{key}{dot}{}", finding.pointer);
        finding.offset = None;
        finding
    };
    let located = |findings: Vec<Finding>| locate(findings.into_iter().map(below).collect(), &files);
    match Policy::load_with_advice(json.as_bytes()) {
        Ok((policy, advice)) => {
            Ok(Loaded { policy, json: json.to_owned(), advice: located(advice), files, entries: json::Entries::new() })
        }
        Err(rejection) => {
            Err(Failure::Rejected(Rejected { findings: located(rejection.findings), files, noun: POLICY }))
        }
    }
}

/// Makes one JSON text of the files: the very bytes of a single JSON file, the translation of anything else.
fn translate(files: &[File]) -> Result<(String, json::Entries), Vec<Located>> {
    match files {
        [file] if file.is_json() => {
            let text = file.text().map_err(|finding| vec![*finding])?;
            Ok((text.to_owned(), json::Entries::new()))
        }
        _ => json::write_with_places(&merged(files)?),
    }
}

/// The tree of all files together.
fn merged(files: &[File]) -> Result<tree::Node<'_>, Vec<Located>> {
    let mut roots = Vec::with_capacity(files.len());
    let mut findings = Vec::new();
    for file in files {
        match yaml::parse(file) {
            Ok(root) => roots.push(root),
            Err(finding) => findings.push(*finding),
        }
    }
    if findings.is_empty() { merge::merge(roots) } else { Err(findings) }
}

/// Finds the places that the checker's pointers speak of, and puts the findings in their order.
pub(in crate::cli) fn locate(findings: Vec<Finding>, files: &[File]) -> Vec<Located> {
    let root = merged(files).ok();
    let place = |finding: Finding| match (finding.offset, files, &root) {
        (Some(offset), [file], _) => Located::at(finding, file.place(offset)),
        (None, _, Some(root)) => pointer::resolve(finding, root),
        _ => Located::nowhere(finding),
    };
    let mut located: Vec<_> = findings.into_iter().map(place).collect();
    located.sort_by_key(|located| located.place.map(|place| (place.file, place.start)));
    located
}

/// The places that pointers speak of: as near as the files have them.
pub(in crate::cli) fn places(pointers: &[String], files: &[File]) -> Vec<Option<Place>> {
    let Ok(root) = merged(files) else { return vec![None; pointers.len()] };
    pointers.iter().map(|pointer| Some(pointer::place(pointer, &root))).collect()
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read `{}`: {}", self.path, self.error)
    }
}

impl fmt::Display for Rejected {
    /// One line a finding: `file:line:column: message; fix`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, located) in self.findings.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if let Some((file, at)) = located.position(&self.files) {
                write!(f, "{}:{}:{}: ", file.path(), at.line, at.column)?;
            }
            write!(f, "{}", located.finding)?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreadable(unreadable) => unreadable.fmt(f),
            Failure::Rejected(rejected) => rejected.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}
