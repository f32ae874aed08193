//! The gateway for docker compose: the files that its containers share.

use crate::config::listener::{self, HttpListener, Paths, Side};
use crate::config::tls::ClientCertificate;
use crate::config::{self, cluster, filter, tls};
use crate::demo::Script;
use crate::lab::Files;
use crate::pki::{GATEWAY_NAME, ORIGIN_NAME, Pki, Signer};
use crate::plugin::Plugin;
use anyhow::{Context, Result};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use tollgate_envoy::access_log;

/// Workloads that have a container, as `compose.yaml` lists them.
const WORKLOADS: [&str; 3] = ["payments", "frontend", "nobody"];
/// Port on which each container listens.
const PORT: u16 = 8080;

/// Writes certificates, configurations, module and policy into a folder. The certificates are made once.
///
/// Containers see the folder under the same path, so an edit of the policy takes effect while they run, once it is
/// written anew.
///
/// # Errors
/// The policy is invalid, or the folder cannot be written.
pub fn write(folder: &Path, policy: &Path, module: &Path) -> Result<()> {
    let policy = crate::policy::read(policy)?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let own = folder.join("tollgate.wasm");
    if !folder.join("gateway.json").exists() {
        bootstraps(folder)?;
    }
    std::fs::copy(module, &own).with_context(|| format!("cannot copy {}", module.display()))?;
    Plugin::new(folder, &own)?.publish(&policy)
}

fn bootstraps(folder: &Path) -> Result<()> {
    let pki = Pki::generate()?;
    let files = Files::write(&pki, folder)?;
    let save = |name: &str, listener: &HttpListener<'_>, clusters: &[Value]| -> Result<()> {
        let admin = SocketAddr::from(([127, 0, 0, 1], 9901));
        let text = config::bootstrap(admin, &[listener.build()], clusters).to_string();
        Ok(std::fs::write(folder.join(format!("{name}.json")), text)?)
    };
    let listener = |name, tls, filters: Vec<Value>, routes, side| HttpListener {
        name,
        address: SocketAddr::from(([0, 0, 0, 0], PORT)),
        tls,
        filters: filters.into_iter().chain([filter::router()]).collect(),
        routes,
        access_logs: Vec::new(),
        side,
    };

    let origin = pki.origin()?.write(folder, "origin")?;
    let origin_tls = tls::downstream(&origin, &files.origin_bundle, ClientCertificate::Optional);
    let answers = listener::answering("this is the external server\n");
    save("origin", &listener("origin", Some(origin_tls), Vec::new(), answers, Side::Client), &[])?;

    let guarded = Plugin::new(folder, &folder.join("tollgate.wasm"))?.guarded();
    let mesh_tls = tls::downstream(&files.gateway, &files.workload_bundle, ClientCertificate::Optional);
    let side = Side::Gateway(Paths::default());
    let mut gateway = listener("egress", Some(mesh_tls), guarded, listener::everything_to("origin"), side);
    gateway.access_logs = vec![access_log::file(Path::new("/dev/stdout"))];
    let to_origin = tls::upstream(ORIGIN_NAME, &files.origin_bundle, None);
    save("gateway", &gateway, &[cluster::named("origin", "origin", PORT, &to_origin)])?;

    let script = Script::shipped()?;
    for name in WORKLOADS {
        let id = script.workloads.get(name).and_then(|member| member.spiffe.as_deref());
        let own = id.map(|id| pki.workload(Signer::Mesh, &[id])?.write(folder, name)).transpose()?;
        let to_gateway = tls::upstream(GATEWAY_NAME, &files.mesh_bundle, own.as_ref());
        let sidecar = listener(name, None, Vec::new(), listener::everything_to("gateway"), Side::Client);
        save(name, &sidecar, &[cluster::named("gateway", "gateway", PORT, &to_gateway)])?;
    }
    Ok(())
}
