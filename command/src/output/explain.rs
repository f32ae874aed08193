//! The walk to a decision, as people read it.

use crate::analysis::explain::{Looked, Looks, Walk, WhyNot};
use crate::analysis::strength::Strength;
use crate::output::Out;
use crate::output::report;
use crate::read::File;
use crate::read::escape;
use std::fmt::Write as _;
use std::io::{self, Write};
use tollgate::decision::Outcome;

/// Column at which the words of a step begin.
const INDENT: usize = 12;

pub(crate) fn write(walk: &Walk, files: &[File], out: &mut Out) -> io::Result<()> {
    steps(walk, out)?;
    writeln!(out)?;
    decision(walk, files, out)?;
    match &walk.why_not {
        Some(why_not) => missing(why_not, out),
        None => Ok(()),
    }
}

/// Writes what a denied request lacks: the nearest rule, and the edits that would admit it.
fn missing(why_not: &WhyNot, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    if let Some(near) = &why_not.nearest {
        step(out, "nearest", &format!("{}: its {} is the first thing that failed", near.rule, near.failed))?;
    }
    for edit in &why_not.edits {
        step(out, "to admit", &edit.to_string())?;
    }
    match &why_not.advice {
        Some(advice) => step(out, "to admit", advice)?,
        None if why_not.edits.is_empty() => step(out, "to admit", "no single edit was found that would")?,
        None => {}
    }
    why_not.alternatives.iter().try_for_each(|alternative| step(out, "or", alternative))
}

/// The steps to the decision, a line each.
pub(crate) fn steps(walk: &Walk, out: &mut impl Write) -> io::Result<()> {
    let request = &walk.request;
    let who = request.identity.as_deref().unwrap_or("nobody");
    match (&request.method, &request.tls) {
        (Some(method), _) => {
            let path = request.path.as_deref().unwrap_or_default();
            step(out, "request", &format!("{method} {}{path} as {who}", request.authority))?;
        }
        (None, tls) => {
            let tls = tls.as_deref().unwrap_or_default();
            step(out, "connection", &format!("{}{tls} as {who}", request.authority))?;
        }
    }
    read(walk, out)?;
    looks("deny", &walk.deny, out)?;
    looks("rules", &walk.rules, out)?;
    for entry in &walk.residency {
        step(out, "residency", &format!("{}: {}", entry.id, entry.detail))?;
    }
    for line in &walk.dry_run {
        step(out, "dry-run", line)?;
    }
    for charge in &walk.quotas {
        let dry_run = if charge.enforced { "" } else { "; only recorded" };
        let line = format!(
            "{}: {}; {} of {} used in the bucket `{}`{dry_run}",
            charge.id, charge.limit, charge.used, charge.of, charge.key
        );
        step(out, "quota", &line)?;
    }
    let held = walk.strength.map(|strength| match strength {
        Strength::Path => "path: nothing gets there but requests whose method and path were decided on",
        Strength::Host => "host: the name alone decides, whatever is asked for there",
        Strength::Address => "address: the address alone decides, whatever is asked for there",
    });
    held.map_or(Ok(()), |held| step(out, "strength", held))
}

/// A step of the walk. What a caller sends is written so that it cannot speak to the terminal.
fn step(out: &mut impl Write, name: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{name:<INDENT$}{}", escape::line(text))
}

/// Writes the canonical form of the request.
fn read(walk: &Walk, out: &mut impl Write) -> io::Result<()> {
    let canonical = &walk.canonical;
    let mut line = String::new();
    if let (Some(host), Some(port)) = (&canonical.host, canonical.port) {
        let _ = write!(line, "host {host}, port {port}");
    }
    if let Some(path) = &canonical.path {
        let _ = write!(line, "{}path {path}", if line.is_empty() { "" } else { ", " });
    }
    if !line.is_empty() {
        step(out, "read as", &line)?;
    }
    step(out, "groups", &canonical.groups.join(", "))?;
    canonical.notes.iter().try_for_each(|note| step(out, "note", note))
}

/// The entries that were looked at.
fn looks(name: &str, looks: &Looks, out: &mut impl Write) -> io::Result<()> {
    if looks.looked_at.is_empty() {
        return step(out, name, "none is for this caller and this host");
    }
    for looked in &looks.looked_at {
        step(out, name, &said(looked))?;
    }
    match looks.more {
        0 => Ok(()),
        more => step(out, "", &format!("and {more} more")),
    }
}

fn said(looked: &Looked) -> String {
    let dry_run = if looked.dry_run { " (dry-run)" } else { "" };
    format!("{}: {}{dry_run}", looked.id, looked.detail)
}

/// Writes the decision and the line of the policy that made it.
fn decision(walk: &Walk, files: &[File], out: &mut Out) -> io::Result<()> {
    let decided = &walk.decision;
    let by = decided.rule.as_ref().map(|id| format!(", by {id}")).unwrap_or_default();
    let also = match decided.also.as_slice() {
        [] => String::new(),
        also => format!("; also {}", also.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    let title = format!("{}: {}{by}{also}", decided.decision, decided.reason);
    let level = match walk.outcome() {
        Outcome::Allow => report::Tone::Good,
        Outcome::WouldDeny => report::Tone::Mixed,
        Outcome::Deny | Outcome::Cut => report::Tone::Bad,
    };
    out.coloured(&report::statement(&title, level, decided.spot.place, files))?;
    writeln!(out)
}
