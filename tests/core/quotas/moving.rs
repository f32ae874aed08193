//! Threads that decide while time passes: between any two calls to the store, and by up to seconds.

use super::draw::{self, SECOND};
use super::game::{Game, Tally};
use super::terms::{Plan, Terms, window};
use super::thread::{Act, Policy};
use super::world::{Faults, World};
use fastrand::Rng;
use std::collections::HashMap;
use std::sync::Arc;
use tollgate::quota::{Calendar, Now, Overrun, Unit};

const ACTS: usize = 30;

pub fn play(rng: &mut Rng) -> Tally {
    let mut game = Game::new(rng, Faults { moves: 4, ..Faults::default() });
    game.world.set_now(Now { monotonic: 1000 * SECOND, wall: 1_795_607_940 * SECOND });
    let plans: Vec<Plan> = (0..rng.u32(1..=3)).map(|id| plan(rng, id)).collect();
    let policy = Arc::new(Policy::new(&plans));
    let acts: Vec<Vec<Act>> = game
        .threads
        .iter()
        .map(|_| (0..ACTS).map(|_| Act::Ask { identity: rng.u32(0..2), bytes: 0 }).collect())
        .collect();
    let world: &World = &game.world;
    world.run(&[0, 1, 2]);
    let done: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = game
            .threads
            .iter_mut()
            .zip(&acts)
            .map(|(thread, acts)| {
                let policy = &policy;
                scope.spawn(move || {
                    let _leaves = world.leaves(thread.id);
                    acts.iter().map(|act| thread.act(*act, policy, world)).collect::<Vec<_>>()
                })
            })
            .collect();
        running.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let mut tally = Tally { acts: done.len() as u64, ..Tally::default() };
    let mut charges: HashMap<(usize, String), Vec<(u64, u64)>> = HashMap::new();
    for done in &done {
        let Act::Ask { identity, .. } = done.act else { continue };
        if done.refusals.iter().any(Option::is_some) {
            tally.exhausted += 1;
            continue;
        }
        tally.admitted += 1;
        for (number, plan) in plans.iter().enumerate() {
            let range = if matches!(plan.terms, Terms::Rate { .. }) { done.seen.monotonic } else { done.seen.wall };
            charges.entry((number, plan.key(identity))).or_default().extend(range);
        }
    }
    for ((number, _), charges) in &charges {
        check(&plans[*number], charges);
    }
    tally
}

fn plan(rng: &mut Rng, id: u32) -> Plan {
    let amount = rng.u64(1..=6);
    let terms = if rng.u32(0..3) > 0 {
        let per = draw::pick(rng, &[SECOND / 10, SECOND, 10 * SECOND]);
        Terms::Rate { amount, per, burst: rng.u64(1..=10), replicas: 1 }
    } else {
        Terms::Window { calendar: Calendar::Minute, amount: 3 * amount }
    };
    let keys = super::terms::Keys::Identity;
    Plan { id, unit: Unit::Requests, terms, keys, overrun: Overrun::Cut, enforced: true }
}

/// Each charge lies somewhere in its range of time.
fn check(plan: &Plan, charges: &[(u64, u64)]) {
    match plan.terms {
        Terms::Rate { .. } => {
            for (start, _) in charges {
                for (_, end) in charges.iter().filter(|(_, end)| end >= start) {
                    let within = charges.iter().filter(|(low, high)| low >= start && high <= end).count();
                    let promised = plan.terms.promise(end - start);
                    assert!(within as u128 <= promised, "{within} of {promised} within {} ns: {plan:?}", end - start);
                }
            }
        }
        Terms::Window { calendar, amount } => {
            let number = |wall| window(calendar, Now { monotonic: 0, wall });
            let mut windows: HashMap<u64, u64> = HashMap::new();
            for (low, high) in charges.iter().filter(|(low, high)| number(*low) == number(*high)) {
                let used = windows.entry(number(*low).max(number(*high))).or_default();
                *used += 1;
                assert!(*used <= amount, "{used} of {amount} in a window: {plan:?}");
            }
        }
        Terms::Concurrent { .. } => {}
    }
}
