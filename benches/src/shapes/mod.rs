//! The shapes of policy that the index must stand, at any number of rules, and requests to them. Everything is a
//! function of its arguments: two runs measure the same bytes.

mod policies;
mod requests;

use std::fmt;

/// A shape of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `n` rules, each one identity × one host × one path.
    A,
    /// One rule: `n` service accounts → one destination of `n` hosts.
    B,
    /// `n` rules of one identity, each to another host.
    C,
    /// `n` rules of an identity each, all to one host.
    D,
    /// One identity × one host with `n` path rules of the three cheap forms.
    E,
    /// `n` rules of two hosts each, one host in all of them.
    F,
    /// `n` deny entries on everyone, half of them networks and half hosts, below one rule that admits the rest.
    G,
    /// `n` rules of an identity each, to 10,000 names with a `*` inside, as many as a policy may have.
    H,
}

/// One request to a policy of a shape.
#[derive(Clone, Debug)]
pub struct Request {
    /// `namespace/name` of the service account.
    pub account: String,
    /// `:authority`.
    pub authority: String,
    /// `:path`.
    pub path: String,
    /// The decision that the policy must make.
    pub allowed: bool,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 8] = [Shape::A, Shape::B, Shape::C, Shape::D, Shape::E, Shape::F, Shape::G, Shape::H];

    /// Description in one line.
    pub fn about(self) -> &'static str {
        match self {
            Shape::A => "each rule one identity × one host × one path",
            Shape::B => "one rule, n service accounts → n hosts",
            Shape::C => "one identity, n hosts",
            Shape::D => "n identities, one host",
            Shape::E => "one identity × host, n paths",
            Shape::F => "two hosts a rule, one of them in all",
            Shape::G => "n deny entries (networks, hosts) on everyone",
            Shape::H => "n identities, 10,000 names with `*` inside",
        }
    }

    /// The policy with `n` rules, as Istio hands it over: compact JSON, keys sorted.
    pub fn policy(self, n: usize) -> String {
        policies::policy(self, n)
    }

    /// A request that rule `i` of `n` admits; `k` makes it differ from others.
    pub fn request(self, n: usize, i: usize, k: usize) -> Request {
        requests::allowed(self, n, i, k)
    }

    /// `count` distinct requests, every second one allowed.
    pub fn requests(self, n: usize, count: usize) -> Vec<Request> {
        requests::requests(self, n, count)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Request {
    /// The SPIFFE ID of its certificate.
    pub fn spiffe(&self) -> String {
        let (namespace, name) = self.account.split_once('/').unwrap_or_default();
        format!("spiffe://cluster.local/ns/{namespace}/sa/{name}")
    }
}

/// The service account of rule `i`, a hundred to a namespace.
fn account(i: usize) -> String {
    format!("team-{:04}/worker-{i:06}", i / 100)
}

/// The host of rule `i`.
fn host(i: usize) -> String {
    format!("api-{i:06}.partner-{:03}.example.com", i % 1000)
}

/// The name with a `*` inside of rule `i`, with something in its place: every second one a part of the first label, the others
/// all of the second.
fn starred(i: usize, star: &str) -> String {
    let i = i % 10_000;
    match i % 2 {
        0 => format!("api-{i:06}-{star}.partner-{:03}.example.com", i % 100),
        _ => format!("api-{i:06}.{star}.partner-{:03}.example.com", i % 100),
    }
}

/// Beginning of the path of rule `i`.
fn path(i: usize) -> String {
    format!("/v1/settlements/{i:06}")
}

/// The network that deny entry `i` of shape G closes: 1.0.0.0/24 and upwards, none of them private.
fn network(i: usize) -> String {
    let bits = 0x0100_0000 + (i << 8);
    format!("{}.{}.{}", bits >> 24, (bits >> 16) & 255, (bits >> 8) & 255)
}

/// An identity, a host and a path that are in many rules, or in all.
const COMMON_ACCOUNT: &str = "platform/egress";
const COMMON_HOST: &str = "shared.platform.example.com";

#[cfg(test)]
mod tests {
    use tollgate::decision::{Authorizer, Outcome, Scratch, Timestamp};
    use tollgate::policy::Policy;

    use super::*;
    use crate::timing::Prepared;

    #[test]
    fn every_shape_decides_as_its_requests_expect() {
        for shape in Shape::ALL {
            for n in [10, 300] {
                let policy = Policy::load(shape.policy(n).as_bytes()).unwrap();
                let mut scratch = Scratch::default();
                for prepared in shape.requests(n, 1000).iter().map(Prepared::new) {
                    let judged =
                        Authorizer::new(&policy).decide(&prepared.arrival(), Timestamp::default(), &mut scratch);
                    let allowed = judged.decision.outcome == Outcome::Allow;
                    assert_eq!(allowed, prepared.allowed, "{shape:?} {n} {prepared:?} {judged:?}");
                }
            }
        }
    }

    #[test]
    fn requests_are_distinct() {
        for shape in Shape::ALL {
            let mut seen = std::collections::HashSet::new();
            for request in shape.requests(10, 1000) {
                let key = (request.account.clone(), request.authority.clone(), request.path.clone());
                assert!(seen.insert(key), "{shape:?} {request:?}");
            }
        }
    }

    #[test]
    fn policies_are_compact_json_with_sorted_keys() {
        for shape in Shape::ALL {
            let text = shape.policy(20);
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value.to_string(), text, "{shape:?}");
        }
    }

    #[test]
    fn a_rule_of_shape_a_takes_about_193_bytes() {
        let text = Shape::A.policy(1000);
        assert!((185..=200).contains(&(text.len() / 1000)), "{}", text.len());
    }
}
