//! Gateways with both filters: that for connections, and that for HTTP behind or before it.

use std::net::SocketAddr;

use serde_json::Value;
use tollgate_local::audit::Line;
use tollgate_local::gateway::Gateway;
use tollgate_local::lab::Lab;
use tollgate_local::plugin::Plugin;

use super::rig::tail;

/// A free port of loopback.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The filter for connections and the filter for HTTP, with the same policy.
pub(crate) fn filters(lab: &Lab, policy: &Value) -> [Plugin; 2] {
    let tcp = Plugin::of_connections(lab.dir(), &super::tcp_filter()).unwrap();
    let http = Plugin::new(lab.dir(), &super::filter()).unwrap();
    let plugins = [tcp, http];
    plugins.iter().for_each(|plugin| plugin.publish(&policy.to_string()).unwrap());
    plugins
}

/// `decision REASON` of the next record of a request (`http`), or of a connection (`tcp`).
pub(crate) fn decided(gateway: &Gateway, seen: usize, layer: &str) -> String {
    let is_of = |line: &Line| line.record.is_some() && line.recorded("layer").unwrap_or("http") == layer;
    let line = gateway.audit().wait_for(seen, is_of).unwrap_or_else(|_| panic!("{}", tail(&gateway.log())));
    format!("{} {}", line.recorded("d").unwrap(), line.recorded("r").unwrap())
}
