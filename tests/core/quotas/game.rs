//! One episode: threads that ask, flow, end and are lost, and the model that judges what came of it.

use super::bucket::Bucket;
use super::draw;
use super::held::{Held, Holding};
use super::terms::{Plan, Terms};
use super::thread::{Act, Done, Policy, Thread};
use super::world::{Faults, World};
use fastrand::Rng;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tollgate::quota::{Now, Overrun, Refusal, Unit};

const THREADS: usize = 3;

/// Counts of what happened, which show that a run covered it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub acts: u64,
    pub admitted: u64,
    pub exhausted: u64,
    pub unavailable: u64,
    pub cut: u64,
    pub contended: u64,
    /// Requests refused for what somebody else charged only for a moment, or for what a rate keeps of that.
    pub lost: u64,
    /// Buckets whose charges the model could not tell exactly.
    pub unexact: u64,
}

/// A request that was let through.
struct Request {
    policy: Arc<Policy>,
    identity: u32,
    /// One line for each quota.
    lines: Vec<Line>,
}

/// Account of one request with one quota.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// It was charged at the decision.
    charged: bool,
    /// Amount that flowed and was deferred.
    deferred: u64,
    /// Amount that flowed; nobody can tell whether it was charged.
    unsure: u64,
}

pub struct Game {
    pub world: World,
    pub threads: Vec<Thread>,
    policy: Arc<Policy>,
    faults: Faults,
    buckets: HashMap<(u64, String), Bucket>,
    requests: HashMap<u64, Request>,
    held: Held,
    vms: u32,
    /// True if the wall clock steps in this episode.
    steps: bool,
    /// Buckets that requests of different policies charged at once, or that the model lost sight of.
    murky: HashSet<(u64, String)>,
    pub tally: Tally,
}

impl Game {
    pub fn new(rng: &mut Rng, faults: Faults) -> Game {
        let world = World::new(draw::start(rng), faults, rng.fork());
        let threads = (0..THREADS).map(Thread::new).collect();
        Game {
            world,
            threads,
            policy: Arc::new(Policy::new(&draw::policy(rng))),
            faults,
            buckets: HashMap::new(),
            requests: HashMap::new(),
            held: Held::default(),
            vms: THREADS as u32,
            steps: rng.bool(),
            murky: HashSet::new(),
            tally: Tally::default(),
        }
    }

    /// Time passes, threads are lost, policies change.
    pub fn pass_time(&mut self, rng: &mut Rng) {
        let before = self.world.now();
        let now = draw::later(rng, before, self.steps);
        self.world.set_now(now);
        for (place, bucket) in &mut self.buckets {
            if !bucket.pass(before, now) {
                self.murky.insert(place.clone());
            }
        }
        if self.faults.late > 0 {
            // So many are faster in a row that one gives up.
            let late = if rng.u32(0..40) == 0 { 1 } else { self.faults.late };
            self.world.set_faults(Faults { late, ..self.faults });
        }
        if rng.u32(0..40) == 0 {
            self.vms += 1;
            self.threads[rng.usize(0..THREADS)].lose(self.vms);
        }
        if rng.u32(0..25) == 0 {
            let mut plans = self.policy.plans.clone();
            draw::update(rng, &mut plans);
            self.policy = Arc::new(Policy::new(&plans));
        }
    }

    fn act(rng: &mut Rng) -> Act {
        let number = rng.usize(0..100);
        let mut bytes = || match rng.u32(0..4) {
            0 => 0,
            1 => rng.u64(0..20),
            2 => rng.u64(0..2000),
            _ => rng.u64(0..3_000_000_000),
        };
        let (out, inward) = (bytes(), bytes());
        match rng.u32(0..13) {
            0..=5 => Act::Ask { identity: rng.u32(0..4), bytes: out % 1000 },
            6 | 7 => Act::Flow { open: number, out, inward, defer: rng.bool() },
            8 | 9 => Act::Settle { open: number },
            10 => Act::Collect { open: number },
            _ => Act::Beat,
        }
    }

    /// One thread does one thing.
    pub fn alone(&mut self, rng: &mut Rng) {
        let thread = rng.usize(0..THREADS);
        let act = Game::act(rng);
        self.world.run(&[thread]);
        let done = self.threads[thread].act(act, &self.policy, &self.world);
        self.world.handle(thread).leave();
        self.judge(&[done]);
    }

    /// All threads do something at once.
    pub fn together(&mut self, rng: &mut Rng) {
        let mut plans: Vec<Vec<Act>> = Vec::new();
        plans.resize_with(THREADS, || (0..rng.u32(1..=3)).map(|_| Game::act(rng)).collect());
        self.world.run(&(0..THREADS).collect::<Vec<_>>());
        let (policy, world) = (&self.policy, &self.world);
        let done: Vec<Done> = std::thread::scope(|scope| {
            let running: Vec<_> = self
                .threads
                .iter_mut()
                .zip(&plans)
                .map(|(thread, acts)| {
                    scope.spawn(move || {
                        let _leaves = world.leaves(thread.id);
                        acts.iter().map(|act| thread.act(*act, policy, world)).collect::<Vec<_>>()
                    })
                })
                .collect();
            running.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
        });
        self.judge(&done);
    }

    /// Checks everything that was done at the same time against the model.
    fn judge(&mut self, done: &[Done]) {
        let now = self.world.now();
        for bucket in self.buckets.values_mut() {
            (bucket.momentary, bucket.released, bucket.had_room) = (0, 0, true);
        }
        let mut before = HashMap::new();
        for act in done {
            self.tally.acts += 1;
            self.tally.contended += u64::from(act.contended);
            self.look(act, now, done.len() > 1, &mut before);
        }
        for act in done {
            match act.act {
                Act::Ask { identity, bytes } => self.asked(act, identity, bytes, now),
                Act::Flow { out, inward, .. } if act.deferred => self.deferred(act, out, inward),
                Act::Flow { out, inward, .. } => self.flowed(act, out, inward, now, done.len() == 1),
                // Whether it crosses a line is told when more flows.
                Act::Collect { .. } => self.flowed(act, 0, 0, now, false),
                Act::Settle { .. } => self.ended(act, now),
                Act::Beat => {
                    if self.threads[act.thread].is_member() {
                        self.held.sign(act.vm, now, act.seen.written > 0, false);
                    }
                }
            }
        }
        for act in done {
            self.check(act, now);
        }
    }

    /// Brings the buckets up to date with limit and time.
    fn look(&mut self, act: &Done, now: Now, at_once: bool, seen: &mut HashMap<(u64, String), Terms>) {
        // The flag says whether a charge is sure: nobody knows which of several charges a fault prevented, and what is
        // owed.
        let touched: Vec<(Plan, (u64, String), bool)> = match act.act {
            Act::Ask { identity, .. } => {
                self.policy.plans.iter().map(|plan| (plan.clone(), place(plan, identity), true)).collect()
            }
            Act::Flow { .. } if act.deferred => return,
            Act::Flow { .. } | Act::Collect { .. } | Act::Settle { .. } => {
                let Some(request) = act.request.and_then(|id| self.requests.get(&id)) else { return };
                let (out, inward) = if let Act::Flow { out, inward, .. } = act.act { (out, inward) } else { (0, 0) };
                let charge = |plan: &Plan, line: &Line| plan.bytes(out, inward).filter(|_| line.charged);
                request
                    .lines()
                    .filter_map(|(plan, line)| Some((plan, line, charge(plan, line)? + line.deferred)))
                    .filter(|(_, line, n)| n + line.unsure > 0)
                    .map(|(plan, _, n)| (plan.clone(), place(plan, request.identity), n > 0))
                    .collect()
            }
            Act::Beat => return,
        };
        let refused = self.policy.plans.iter().zip(&act.refusals).any(|(plan, of)| plan.enforced && of.is_some());
        for (number, (plan, place, sure)) in touched.into_iter().enumerate() {
            if at_once && *seen.entry(place.clone()).or_insert(plan.terms) != plan.terms {
                self.murky.insert(place.clone());
            }
            let charges = match act.act {
                Act::Ask { bytes, .. } => !refused && act.refusals[number].is_none() && plan.charge(bytes) > 0,
                _ => !act.is_troubled(),
            };
            let kept = sure && (charges || !act.is_troubled() && act.seen.late == 0);
            let bucket = self.buckets.entry(place.clone()).or_default();
            if !bucket.look(&plan, now, kept) {
                self.murky.insert(place);
            }
            bucket.had_room = bucket.least.has_room(&plan, now, 0);
        }
    }

    fn asked(&mut self, act: &Done, identity: u32, bytes: u64, now: Now) {
        let policy = Arc::clone(&self.policy);
        if policy.plans.iter().any(|plan| plan.unit == Unit::Concurrent) {
            self.held.sign(act.vm, now, act.seen.failed == 0 && act.contended == 0, true);
        }
        let refused = policy.plans.iter().zip(&act.refusals).any(|(plan, refusal)| plan.enforced && refusal.is_some());
        // True if something may have been charged for a moment, and may have stayed so.
        let phantom = refused && act.seen.written > 0 && (act.is_troubled() || act.seen.late > 0);
        let request = act.request.unwrap();
        let mut lines = Vec::new();
        for (plan, refusal) in policy.plans.iter().zip(&act.refusals) {
            let (place, n) = (place(plan, identity), plan.charge(bytes));
            let charged = !refused && refusal.is_none();
            lines.push(Line { charged, ..Line::default() });
            let bucket = self.buckets.get_mut(&place).unwrap();
            if charged {
                bucket.charge(plan, n, now);
                bucket.admit(plan, now);
            } else if phantom && refusal.is_none() {
                bucket.momentary += n;
                let may_stay = act.is_troubled() || matches!(plan.terms, Terms::Rate { .. });
                if may_stay && !bucket.charge_perhaps(plan, n, now) {
                    self.murky.insert(place.clone());
                }
            }
            let doubtful = phantom && refusal.is_none() && !act.settled;
            if plan.unit == Unit::Concurrent && (charged || doubtful) {
                self.held.holdings.push(Holding { bucket: place, request, vm: act.vm, doubtful });
            }
        }
        self.tally.admitted += u64::from(!refused);
        self.requests.insert(request, Request { policy, identity, lines });
    }

    fn deferred(&mut self, act: &Done, out: u64, inward: u64) {
        assert_eq!((act.seen.written, &act.crossing), (0, &None), "{act:?}");
        let request = act.request.and_then(|id| self.requests.get_mut(&id)).unwrap();
        for (plan, line) in request.policy.plans.iter().zip(&mut request.lines).filter(|(_, line)| line.charged) {
            line.deferred += plan.bytes(out, inward).unwrap_or_default();
            assert!(line.deferred <= plan.terms.most() / 64, "{act:?} {line:?}");
        }
    }

    fn flowed(&mut self, act: &Done, out: u64, inward: u64, now: Now, alone: bool) {
        let Some(request) = act.request.and_then(|id| self.requests.get_mut(&id)) else {
            return assert_eq!(act.crossing, None);
        };
        let (mut must_cut, mut may_cut, mut may_tell) = (false, false, false);
        for (plan, Line { charged, deferred, unsure }) in request.policy.plans.iter().zip(&mut request.lines) {
            let Some(n) = plan.bytes(out, inward).filter(|_| *charged) else { continue };
            let n = n + std::mem::take(deferred);
            let place = place(plan, request.identity);
            let bucket = self.buckets.entry(place.clone()).or_default();
            if act.is_troubled() {
                *unsure += n;
                if !bucket.charge_perhaps(plan, *unsure, now) {
                    self.murky.insert(place);
                }
                may_cut = true;
                continue;
            }
            let sure = *unsure == 0;
            bucket.least = bucket.least.charge(plan, n, now);
            bucket.most = bucket.most.charge(plan, n + std::mem::take(unsure), now);
            let cuts = plan.enforced && plan.overrun == Overrun::Cut;
            must_cut |= cuts && n > 0 && sure && bucket.least.is_over(plan, now);
            may_cut |= cuts && bucket.most.is_over(plan, now);
            may_tell |= !plan.enforced && bucket.most.is_over(plan, now);
        }
        let cut = act.crossing.as_ref().is_some_and(|crossing| crossing.cut);
        self.tally.cut += u64::from(cut);
        if alone {
            assert!(cut || !must_cut, "{act:?}");
            assert!(may_cut || !cut, "{act:?}");
            assert!(act.crossing.is_none() || may_cut || may_tell, "{act:?}");
        }
    }

    fn ended(&mut self, act: &Done, now: Now) {
        let Some(id) = act.request else { return };
        assert!(act.settled || act.is_troubled(), "{act:?}");
        if let Some(request) = self.requests.get_mut(&id) {
            for (plan, Line { deferred, unsure, .. }) in request.policy.plans.iter().zip(&mut request.lines) {
                let n = std::mem::take(deferred);
                if n + *unsure == 0 {
                    continue;
                }
                let place = place(plan, request.identity);
                let bucket = self.buckets.entry(place.clone()).or_default();
                if act.is_troubled() {
                    *unsure += n;
                } else {
                    bucket.charge(plan, n, now);
                }
                if !bucket.charge_perhaps(plan, *unsure, now) {
                    self.murky.insert(place);
                }
            }
        }
        for holding in self.held.holdings.iter_mut().filter(|holding| holding.request == id) {
            holding.doubtful = true;
            self.buckets.get_mut(&holding.bucket).unwrap().released += u64::from(!act.is_troubled());
        }
        if !act.is_troubled() {
            self.held.holdings.retain(|holding| holding.request != id);
        }
    }

    fn check(&mut self, act: &Done, now: Now) {
        let Act::Ask { identity, .. } = act.act else { return };
        let policy = Arc::clone(&self.policy);
        let refused = policy.plans.iter().zip(&act.refusals).any(|(plan, refusal)| plan.enforced && refusal.is_some());
        for (plan, refusal) in policy.plans.iter().zip(&act.refusals) {
            let place = place(plan, identity);
            let bucket = &self.buckets[&place];
            let (least, most) = self.held.count(&place, now);
            self.tally.unexact += u64::from(matches!(plan.terms, Terms::Rate { .. }) && bucket.least != bucket.most);
            let amount = if let Terms::Concurrent { amount } = plan.terms { amount } else { u64::MAX };
            let is_bytes = plan.bytes(0, 0).is_some();
            let why = || format!("{act:?}\n{plan:?}\n{bucket:?}\nheld {least} to {most} at {now:?}");
            match refusal {
                _ if self.murky.contains(&place) => {}
                None if refused => {}
                None if is_bytes => assert!(bucket.had_room, "over: {}", why()),
                None => assert!(!bucket.least.is_over(plan, now) && least <= amount, "over: {}", why()),
                Some(Refusal::Exhausted) => {
                    self.tally.exhausted += 1;
                    let is_held = plan.unit == Unit::Concurrent;
                    let most = most + bucket.released;
                    let is_full = |besides| {
                        if is_held { most + besides >= amount } else { !bucket.most.has_room(plan, now, besides) }
                    };
                    assert!(is_full(bucket.momentary), "under: {}", why());
                    let is_rate = matches!(plan.terms, Terms::Rate { .. });
                    let has_room = !is_full(0) || is_rate && bucket.least.has_room(plan, now, 0);
                    self.tally.lost += u64::from(has_room);
                }
                Some(Refusal::Unavailable) => {
                    self.tally.unavailable += 1;
                    assert!(act.is_troubled(), "{}", why());
                }
            }
        }
    }
}

impl Request {
    fn lines(&self) -> impl Iterator<Item = (&Plan, &Line)> {
        self.policy.plans.iter().zip(&self.lines)
    }
}

impl Done {
    /// A call failed, or others were faster too often.
    fn is_troubled(&self) -> bool {
        self.seen.failed > 0 || self.contended > 0
    }
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.acts += other.acts;
        self.admitted += other.admitted;
        self.exhausted += other.exhausted;
        self.unavailable += other.unavailable;
        self.cut += other.cut;
        self.contended += other.contended;
        self.lost += other.lost;
        self.unexact += other.unexact;
    }
}

fn place(plan: &Plan, identity: u32) -> (u64, String) {
    (plan.tag(), plan.key(identity))
}
