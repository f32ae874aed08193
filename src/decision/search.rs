//! The finds among the candidates of a request: what refuses, what admits, and what came nearest.

use super::question::{DenyMatch, Failures, Layer, MatchGoal, Question};
use super::{Failed, Reason};
use crate::index::{Candidate, Search};
use crate::model::TargetContext;
use crate::policy::STAGED;
use crate::timestamp::Timestamp;

/// The precedence of a match, most specific first: its host, whether it has paths, its place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Precedence {
    rank: u8,
    pathless: bool,
    number: u32,
}

impl Precedence {
    fn of(candidate: &Candidate<'_>) -> Precedence {
        let pathless = !candidate.target.has_paths();
        Precedence { rank: candidate.rank, pathless, number: candidate.number }
    }
}

/// The target that admits a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    precedence: Precedence,
    pub(super) rule: u32,
    /// Number of the region, or [`NONE`].
    pub(super) region: u32,
    /// Number of the named destination, or [`NONE`].
    pub(super) destination: u32,
    /// Address of the pattern that matched.
    pub(super) pattern: Option<u32>,
    pub(super) expires: Timestamp,
}

impl Admission {
    /// Tells whether the target names the host itself: not a wildcard, a network or `**`.
    pub(super) fn names_host(&self) -> bool {
        self.precedence.rank == 0
    }

    fn of(candidate: &Candidate<'_>, pattern: Option<u32>) -> Admission {
        Admission {
            precedence: Precedence::of(candidate),
            rule: candidate.target.entry,
            region: candidate.constraints.region,
            destination: candidate.constraints.destination,
            pattern,
            expires: candidate.constraints.expires,
        }
    }
}

/// The most specific target that admits.
pub(super) struct Admit<'q> {
    pub(super) question: &'q Question<'q>,
    pub(super) best: Option<Admission>,
}

impl Search for Admit<'_> {
    fn wants_misses(&self) -> bool {
        // what admits a connection may have paths, which it sets aside
        matches!(self.question.layer, Layer::Tcp(_))
    }

    #[inline]
    fn is_open(&self, rank: u8) -> bool {
        self.best.is_none_or(|best| rank <= best.precedence.rank)
    }

    #[inline]
    fn look(&mut self, candidate: Candidate<'_>) {
        if self.best.is_some_and(|best| best.precedence <= Precedence::of(&candidate)) {
            return;
        }
        let found = self.question.narrowly(&candidate, TargetContext::Rule, MatchGoal::Admit);
        if found.failures == Failures::NONE {
            self.best = Some(Admission::of(&candidate, found.pattern));
        }
    }
}

/// Tells whether a target of a rule admits.
pub(super) fn admits(candidate: &Candidate<'_>, question: &Question<'_>) -> bool {
    question.narrowly(candidate, TargetContext::Rule, MatchGoal::Admit).failures == Failures::NONE
}

/// Tells whether a target of an exception matches.
pub(super) fn excepts(candidate: &Candidate<'_>, question: &Question<'_>) -> bool {
    question.narrowly(candidate, TargetContext::Exception, MatchGoal::Admit).failures == Failures::NONE
}

/// The targets of rules where none admits.
#[derive(Default)]
pub(super) struct Unmatched {
    /// The most specific target that only its expiry kept from admitting.
    pub(super) expired: Option<Admission>,
    /// Some target would have admitted the request in a plain form.
    pub(super) form: bool,
    /// Some target would have admitted the connection with another beginning.
    pub(super) hello: bool,
    /// The nearest: its first failure, the later the nearer, and the rule.
    nearest: Option<(std::cmp::Reverse<Failed>, Precedence, u32)>,
}

impl Unmatched {
    /// The rule that came nearest, and what of it failed first.
    pub(super) fn nearest(&self) -> Option<(u32, Failed)> {
        self.nearest.map(|(failed, _, rule)| (rule, failed.0))
    }

    /// Takes in a candidate that does not admit.
    pub(super) fn add(&mut self, candidate: &Candidate<'_>, question: &Question<'_>) {
        let found = question.narrowly(candidate, TargetContext::Rule, MatchGoal::Explain);
        let Some(first) = first_failed(found.failures) else { return };
        self.form |= found.failures.is_form_only();
        self.hello |= found.failures == Failures::HELLO;
        if found.failures == Failures::EXPIRED {
            let found = Admission::of(candidate, found.pattern);
            if self.expired.is_none_or(|best| found.precedence < best.precedence) {
                self.expired = Some(found);
            }
        }
        let near = (std::cmp::Reverse(first), Precedence::of(candidate), candidate.target.entry);
        if self.nearest.is_none_or(|nearest| near < nearest) {
            self.nearest = Some(near);
        }
    }
}

/// The first thing that failed, in the order in which people read a target.
fn first_failed(failures: Failures) -> Option<Failed> {
    [
        (Failed::Port, [Failures::PORT; 2]),
        (Failed::Method, [Failures::METHOD, Failures::METHOD_FORM]),
        (Failed::Path, [Failures::PATH, Failures::PATH_FORM]),
        (Failed::Upgrade, [Failures::UPGRADE; 2]),
        (Failed::Hello, [Failures::HELLO; 2]),
        (Failed::Expired, [Failures::EXPIRED; 2]),
    ]
    .into_iter()
    .find(|(_, bits)| failures.has_any(*bits))
    .map(|(failed, _)| failed)
}

/// A deny entry that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refusal {
    pub(super) entry: u32,
    pub(super) how: DenyMatch,
}

impl Refusal {
    pub(super) fn reason(self) -> Reason {
        match self.how {
            DenyMatch::Certain => Reason::DenyRule,
            DenyMatch::Ambiguous => Reason::RequestAmbiguous,
        }
    }
}

/// The first deny entry that matches and exempts nothing of the request.
pub(super) struct Refuse<'q, E> {
    pub(super) question: &'q Question<'q>,
    /// Tells whether an entry leaves the request out.
    pub(super) is_exempt: E,
    pub(super) first: Option<Refusal>,
}

impl<E: FnMut(u32) -> bool> Search for Refuse<'_, E> {
    fn wants_misses(&self) -> bool {
        self.question.is_ambiguous()
    }

    #[inline]
    fn is_open(&self, _: u8) -> bool {
        true
    }

    #[inline]
    fn look(&mut self, candidate: Candidate<'_>) {
        let entry = candidate.target.entry;
        let least = Refusal { entry, how: DenyMatch::Certain };
        if self.first.is_some_and(|first| first <= least) {
            return;
        }
        if let Some(how) = self.question.widely(&candidate) {
            let refusal = Refusal { entry, how };
            if self.first.is_none_or(|first| refusal < first) && !(self.is_exempt)(entry) {
                self.first = Some(refusal);
            }
        }
    }
}

/// The first deny entries in dry-run that match and exempt nothing of the request, in file order.
pub(super) struct Stage<'f> {
    pub(super) found: &'f mut Vec<Refusal>,
}

impl Stage<'_> {
    /// Tells whether a candidate could still change what is found.
    pub(super) fn wants(&mut self, candidate: &Candidate<'_>) -> bool {
        let (place, known) = self.place(candidate.target.entry);
        place < STAGED as usize && known.is_none_or(|refusal| refusal.how != DenyMatch::Certain)
    }

    /// Adds an entry that matches, unless it leaves the request out.
    pub(super) fn add(&mut self, entry: u32, how: DenyMatch, is_exempt: impl FnOnce(u32) -> bool) {
        let (place, known) = self.place(entry);
        match known {
            Some(refusal) => refusal.how = refusal.how.min(how),
            None if is_exempt(entry) => {}
            None => {
                self.found.insert(place, Refusal { entry, how });
                self.found.truncate(STAGED as usize);
            }
        }
    }

    fn place(&mut self, entry: u32) -> (usize, Option<&mut Refusal>) {
        let place = self.found.partition_point(|refusal| refusal.entry < entry);
        (place, self.found.get_mut(place).filter(|refusal| refusal.entry == entry))
    }
}
