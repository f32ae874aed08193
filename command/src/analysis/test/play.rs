//! Playing the tests of a file, one after another on one gateway.

use super::coverage::{Coverage, Covered};
use super::expected::Actual;
use super::file::{Case, PolicySource, Suite};
use crate::analysis::edge::{Edge, Normalization};
use crate::analysis::explain::{Explainer, Walk};
use crate::analysis::gateway::Gateway;
use crate::read::document::Document;
use crate::read::excerpt;
use crate::read::{self, Failure, File};
use tollgate::decision::Timestamp;
use tollgate::policy::Policy;

/// A policy that tests are played on.
#[derive(Debug)]
pub(crate) struct TestedPolicy {
    pub(crate) policy: Policy,
    pub(crate) document: Document,
    json: String,
    pub(crate) files: Vec<File>,
    /// Beginning of pointers into those files.
    pub(crate) below: &'static str,
    edge: Edge,
}

/// A test that was played.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) expected: String,
    pub(crate) result: Result<Actual, String>,
    /// The way to what was not expected; none for a test that passed.
    pub(crate) walk: Option<Walk>,
    pub(crate) passed: bool,
}

impl TestedPolicy {
    /// Loads the policy of a suite; `file` is the test file.
    pub(crate) fn load(
        source: &PolicySource,
        file: &File,
        normalization: Option<Normalization>,
    ) -> Result<TestedPolicy, Failure> {
        let (loaded, below) = match source {
            PolicySource::Files(paths) => (read::load(paths)?, ""),
            PolicySource::Inline(json) => (read::load_inline(json, "policy", file)?, "policy."),
        };
        let document = Document::read(&loaded.json).unwrap_or_default();
        let edge = Edge::of(normalization, &document, loaded.policy.settings());
        Ok(TestedPolicy { policy: loaded.policy, document, json: loaded.json, files: loaded.files, below, edge })
    }

    /// The policy, for its coverage.
    pub(crate) fn covered(&self) -> Covered<'_> {
        Covered { document: &self.document, files: &self.files, below: self.below }
    }

    /// Plays a suite.
    pub(crate) fn play(&self, suite: &Suite<'_>, coverage: &mut Coverage) -> Vec<Played> {
        let mut gateway = Gateway::behind(self.edge.clone());
        let mut clock = suite.start;
        let lines = suite.lines.iter().copied().chain(std::iter::repeat(0));
        let mut played = Vec::with_capacity(suite.tests.len());
        for (case, line) in suite.tests.iter().zip(lines) {
            clock = Timestamp(clock.0.saturating_add(case.after));
            // a time of its own does not move the clock
            let now = case.request.now().unwrap_or(clock);
            played.push(self.play_case(case, line, now, &mut gateway, coverage));
        }
        played
    }

    fn play_case(
        &self,
        case: &Case<'_>,
        line: usize,
        now: Timestamp,
        gateway: &mut Gateway,
        coverage: &mut Coverage,
    ) -> Played {
        let mut result = Err(String::new());
        for _ in 0..case.repeat {
            let decided =
                gateway.play(&self.policy, &case.request, now, |_, judged, charged| Actual::of(judged, charged));
            result = decided.map_err(|mistake| mistake.message);
            if let Ok(actual) = &result {
                coverage.count(actual.ids());
            }
        }
        let passed = result.as_ref().is_ok_and(|actual| case.expect.is(actual));
        let walk = if passed { None } else { self.walk(case, now) };
        Played { name: case.name.clone(), line, expected: case.expect.to_string(), result, walk, passed }
    }

    /// The decision of a gateway that has just started.
    fn walk(&self, case: &Case<'_>, now: Timestamp) -> Option<Walk> {
        if case.request.is_connection() {
            return None;
        }
        let text = excerpt::Text::of(&self.json, &self.document);
        let excerpts = text.excerpts()?;
        let explainer =
            Explainer { policy: &self.policy, document: &self.document, excerpts: &excerpts, edge: &self.edge };
        explainer.walk(&case.request, now).ok()
    }
}
