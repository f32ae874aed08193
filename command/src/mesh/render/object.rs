//! Objects of the cluster, and the files that hold them.

use crate::mesh::site::Gateway;
use serde_json::{Value, json};

/// Purpose of an object: each has a file of its own. In the order in which they are best applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ObjectPart {
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

impl ObjectPart {
    pub(crate) const ALL: [ObjectPart; 8] = [
        ObjectPart::Gateway,
        ObjectPart::Plugin,
        ObjectPart::Secret,
        ObjectPart::Tripwire,
        ObjectPart::Routes,
        ObjectPart::Sidecars,
        ObjectPart::Dynamic,
        ObjectPart::Network,
    ];

    /// The file that holds its objects.
    pub(crate) fn file(self) -> &'static str {
        match self {
            ObjectPart::Gateway => "gateway.yaml",
            ObjectPart::Plugin => "plugin.yaml",
            ObjectPart::Secret => "secret.yaml",
            ObjectPart::Tripwire => "tripwire.yaml",
            ObjectPart::Routes => "routes.yaml",
            ObjectPart::Sidecars => "sidecars.yaml",
            ObjectPart::Dynamic => "dynamic.yaml",
            ObjectPart::Network => "network.yaml",
        }
    }

    /// Tells a part with a set of objects for each host.
    pub(crate) fn is_for_each_host(self) -> bool {
        self == ObjectPart::Routes
    }
}

/// An object as the API server takes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) part: ObjectPart,
    pub(crate) value: Value,
}

/// Makes the objects of one gateway and one policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker<'r> {
    pub(crate) gateway: &'r Gateway,
    pub(crate) policy: &'r str,
}

impl Maker<'_> {
    /// An object in the gateway's namespace.
    pub(crate) fn object(&self, part: ObjectPart, kind: ObjectKind, name: &str, spec: Value) -> Object {
        self.object_in(&self.gateway.namespace, part, kind, name, spec)
    }

    pub(crate) fn object_in(
        &self,
        namespace: &str,
        part: ObjectPart,
        kind: ObjectKind,
        name: &str,
        spec: Value,
    ) -> Object {
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
pub(crate) enum ObjectKind {
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
    TcpRoute,
    Telemetry,
    TrafficExtension,
    VirtualService,
    WasmPlugin,
}

impl ObjectKind {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            ObjectKind::AuthorizationPolicy => ("security.istio.io/v1", "AuthorizationPolicy"),
            ObjectKind::DestinationRule => ("networking.istio.io/v1", "DestinationRule"),
            ObjectKind::EnvoyFilter => ("networking.istio.io/v1alpha3", "EnvoyFilter"),
            ObjectKind::Gateway => ("networking.istio.io/v1", "Gateway"),
            ObjectKind::HttpRoute => ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            ObjectKind::KubernetesGateway => ("gateway.networking.k8s.io/v1", "Gateway"),
            ObjectKind::NetworkPolicy => ("networking.k8s.io/v1", "NetworkPolicy"),
            ObjectKind::ServiceEntry => ("networking.istio.io/v1", "ServiceEntry"),
            ObjectKind::Sidecar => ("networking.istio.io/v1", "Sidecar"),
            ObjectKind::TcpRoute => ("gateway.networking.k8s.io/v1", "TCPRoute"),
            ObjectKind::Telemetry => ("telemetry.istio.io/v1", "Telemetry"),
            ObjectKind::TrafficExtension => ("extensions.istio.io/v1alpha1", "TrafficExtension"),
            ObjectKind::VirtualService => ("networking.istio.io/v1", "VirtualService"),
            ObjectKind::WasmPlugin => ("extensions.istio.io/v1alpha1", "WasmPlugin"),
        }
    }
}

/// Name of the rendered listener.
pub(super) const LISTENER: &str = "https-mesh";
/// Name of the one for connections.
pub(super) const TLS_LISTENER: &str = "tls-mesh";

/// Adds a key to a map.
pub(crate) fn insert(map: &mut Value, key: &str, value: Value) {
    if let Some(map) = map.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}
