//! Measuring on a machine that others use too: the clock is the thread's own CPU time, what is compared is interleaved,
//! medians are reported, and ratios are taken within one repetition.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tollgate::decision::{Outcome, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, Authority, Identity, Path, Presented, Source};

use crate::shapes::Request;

/// A request as bytes, ready to be decided again and again.
#[derive(Clone, Debug)]
pub struct Prepared {
    identity: String,
    authority: String,
    path: String,
    /// What the policy must decide.
    pub allowed: bool,
}

impl Prepared {
    /// Of this request.
    pub fn new(request: &Request) -> Prepared {
        Prepared {
            identity: request.spiffe(),
            authority: request.authority.clone(),
            path: request.path.clone(),
            allowed: request.allowed,
        }
    }

    /// As the filter hands it to the core.
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

/// Nanoseconds a decision from raw bytes, over `rounds` passes through the requests.
///
/// # Panics
/// If the policy decides otherwise than the requests expect: such a measurement means nothing.
pub fn decide(policy: &Policy, requests: &[Prepared], rounds: usize, scratch: &mut Scratch) -> f64 {
    let mut allowed = 0;
    let started = cpu_time();
    for _ in 0..rounds {
        for request in requests {
            let judged = policy.decide(black_box(&request.arrival()), Timestamp::default(), scratch);
            allowed += usize::from(black_box(judged).decision.outcome == Outcome::Allow);
        }
    }
    let elapsed = cpu_time() - started;
    assert_eq!(allowed, rounds * requests.iter().filter(|request| request.allowed).count(), "a wrong decision");
    elapsed.as_secs_f64() * 1e9 / (rounds * requests.len()) as f64
}

/// Nanoseconds for the canonical values of one request alone: identity, authority and path.
pub fn canonicalise(requests: &[Prepared], rounds: usize) -> f64 {
    let (mut authority, mut path) = (Vec::new(), Vec::new());
    let started = cpu_time();
    for _ in 0..rounds {
        for request in requests {
            let arrival = black_box(request.arrival());
            black_box(Authority::parse(arrival.authority, &mut authority));
            black_box(arrival.identity.and_then(|presented| Identity::parse(presented.id)));
            black_box(arrival.path.map(|bytes| Path::parse(bytes, &mut path)));
        }
    }
    (cpu_time() - started).as_secs_f64() * 1e9 / (rounds * requests.len()) as f64
}

/// What this thread has run so far.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn a_median_is_the_middle_or_between_the_two_middle_ones() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
