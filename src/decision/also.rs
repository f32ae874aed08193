//! Reasons that a dry-run suspended besides the one that is named.

use super::Reason;

/// The most that are kept of one request.
const MOST: usize = 16;

/// A further reason to refuse a request, and the entry that gave it, if one did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Further<'p> {
    /// The reason.
    pub reason: Reason,
    /// The id of the entry.
    pub rule: Option<&'p str>,
}

/// Further reasons, in the order of the decision; at most 16, and empty but for requests that are let through by
/// a dry-run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Also<'p>(Option<Box<Several<'p>>>);

/// At least one. Boxed, since decisions are moved and nearly all have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Several<'p> {
    reasons: Vec<Further<'p>>,
}

impl<'p> Also<'p> {
    /// None.
    pub const NONE: Also<'static> = Also(None);

    /// Adds one, if there is room.
    pub(crate) fn push(&mut self, further: Further<'p>) {
        let reasons = &mut self.0.get_or_insert_default().reasons;
        if reasons.len() < MOST {
            reasons.push(further);
        }
    }

    /// One after another, in the order of the decision.
    pub fn iter(&self) -> impl Iterator<Item = Further<'p>> + '_ {
        self.reasons().iter().copied()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn reasons(&self) -> &[Further<'p>] {
        self.0.as_ref().map_or(&[], |several| &several.reasons)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_kept_than_a_record_shows() {
        let mut also = Also::default();
        for _ in 0..40 {
            also.push(Further { reason: Reason::DenyRule, rule: Some("a") });
        }
        assert_eq!(also.iter().count(), MOST);
    }
}
