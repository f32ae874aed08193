//! Requests that became reachable or unreachable, region by region.

use crate::analysis::atoms::{Analysis, Found, Inquiry, Layer, Place, Said, Side, Strengths, Who, Witness, merged};
use crate::analysis::strength::Strength;
use crate::analysis::unconfirmed::Unconfirmed;
use crate::read::document::{Document, Source};
use serde::Serialize;
use std::collections::BTreeSet;
use tollgate::decision::{Outcome, Scratch};

/// A change of the decision for some requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    pub(crate) kind: Kind,
    /// Begin of the change, in seconds since 1970, if it is not so yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<u64>,
    /// End of the new rule, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    pub(crate) old: Said,
    pub(crate) new: Said,
    /// The strength with which the way is held: by the policy that lets them through, by the weaker one if both do.
    pub(crate) strength: Strength,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// Denied before, let through now.
    Reachable,
    /// Let through before, denied now.
    Unreachable,
    /// Let through as before, and recorded otherwise.
    Recorded,
}

impl Kind {
    fn between(old: Outcome, new: Outcome) -> Option<Kind> {
        match (old != Outcome::Deny, new != Outcome::Deny) {
            (false, true) => Some(Kind::Reachable),
            (true, false) => Some(Kind::Unreachable),
            (true, true) if old != new => Some(Kind::Recorded),
            _ => None,
        }
    }
}

/// The changes; true if they are all.
pub(crate) fn between(old: &Side, new: &Side, now: u64) -> Result<(Vec<Found<Change>>, bool), Unconfirmed> {
    let mut analysis = Analysis::new(vec![&old.document, &new.document], now, false);
    let mut judge = Judge { old, new, scratch: Default::default(), strengths: Default::default() };
    let mut found = Vec::new();
    for (regions, inquiry) in inquiries(&analysis, &old.document, &new.document) {
        for (who, place) in regions {
            found.extend(analysis.region(&who, &place, inquiry, &mut |witness, times| judge.changes(witness, times)));
        }
    }
    let changes = merged(found);
    for change in &changes {
        judge.confirm(change)?;
    }
    Ok((changes, !analysis.is_sample))
}

/// Regions to look at, and the questions about each.
fn inquiries(analysis: &Analysis<'_>, old: &Document, new: &Document) -> Vec<(Vec<(Who, Place)>, Inquiry)> {
    let both = [old, new];
    let all_of = |whos: BTreeSet<Who>| -> Vec<(Who, Place)> {
        whos.iter().flat_map(|who| Place::everywhere().into_iter().map(move |place| (who.clone(), place))).collect()
    };
    let mut everyone: BTreeSet<Who> = both.into_iter().flat_map(Who::everyone).collect();
    everyone.insert(Who::Untrusted);
    let mut changed = analysis.changed_regions();
    if analysis.counts_untrusted() {
        let anonymous: Vec<_> = changed.iter().filter(|(who, _)| *who == Who::Anonymous).cloned().collect();
        changed.extend(anonymous.into_iter().map(|(_, place)| (Who::Untrusted, place)));
    }
    let sources = both.map(|document| document.sources());
    let [before, after] = &sources;
    let mut inquiries = Vec::new();
    // what both read alike they decide alike
    let most = if before == after { 1 } else { usize::MAX };
    let layers = [(Layer::Http, both.map(Document::default_port)), (Layer::Tcp, both.map(Document::connection_port))];
    let sources = before.union(after).take(most);
    for (source, (layer, [port_before, port_after])) in sources.flat_map(|source| layers.map(|layer| (source, layer))) {
        let by_principal = *source == Source::PeerPrincipal;
        let inquiry =
            Inquiry { layer, changed_only: true, names_port: true, by_principal, says_source: before != after };
        // what one of them ignores, or what each reads in another mode, may differ anywhere
        if !(before.contains(source) && after.contains(source)) || old.mode != new.mode {
            inquiries.push((all_of(everyone.clone()), Inquiry { changed_only: false, ..inquiry }));
        } else {
            inquiries.push((changed.clone(), inquiry));
            let [known_before, known_after] =
                both.map(|document| Who::everyone(document).into_iter().collect::<BTreeSet<_>>());
            let newcomers: BTreeSet<Who> = known_before.symmetric_difference(&known_after).cloned().collect();
            inquiries.push((all_of(newcomers), Inquiry { changed_only: false, ..inquiry }));
        }
        if port_before != port_after {
            inquiries.push((all_of(everyone.clone()), Inquiry { changed_only: false, names_port: false, ..inquiry }));
        }
    }
    inquiries
}

struct Judge<'s> {
    old: &'s Side,
    new: &'s Side,
    scratch: [Scratch; 2],
    strengths: [Strengths; 2],
}

impl Judge<'_> {
    /// Every kind of change, with the first time at which there is one.
    fn changes(&mut self, witness: &Witness, times: &[u64]) -> Vec<(Change, u64)> {
        let mut changes: Vec<(Change, u64)> = Vec::new();
        for since in std::iter::once(None).chain(times.iter().copied().map(Some)) {
            let later;
            let asked = match since {
                None => witness,
                Some(now) => {
                    later = witness.at(now);
                    &later
                }
            };
            let [of_old, of_new] = &mut self.scratch;
            let change = self.old.ask(asked, of_old, |old| {
                self.new.ask(asked, of_new, |new| {
                    let kind = Kind::between(old.decision.outcome, new.decision.outcome)?;
                    let is_known = changes.iter().any(|(change, _)| change.kind == kind);
                    (!is_known).then(|| (kind, Said::of(old), Said::of(new)))
                })
            });
            let Some((kind, old, new)) = change else { continue };
            let until = new.rule.as_ref().filter(|_| kind != Kind::Unreachable);
            let until = until.and_then(|id| self.new.ends.get(id).cloned());
            let [by_old, by_new] = &mut self.strengths;
            let strength = match kind {
                Kind::Reachable => by_new.of(self.new, asked),
                Kind::Unreachable => by_old.of(self.old, asked),
                Kind::Recorded => by_old.of(self.old, asked).max(by_new.of(self.new, asked)),
            };
            changes.push((Change { kind, since, until, old, new, strength }, asked.now()));
        }
        changes
    }

    /// Checks that both policies decide the witness, as it is written, as the line says.
    ///
    /// # Errors
    /// One of them decides otherwise.
    fn confirm(&mut self, found: &Found<Change>) -> Result<(), Unconfirmed> {
        let [of_old, of_new] = &mut self.scratch;
        let [old, new] =
            [(self.old, of_old), (self.new, of_new)].map(|(side, scratch)| side.confirm(&found.witness, scratch));
        let is_so = old.as_ref() == Some(&found.verdict.old) && new.as_ref() == Some(&found.verdict.new);
        if is_so {
            return Ok(());
        }
        Err(Unconfirmed(format!("a change is not confirmed by its request: {found:?}")))
    }
}
