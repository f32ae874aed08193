//! Lists of what may be reached, for people.

use crate::analysis::atoms::{Found, Part, Place, list, rejoined};
use crate::analysis::reach::{Passage, Reach};
use crate::output::report::table;
use std::io::{self, Write};

/// A row of the table, and what it was made from.
struct ReachRow<'f> {
    found: &'f Found<Passage>,
    hosts: Vec<Part<Place>>,
    /// Hosts of the row for which another rule is named, with that rule.
    also: Vec<String>,
}

/// Writes a table; `nothing` where nothing may be reached. Accounts of the trust domain `own` are shown in short.
pub(crate) fn write(
    Reach { complete, reachable: found }: &Reach,
    nothing: &str,
    own: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    if found.is_empty() {
        return writeln!(out, "{}", if *complete { nothing } else { "nothing was found, in a sample" });
    }
    let rows = joined(found).into_iter().map(|ReachRow { found, hosts, also }| {
        let Passage { said, expires_at, strength, quotas } = &found.verdict;
        let mut notes: Vec<String> = expires_at.iter().map(|at| format!("until {at}")).collect();
        notes.extend((!quotas.is_empty()).then(|| format!("quotas {}", quotas.join(" "))));
        notes.extend((!found.except.is_empty()).then(|| format!("but {} pairs", found.except.len())));
        let who: Vec<Part<String>> = rejoined(&found.who).iter().map(|part| part.named(own)).collect();
        let by: Vec<String> = std::iter::once(said.to_string()).chain(also).collect();
        [list(&who), list(&hosts), found.ask.to_string(), strength.to_string(), by.join("; "), notes.join(", ")]
    });
    table::write(["IDENTITY", "HOST", "REQUESTS", "STRENGTH", "BY", "NOTES"], rows, out)?;
    if !*complete {
        writeln!(out, "the policy tells more apart than was looked at: what is listed is so, what is not may be")?;
    }
    Ok(())
}

/// Joins rows. A host that a wildcard's rule admits as well, though a nearer rule is named for it, stands with the
/// wildcard.
fn joined(found: &[Found<Passage>]) -> Vec<ReachRow<'_>> {
    let mut rows: Vec<ReachRow<'_>> = Vec::new();
    let is_inside = |inner: &Found<Passage>, wide: &Found<Passage>| {
        let alike = (&inner.who, &inner.ask, &inner.except) == (&wide.who, &wide.ask, &wide.except)
            && (&inner.verdict.expires_at, &inner.verdict.quotas) == (&wide.verdict.expires_at, &wide.verdict.quotas)
            && inner.verdict.strength == wide.verdict.strength
            && inner.verdict.said.decision == wide.verdict.said.decision;
        let left_out =
            |part: &Part<Place>| part.but.is_empty() && wide.places.iter().any(|wide| wide.but.contains(&part.of));
        alike && inner.except.is_empty() && inner.places.iter().all(left_out)
    };
    let wide_ones: Vec<_> = found.iter().filter(|wide| wide.places.iter().any(|part| !part.but.is_empty())).collect();
    for one in found {
        if wide_ones.iter().any(|wide| is_inside(one, wide)) {
            continue;
        }
        let (mut hosts, mut also) = (one.places.clone(), Vec::new());
        let is_wide = hosts.iter().any(|part| !part.but.is_empty());
        for inner in found.iter().filter(|inner| is_wide && is_inside(inner, one)) {
            for part in &mut hosts {
                part.but.retain(|but| !inner.places.iter().any(|part| part.of == *but));
            }
            also.push(format!(
                "{} also by {}",
                list(&inner.places),
                inner.verdict.said.rule.as_deref().unwrap_or_default()
            ));
        }
        rows.push(ReachRow { found: one, hosts, also });
    }
    rows
}
