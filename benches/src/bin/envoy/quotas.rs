//! What quotas cost in Envoy, beside Envoy's own filter for local rate limits.

use std::fmt;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tollgate_local::config::filter;

use crate::chain::{Chain, rbac};
use crate::{Bench, Subject, run, spread};
use tollgate_bench::report::{Bars, Section, Table, trim};
use tollgate_bench::shapes::Shape;
use tollgate_bench::timing::{median, median_ratio};

/// The header from which the chains with many identities take them.
pub(crate) const PRINCIPAL: &str = "x-bench-principal";
/// Rules of the policies that quotas stand in, and identities that are limited natively.
pub(crate) const RULES: usize = 1_000;
pub(crate) const IDENTITIES: usize = 100_000;

/// Which quotas a chain has.
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
    /// So many, each of a service account of its own; a request belongs to one.
    Many(usize),
    /// One, asked for by so many identities that come from a header.
    Principals(usize),
    /// Envoy's own filter with a descriptor for each identity, by an expression.
    Native,
    /// The same behind RBAC with as many policies.
    NativeBehindRbac,
}

impl Quotas {
    const ALL: [Quotas; 10] = [
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

pub(crate) fn measure(bench: &Bench, section: &mut Section, bars: &mut Bars) -> Result<()> {
    let chains: Vec<Chain> = [Chain::Empty, Chain::Noop, Chain::Quotas(Quotas::Floor)]
        .into_iter()
        .chain(Quotas::ALL.map(Chain::Quotas))
        .collect();
    let subjects = run(bench, &chains)?;
    let [empty, noop, floor, none, one, three, metered, keys, many, alone, principals, native, behind] =
        subjects.as_slice()
    else {
        bail!("not one subject a chain");
    };
    let mut table = Table::new(&["chain", "CPU µs a request", "least", "above empty", "above no quota"]);
    for subject in &subjects {
        table.row([
            subject.chain.to_string(),
            trim(median(subject.microseconds.iter().copied())),
            trim(subject.least()),
            spread(subject.above(empty)),
            spread(subject.above(none)),
        ]);
    }
    section.table("Quotas", &table);
    section.say(
        "As above; no limit is ever reached. Identities from a header take Envoy one more filter and Tollgate one more \
         property, so those two chains are compared with each other.",
    );
    let above = |subject: &Subject| median(subject.above(none));
    bars.at_most("CPU of one quota above none", 2.0, above(one), " µs");
    bars.at_most("CPU of three quotas of one key above none", 3.0, above(three), " µs");
    bars.at_most("CPU of three quotas of one key, one of bytes, above none", 3.0, above(metered), " µs");
    bars.at_most("CPU of three quotas of three keys above none", 3.0, above(keys), " µs");
    let ratio = |of: &Subject, to: &Subject| median_ratio(&of.microseconds, &to.microseconds);
    bars.at_most("CPU of a whole request, 10,000 quotas against one", 1.2, ratio(many, one), " ×");
    bars.at_most("CPU of a whole request, 100,000 identities against one", 1.2, ratio(principals, alone), " ×");
    section.say(&format!(
        "A filter that does nothing but read a value of Envoy's shared data and the clock and write the value back, which \
         no exact quota in a wasm filter can do without, takes {:.1} µs ({:.1} by the least of each) above one that does \
         nothing. One quota takes {:.1} µs ({:.1} by the least of each) above none.",
        median(floor.above(noop)),
        floor.least() - noop.least(),
        above(one),
        one.least() - none.least(),
    ));
    section.say(&format!(
        "Above empty, Tollgate with 1,000 rules and one quota takes {:.1} µs, Envoy's own rate limits {:.1} µs, and these \
         behind RBAC {:.1} µs.",
        median(one.above(empty)),
        median(native.above(empty)),
        median(behind.above(empty)),
    ));
    Ok(())
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
