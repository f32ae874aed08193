//! Policies as people write them: YAML and JSON, in one file or several, with the place of everything that is wrong.
//!
//! [`load`] reads the files, makes one JSON text of them and hands that to [`Policy::load_with_advice`], the only
//! checker of the language. Whatever the checker finds is then shown where it stands in the files.

pub mod escape;
mod file;
mod finding;
mod json;
mod kind;
mod merge;
mod merged_keys;
mod object;
mod pointer;
mod remedy;
mod scalar;
mod span;
mod syntax;
mod tree;
mod typed;
mod yaml;

pub use file::File;
pub use file::is_stdin;
pub use finding::Located;
pub use remedy::path_meant;
pub use span::{Position, Span};
pub use typed::{rejected, typed};

use std::path::Path;
use std::{fmt, io};
use tollgate::policy::{Finding, Policy, code};

/// A policy and the text that it was compiled from.
#[derive(Debug)]
pub struct Loaded {
    /// The compiled policy.
    pub policy: Policy,
    /// The policy as one JSON text, as the filter takes it.
    pub json: String,
    /// Warnings: each says what works but was probably not meant, and its consequence.
    pub advice: Vec<Located>,
    /// The files, for showing where the advice stands.
    pub files: Vec<File>,
    /// Spans of the elements of the policy's lists; empty if the files were not read that far.
    entries: json::Entries,
}

impl Loaded {
    /// The places of elements such as `rules[3]`.
    pub fn places(&self, pointers: &[String]) -> Vec<Option<Span>> {
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

/// Reason why files gave no policy.
#[derive(Debug)]
pub enum Failure {
    /// A file or folder could not be read.
    Unreadable(Unreadable),
    /// The text is no valid policy.
    Rejected(Rejected),
}

/// A file or folder that could not be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The path as the caller named it, or as it was found in a folder.
    pub path: String,
    /// Error of the operating system.
    pub error: io::Error,
}

/// Everything that is wrong with a policy, and the files in which it stands.
#[derive(Debug)]
pub struct Rejected {
    /// The findings, at least one.
    pub findings: Vec<Located>,
    /// The files that the findings speak of.
    pub files: Vec<File>,
    /// Name of what they should have been: `policy`.
    pub noun: &'static str,
}

/// Noun for files that should be a policy.
const POLICY: &str = "policy";

/// Reads files and folders as one policy.
///
/// `-` is the standard input, read as YAML. An object of a cluster stands for the policy that it carries, `FILE#NAME`
/// for that of the object of this name. A folder stands for every `*.yaml`, `*.yml` and `*.json` below it, except names
/// that begin with a dot. The lists `deny`, `rules`, `residency`, `quotas` are joined in byte order of the files'
/// paths, the maps `destinations` and `workloads` are merged; any other key stands in one file only.
///
/// # Errors
/// A path that cannot be read, or everything that is wrong with the policy, each with its place.
pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Loaded, Failure> {
    let mut files = file::read(paths).map_err(Failure::Unreadable)?;
    object::unfold(&mut files);
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
            let findings = explained(rejection.findings, &files);
            Err(Failure::Rejected(Rejected { findings, files, noun: POLICY }))
        }
    }
}

/// Adds to the checker's findings what to write instead. Files of another kind are reported as that instead.
fn explained(findings: Vec<Finding>, files: &[File]) -> Vec<Located> {
    match merged(files) {
        Ok(root) => remedy::of(locate_in(findings, files, Some(&root)), &root, files),
        // the checker says better that it is no JSON
        Err(foreign) if foreign.iter().all(|located| located.finding.code == code::TYPE) => foreign,
        Err(_) => locate_in(findings, files, None).into_iter().map(|located| syntax::of_json(located, files)).collect(),
    }
}

/// Reads files and folders, each a text of its own, as JSON. `noun` is what each of them should be.
pub fn texts<P: AsRef<Path>>(paths: &[P], noun: &'static str) -> Result<Vec<(File, String)>, Failure> {
    let files = file::read(paths).map_err(Failure::Unreadable)?;
    let mut texts = Vec::with_capacity(files.len());
    for file in files {
        let file = file.alone();
        let root = yaml::parse(&file).map_err(|finding| vec![*finding]);
        let json = root.and_then(|root| match kind::foreign(&root, &file, noun) {
            Some(finding) => Err(vec![finding]),
            None => json::write(&root),
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
pub fn load_inline(json: &str, key: &str, file: &File) -> Result<Loaded, Failure> {
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
            let bare = |finding| Finding { offset: None, ..finding };
            let found = rejection.findings.into_iter().map(bare).collect();
            let root = yaml::parse(file).ok();
            let findings = match root.as_ref().and_then(|root| root.get(key)) {
                Some(policy) => remedy::of(locate_in(found, &files, Some(policy)), policy, &files),
                None => locate_in(found, &files, None),
            };
            let findings = findings.into_iter().map(|located| Located { finding: below(located.finding), ..located });
            let findings = findings.collect();
            Err(Failure::Rejected(Rejected { findings, files, noun: POLICY }))
        }
    }
}

/// Makes one JSON text of the files: the bytes of a single JSON file as they are, the translation of anything else.
fn translate(files: &[File]) -> Result<(String, json::Entries), Vec<Located>> {
    match files {
        [file] if is_plain_json(file) => {
            let text = file.text().map_err(|bad| vec![Located::not_utf8(file, bad)])?;
            Ok((text.to_owned(), json::Entries::new()))
        }
        _ => json::write_with_places(&merged(files)?),
    }
}

/// Tells whether a file is JSON that the checker can read as it stands.
fn is_plain_json(file: &File) -> bool {
    file.is_json() && file.chosen().is_none() && !file.text().is_ok_and(object::is_object)
}

/// The tree of all files together.
fn merged(files: &[File]) -> Result<tree::Node<'_>, Vec<Located>> {
    let mut documents = Vec::with_capacity(files.len());
    let mut findings = Vec::new();
    for file in files {
        match yaml::documents(file) {
            Ok(yaml::Documents { roots, second }) => {
                // several objects in one file are as good as a list of them
                match second.filter(|_| !roots.iter().all(|root| object::Object::of(root).is_some())) {
                    Some(place) => findings.push(*yaml::second_document(place)),
                    None => documents.extend(roots.into_iter().map(|root| object::Document { root, file })),
                }
            }
            Err(finding) => findings.push(*finding),
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let foreign = documents.iter().filter(|document| object::Object::of(&document.root).is_none());
    let findings: Vec<Located> =
        foreign.filter_map(|document| kind::foreign(&document.root, document.file, POLICY)).collect();
    if !findings.is_empty() {
        return Err(findings);
    }
    merge::merge(object::policies(documents)?)
}

/// Finds the places that the checker's pointers speak of, and puts the findings in their order.
pub fn locate(findings: Vec<Finding>, files: &[File]) -> Vec<Located> {
    locate_in(findings, files, tree(files).ok().as_ref())
}

/// The tree of files that are a policy, or of one file that is something else.
fn tree(files: &[File]) -> Result<tree::Node<'_>, Vec<Located>> {
    match (merged(files), files) {
        (Err(_), [file]) => yaml::parse(file).map_err(|finding| vec![*finding]),
        (merged, _) => merged,
    }
}

fn locate_in(findings: Vec<Finding>, files: &[File], root: Option<&tree::Node<'_>>) -> Vec<Located> {
    let place = |finding: Finding| match (finding.offset, files, root) {
        (Some(offset), [file], _) => Located::at(finding, file.place(offset)),
        (None, _, Some(root)) => pointer::resolve(finding, root),
        _ => Located::nowhere(finding),
    };
    let mut located: Vec<_> = findings.into_iter().map(place).collect();
    located.sort_by_key(|located| located.place.map(|place| (place.file, place.start)));
    located
}

/// The places that pointers speak of: as near as the files have them.
pub fn places(pointers: &[String], files: &[File]) -> Vec<Option<Span>> {
    let Ok(root) = tree(files) else { return vec![None; pointers.len()] };
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
