//! Random policies and times.

use super::terms::{Keys, Plan, Terms};
use fastrand::Rng;
use tollgate::quota::{Calendar, Now, Overrun, Unit};

pub const SECOND: u64 = 1_000_000_000;
/// 2026-11-25T11:59:00Z, a Wednesday.
const BEFORE_NOON: u64 = 1_795_607_940 * SECOND;

pub fn policy(rng: &mut Rng) -> Vec<Plan> {
    (0..rng.u32(1..=4)).map(|id| plan(rng, id)).collect()
}

fn plan(rng: &mut Rng, id: u32) -> Plan {
    let unit = match rng.u32(0..6) {
        0..=2 => Unit::Requests,
        3 => pick(rng, &[Unit::BytesOut, Unit::BytesIn, Unit::Bytes]),
        _ => Unit::Concurrent,
    };
    let keys = pick(rng, &[Keys::Identity, Keys::Namespace, Keys::All]);
    let overrun = pick(rng, &[Overrun::Cut, Overrun::Finish]);
    Plan { id, unit, terms: terms(rng, unit), keys, overrun, enforced: rng.u32(0..4) > 0 }
}

fn terms(rng: &mut Rng, unit: Unit) -> Terms {
    let is_bytes = !matches!(unit, Unit::Requests | Unit::Concurrent);
    let most = if is_bytes { pick(rng, &[50, 5000, 10_000_000_019]) } else { pick(rng, &[1, 3, 10]) };
    let amount = rng.u64(1..=most);
    match rng.u32(0..3) {
        _ if unit == Unit::Concurrent => Terms::Concurrent { amount: rng.u64(1..=4) },
        0 | 1 => {
            let per = pick(rng, &[1, 7, 1_000_000, SECOND, 3 * SECOND, 60 * SECOND, 3600 * SECOND]);
            // Twice the limit at most, so that bursts of long rates stay below what a number can hold.
            Terms::Rate { amount, per, burst: rng.u64(1..=2 * amount), replicas: rng.u32(1..=3) }
        }
        _ => Terms::Window { calendar: pick(rng, &Calendar::ALL), amount },
    }
}

/// Another policy that keeps something of the one before.
pub fn update(rng: &mut Rng, policy: &mut Vec<Plan>) {
    let id = rng.u32(0..4);
    if !policy.iter().any(|plan| plan.id == id) {
        policy.push(plan(rng, id));
        return;
    }
    let at = rng.usize(0..policy.len());
    let Some(known) = policy.get_mut(at) else { return };
    let changed = plan(rng, known.id);
    match rng.u32(0..6) {
        0 => *known = changed,
        1 => known.enforced = changed.enforced,
        2 => known.keys = changed.keys,
        3 => drop(policy.swap_remove(at)),
        _ => {
            // the same kind, other numbers
            let other = terms(rng, known.unit);
            known.terms = match (known.terms, other) {
                (Terms::Window { calendar, .. }, Terms::Window { amount, .. }) => Terms::Window { calendar, amount },
                (before, after) if before.kind() == after.kind() => after,
                (before, _) => before,
            };
        }
    }
    if policy.is_empty() {
        policy.push(plan(rng, 0));
    }
}

pub fn start(rng: &mut Rng) -> Now {
    match rng.u32(0..8) {
        0 => Now { monotonic: 0, wall: 0 },
        1 => Now { monotonic: u64::MAX - rng.u64(0..100 * SECOND), wall: BEFORE_NOON },
        2 => Now { monotonic: 1000 * SECOND, wall: u64::MAX - rng.u64(0..7200 * SECOND) },
        _ => Now { monotonic: 1000 * SECOND, wall: BEFORE_NOON },
    }
}

/// Some time later. The wall clock may step at that, unless it is to go forward only.
pub fn later(rng: &mut Rng, now: Now, steps: bool) -> Now {
    let step = match rng.u32(0..12) {
        0..=3 => 0,
        4 => rng.u64(0..100),
        5 | 6 => rng.u64(0..10_000_000),
        7..=9 => rng.u64(0..2 * SECOND),
        10 => rng.u64(0..12 * SECOND),
        _ => pick(rng, &[SECOND, 60 * SECOND, 10 * SECOND, 10 * SECOND + 1, 3600 * SECOND]),
    };
    let monotonic = now.monotonic.saturating_add(step);
    let wall = now.wall.saturating_add(step);
    if !steps || rng.u32(0..10) > 0 {
        return Now { monotonic, wall };
    }
    let far = pick(rng, &[SECOND, 60 * SECOND, 120 * SECOND, 3600 * SECOND, 7200 * SECOND, 30 * 3600 * SECOND]);
    let wall = match rng.u32(0..10) {
        0 => 0,
        1 => u64::MAX - rng.u64(0..60 * SECOND),
        2 => BEFORE_NOON,
        3..=5 => wall.saturating_add(far),
        _ => wall.saturating_sub(far),
    };
    Now { monotonic, wall }
}

pub fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(0..from.len())]
}
