//! A way out for hosts that no object names: a route, a cluster, and the cache of names that both the cluster and its filter use.

use super::addresses::{self, AddressRange};
use super::cluster_patch::added;
use crate::mesh::site::{Family, Gateway, Inside};
use serde_json::{Value, json};
use tollgate::policy::networks;
use tollgate_envoy::dynamic::Cache;

/// Authorities that are addresses in any spelling (RE2, the whole of it). No name is one: its last label has a letter.
pub(super) const LITERAL: &str = r"([0-9.]+|\[[^\]]*\])(:[0-9]+)?";

pub(super) struct DynamicWay {
    /// Of the route, the cluster, and its cache.
    pub(super) name: &'static str,
    /// The authorities that go this way (RE2, the whole of it); all that go no other, if there is none.
    pub(super) authority: Option<String>,
    /// Answers that are dropped: of an answer with nothing else, the request is refused.
    refused: Vec<AddressRange>,
    family: Family,
}

/// The ways of a gateway. The first that an authority matches is taken.
pub(super) fn all(gateway: &Gateway) -> Vec<DynamicWay> {
    let way = |name, authority, refused| DynamicWay { name, authority, refused, family: gateway.dns.family };
    let literal = way("tollgate-dynamic-literal", Some(LITERAL.to_owned()), Vec::new());
    let inside = (!gateway.inside.is_empty()).then(|| {
        let open: Vec<_> =
            gateway.inside.iter().flat_map(|inside| &inside.cidrs).flat_map(|cidr| networks(cidr)).collect();
        way("tollgate-dynamic-inside", Some(names(&gateway.inside)), addresses::outside(&open))
    });
    let any = way("tollgate-dynamic", None, addresses::inside());
    std::iter::once(literal).chain(inside).chain([any]).collect()
}

/// Names of TLS that workloads make. None of them leads inside, those of the site included.
pub(super) fn names_of_tls(gateway: &Gateway) -> DynamicWay {
    DynamicWay {
        name: "tollgate-dynamic-tls",
        authority: None,
        refused: addresses::inside(),
        family: gateway.dns.family,
    }
}

/// Authorities whose host is one of these, in any spelling.
fn names(inside: &[Inside]) -> String {
    let one = |host: &String| {
        let escaped = |name: &str| name.replace('.', r"\.");
        match (host.strip_prefix("**."), host.strip_prefix("*.")) {
            (Some(parent), _) => format!(r".+\.{}", escaped(parent)),
            (None, Some(parent)) => format!(r"[^.]+\.{}", escaped(parent)),
            (None, None) => escaped(host).replace('*', "[^.]+"),
        }
    };
    let hosts: Vec<String> = inside.iter().flat_map(|inside| &inside.hosts).map(one).collect();
    format!(r"(?i)({})\.?(:[0-9]+)?", hosts.join("|"))
}

/// Families of addresses that the gateway asks for.
pub(super) struct Lookup(pub(super) Family);

impl Lookup {
    pub(super) fn family(&self) -> &'static str {
        match self.0 {
            Family::V4Preferred => "V4_PREFERRED",
            Family::V6Only => "V6_ONLY",
            Family::All => "ALL",
        }
    }
}

impl DynamicWay {
    /// Name of its filter in the chain.
    pub(super) fn filter_name(&self) -> String {
        self.name.replacen('-', ".", 1)
    }

    /// The filter that looks names up, behind Tollgate.
    pub(super) fn resolving(&self) -> Value {
        self.cached(|cache| cache.filter(&self.filter_name()))
    }

    /// The patch that adds its cluster.
    pub(super) fn cluster(&self, trusted: &str) -> Value {
        added(&self.cached(|cache| cache.cluster(&authorities(trusted))))
    }

    /// The internal listener that looks up the names in callers' own TLS, for a port.
    pub(super) fn tls_listener(&self, port: u16, logs: &[Value]) -> Value {
        self.cached(|cache| cache.tls_listener(port, logs))
    }

    /// Its cluster, which passes bytes on as they come.
    pub(super) fn tls_cluster(&self) -> Value {
        self.cached(|cache| cache.tcp_cluster())
    }

    fn cached(&self, make: impl FnOnce(&Cache<'_>) -> Value) -> Value {
        let refused: Vec<Value> = self.refused.iter().map(|range| range.envoy()).collect();
        make(&Cache { name: self.name, family: Lookup(self.family).family(), refused: &refused })
    }
}

/// Certificate authorities of the gateway's own files, `system` or a path.
pub(super) fn authorities(trusted: &str) -> Value {
    json!({
        "name": format!("file-root:{trusted}"),
        "sds_config": {
            "resource_api_version": "V3",
            "api_config_source": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "sds-grpc"}}],
            },
        },
    })
}
