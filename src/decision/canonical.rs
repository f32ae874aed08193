//! The outcome of step 1: what the other steps ask about.

use super::Reason;
use super::pending_decision::{PendingDecision, Subject};
use super::question::{HttpQuestion, Layer, Question, QuestionPath};
use crate::request::Host;
use crate::timestamp::Timestamp;

/// The canonical values of a request or of a connection: the outcome of the first step.
#[doc(hidden)]
#[derive(Debug)]
pub struct Canonical<'s> {
    pub(super) subject: Subject<'s>,
    pub(super) host: Host<'s>,
    pub(super) port: u16,
    pub(super) layer: Layer<'s>,
    /// The path with `%2F` read as a separator.
    pub(super) slashed: Option<QuestionPath<'s>>,
    /// The reasons of the first step that a dry-run suspended.
    pub(super) suspended: [Option<Reason>; 2],
}

impl<'s> Canonical<'s> {
    /// Returns the decision as far as the first step has brought it.
    pub(super) fn pending(&self) -> PendingDecision<'s> {
        let mut pending = PendingDecision::default();
        for reason in self.suspended.into_iter().flatten() {
            pending.suspend(reason, None);
        }
        pending
    }

    pub(super) fn question(&self, now: Timestamp) -> Question<'s> {
        let Canonical { port, layer, .. } = *self;
        Question { port, layer, now }
    }

    /// Returns the question that closing targets are asked besides, where `%2F` is data to some of them: it may separate
    /// segments all the same.
    pub(super) fn slashed_question(&self, now: Timestamp) -> Option<Question<'s>> {
        let Layer::Http(http) = self.layer else { return None };
        let layer = Layer::Http(HttpQuestion { path: Some(self.slashed?), ..http });
        Some(Question { layer, ..self.question(now) })
    }
}
