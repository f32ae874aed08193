//! One bucket as the definition has it, twice: with the least that can have been charged, and with the most. They
//! differ only where a fault or somebody else came between.

use super::terms::{Plan, Terms, window};
use tollgate::quota::{Now, Unit};

/// Used up, whatever the limit.
const USED_UP: u128 = u128::MAX;

/// One bound of a bucket's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    #[default]
    Rest,
    /// `paid`: nanoseconds of the monotonic clock at which the debt is paid; `terms`: the limit under which that was
    /// reckoned.
    Rate {
        paid: u128,
        terms: Terms,
    },
    Window {
        window: u64,
        used: u128,
    },
}

#[derive(Clone, Debug, Default)]
pub struct Bucket {
    pub least: Side,
    pub most: Side,
    /// Charged by requests of this round that were refused after all, for a moment.
    pub momentary: u64,
    /// Times at which a charge of one was admitted, since the last change of the limit.
    pub history: Vec<u64>,
    pub terms: Option<Terms>,
    /// Given back in this round.
    pub released: u64,
    /// True if there was room at the beginning of this round.
    pub had_room: bool,
}

impl Side {
    /// The state as it counts now, under these terms.
    pub fn fit(self, plan: &Plan, now: Now) -> Side {
        match self {
            Side::Rest => Side::Rest,
            Side::Rate { paid, terms } => {
                // A changed limit keeps the debt in time, capped at the new full debt.
                let full = u128::from(now.monotonic) + plan.terms.full(plan.unit);
                Side::Rate { paid: if terms == plan.terms { paid } else { paid.min(full) }, terms: plan.terms }
            }
            Side::Window { window: stored, used } => {
                let Terms::Window { calendar, .. } = plan.terms else { panic!("another kind, the same bucket") };
                let current = window(calendar, now);
                match stored {
                    _ if stored < current => Side::Rest,
                    _ if stored <= current + 1 => Side::Window { window: stored, used },
                    _ => Side::Window { window: current, used: USED_UP },
                }
            }
        }
    }

    /// State that is stored once a request has looked at it: changed if the limit or the clock has changed.
    fn keep(self, plan: &Plan, now: Now) -> Side {
        let fit = self.fit(plan, now);
        let changes = match (self, fit) {
            (Side::Rate { paid, .. }, Side::Rate { paid: capped, .. }) => {
                paid != capped && !(self.is_never_paid() && fit.is_never_paid())
            }
            (Side::Window { window, .. }, Side::Window { window: current, .. }) => window != current,
            _ => false,
        };
        if changes { fit } else { self }
    }

    fn debt(self, now: Now) -> u128 {
        match self {
            Side::Rate { paid, .. } => paid.saturating_sub(now.monotonic.into()),
            _ => 0,
        }
    }

    fn used(self) -> u128 {
        match self {
            Side::Window { used, .. } => used,
            _ => 0,
        }
    }

    pub fn has_room(self, plan: &Plan, now: Now, besides: u64) -> bool {
        let (fit, is_bytes) = (self.fit(plan, now), plan.bytes(0, 0).is_some());
        match plan.terms {
            Terms::Rate { .. } if fit.is_never_paid() => false,
            Terms::Rate { .. } if is_bytes => fit.debt(now) < plan.terms.full(plan.unit),
            Terms::Rate { .. } => fit.debt(now) + plan.terms.cost(1) <= plan.terms.full(plan.unit),
            Terms::Window { amount, .. } => fit.used().saturating_add(besides.into()) < amount.into(),
            Terms::Concurrent { .. } => true,
        }
    }

    pub fn is_over(self, plan: &Plan, now: Now) -> bool {
        let fit = self.fit(plan, now);
        match plan.terms {
            Terms::Rate { .. } if plan.unit != Unit::Requests && fit.is_never_paid() => true,
            Terms::Rate { .. } => fit.debt(now) > plan.terms.full(plan.unit),
            Terms::Window { amount, .. } => fit.used() > amount.into(),
            Terms::Concurrent { .. } => false,
        }
    }

    pub fn charge(self, plan: &Plan, n: u64, now: Now) -> Side {
        if n == 0 {
            return self;
        }
        let fit = self.fit(plan, now);
        match plan.terms {
            Terms::Rate { .. } => {
                let paid = u128::from(now.monotonic) + fit.debt(now) + plan.terms.cost(n);
                Side::Rate { paid, terms: plan.terms }
            }
            Terms::Window { calendar, .. } => {
                let window = if let Side::Window { window, .. } = fit { window } else { window(calendar, now) };
                Side::Window { window, used: fit.used().saturating_add(n.into()) }
            }
            Terms::Concurrent { .. } => self,
        }
    }

    /// The greatest state, if nobody knows whether this is charged.
    fn charge_perhaps(self, plan: &Plan, n: u64, now: Now) -> Side {
        match (self, self.charge(plan, n, now)) {
            // A changed limit caps what was there only if it is charged.
            (Side::Rate { paid: before, .. }, Side::Rate { paid, .. }) if before > paid => self,
            (_, charged) => charged,
        }
    }

    /// Tells whether a charge would replace the terms under which the debt was reckoned.
    fn changes_terms(self, plan: &Plan) -> bool {
        matches!(self, Side::Rate { terms, .. } if terms != plan.terms)
    }

    /// A debt that ends with the clock's number, or behind it, does not end.
    fn is_never_paid(self) -> bool {
        matches!(self, Side::Rate { paid, .. } if paid >= u64::MAX.into())
    }
}

impl Bucket {
    /// Brings the state up to date for a request or its bytes. `kept`: the result was stored for sure.
    ///
    /// Returns false if nobody can tell any more what the bucket holds: the clock went back from a window, and that may
    /// be stored or not.
    pub fn look(&mut self, plan: &Plan, now: Now, kept: bool) -> bool {
        if self.terms != Some(plan.terms) {
            (self.terms, self.history) = (Some(plan.terms), Vec::new());
        }
        let is_told = kept
            || [self.least, self.most].into_iter().all(|side| match side {
                Side::Window { .. } => side == side.keep(plan, now),
                _ => true,
            });
        self.least = self.least.keep(plan, now);
        // A bucket at rest may have given up its place.
        if self.least.fit(plan, now) == Side::Rest {
            self.least = Side::Rest;
        }
        if kept {
            self.most = self.most.keep(plan, now);
        }
        is_told
    }

    /// Lets time pass. Returns false if nobody can tell any more what the bucket holds: the clock went back to a window
    /// whose bucket may have given up its place, or not.
    pub fn pass(&mut self, before: Now, now: Now) -> bool {
        let Some(Terms::Window { calendar, .. }) = self.terms else { return true };
        let is_told = now.wall >= before.wall || self.least == self.most;
        if matches!(self.least, Side::Window { window: stored, .. } if stored < window(calendar, now)) {
            self.least = Side::Rest;
        }
        is_told
    }

    pub fn charge(&mut self, plan: &Plan, n: u64, now: Now) {
        self.least = self.least.charge(plan, n, now);
        self.most = self.most.charge(plan, n, now);
    }

    /// Charges what may have been charged, or may not. Returns false if nobody can tell any more what the bucket holds:
    /// the cap on the debt depends on it the next time.
    pub fn charge_perhaps(&mut self, plan: &Plan, n: u64, now: Now) -> bool {
        let is_told = n == 0 || !self.most.changes_terms(plan);
        self.most = self.most.charge_perhaps(plan, n, now);
        is_told
    }

    /// Admits a request, which is charged one. Panics if an interval that ends now saw more than was promised.
    pub fn admit(&mut self, plan: &Plan, now: Now) {
        if plan.unit == Unit::Requests {
            self.history.push(now.monotonic);
            for (earlier, start) in self.history.iter().enumerate() {
                let (within, interval) = (self.history.len() - earlier, now.monotonic - start);
                let promised = plan.terms.promise(interval);
                assert!(within as u128 <= promised, "{within} of {promised} within {interval} ns: {plan:?}");
            }
        }
    }
}
