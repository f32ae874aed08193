//! What is wrong with a policy, where, and what to write instead.

use std::fmt;

/// One thing that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Errors reject the policy, warnings do not.
    pub severity: Severity,
    /// Stable, for suppressions and reports: `TG0xx` for errors of the language.
    pub code: &'static str,
    /// Where: `rules[3].to[0].hosts[1]`; empty for the document itself.
    pub pointer: String,
    /// What is wrong: lower case, no full stop, the policy's own words in backticks.
    pub message: String,
    /// What to write instead, where there is an answer.
    pub fix: Option<String>,
    /// Byte offset into the text, where the text could not be parsed beyond it.
    pub offset: Option<usize>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy works, and probably not as meant.
    Warning,
    /// The policy is rejected.
    Error,
}

/// Why a policy was rejected: at least one finding, in file order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.message)?;
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings.as_slice() {
            [] => f.write_str("rejected"),
            [one] => one.fmt(f),
            [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
        }
    }
}

impl std::error::Error for Rejection {}
