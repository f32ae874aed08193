//! The difference for people.

use crate::analysis::atoms::{Connections, Found, Part, list, rejoined};
use crate::analysis::diff::{Change, Difference, Kind};
use crate::output::report::table;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Lines of a kind that are shown unless all are asked for.
const FEW: usize = 50;
/// Lines that are shown though they speak of requests in unusual forms only.
const FEW_ODD: usize = 3;

/// Writes the difference. Accounts of the trust domain `own`, which is that of both policies, are shown in short.
pub(crate) fn write(difference: &Difference, all: bool, own: &str, out: &mut impl Write) -> io::Result<()> {
    let Difference { changes, quotas, settings, complete, .. } = difference;
    if changes.is_empty() && *complete {
        writeln!(out, "no change in what may be reached")?;
    }
    let mut gap = "";
    for (kind, head) in [
        (Kind::Reachable, "became reachable"),
        (Kind::Unreachable, "became unreachable"),
        (Kind::Recorded, "let through as before, recorded otherwise"),
    ] {
        let lines: Vec<&Found<Change>> = changes.iter().filter(|found| found.verdict.kind == kind).collect();
        if !lines.is_empty() {
            writeln!(out, "{gap}{head}")?;
            section(&lines, all, own, out)?;
            gap = "\n";
        }
    }
    if !complete {
        writeln!(
            out,
            "\nthe policies differ in more ways than were looked at: what is listed is so, what is not may be"
        )?;
    }
    if !quotas.is_empty() {
        writeln!(out, "\nquotas")?;
        let rows = quotas.iter().map(|quota| [quota.id.clone(), quota.direction.to_string(), quota.what.join("; ")]);
        table::write(["QUOTA", "BECAME", "WHAT"], rows, out)?;
    }
    if !settings.is_empty() {
        writeln!(out, "\nsettings")?;
        let rows = settings.iter().map(|setting| [setting.key.to_owned(), setting.old.clone(), setting.new.clone()]);
        table::write(["SETTING", "OLD", "NEW"], rows, out)?;
    }
    Ok(())
}

fn section(lines: &[&Found<Change>], all: bool, own: &str, out: &mut impl Write) -> io::Result<()> {
    let lines = &without_implied(lines);
    // requests in other forms follow those in the usual one
    let (usual, odd): (Vec<_>, Vec<_>) = lines.iter().partition(|found| found.ask.is_usual());
    let shown = if all { lines.len() } else { usual.len().clamp(FEW_ODD, FEW) };
    let rows = usual.into_iter().chain(odd).take(shown).map(|found: &&Found<Change>| {
        let Change { since, until, old, new, strength, .. } = &found.verdict;
        let mut what = found.ask.to_string();
        if let Some(since) = since {
            what = format!("from {} on: {what}", crate::read::clock::written(*since));
        }
        let places = match found.except.len() {
            0 => list(&found.places),
            pairs => format!("{} (but {pairs} pairs of identity and host)", list(&found.places)),
        };
        let until = until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        let who: Vec<Part<String>> = rejoined(&found.who).iter().map(|part| part.named(own)).collect();
        [list(&who), places, what, strength.to_string(), old.to_string(), format!("{new}{until}")]
    });
    table::write(["IDENTITY", "HOST", "REQUESTS", "STRENGTH", "OLD", "NEW"], rows, out)?;
    if let Some(more) = lines.len().checked_sub(shown).filter(|more| *more > 0) {
        writeln!(out, "and {more} more; `--all` shows them")?;
    }
    Ok(())
}

/// Lines without those about connections that a line about all requests says, too: its strength tells that.
fn without_implied<'f>(lines: &[&'f Found<Change>]) -> Vec<&'f Found<Change>> {
    let way = |found: &'f Found<Change>| {
        let Found { verdict, ask, who, places, except, .. } = found;
        (verdict, &ask.ports, ask.source, who, places, except)
    };
    let whole: BTreeSet<_> =
        lines.iter().filter(|found| found.ask.is_every_request()).map(|found| way(found)).collect();
    let is_implied = |found: &&&'f Found<Change>| {
        found.ask.connections.as_ref().is_some_and(Connections::are_plain) && whole.contains(&way(found))
    };
    lines.iter().filter(|found| !is_implied(found)).copied().collect()
}
