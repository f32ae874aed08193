//! Reach: which callers a policy lets through to which hosts.

use super::atoms::{Analysis, Ask, Found, Inquiry, Layer, Part, Place, Said, Side, Strengths, Who, Witness, merged};
use super::strength::Strength;
use super::unconfirmed::Unconfirmed;
use crate::read::document::Source;
use serde::{Serialize, Serializer};
use tollgate::decision::{Outcome, Scratch};

/// A question about callers and hosts.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) whos: Vec<Who>,
    pub(crate) places: Vec<Place>,
    /// The port of the requests; any port if none is given. The path and the method likewise.
    pub(crate) port: Option<u16>,
    pub(crate) path: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
}

/// Requests that are let through, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Passage {
    #[serde(flatten)]
    pub(crate) said: Said,
    /// The end of the rule's time, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<String>,
    /// The strength with which their way is held.
    pub(crate) strength: Strength,
    /// Ids of the quotas that they are charged to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) quotas: Vec<String>,
}

/// Everything that is let through of what was asked about.
#[derive(Debug, Serialize)]
pub(crate) struct Reach {
    /// True for a whole answer, false for a sample.
    pub(crate) complete: bool,
    #[serde(serialize_with = "lines")]
    pub(crate) reachable: Vec<Found<Passage>>,
}

impl Reach {
    /// Answers a question for a policy at a time, in seconds since 1970.
    ///
    /// # Errors
    /// A line is not borne out by the decision on its own request.
    pub(crate) fn of(side: &Side, question: &Question<'_>, now: u64) -> Result<Reach, Unconfirmed> {
        let mut analysis = Analysis::new(vec![&side.document], now, true);
        analysis.pin(question.port, question.method, question.path);
        let by_principal = !side.document.sources().contains(&Source::PeerCertificate);
        let inquiry =
            Inquiry { layer: Layer::Http, changed_only: false, names_port: true, by_principal, says_source: false };
        let mut asker = Asker { side, scratch: Scratch::default(), strengths: Strengths::default() };
        let mut found = Vec::new();
        for who in &question.whos {
            for place in &question.places {
                found.extend(analysis.region(who, place, inquiry, &mut |witness, _| {
                    asker.passage(witness).map(|passage| (passage, witness.now())).into_iter().collect()
                }));
            }
        }
        let reachable = merged(found);
        for line in &reachable {
            if side.confirm(&line.witness, &mut asker.scratch).as_ref() != Some(&line.verdict.said) {
                return Err(Unconfirmed(format!("a line is not confirmed by its request: {line:?}")));
            }
        }
        Ok(Reach { complete: !analysis.is_sample, reachable })
    }
}

/// A line of the list, as JSON has it.
#[derive(Debug, Serialize)]
struct Line<'f> {
    identities: &'f [Part<Who>],
    hosts: &'f [Part<Place>],
    #[serde(flatten)]
    ask: &'f Ask,
    #[serde(flatten)]
    passage: &'f Passage,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    except: &'f [(Part<Who>, Part<Place>)],
    witness: &'f Witness,
}

impl<'f> Line<'f> {
    fn of(found: &'f Found<Passage>) -> Self {
        let Found { verdict, ask, who, places, except, witness } = found;
        Line { identities: who, hosts: places, ask, passage: verdict, except, witness }
    }
}

fn lines<S: Serializer>(found: &[Found<Passage>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(found.iter().map(Line::of))
}

/// A policy, asked about requests one after another.
struct Asker<'s> {
    side: &'s Side,
    scratch: Scratch,
    strengths: Strengths,
}

impl Asker<'_> {
    /// Asks of a request whether it is let through, and why.
    fn passage(&mut self, witness: &Witness) -> Option<Passage> {
        let side = self.side;
        let (said, quotas) = side.ask(witness, &mut self.scratch, |judged| {
            let charged = judged.quotas.iter().filter_map(|metered| side.policy.quota(metered.number()));
            let quotas = charged.map(|quota| quota.id.to_string()).collect();
            (judged.decision.outcome != Outcome::Deny).then(|| (Said::of(judged), quotas))
        })?;
        let expires_at = said.rule.as_ref().and_then(|id| side.ends.get(id).cloned());
        Some(Passage { said, expires_at, strength: self.strengths.of(side, witness), quotas })
    }
}
