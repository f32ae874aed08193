//! Measuring on a machine that others use too: the clock is the thread's own CPU time, what is compared is interleaved,
//! medians are reported, and ratios are taken within one repetition.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tollgate::decision::{Authorizer, Buffers, Lookups, Outcome, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, Presented, Source};

use crate::shapes::Request;

/// No rule of the benchmarks expires.
const NOW: Timestamp = Timestamp(0);

/// A request as bytes, ready to be decided again and again.
#[derive(Clone, Debug)]
pub struct Prepared {
    identity: String,
    authority: String,
    path: String,
    /// The decision that the policy must make.
    pub allowed: bool,
}

impl Prepared {
    /// Prepares a request.
    pub fn new(request: &Request) -> Prepared {
        Prepared {
            identity: request.spiffe(),
            authority: request.authority.clone(),
            path: request.path.clone(),
            allowed: request.allowed,
        }
    }

    /// The request as the filter hands it to the core.
    pub fn arrival(&self) -> Arrival<'_> {
        Arrival {
            identity: Some(Presented { source: Source::PeerCertificate, id: self.identity.as_bytes() }),
            authority: self.authority.as_bytes(),
            method: b"GET",
            path: Some(self.path.as_bytes()),
            ..Arrival::default()
        }
    }
}

/// Passes through the requests, `rounds` of them.
#[derive(Debug)]
pub struct Passes<'a> {
    /// The policy that decides.
    pub policy: &'a Policy,
    /// The requests to decide.
    pub requests: &'a [Prepared],
    /// Number of passes through them.
    pub rounds: usize,
}

impl Passes<'_> {
    /// Nanoseconds a decision from raw bytes.
    pub fn decide(&self) -> f64 {
        let mut scratch = Scratch::default();
        self.time(self.requests, |request| {
            let judged = Authorizer::new(self.policy).decide(black_box(&request.arrival()), NOW, &mut scratch);
            black_box(judged).decision.outcome == Outcome::Allow
        })
    }

    /// Nanoseconds to make one request canonical: identity, authority, method and path.
    pub fn read(&self) -> f64 {
        let mut buffers = Buffers::default();
        self.time(self.requests, |request| {
            black_box(Authorizer::new(self.policy).read(black_box(&request.arrival()), &mut buffers)).is_ok()
                && request.allowed
        })
    }

    /// Nanoseconds a decision from canonical values.
    pub fn judge(&self) -> f64 {
        let mut buffers: Vec<Buffers> = self.requests.iter().map(|_| Buffers::default()).collect();
        let both = self.requests.iter().zip(&mut buffers);
        let read =
            both.filter_map(|(request, buffers)| Authorizer::new(self.policy).read(&request.arrival(), buffers).ok());
        let canonical: Vec<_> = read.collect();
        let mut lookups = Lookups::default();
        self.time(&canonical, |canonical| {
            let judged = Authorizer::new(self.policy).authorize(black_box(canonical), NOW, &mut lookups);
            black_box(judged).decision.outcome == Outcome::Allow
        })
    }

    /// # Panics
    /// If what is allowed differs from what the requests expect: such a measurement means nothing.
    fn time<T>(&self, items: &[T], mut allows: impl FnMut(&T) -> bool) -> f64 {
        let mut allowed = 0;
        let started = cpu_time();
        for _ in 0..self.rounds {
            for item in items {
                allowed += usize::from(allows(item));
            }
        }
        let elapsed = cpu_time() - started;
        let expected = self.requests.iter().filter(|request| request.allowed).count();
        assert_eq!(allowed, self.rounds * expected, "a wrong decision");
        elapsed.as_secs_f64() * 1e9 / (self.rounds * items.len()) as f64
    }
}

/// CPU time that this thread has used so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Milliseconds of one call.
pub fn milliseconds<T>(call: impl FnOnce() -> T) -> (f64, T) {
    let started = cpu_time();
    let result = call();
    ((cpu_time() - started).as_secs_f64() * 1e3, result)
}

/// The middle value.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

/// The median of the ratios of values measured side by side.
pub fn median_ratio(of: &[f64], to: &[f64]) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| of / to))
}

/// The quartiles: a quarter of the values is below the first, a quarter above the second.
pub fn quartiles(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    (values[last.div_ceil(4)], values[last - last.div_ceil(4)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn a_median_is_the_middle_or_between_the_two_middle_ones() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quartiles([5.0, 1.0, 2.0, 4.0, 3.0]), (2.0, 4.0));
    }
}
