//! Quotas against a naive model of their definition: random policies, requests, clocks, faults and interleavings.
//!
//! The model keeps for each bucket the least and the most that can have been charged. They are the same unless a store
//! failed or threads got in each other's way, so that an admission has to fit the least, and a refusal the most.
//!
//! `TOLLGATE_QUOTAS_TIMES` sets how many times as many episodes there are, `TOLLGATE_QUOTAS_SEED` where they begin.

mod bucket;
mod draw;
mod game;
mod held;
mod moving;
mod terms;
mod thread;
mod world;

use fastrand::Rng;
use game::{Game, Tally};
use world::Faults;

/// Says which episode failed.
struct Named(&'static str, u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Named(test, seed) = self;
            eprintln!("again with: TOLLGATE_QUOTAS_SEED={seed} cargo test --test core quotas:: {test}");
        }
    }
}

fn for_each_episode(test: &'static str, episodes: u64, play: impl Fn(&mut Rng) -> Tally) {
    let setting = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let first = setting("TOLLGATE_QUOTAS_SEED", 1);
    let episodes = episodes * setting("TOLLGATE_QUOTAS_TIMES", 1);
    let mut tally = Tally::default();
    for seed in first..first + episodes {
        let _named = Named(test, seed);
        tally.add(&play(&mut Rng::with_seed(seed)));
    }
    println!("{test}: {tally:?}");
}

const ROUNDS: u32 = 80;

fn sequential(rng: &mut Rng, faults: Faults) -> Tally {
    let mut game = Game::new(rng, faults);
    for _ in 0..ROUNDS {
        game.pass_time(rng);
        game.alone(rng);
    }
    game.tally
}

#[test]
fn one_thread_after_another_is_admitted_and_refused_exactly_as_defined() {
    for_each_episode("one_thread_after_another", 500, |rng| {
        let tally = sequential(rng, Faults::default());
        assert_eq!((tally.lost, tally.unexact), (0, 0));
        tally
    });
}

#[test]
fn whoever_is_too_late_tries_again_and_charges_once() {
    for_each_episode("whoever_is_too_late", 300, |rng| sequential(rng, Faults { late: 4, ..Faults::default() }));
}

#[test]
fn a_store_and_clocks_that_fail_admit_nothing_too_much() {
    for_each_episode("a_store_and_clocks_that_fail", 300, |rng| {
        sequential(rng, Faults { fails: 25, late: 20, ..Faults::default() })
    });
}

#[test]
fn threads_at_once_admit_nothing_too_much_and_lose_nothing_but_to_each_other() {
    for_each_episode("threads_at_once", 120, |rng| {
        let faults = if rng.u32(0..4) == 0 { Faults { fails: 60, ..Faults::default() } } else { Faults::default() };
        let mut game = Game::new(rng, faults);
        for _ in 0..ROUNDS / 2 {
            game.pass_time(rng);
            game.together(rng);
        }
        game.tally
    });
}

#[test]
fn time_that_passes_while_threads_decide_breaks_no_promise() {
    for_each_episode("time_that_passes", 150, moving::play);
}
