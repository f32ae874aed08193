//! The egress gateway: mTLS in, filters, TLS to the origin.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::audit::Audit;
use crate::config::listener::{self, HttpListener, Paths, Side};
use crate::config::tls::{self, ClientCertificate};
use crate::config::{self, cluster, filter};
use crate::envoy::{Admin, Envoy, Launch};
use crate::lab::Lab;
use crate::pki::ORIGIN_NAME;
use tollgate_envoy::access_log;

/// The gateway's listener, and the `stat_prefix` of its chain.
pub const LISTENER: &str = "egress";
/// The cluster that everything leads to, named as the rendered one that stands for no host of its own.
const ORIGIN: &str = "tollgate-dynamic";
/// A request with this header is routed to the cluster that the header names, if the gateway has it.
pub const CLUSTER_HEADER: &str = "x-lab-cluster";

/// Configuration of a gateway.
#[derive(Clone, Debug)]
pub struct GatewayConfig<'a> {
    /// Name of the gateway, and of its files.
    pub name: &'a str,
    /// The port of its listener; 0 takes a free one.
    pub port: u16,
    /// The port of its admin interface; 0 takes a free one.
    pub admin_port: u16,
    /// Worker threads.
    pub concurrency: u32,
    /// Demand for a client certificate.
    pub client_certificate: ClientCertificate,
    /// Treatment of paths before the filters.
    pub paths: Paths,
    /// HTTP filters in order, without the router.
    pub filters: Vec<Value>,
    /// More names for the cluster of the origin, for [`CLUSTER_HEADER`].
    pub clusters: Vec<String>,
    /// The name of a cluster whose address nobody listens at.
    pub dead_cluster: Option<&'a str>,
    /// True if Envoy itself follows redirects of the origin.
    pub follow_redirects: bool,
    /// Time in which the origin has to answer, as Envoy writes durations (`5s`).
    pub timeout: &'a str,
    /// True if an audit log is written.
    pub audited: bool,
}

impl Default for GatewayConfig<'_> {
    fn default() -> Self {
        GatewayConfig {
            name: "gateway",
            port: 0,
            admin_port: 0,
            concurrency: 1,
            client_certificate: ClientCertificate::default(),
            paths: Paths::default(),
            filters: Vec::new(),
            clusters: Vec::new(),
            dead_cluster: None,
            follow_redirects: false,
            timeout: "30s",
            audited: true,
        }
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    envoy: Envoy,
    address: SocketAddr,
    audit: Audit,
}

impl Gateway {
    /// Starts one in front of the lab's origin.
    pub fn start(lab: &Lab, binary: &Path, config: &GatewayConfig<'_>) -> Result<Gateway> {
        let launch = Launch { binary, name: config.name, dir: lab.dir(), concurrency: config.concurrency };
        Gateway::launch(&launch, LISTENER, |audit| bootstrap(lab, config, audit))
    }

    /// Starts an Envoy that has a listener of this name and writes this audit log.
    pub(crate) fn launch(
        launch: &Launch<'_>,
        listener: &str,
        bootstrap: impl FnOnce(&Audit) -> Value,
    ) -> Result<Gateway> {
        let audit = Audit::of(launch.dir, launch.name);
        let envoy = launch.start(&bootstrap(&audit))?;
        let address = envoy.admin().listener(listener)?;
        Ok(Gateway { envoy, address, audit })
    }

    /// Address of its listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its admin interface.
    pub fn admin(&self) -> Admin {
        self.envoy.admin()
    }

    /// Its audit log.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.envoy.id()
    }

    /// The process itself.
    pub fn envoy(&mut self) -> &mut Envoy {
        &mut self.envoy
    }

    /// Envoy's log so far.
    pub fn log(&self) -> String {
        self.envoy.log()
    }
}

fn bootstrap(lab: &Lab, config: &GatewayConfig<'_>, audit: &Audit) -> Value {
    let files = lab.files();
    let mut routes = listener::cluster_from_header(CLUSTER_HEADER);
    routes.extend(listener::everything_to(ORIGIN));
    if config.follow_redirects {
        routes = listener::following_redirects(routes);
    }
    routes = listener::within(routes, config.timeout);
    let mut filters = config.filters.clone();
    filters.push(filter::router());
    let listener = HttpListener {
        name: LISTENER,
        address: loopback(config.port),
        tls: Some(tls::downstream(&files.gateway, &files.workload_bundle, config.client_certificate)),
        filters,
        routes,
        access_logs: if config.audited { vec![access_log::file(audit.file())] } else { Vec::new() },
        side: Side::Gateway(config.paths),
    };
    let origin_tls = tls::upstream(ORIGIN_NAME, &files.origin_bundle, None);
    let named = config.clusters.iter().map(String::as_str).filter(|name| *name != ORIGIN);
    let names = named.chain([ORIGIN]);
    let mut clusters: Vec<_> = names.map(|name| cluster::fixed(name, lab.origin().address(), &origin_tls)).collect();
    // Port 1 is nobody's who is not root.
    clusters.extend(config.dead_cluster.map(|name| cluster::fixed(name, loopback(1), &origin_tls)));
    config::bootstrap(loopback(config.admin_port), &[listener.build()], &clusters)
}

/// This port on loopback.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
