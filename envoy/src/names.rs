//! Names that Tollgate and the Envoy around it share.

/// Key under which the filter leaves its record (Envoy puts `wasm.` in front).
pub(super) const RECORD: &str = "wasm.tollgate";
/// The key under which the filter for connections leaves its record.
pub(super) const TCP_RECORD: &str = "wasm.tollgate-tcp";
/// The key under which the filter leaves the name of the cluster that it judged: a String, and empty where no cluster
/// was chosen.
pub const ROUTE_KEY: &str = "wasm.tollgate_route";
/// The beginning of every rendered cluster's name. Istio's own do not, whatever another namespace calls its hosts.
pub(super) const OWN: &str = "tollgate";
/// The policy that refuses routes to other clusters, as response-code details name it.
pub const ROUTE_POLICY: &str = "tollgate-route";
/// The policy that refuses addresses of the inside, as response-code details name it.
pub const ADDRESS_INSIDE_POLICY: &str = "tollgate-address-inside";
