//! The chains of filters that limit: Tollgate's quotas and Envoy's own local rate limits.

use std::fmt;

use serde_json::{Value, json};
use tollgate_local::config::filter;

use crate::Bench;
use crate::rbac::rbac;
use tollgate_bench::shapes::Shape;

/// The header from which the chains with many identities take them.
pub(crate) const PRINCIPAL: &str = "x-bench-principal";
/// Rules of the policies that quotas stand in, and identities that are limited natively.
pub(crate) const RULES: usize = 1_000;
pub(crate) const IDENTITIES: usize = 100_000;

/// The quotas of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotas {
    /// No policy at all: only what a quota must ask the host, in a filter that does nothing else.
    Floor,
    /// None, but the same rules.
    None,
    /// One, for each identity.
    One,
    /// A rate and two windows, for each identity.
    Three,
    /// A rate, a window and bytes, for each identity.
    ThreeWithBytes,
    /// A rate for each identity, a window for each namespace and a rate for all.
    ThreeKeys,
    /// Many quotas, each of a service account of its own; a request belongs to one.
    Many(usize),
    /// One, asked for by so many identities that come from a header.
    Principals(usize),
    /// Envoy's own filter with a descriptor for each identity, by an expression.
    Native,
    /// Envoy's own filter as in `Native`, behind RBAC with as many policies.
    NativeBehindRbac,
}

impl Quotas {
    pub(crate) const ALL: [Quotas; 10] = [
        Quotas::None,
        Quotas::One,
        Quotas::Three,
        Quotas::ThreeWithBytes,
        Quotas::ThreeKeys,
        Quotas::Many(10_000),
        Quotas::Principals(1),
        Quotas::Principals(IDENTITIES),
        Quotas::Native,
        Quotas::NativeBehindRbac,
    ];

    pub(crate) fn rules(self) -> usize {
        match self {
            Quotas::Many(quotas) => quotas,
            _ => RULES,
        }
    }

    pub(crate) fn filters(self, bench: &Bench) -> Vec<Value> {
        let tollgate = |policy: &str| filter::fixed(filter::NAME, &filter::wasm(&bench.module, policy));
        match self {
            Quotas::Floor => vec![filter::fixed(filter::NAME, &filter::wasm(&bench.store, ""))],
            Quotas::Native => vec![local_ratelimit()],
            Quotas::NativeBehindRbac => vec![rbac(RULES), local_ratelimit()],
            Quotas::Principals(_) => vec![filter::principal_from_header(PRINCIPAL), tollgate(&for_principals())],
            _ => vec![tollgate(&self.policy())],
        }
    }

    fn policy(self) -> String {
        let quotas = match self {
            Quotas::One => json!([rate("a")]),
            Quotas::Three => json!([rate("a"), window("b", "hour"), window("c", "day")]),
            Quotas::ThreeWithBytes => json!([rate("a"), window("b", "day"), bytes("c")]),
            Quotas::ThreeKeys => {
                let (mut by_namespace, mut by_none) = (window("b", "day"), rate("c"));
                by_namespace["by"] = json!(["namespace"]);
                by_none["by"] = json!([]);
                json!([rate("a"), by_namespace, by_none])
            }
            Quotas::Many(quotas) => (0..quotas)
                .map(|i| {
                    let mut quota = rate(&format!("q{i}"));
                    quota["from"] = json!([{"serviceAccount": Shape::A.request(quotas, i, 0).account}]);
                    quota
                })
                .collect(),
            _ => json!([]),
        };
        Shape::A.policy(self.rules()).replacen("\"rules\"", &format!("\"quotas\":{quotas},\"rules\""), 1)
    }
}

/// Limits that no benchmark reaches.
fn rate(id: &str) -> Value {
    json!({"id": id, "limit": {"requests": 1_000_000, "per": "1s"}})
}

fn window(id: &str, per: &str) -> Value {
    json!({"id": id, "limit": {"requests": 1_000_000_000, "per": per}})
}

fn bytes(id: &str) -> Value {
    json!({"id": id, "limit": {"bytes": "1TB", "per": "day"}})
}

/// Everything is allowed and counted by identity, which is what a header says.
fn for_principals() -> String {
    json!({
        "version": 1,
        "name": "bench",
        "identity": {"sources": ["peer-principal"]},
        "rules": [{"id": "all", "from": [{"any": true}], "to": [{"hosts": ["**"]}]}],
        "quotas": [rate("a")],
    })
    .to_string()
}

/// A bucket for each identity of shape A, that of the peer's certificate being read by an expression.
fn local_ratelimit() -> Value {
    let bucket = json!({"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"});
    let identity = |i| Shape::A.request(RULES, i, 0).spiffe();
    let descriptors: Vec<Value> = (0..RULES)
        .map(|i| json!({"entries": [{"key": "identity", "value": identity(i)}], "token_bucket": bucket}))
        .collect();
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    let expression = json!({
        "name": "envoy.rate_limit_descriptors.expr",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor",
            "descriptor_key": "identity",
            "text": "connection.uri_san_peer_certificate",
        },
    });
    filter::fixed(
        "envoy.filters.http.local_ratelimit",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "limits",
            "token_bucket": bucket,
            "filter_enabled": always,
            "filter_enforced": always,
            "descriptors": descriptors,
            "rate_limits": [{"actions": [{"extension": expression}]}],
        }),
    )
}

impl fmt::Display for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quotas::Floor => write!(f, "wasm that only reads, reads the clock and writes"),
            Quotas::None => write!(f, "Tollgate, no quota"),
            Quotas::One => write!(f, "Tollgate, one quota"),
            Quotas::Three => write!(f, "Tollgate, three quotas"),
            Quotas::ThreeWithBytes => write!(f, "Tollgate, three quotas, one of bytes"),
            Quotas::ThreeKeys => write!(f, "Tollgate, three quotas of three keys"),
            Quotas::Many(quotas) => write!(f, "Tollgate, one of {quotas} quotas"),
            Quotas::Principals(1) => write!(f, "Tollgate, one quota, one principal"),
            Quotas::Principals(principals) => write!(f, "Tollgate, one quota, {principals} principals"),
            Quotas::Native => write!(f, "local_ratelimit, {RULES} identities"),
            Quotas::NativeBehindRbac => write!(f, "RBAC and local_ratelimit, {RULES} identities"),
        }
    }
}
