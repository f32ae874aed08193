//! A gateway of a site.

use super::dns::Dns;
use super::inside::Inside;
use super::{NAMESPACE, Wrong, at, is_label};
use serde::Deserialize;
use std::collections::BTreeMap;

/// An egress gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Gateway {
    pub(crate) name: String,
    pub(crate) api: Api,
    pub(crate) namespace: String,
    /// Labels of its pods.
    pub(crate) selector: BTreeMap<String, String>,
    /// `NAME.NAMESPACE.svc…` of its Service.
    pub(crate) service: String,
    pub(crate) ports: GatewayPorts,
    /// The most pods there will be.
    pub(crate) replicas: Option<u64>,
    #[serde(default)]
    pub(crate) routes: Routes,
    #[serde(default)]
    pub(crate) envoy_filter: Permission,
    /// Names that may resolve to addresses of the inside.
    #[serde(default)]
    pub(crate) inside: Vec<Inside>,
    #[serde(default)]
    pub(crate) dns: Dns,
}

/// The ports that the mesh's mTLS arrives at.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct GatewayPorts {
    /// Of the HTTP filter.
    pub(crate) http: u16,
    /// Of the filter for TLS passed through.
    #[serde(default)]
    pub(crate) tls: Option<u16>,
    /// Of the same filter, for servers that speak first.
    #[serde(default)]
    pub(crate) server_first: Option<u16>,
    /// Of both filters: what is HTTP goes on to the one for HTTP.
    #[serde(default)]
    pub(crate) all: Option<u16>,
    /// Ports that workloads may ask on besides those of the policy.
    #[serde(default)]
    pub(crate) also: Vec<u16>,
}

/// Whose objects describe a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Api {
    /// Istio's own Gateway and VirtualService.
    Istio,
    /// The Kubernetes Gateway API.
    Gateway,
    /// A waypoint of an ambient mesh.
    Waypoint,
}

/// Objects that a host needs to be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Routes {
    /// Objects of its own.
    #[default]
    Listed,
    /// Nothing: one dynamic route, and the policy alone decides.
    CatchAll,
}

/// Tells whether the mesh lets one patch Envoy's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Permission {
    #[default]
    Allowed,
    Forbidden,
}

impl Gateway {
    pub(super) fn wrong(&self) -> Option<Wrong> {
        if !is_label(&self.name) || self.name.len() > MOST_OF_A_GATEWAY {
            return at("name", "a gateway's name is letters, digits and `-`, 40 at most: other names begin with it");
        }
        if !is_label(&self.namespace) {
            return at("namespace", NAMESPACE);
        }
        if self.selector.is_empty() {
            return at("selector", "without labels it would select every pod of the namespace");
        }
        let in_namespace = self.service.split('.').nth(1) == Some(self.namespace.as_str());
        if !in_namespace || !self.service.contains(".svc") || !self.service.split('.').all(is_label) {
            return at("service", "write the Service of this namespace as `NAME.NAMESPACE.svc.cluster.local`");
        }
        if self.replicas == Some(0) {
            return at("replicas", "there is at least one pod");
        }
        let below = |key: &str, (below, message): Wrong| (format!("{key}{below}"), message);
        let inside = || {
            let mut inside = self.inside.iter().enumerate();
            inside.find_map(|(number, inside)| Some(below(&format!("inside[{number}]."), inside.wrong()?)))
        };
        let dns = || Some(below("dns.", self.dns.wrong()?));
        self.ports.wrong().map(|wrong| below("ports.", wrong)).or_else(inside).or_else(dns)
    }

    /// The first label of the Service's name.
    pub(crate) fn service_name(&self) -> &str {
        self.service.split('.').next().unwrap_or(&self.service)
    }
}

impl GatewayPorts {
    /// The ports that are rendered.
    pub(crate) fn rendered(&self) -> impl Iterator<Item = u16> {
        std::iter::once(self.http).chain(self.of_connections())
    }

    /// Those of the filter for connections.
    pub(crate) fn of_connections(&self) -> impl Iterator<Item = u16> {
        self.tls.into_iter().chain(self.server_first).chain(self.all)
    }

    /// The port that connections to hosts with objects of their own go to.
    pub(crate) fn carrying(&self) -> Option<u16> {
        self.tls.or(self.all)
    }

    /// The port that whatever no object names goes to.
    pub(crate) fn of_the_rest(&self) -> u16 {
        self.all.unwrap_or(self.http)
    }

    fn wrong(&self) -> Option<Wrong> {
        let also = self.also.iter().enumerate().map(|(number, port)| (format!("also[{number}]"), *port));
        let named =
            [("http", Some(self.http)), ("tls", self.tls), ("serverFirst", self.server_first), ("all", self.all)];
        let named = named.into_iter().filter_map(|(key, port)| Some((key.to_owned(), port?)));
        let all: Vec<(String, u16)> = named.chain(also).collect();
        if let Some((key, _)) = all.iter().find(|(_, port)| *port == 0) {
            return at(key, "0 is no port");
        }
        if self.server_first.is_some() && self.carrying().is_none() {
            return at("serverFirst", "servers that speak first take the filter for connections, whose port is `tls`");
        }
        let mut listening: Vec<u16> = self.rendered().collect();
        listening.sort_unstable();
        if listening.windows(2).any(|pair| pair.first() == pair.last()) {
            return at("", "each is a port of its own");
        }
        None
    }
}

/// Names of other objects begin with a gateway's, and are 63 long at most.
const MOST_OF_A_GATEWAY: usize = 40;
