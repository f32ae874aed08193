//! The egress gateway's port for connections: mTLS in, the filter, the tripwire, and whatever cluster the filter chooses.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use tollgate_envoy::{access_log, tcp};

use crate::audit::Audit;
use crate::config;
use crate::config::cluster;
use crate::config::tls::{self, ClientCertificate};
use crate::envoy::Launch;
use crate::gateway::{Gateway, loopback};
use crate::lab::Lab;

/// The listener, and the `stat_prefix` of its chain.
const LISTENER: &str = "connections";
/// The listener for servers that speak first, likewise.
const SERVER_FIRST: &str = "server-first";

/// Configuration of such a gateway.
#[derive(Clone, Debug)]
pub struct TcpGatewayConfig<'a> {
    /// Name of the gateway, and of its files.
    pub name: &'a str,
    /// Worker threads.
    pub concurrency: u32,
    /// Name of the chain of filters: those of waypoints say which service was called.
    pub chain: &'a str,
    /// Network filters in order, without the proxy.
    pub filters: Vec<Value>,
    /// Clusters by name, and the address of each.
    pub clusters: Vec<(String, SocketAddr)>,
    /// The cluster that every connection goes to, at once; none: the filter chooses.
    pub to: Option<&'a str>,
    /// More listeners, internal ones among them, and the clusters that they need.
    pub more: (Vec<Value>, Vec<Value>),
}

impl Default for TcpGatewayConfig<'_> {
    fn default() -> Self {
        TcpGatewayConfig {
            name: LISTENER,
            concurrency: 1,
            chain: "",
            filters: Vec::new(),
            clusters: Vec::new(),
            to: None,
            more: (Vec::new(), Vec::new()),
        }
    }
}

/// Starts one.
pub fn start(lab: &Lab, binary: &Path, config: &TcpGatewayConfig<'_>) -> Result<Gateway> {
    let launch = Launch { binary, name: config.name, dir: lab.dir(), concurrency: config.concurrency };
    Gateway::launch(&launch, LISTENER, |audit| bootstrap(lab, config, audit))
}

/// Address of the listener of such a gateway for servers that speak first.
pub fn server_first(gateway: &Gateway) -> Result<SocketAddr> {
    gateway.admin().listener(SERVER_FIRST)
}

fn bootstrap(lab: &Lab, config: &TcpGatewayConfig<'_>, audit: &Audit) -> Value {
    let logs = [access_log::tcp_file(audit.file())];
    let proxies = match config.to {
        Some(to) => vec![(LISTENER, tcp::plain_proxy(LISTENER, to, &logs))],
        None => {
            vec![(LISTENER, tcp::proxy(LISTENER, &logs)), (SERVER_FIRST, tcp::immediate_proxy(SERVER_FIRST, &logs))]
        }
    };
    let own = proxies.into_iter().map(|(name, proxy)| listener(lab, config, name, proxy));
    let listeners: Vec<Value> = own.chain(config.more.0.iter().cloned()).collect();
    let mut clusters: Vec<Value> = config.clusters.iter().map(|(name, to)| cluster::plain(name, *to)).collect();
    clusters.push(tcp::nowhere());
    clusters.extend(config.more.1.iter().cloned());
    config::bootstrap(loopback(0), &listeners, &clusters)
}

fn listener(lab: &Lab, config: &TcpGatewayConfig<'_>, name: &str, proxy: Value) -> Value {
    let files = lab.files();
    let mut filters = config.filters.clone();
    filters.push(proxy);
    json!({
        "name": name,
        "address": config::address(loopback(0)),
        // As on Istio's gateways: without it nobody knows the server name of the mesh's own TLS.
        "listener_filters": [tcp::tls_inspector()],
        "filter_chains": [{
            "name": config.chain,
            "transport_socket": tls::downstream(&files.gateway, &files.workload_bundle, ClientCertificate::Optional),
            "filters": filters,
        }],
    })
}
