//! The chains that are compared, and Envoys that run them.

use std::fmt;
use std::net::SocketAddr;

use anyhow::Result;
use serde_json::{Value, json};
use tollgate_local::config::listener::{HttpListener, Paths, Side};
use tollgate_local::config::tls::{self, ClientCertificate};
use tollgate_local::config::{self, filter};
use tollgate_local::envoy::{Envoy, Launch};

use crate::Bench;
use crate::limits::Quotas;
use crate::rbac::rbac;
use tollgate_bench::shapes::Shape;

const LISTENER: &str = "egress";

/// The filters before the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    Empty,
    Noop,
    /// A filter on the SDK that does nothing either.
    Sdk,
    /// Tollgate with so many rules of shape A.
    Tollgate(usize),
    /// Envoy's RBAC filter with so many policies that say the same.
    Rbac(usize),
    /// One with quotas, or without to compare.
    Quotas(Quotas),
}

impl Chain {
    pub(crate) const ALL: [Chain; 11] = [
        Chain::Empty,
        Chain::Noop,
        Chain::Sdk,
        Chain::Tollgate(10),
        Chain::Tollgate(1_000),
        Chain::Tollgate(10_000),
        Chain::Tollgate(100_000),
        Chain::Rbac(10),
        Chain::Rbac(100),
        Chain::Rbac(1_000),
        Chain::Rbac(10_000),
    ];

    /// Rules that requests are spread over.
    pub(crate) fn rules(self) -> usize {
        match self {
            Chain::Empty | Chain::Noop | Chain::Sdk => 10,
            Chain::Tollgate(rules) | Chain::Rbac(rules) => rules,
            Chain::Quotas(quotas) => quotas.rules(),
        }
    }

    fn filters(self, bench: &Bench) -> Vec<Value> {
        let wasm = |module, policy: &str| filter::fixed(filter::NAME, &filter::wasm(module, policy));
        match self {
            Chain::Empty => vec![],
            Chain::Noop => vec![wasm(&bench.noop, "")],
            Chain::Sdk => vec![wasm(&bench.sdk, "")],
            Chain::Tollgate(rules) => vec![wasm(&bench.module, &Shape::A.policy(rules))],
            Chain::Rbac(rules) => vec![rbac(rules)],
            Chain::Quotas(quotas) => quotas.filters(bench),
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Chain::Empty => write!(f, "empty"),
            Chain::Noop => write!(f, "wasm that does nothing"),
            Chain::Sdk => write!(f, "the same on the proxy-wasm SDK"),
            Chain::Tollgate(rules) => write!(f, "Tollgate, {rules} rules"),
            Chain::Rbac(rules) => write!(f, "RBAC, {rules} policies"),
            Chain::Quotas(quotas) => quotas.fmt(f),
        }
    }
}

/// An Envoy that runs a chain.
pub(crate) struct Target {
    pub(crate) envoy: Envoy,
    pub(crate) address: SocketAddr,
}

impl Target {
    pub(crate) fn start(bench: &Bench, chain: Chain) -> Result<Target> {
        Target::with(bench, &chain.to_string().replace([' ', ','], "-"), chain.filters(bench))
    }

    /// Starts an Envoy with these filters before the router.
    pub(crate) fn with(bench: &Bench, name: &str, mut filters: Vec<Value>) -> Result<Target> {
        filters.push(filter::router());
        let files = bench.lab.files();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = HttpListener {
            name: LISTENER,
            address: loopback,
            tls: Some(tls::downstream(&files.gateway, &files.workload_bundle, ClientCertificate::Required)),
            filters,
            routes: vec![json!({
                "match": {"prefix": "/"},
                "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
            })],
            access_logs: Vec::new(),
            side: Side::Gateway(Paths::Normalized),
        };
        let launch = Launch { binary: &bench.envoy, name, dir: bench.lab.dir(), concurrency: 1 };
        let envoy = launch.start(&config::bootstrap(loopback, &[listener.build()], &[]))?;
        let address = envoy.admin().listener(LISTENER)?;
        Ok(Target { envoy, address })
    }
}
