//! The walk to a decision, step by step.

use super::edit::Edit;
use super::looked::{Looked, Verdict};
use super::spot::Spot;
use crate::analysis::further::FurtherShown;
use crate::analysis::strength::Strength;
use crate::read::Loaded;
use serde::Serialize;
use tollgate::decision::Outcome;

/// A decision, and everything that led to it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Walk {
    pub(crate) request: Asked,
    pub(crate) canonical: Canonical,
    pub(crate) deny: Looks,
    pub(crate) rules: Looks,
    /// The residency entries of the identity.
    pub(crate) residency: Vec<Named>,
    /// Parts of the policy that are in dry-run for this request, in words.
    pub(crate) dry_run: Vec<String>,
    pub(crate) quotas: Vec<Charge>,
    /// The strength with which its way is held, if it is let through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strength: Option<Strength>,
    pub(crate) decision: Decided,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why_not: Option<WhyNot>,
    #[serde(skip)]
    pub(crate) outcome: Option<Outcome>,
}

/// A request as it was asked about.
#[derive(Debug, Serialize)]
pub(crate) struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<String>,
    /// Left out for HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    pub(crate) authority: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// The server name in the caller's own TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sni: Option<String>,
    /// The caller's own TLS in words; none for HTTP.
    #[serde(skip)]
    pub(crate) tls: Option<String>,
}

/// Canonical form of the request.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Canonical {
    /// Absent where the request counts as anonymous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<String>,
    /// The groups that it belongs to: `service account a/b`, `namespace a`, `workloads ci`, `any`, or `anonymous`.
    pub(crate) groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Values that were changed, taken for granted, or refused, a line each.
    pub(crate) notes: Vec<String>,
}

/// The entries of a list that could speak of the request.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Looks {
    pub(crate) looked_at: Vec<Looked>,
    /// Number of further entries, which were not looked at.
    pub(crate) more: usize,
}

/// An entry, and where it stands.
#[derive(Debug, Serialize)]
pub(crate) struct Named {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) spot: Spot,
    pub(crate) detail: String,
}

/// A quota that the request is charged to.
#[derive(Debug, Serialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) spot: Spot,
    /// As the policy writes it.
    pub(crate) limit: String,
    /// The key of the bucket.
    pub(crate) key: String,
    pub(crate) used: u64,
    pub(crate) of: u64,
    pub(crate) enforced: bool,
}

/// The decision, and the place of the entry that made it.
#[derive(Debug, Serialize)]
pub(crate) struct Decided {
    pub(crate) decision: &'static str,
    pub(crate) reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
    #[serde(flatten)]
    pub(crate) spot: Spot,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) also: Vec<FurtherShown>,
}

impl Walk {
    /// Outcome of the decision.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome.unwrap_or(Outcome::Deny)
    }

    /// Tells whether the verdicts found entry by entry agree with the decision that was made at once.
    pub(crate) fn agrees(&self) -> bool {
        let admits = |looked: &&Looked| looked.verdict == Verdict::Admits;
        let enforced =
            self.deny.looked_at.iter().filter(|looked| looked.verdict == Verdict::Matches && !looked.dry_run);
        let rule = self.decision.rule.as_deref();
        let is_named = |looked: &Looked| Some(looked.id.as_str()) == rule;
        let admitting: Vec<_> = self.rules.looked_at.iter().filter(admits).collect();
        let denying: Vec<_> = enforced.collect();
        match self.decision.reason {
            "RULE_ALLOW" => admitting.iter().any(|looked| is_named(looked)) && denying.is_empty(),
            "DENY_RULE" if self.decision.decision == "deny" => denying.iter().any(|looked| is_named(looked)),
            "NO_MATCH" | "IDENTITY_MISSING" | "RULE_EXPIRED" | "SNI_MISSING" => {
                admitting.is_empty() && denying.is_empty()
            }
            "RESIDENCY" => (!admitting.is_empty() || self.rules.more > 0) && denying.is_empty(),
            _ => true,
        }
    }

    /// Adds a note.
    pub(crate) fn note(&mut self, note: Option<String>) {
        self.canonical.notes.extend(note);
    }

    /// Finds where everything stands in the files.
    pub(crate) fn locate(&mut self, loaded: &Loaded) {
        let spots = self.deny.looked_at.iter_mut().chain(&mut self.rules.looked_at).map(|looked| &mut looked.spot);
        let spots = spots.chain(self.residency.iter_mut().map(|named| &mut named.spot));
        let spots = spots.chain(self.quotas.iter_mut().map(|charge| &mut charge.spot));
        let mut spots: Vec<&mut Spot> = spots.chain([&mut self.decision.spot]).collect();
        let pointers: Vec<String> = spots.iter().map(|spot| spot.pointer.clone()).collect();
        for (spot, place) in spots.iter_mut().zip(loaded.places(&pointers)) {
            spot.place = place.filter(|_| !spot.pointer.is_empty());
            if let Some(file) = spot.place.and_then(|place| loaded.files.get(place.file)) {
                spot.file = Some(file.path().to_owned());
                spot.line = spot.place.map(|place| file.position(place.start).line);
            }
        }
    }
}

/// Ways to let a denied request through.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhyNot {
    /// The rule of this identity that comes nearest, and the first thing of it that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nearest: Option<Nearest>,
    /// Made together, they let the request through.
    pub(crate) edits: Vec<Edit>,
    /// Other ways that would do, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alternatives: Vec<String>,
    /// Advice where no edit of the policy is the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
}

/// A rule, and what of it failed.
#[derive(Debug, Serialize)]
pub(crate) struct Nearest {
    pub(crate) rule: String,
    pub(crate) failed: &'static str,
}
