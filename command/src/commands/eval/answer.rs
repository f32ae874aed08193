//! A line of output.

use crate::analysis::further::FurtherShown;
use crate::read::escape;
use serde::Serialize;
use std::io::{self, Write};
use tollgate::decision::{Decision, QuotaOutcome};
use tollgate::request::Arrival;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum EvalFormat {
    /// A JSON object a line
    #[default]
    Json,
    /// Columns: decision, reason, rule, request
    Human,
}

/// JSON form of a decision.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'d> {
    decision: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'d str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<FurtherShown>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quotas: Vec<QuotaAnswer<'d>>,
}

/// JSON form of a quota that was consulted.
#[derive(Debug, Serialize)]
struct QuotaAnswer<'d> {
    id: &'d str,
    key: &'d str,
    limit: u64,
    used: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<u64>,
}

#[derive(Debug, Serialize)]
struct LineError<'m> {
    error: &'m str,
}

impl<'d> Answer<'d> {
    pub(super) fn of(decision: &Decision<'d>, notes: &'d [QuotaOutcome<'d>]) -> Self {
        let quota = |note: &'d QuotaOutcome<'d>| QuotaAnswer {
            id: &note.quota.id,
            key: note.key(),
            limit: note.quota.limit.amount(),
            used: note.charge.level.used,
            reset: note.reset(),
        };
        Answer {
            decision: decision.outcome.as_str(),
            reason: decision.reason.as_str(),
            rule: decision.rule,
            also: FurtherShown::all(&decision.also),
            quotas: notes.iter().map(quota).collect(),
        }
    }

    pub(super) fn write(&self, arrival: &Arrival<'_>, format: EvalFormat, out: &mut impl Write) -> io::Result<()> {
        match format {
            EvalFormat::Json => serde_json::to_writer(&mut *out, self)?,
            EvalFormat::Human => {
                let identity = arrival.identity.map_or(b"-".as_slice(), |presented| presented.id);
                write!(
                    out,
                    "{:<10} {:<18} {:<24} {} {} {}{}",
                    self.decision,
                    self.reason,
                    self.rule.unwrap_or("-"),
                    escape::bytes(identity),
                    escape::bytes(arrival.method),
                    escape::bytes(arrival.authority),
                    escape::bytes(arrival.path.unwrap_or_default()),
                )?;
            }
        }
        out.write_all(b"\n")
    }
}

/// Says in a decision's place that there is none.
pub(super) fn write_error(message: &str, format: EvalFormat, out: &mut impl Write) -> io::Result<()> {
    match format {
        EvalFormat::Json => serde_json::to_writer(&mut *out, &LineError { error: message })?,
        EvalFormat::Human => write!(out, "{:<10} {}", "error", escape::line(message))?,
    }
    out.write_all(b"\n")
}
