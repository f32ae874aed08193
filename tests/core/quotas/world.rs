//! The store that all threads share, with clocks, faults and a scheduler: at every call the turn may go to another
//! thread.

use fastrand::Rng;
use std::sync::{Condvar, Mutex, MutexGuard};
use tollgate::quota::{Memory, Now, SharedStore, Unavailable, Version};

/// Frequency of faults: each befalls one call in so many, or none if it is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A call fails.
    pub fails: u32,
    /// A value is not replaced, as if somebody had been faster.
    pub late: u32,
    /// Time passes before a call.
    pub moves: u32,
}

#[derive(Debug)]
struct Inner {
    memory: Memory,
    faults: Faults,
    rng: Rng,
    /// The thread whose turn it is, and those that take part.
    turn: usize,
    running: Vec<usize>,
}

#[derive(Debug)]
pub struct World {
    inner: Mutex<Inner>,
    turned: Condvar,
}

/// Calls and clock readings of one thread during one operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub failed: u32,
    pub late: u32,
    pub written: u32,
    pub monotonic: Option<(u64, u64)>,
    pub wall: Option<(u64, u64)>,
}

/// The world, as one thread sees it.
pub struct Handle<'w> {
    world: &'w World,
    id: usize,
    pub seen: Seen,
}

impl World {
    pub fn new(now: Now, faults: Faults, rng: Rng) -> World {
        let mut memory = Memory::default();
        memory.now = now;
        let inner = Inner { memory, faults, rng, turn: 0, running: Vec::new() };
        World { inner: Mutex::new(inner), turned: Condvar::new() }
    }

    pub fn now(&self) -> Now {
        self.inner.lock().unwrap().memory.now
    }

    pub fn set_now(&self, now: Now) {
        self.inner.lock().unwrap().memory.now = now;
    }

    pub fn set_faults(&self, faults: Faults) {
        self.inner.lock().unwrap().faults = faults;
    }

    /// Lets these threads take turns until each has [left](Handle::leave).
    pub fn run(&self, threads: &[usize]) {
        let mut inner = self.inner.lock().unwrap();
        inner.running = threads.to_vec();
        inner.next();
    }

    /// Takes no further turn once this is dropped.
    pub fn leaves(&self, id: usize) -> Leaves<'_> {
        Leaves(self, id)
    }

    pub fn handle(&self, id: usize) -> Handle<'_> {
        Handle { world: self, id, seen: Seen::default() }
    }
}

pub struct Leaves<'w>(&'w World, usize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.handle(self.1).leave();
    }
}

impl Inner {
    fn next(&mut self) {
        if let Some(turn) = self.rng.choice(&self.running) {
            self.turn = *turn;
        }
    }

    fn happens(&mut self, one_in: u32) -> bool {
        one_in > 0 && self.rng.u32(0..one_in) == 0
    }
}

impl<'w> Handle<'w> {
    /// Waits for its turn, does one thing, and passes the turn on.
    fn call<T>(&mut self, act: impl FnOnce(&mut Inner, &mut Seen) -> Result<T, Unavailable>) -> Result<T, Unavailable> {
        let mut inner = self.wait();
        let Faults { fails, moves, .. } = inner.faults;
        if inner.happens(moves) {
            let step = if inner.rng.bool() { inner.rng.u64(0..1_000_000) } else { inner.rng.u64(0..2_500_000_000) };
            let now = &mut inner.memory.now;
            (now.monotonic, now.wall) = (now.monotonic.saturating_add(step), now.wall.saturating_add(step));
        }
        let result = if inner.happens(fails) {
            self.seen.failed += 1;
            Err(Unavailable)
        } else {
            act(&mut inner, &mut self.seen)
        };
        inner.next();
        self.world.turned.notify_all();
        result
    }

    fn wait(&self) -> MutexGuard<'w, Inner> {
        let inner = self.world.inner.lock().unwrap();
        self.world.turned.wait_while(inner, |inner| inner.turn != self.id).unwrap()
    }

    /// Takes no further turn.
    pub fn leave(&self) {
        let mut inner = self.wait();
        inner.running.retain(|id| *id != self.id);
        inner.next();
        self.world.turned.notify_all();
    }
}

fn widen(range: &mut Option<(u64, u64)>, time: u64) {
    let (low, high) = range.unwrap_or((time, time));
    *range = Some((low.min(time), high.max(time)));
}

impl SharedStore for Handle<'_> {
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable> {
        self.call(|inner, _| inner.memory.read(key))
    }

    fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable> {
        self.call(|inner, saw| {
            let late = inner.faults.late;
            let written = !inner.happens(late) && inner.memory.replace(key, value, seen)?;
            if written {
                saw.written += 1;
            } else {
                saw.late += 1;
            }
            Ok(written)
        })
    }

    fn monotonic(&mut self) -> Result<u64, Unavailable> {
        self.call(|inner, saw| {
            widen(&mut saw.monotonic, inner.memory.now.monotonic);
            inner.memory.monotonic()
        })
    }

    fn wall(&mut self) -> Result<u64, Unavailable> {
        self.call(|inner, saw| {
            widen(&mut saw.wall, inner.memory.now.wall);
            inner.memory.wall()
        })
    }
}
