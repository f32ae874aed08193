//! Objects of the cluster, and the files that hold them.

use super::api::Api;
use crate::mesh::site::Gateway;
use serde_json::{Value, json};

/// Purpose of an object: each has a file of its own. In the order in which they are best applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Entrance of the mesh's traffic, and its log.
    Gateway,
    /// The filter and its policy.
    Plugin,
    /// The filter, its policy and what checks the token in it: to be kept from workloads.
    Secret,
    /// Shuts the gateway where the filter is missing.
    Tripwire,
    /// Leads to each host.
    Routes,
    /// Leads all else to the gateway.
    Sidecars,
    /// Leads to hosts that no object names.
    Dynamic,
    /// Leaves the gateway as the only way out.
    Network,
}

impl Part {
    pub(crate) const ALL: [Part; 8] = [
        Part::Gateway,
        Part::Plugin,
        Part::Secret,
        Part::Tripwire,
        Part::Routes,
        Part::Sidecars,
        Part::Dynamic,
        Part::Network,
    ];

    /// The file that holds its objects.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Part::Gateway => "gateway.yaml",
            Part::Plugin => "plugin.yaml",
            Part::Secret => "secret.yaml",
            Part::Tripwire => "tripwire.yaml",
            Part::Routes => "routes.yaml",
            Part::Sidecars => "sidecars.yaml",
            Part::Dynamic => "dynamic.yaml",
            Part::Network => "network.yaml",
        }
    }

    /// Tells a part with a set of objects for each host.
    pub(crate) fn is_for_each_host(self) -> bool {
        self == Part::Routes
    }
}

/// An object as the API server takes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) part: Part,
    pub(crate) value: Value,
}

/// Makes the objects of one gateway and one policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker<'r> {
    pub(crate) gateway: &'r Gateway,
    /// The API by which the gateway is made.
    pub(super) api: &'static dyn Api,
    pub(crate) policy: &'r str,
}

impl Maker<'_> {
    /// An object in the gateway's namespace.
    pub(crate) fn object(&self, part: Part, kind: Kind, name: &str, spec: Value) -> Object {
        self.object_in(&self.gateway.namespace, part, kind, name, spec)
    }

    pub(crate) fn object_in(&self, namespace: &str, part: Part, kind: Kind, name: &str, spec: Value) -> Object {
        let (version, kind) = kind.names();
        let value = json!({
            "apiVersion": version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {
                    "app.kubernetes.io/name": "tollgate",
                    "app.kubernetes.io/instance": self.gateway.name,
                    "app.kubernetes.io/part-of": self.policy,
                    "app.kubernetes.io/managed-by": "tollgate",
                },
            },
            "spec": spec,
        });
        Object { part, value }
    }

    /// The gateway's name with a suffix.
    pub(crate) fn name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.gateway.name)
    }
}

/// Kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    AuthorizationPolicy,
    DestinationRule,
    EnvoyFilter,
    /// Istio's.
    Gateway,
    HttpRoute,
    /// Kubernetes' own.
    KubernetesGateway,
    NetworkPolicy,
    ServiceEntry,
    Sidecar,
    Telemetry,
    TrafficExtension,
    VirtualService,
    WasmPlugin,
}

impl Kind {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::AuthorizationPolicy => ("security.istio.io/v1", "AuthorizationPolicy"),
            Kind::DestinationRule => ("networking.istio.io/v1", "DestinationRule"),
            Kind::EnvoyFilter => ("networking.istio.io/v1alpha3", "EnvoyFilter"),
            Kind::Gateway => ("networking.istio.io/v1", "Gateway"),
            Kind::HttpRoute => ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            Kind::KubernetesGateway => ("gateway.networking.k8s.io/v1", "Gateway"),
            Kind::NetworkPolicy => ("networking.k8s.io/v1", "NetworkPolicy"),
            Kind::ServiceEntry => ("networking.istio.io/v1", "ServiceEntry"),
            Kind::Sidecar => ("networking.istio.io/v1", "Sidecar"),
            Kind::Telemetry => ("telemetry.istio.io/v1", "Telemetry"),
            Kind::TrafficExtension => ("extensions.istio.io/v1alpha1", "TrafficExtension"),
            Kind::VirtualService => ("networking.istio.io/v1", "VirtualService"),
            Kind::WasmPlugin => ("extensions.istio.io/v1alpha1", "WasmPlugin"),
        }
    }
}

/// Adds a key to a map.
pub(crate) fn insert(map: &mut Value, key: &str, value: Value) {
    if let Some(map) = map.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}
