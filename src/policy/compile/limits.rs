//! Limits on what a policy may hold of patterns that are dear to compare.

use super::Compiler;
use crate::model::PathPattern;
use crate::policy::decode::At;
use crate::policy::finding::{Findings, code};
use crate::policy::path_pattern::takes_automaton;

/// Most patterns that are no cheap form, in a target and in a policy.
const GLOBS_A_TARGET: usize = 64;
const GLOBS_A_POLICY: usize = 512;
/// Most names with a `*` inside, in a policy.
const STARS_A_POLICY: usize = 10_000;

impl Compiler {
    pub(super) fn count_globs(&mut self, paths: &[At<PathPattern<'_>>], findings: &mut Findings<'_>) {
        let globs = paths.iter().filter(|path| takes_automaton(&path.value)).count();
        let fix = "exact paths, `/prefix/**` and whole-segment `*` are not counted";
        if globs > GLOBS_A_TARGET {
            let message = format!("{globs} patterns are no cheap form; a target may have {GLOBS_A_TARGET}");
            findings.error_in("paths", code::LIMIT, message, fix.to_owned());
        }
        let before = self.globs;
        self.globs = self.globs.saturating_add(globs);
        if before <= GLOBS_A_POLICY && self.globs > GLOBS_A_POLICY {
            let message = format!("more than {GLOBS_A_POLICY} patterns of the policy are no cheap form");
            findings.error_in("paths", code::LIMIT, message, fix.to_owned());
        }
    }

    pub(super) fn count_star(&mut self, is_new: bool, findings: &mut Findings<'_>) {
        self.stars = self.stars.saturating_add(usize::from(is_new));
        if is_new && self.stars == STARS_A_POLICY.saturating_add(1) {
            let message = format!("more than {STARS_A_POLICY} names of the policy have a `*` inside");
            let fix = "`*.example.com` and `**.example.com` are not counted".to_owned();
            findings.error_in("hosts", code::LIMIT, message, fix);
        }
    }
}
