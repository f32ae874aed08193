//! The state of one bucket, and its charges: pure functions of state, limit and time.

use super::calendar::Calendar;
use super::rate::Rate;
use super::{Limit, Unit};

/// The stored state of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: it is at rest.
    #[default]
    Rest,
    /// A rate: the theoretical arrival time (GCRA's `tat`), at which its debt will be paid, in nanoseconds of the monotonic
    /// clock; and the [`Rate::config_hash`] of the rate that charged it.
    Rate { tat: u64, config_hash: u32 },
    /// A calendar window, and the units used in it; [`USED_UP`] whatever the limit is.
    Window { calendar: Calendar, window: u32, used: u64 },
    /// The requests in flight, by member.
    Held(Vec<Holding>),
}

/// Requests in flight in one VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    /// Number of the member.
    pub(super) member: u32,
    pub(super) count: u32,
}

/// Used up, whatever the limit is or becomes.
pub(super) const USED_UP: u64 = u64::MAX;

/// A `tat` that never comes: the debt ends behind the clock's end, and counts as larger than any other.
const NEVER: u64 = u64::MAX;

/// Tolerated clock skew between threads, in nanoseconds: a `tat` further ahead of a full debt than this was not written by
/// us.
const CLOCK_SKEW: u64 = 1_000_000_000;

/// The two clocks, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since some moment; never goes back.
    pub monotonic: u64,
    /// Since 1970-01-01T00:00:00Z.
    pub wall: u64,
}

/// A stored state made fit for the limit and the time: the state before a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Normalized {
    pub(super) state: State,
    /// The state was mended, which has to be saved even if nothing is charged.
    pub(super) mended: bool,
    /// The stored state came from a foreign writer.
    pub(super) foreign: bool,
}

/// The level of a bucket, as the record and the answer tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Units used; of a rate, the units that its debt is worth.
    pub used: u64,
    /// Units left at once.
    pub left: u64,
    /// Nanoseconds until nothing is used, if that is known.
    pub reset: Option<u64>,
    /// Nanoseconds until a charge of one can succeed, if that is known.
    pub retry: Option<u64>,
}

impl State {
    /// Returns the state that a value of unknown form stands for: full debt, used up, nothing held.
    pub(super) fn full(limit: &Limit, now: Now) -> State {
        match limit {
            Limit::Rate(rate) => State::Rate {
                tat: now.monotonic.saturating_add(rate.burst_tolerance()),
                config_hash: rate.config_hash(),
            },
            Limit::Window(calendar, _) => {
                State::Window { calendar: *calendar, window: calendar.window(now.wall), used: USED_UP }
            }
            Limit::Concurrent(_) => State::Rest,
        }
    }

    /// Tells whether it can give up its slot: no debt, the window past, nothing in flight.
    pub(super) fn is_at_rest(&self, now: Now) -> bool {
        match self {
            State::Rest => true,
            State::Rate { tat, .. } => *tat <= now.monotonic && *tat < NEVER,
            State::Window { calendar, window, .. } => *window < calendar.window(now.wall),
            State::Held(holdings) => holdings.is_empty(),
        }
    }

    /// Makes a stored state fit for the limit and the time.
    pub(super) fn normalize(self, unit: Unit, limit: &Limit, now: Now) -> Normalized {
        let as_it_is = |state| Normalized { state, mended: false, foreign: false };
        match (limit, self) {
            (_, State::Rest) => as_it_is(State::Rest),
            (Limit::Rate(rate), State::Rate { tat, config_hash }) => normalize_rate(unit, rate, tat, config_hash, now),
            (Limit::Window(calendar, _), State::Window { calendar: stored, window, used }) if *calendar == stored => {
                let current = calendar.window(now.wall);
                if window < current {
                    as_it_is(State::Rest)
                } else if window <= current.saturating_add(1) {
                    as_it_is(State::Window { calendar: stored, window, used })
                } else {
                    // the clock went back by more than a window
                    Normalized { state: State::full(limit, now), mended: true, foreign: false }
                }
            }
            (Limit::Concurrent(_), State::Held(holdings)) => as_it_is(State::Held(holdings)),
            (limit, _) => Normalized { state: State::full(limit, now), mended: true, foreign: true },
        }
    }

    /// Charges units, whether there is room or not. [`Level::left`] of what comes out does not tell whether
    /// there was; ask [`State::has_room`] before. None where the `tat` cannot be told.
    pub(super) fn charge(self, limit: &Limit, n: u64, member: u32, now: Now) -> Option<State> {
        Some(match limit {
            Limit::Rate(rate) => {
                let tat = self.debt(now).saturating_add(rate.cost(n)).saturating_add(now.monotonic);
                State::Rate { tat, config_hash: rate.config_hash() }
            }
            Limit::Window(calendar, _) => {
                let (window, used) = match self {
                    State::Window { window, used, .. } => (window, used),
                    _ => (calendar.window(now.wall), 0),
                };
                State::Window { calendar: *calendar, window, used: used.saturating_add(n) }
            }
            Limit::Concurrent(_) => {
                let mut holdings = self.into_holdings();
                let more = u32::try_from(n).ok()?;
                match holdings.iter_mut().find(|holding| holding.member == member) {
                    Some(holding) => holding.count = holding.count.checked_add(more)?,
                    None => holdings.push(Holding { member, count: more }),
                }
                State::Held(holdings)
            }
        })
    }

    /// Tells whether a request may pass: a charge of one fits, or, where bytes are counted, the bucket is not exhausted.
    pub(super) fn has_room(&self, unit: Unit, limit: &Limit, now: Now) -> bool {
        match limit {
            Limit::Rate(rate) if unit.is_bytes() => self.debt(now) < rate.burst_tolerance(),
            Limit::Rate(rate) => {
                self.debt(now).checked_add(rate.cost(1)).is_some_and(|debt| debt <= rate.burst_tolerance())
            }
            Limit::Window(_, amount) => self.used() < *amount,
            Limit::Concurrent(amount) => self.held() < *amount,
        }
    }

    /// Tells whether more is used than the limit allows.
    pub(super) fn is_over(&self, limit: &Limit, now: Now) -> bool {
        match limit {
            Limit::Rate(rate) => self.debt(now) > rate.burst_tolerance(),
            Limit::Window(_, amount) => self.used() > *amount,
            Limit::Concurrent(amount) => self.held() > *amount,
        }
    }

    /// Takes a charge back. `before` and `after` are the states that the charge was made from and to: where nothing has
    /// happened since, `before` is back exactly. Else a rate keeps the charge: part of it may be paid already.
    pub(super) fn take_back(self, before: &State, after: &State, n: u64, member: u32) -> State {
        if self == *after {
            return before.clone();
        }
        match (self, after) {
            (State::Window { calendar, window, used }, State::Window { window: charged, .. })
                if window == *charged && used != USED_UP =>
            {
                State::Window { calendar, window, used: used.saturating_sub(n) }
            }
            (State::Held(holdings), _) => State::Held(release(holdings, n, member)),
            (state, _) => state,
        }
    }

    /// Gives back what a member held.
    pub(super) fn release(self, n: u64, member: u32) -> State {
        match self {
            State::Held(holdings) => State::Held(release(holdings, n, member)),
            state => state,
        }
    }

    /// Drops what was held by members that are gone; true if there was any.
    pub(super) fn forget(&mut self, is_gone: impl Fn(u32) -> bool) -> bool {
        let State::Held(holdings) = self else { return false };
        let before = holdings.len();
        holdings.retain(|holding| !is_gone(holding.member));
        holdings.len() < before
    }

    /// Returns its level.
    pub(super) fn level(&self, limit: &Limit, now: Now) -> Level {
        match limit {
            Limit::Rate(rate) => {
                let debt = self.debt(now);
                let wait = debt.saturating_add(rate.cost(1)).saturating_sub(rate.burst_tolerance());
                let used = rate.units(debt);
                Level { used, left: rate.burst().saturating_sub(used), reset: Some(debt), retry: Some(wait) }
            }
            Limit::Window(calendar, amount) => {
                let window = match self {
                    State::Window { window, .. } => *window,
                    _ => calendar.window(now.wall),
                };
                let rest = calendar.end(window).saturating_sub(now.wall);
                let used = self.used().min(if self.used() == USED_UP { *amount } else { u64::MAX });
                let left = amount.saturating_sub(used);
                Level { used, left, reset: Some(rest), retry: Some(if left > 0 { 0 } else { rest }) }
            }
            Limit::Concurrent(amount) => {
                let used = self.held();
                Level { used, left: amount.saturating_sub(used), reset: None, retry: None }
            }
        }
    }

    fn debt(&self, now: Now) -> u64 {
        match self {
            State::Rate { tat: NEVER, .. } => NEVER,
            State::Rate { tat, .. } => tat.saturating_sub(now.monotonic),
            _ => 0,
        }
    }

    fn used(&self) -> u64 {
        match self {
            State::Window { used, .. } => *used,
            _ => 0,
        }
    }

    fn held(&self) -> u64 {
        match self {
            State::Held(holdings) => {
                holdings.iter().fold(0, |sum, holding| sum.saturating_add(u64::from(holding.count)))
            }
            _ => 0,
        }
    }

    fn into_holdings(self) -> Vec<Holding> {
        match self {
            State::Held(holdings) => holdings,
            _ => Vec::new(),
        }
    }
}

/// Normalizes a rate. A changed one keeps the debt in time, up to the new full debt. An unchanged one of requests has no larger debt by
/// itself; one of bytes may, since streams that cross the line still owe.
fn normalize_rate(unit: Unit, rate: &Rate, tat: u64, config_hash: u32, now: Now) -> Normalized {
    let full = now.monotonic.saturating_add(rate.burst_tolerance());
    let changed = config_hash != rate.config_hash();
    let foreign = !changed && unit == Unit::Requests && tat > full.saturating_add(CLOCK_SKEW);
    let mended = tat > full && changed || foreign;
    let state = State::Rate { tat: if mended { full } else { tat }, config_hash: rate.config_hash() };
    Normalized { state, mended, foreign }
}

fn release(mut holdings: Vec<Holding>, n: u64, member: u32) -> Vec<Holding> {
    if let Some(holding) = holdings.iter_mut().find(|holding| holding.member == member) {
        holding.count = holding.count.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
    }
    holdings.retain(|holding| holding.count > 0);
    holdings
}
