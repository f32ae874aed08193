//! Results of tests: for people, as JSON, and as JUnit's XML.

use super::explain;
use crate::analysis::test::{Actual, CoverageReport, Played};
use crate::output::report::pretty;
use crate::read::escape;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;
use std::io::{self, Write};

/// Formats of test results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TestFormat {
    /// For people: what failed, and why
    #[default]
    Human,
    /// One JSON object
    Json,
    /// JUnit's XML, for CI servers
    Junit,
}

/// The tests of a file that were played.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) played: Vec<Played>,
}

/// Everything that came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) files: Vec<File>,
    /// Coverage, if it was asked for.
    pub(crate) coverage: Option<CoverageReport>,
    /// The least coverage that was asked for, in percent.
    pub(crate) least: f64,
}

impl Run {
    pub(crate) fn failed(&self) -> usize {
        self.all().filter(|played| !played.passed).count()
    }

    /// Tells whether less of the policy is covered than was asked for.
    pub(crate) fn is_thin(&self) -> bool {
        self.coverage.as_ref().is_some_and(|coverage| coverage.percent < self.least)
    }

    fn all(&self) -> impl Iterator<Item = &Played> {
        self.files.iter().flat_map(|file| &file.played)
    }

    pub(crate) fn write(&self, format: TestFormat, out: &mut impl Write) -> io::Result<()> {
        match format {
            TestFormat::Human => self.human(out),
            TestFormat::Json => self.json(out),
            TestFormat::Junit => self.junit(out),
        }
    }

    fn human(&self, out: &mut impl Write) -> io::Result<()> {
        for file in &self.files {
            for played in file.played.iter().filter(|played| !played.passed) {
                writeln!(out, "FAILED {} ({}:{})", escape::line(&played.name), escape::line(&file.path), played.line)?;
                writeln!(out, "  expected  {}", played.expected)?;
                match &played.result {
                    Ok(actual) => writeln!(out, "  decided   {actual}")?,
                    Err(message) => writeln!(out, "  no request: {}", escape::line(message))?,
                }
                for line in explanation(played).lines() {
                    writeln!(out, "    {line}")?;
                }
                writeln!(out)?;
            }
        }
        if let Some(coverage) = &self.coverage {
            for entry in &coverage.uncovered {
                match (&entry.file, entry.line) {
                    (Some(file), Some(line)) => {
                        writeln!(out, "no test makes {} speak ({}:{line})", entry.id, escape::line(file))?;
                    }
                    _ => writeln!(out, "no test makes {} speak", entry.id)?,
                }
            }
            let CoverageReport { entries, covered, percent, .. } = coverage;
            let least = if self.is_thin() { format!(", and {} % are required", self.least) } else { String::new() };
            writeln!(out, "coverage: {covered} of {entries} entries, {percent:.0} %{least}")?;
        }
        let failed = self.failed();
        writeln!(out, "{} passed, {failed} failed", self.all().count().saturating_sub(failed))
    }

    fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let failed = self.failed();
        let output = TestOutput {
            passed: self.all().count().saturating_sub(failed),
            failed,
            tests: self.files.iter().flat_map(|file| file.played.iter().map(|played| Test::of(file, played))).collect(),
            coverage: self.coverage.as_ref(),
        };
        pretty(&output, out)
    }

    fn junit(&self, out: &mut impl Write) -> io::Result<()> {
        let mut report = quick_junit::Report::new("tollgate");
        for file in &self.files {
            let mut suite = TestSuite::new(file.path.as_str());
            for played in &file.played {
                suite.add_test_case(case(played));
            }
            report.add_test_suite(suite);
        }
        report.serialize(&mut *out).map_err(io::Error::other)
    }
}

/// The steps to a decision that was not expected, a line each; empty for a test that passed.
fn explanation(played: &Played) -> String {
    let mut out = Vec::new();
    let written = played.walk.as_ref().map(|walk| explain::steps(walk, &mut out));
    // memory takes everything
    written.and_then(|_| String::from_utf8(out).ok()).unwrap_or_default()
}

fn case(played: &Played) -> TestCase {
    let status = match (&played.result, played.passed) {
        (_, true) => TestCaseStatus::success(),
        (Ok(actual), false) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(format!("expected {}, decided {actual}", played.expected));
            status.set_description(explanation(played));
            status
        }
        (Err(message), false) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(message.as_str());
            status
        }
    };
    TestCase::new(played.name.as_str(), status)
}

#[derive(Serialize)]
struct TestOutput<'r> {
    passed: usize,
    failed: usize,
    tests: Vec<Test<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<&'r CoverageReport>,
}

#[derive(Serialize)]
struct Test<'r> {
    file: &'r str,
    line: usize,
    name: &'r str,
    passed: bool,
    expected: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<&'r Actual>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    explanation: String,
}

impl<'r> Test<'r> {
    fn of(file: &'r File, played: &'r Played) -> Test<'r> {
        Test {
            file: &file.path,
            line: played.line,
            name: &played.name,
            passed: played.passed,
            expected: &played.expected,
            actual: played.result.as_ref().ok(),
            error: played.result.as_ref().err().map(String::as_str),
            explanation: explanation(played),
        }
    }
}
