//! The client's side of the mesh: one Envoy with a plain listener per workload, each of which speaks to the gateway
//! with that workload's certificate.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use crate::config::listener::{self, HttpListener, Side};
use crate::config::{self, cluster, filter, tls};
use crate::envoy::{Envoy, Launch};
use crate::gateway::{Gateway, loopback};
use crate::lab::Lab;
use crate::pki::{Credentials, GATEWAY_NAME};

/// A workload behind the sidecar.
pub struct Workload<'a> {
    /// Its name here, which is its listener's.
    pub name: &'a str,
    /// The port of its listener; 0 takes a free one.
    pub port: u16,
    /// Its certificate; without one it is anonymous.
    pub credentials: Option<&'a Credentials>,
}

/// The running Envoy.
#[derive(Debug)]
pub struct Sidecar {
    envoy: Envoy,
}

impl Sidecar {
    /// Starts it in front of a gateway.
    pub fn start(
        lab: &Lab,
        binary: &Path,
        gateway: &Gateway,
        workloads: &[Workload<'_>],
        admin_port: u16,
    ) -> Result<Sidecar> {
        let mut listeners = Vec::new();
        let mut clusters = Vec::new();
        for workload in workloads {
            let file = workload.name.replace('/', ".");
            let own = workload.credentials.map(|own| own.write(lab.dir(), &file)).transpose()?;
            let tls = tls::upstream(GATEWAY_NAME, &lab.files().mesh_bundle, own.as_ref());
            clusters.push(cluster::fixed(workload.name, gateway.address(), &tls));
            let listener = HttpListener {
                name: workload.name,
                address: loopback(workload.port),
                tls: None,
                filters: vec![filter::router()],
                routes: listener::everything_to(workload.name),
                access_logs: Vec::new(),
                side: Side::Client,
            };
            listeners.push(listener.build());
        }
        let launch = Launch { binary, name: "sidecar", dir: lab.dir(), concurrency: 1 };
        let envoy = launch.start(&config::bootstrap(loopback(admin_port), &listeners, &clusters))?;
        Ok(Sidecar { envoy })
    }

    /// Address at which the workload of this name sends its requests in plain HTTP.
    pub fn address(&self, workload: &str) -> Result<SocketAddr> {
        self.envoy.admin().listener(workload)
    }
}
