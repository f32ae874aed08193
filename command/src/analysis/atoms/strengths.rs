//! The strength of the ways of witnesses, asked for one after another.

use super::side::Side;
use super::witness::Witness;
use crate::analysis::strength::Strength;
use tollgate::decision::Scratch;

/// Strengths by one policy. Many witnesses in a row share their way, so that the last answer is kept.
#[derive(Debug, Default)]
pub(crate) struct Strengths {
    scratch: Scratch,
    known: Option<(Witness, Strength)>,
}

impl Strengths {
    /// The strength with which this policy holds the way of a witness.
    pub(crate) fn of(&mut self, side: &Side, witness: &Witness) -> Strength {
        match &self.known {
            Some((known, strength)) if known.shares_way_with(witness) => *strength,
            _ => {
                let strength = side.strength(witness, &mut self.scratch);
                self.known = Some((witness.clone(), strength));
                strength
            }
        }
    }
}
