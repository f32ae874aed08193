//! The test files: a policy, and requests with what is to be decided about each.

use super::expected::Expected;
use crate::analysis::request::Request;
use crate::read::{self, Failure, File, Rejected};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tollgate::decision::Timestamp;
use tollgate::policy::duration;

/// Noun for the files in findings.
const NOUN: &str = "test file";

/// Start of the clock in files that do not say: 2026-07-01T00:00:00Z.
const START: Timestamp = Timestamp(1_782_864_000_000_000_000);

/// A test file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenSuite<'t> {
    /// The policy itself.
    #[serde(borrow)]
    policy: Option<&'t RawValue>,
    /// Or its files and folders, relative to this file.
    policy_files: Option<Vec<PathBuf>>,
    /// Start of the clock.
    #[serde(default, deserialize_with = "moment")]
    now: Option<Timestamp>,
    #[serde(borrow)]
    tests: Vec<Case<'t>>,
}

/// A request, and what is to be decided; about the last, if it is repeated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case<'t> {
    pub(crate) name: String,
    /// Nanoseconds after the test before.
    #[serde(default, deserialize_with = "wait")]
    pub(crate) after: u64,
    #[serde(borrow)]
    pub(crate) request: Request<'t>,
    #[serde(default = "once")]
    pub(crate) repeat: u32,
    pub(crate) expect: Expected,
}

/// The text of a test file, as JSON.
#[derive(Debug)]
pub(crate) struct TestText {
    pub(crate) file: File,
    json: String,
}

/// A test file that was read.
#[derive(Debug)]
pub(crate) struct Suite<'t> {
    pub(crate) policy: PolicySource,
    pub(crate) start: Timestamp,
    pub(crate) tests: Vec<Case<'t>>,
    /// Line of each test.
    pub(crate) lines: Vec<usize>,
}

/// Policy of a test file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PolicySource {
    /// In the file.
    Inline(Rc<str>),
    /// In these files and folders.
    Files(Vec<PathBuf>),
}

/// Reads the files that paths stand for.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<TestText>, Failure> {
    let texts = read::texts(paths, NOUN)?;
    Ok(texts.into_iter().map(|(file, json)| TestText { file, json }).collect())
}

impl TestText {
    /// Reads what the file says; `policy` is that of the command line.
    ///
    /// # Errors
    /// Everything that keeps it from being a test file.
    pub(crate) fn suite(&self, policy: Option<&Path>) -> Result<Suite<'_>, Rejected> {
        let written: WrittenSuite<'_> = read::typed(&self.file, &self.json, NOUN)?;
        if written.tests.is_empty() {
            return Err(self.rejected("tests", "there is no test"));
        }
        let folder = Path::new(self.file.path()).parent().unwrap_or(Path::new(""));
        let policy = match (written.policy, written.policy_files, policy) {
            (Some(_), Some(_), _) => {
                return Err(self.rejected("policyFiles", "`policy` and `policyFiles` are both given"));
            }
            (Some(inline), None, _) => PolicySource::Inline(inline.get().into()),
            (None, Some(files), _) if files.is_empty() => return Err(self.rejected("policyFiles", "no file is given")),
            (None, Some(files), _) => PolicySource::Files(files.iter().map(|file| folder.join(file)).collect()),
            (None, None, Some(file)) => PolicySource::Files(vec![file.to_owned()]),
            (None, None, None) => {
                return Err(self.rejected("", "there is no policy: give `policy`, `policyFiles`, or `--policy`"));
            }
        };
        if let Some(at) = written.tests.iter().position(|case| case.repeat == 0) {
            return Err(self.rejected(&format!("tests[{at}].repeat"), "a request is sent once at least"));
        }
        let pointers: Vec<String> = (0..written.tests.len()).map(|at| format!("tests[{at}]")).collect();
        let files = std::slice::from_ref(&self.file);
        let places = read::places(&pointers, files).into_iter();
        let lines = places.map(|place| place.map_or(0, |place| self.file.position(place.start).line)).collect();
        Ok(Suite { policy, start: written.now.unwrap_or(START), tests: written.tests, lines })
    }

    /// A finding at a pointer of this file.
    fn rejected(&self, pointer: &str, message: &str) -> Rejected {
        read::rejected(&self.file, pointer, message, NOUN)
    }
}

fn once() -> u32 {
    1
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let moment = Timestamp::parse(&text);
    moment
        .map(Some)
        .ok_or_else(|| de::Error::custom(format!("`{text}` is no time; write it as `2027-01-31T00:00:00Z`")))
}

fn wait<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is no duration; write it as `5s`")))
}
