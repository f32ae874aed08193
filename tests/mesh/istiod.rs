//! Istio's control plane.

use super::cluster::Cluster;
use super::process::Process;
use serde_json::{Value, json};
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub const ADDRESS: &str = "10.244.0.2";
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Istiod {
    _process: Process,
    /// Certificate of the authority by which proxies verify it, as PEM.
    pub root: String,
}

impl Istiod {
    /// Starts it with what rendered patches say of the mesh.
    pub fn start(tools: &Path, folder: &Path, cluster: &Cluster, mesh: &Value) -> Istiod {
        let mut config = json!({
            "rootNamespace": "istio-system",
            "trustDomain": "cluster.local",
            "defaultConfig": {"discoveryAddress": "istiod.istio-system.svc:15012"},
            "enablePrometheusMerge": false,
        });
        config.as_object_mut().unwrap().extend(mesh.as_object().unwrap().clone());
        let own = folder.join("istiod");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("mesh.yaml"), config.to_string()).unwrap();
        // plain Envoys have none of Istio's own extensions
        let off = [
            "PILOT_ENABLE_METADATA_EXCHANGE",
            "PILOT_ENABLE_ALPN_FILTER",
            "PILOT_ENABLE_TELEMETRY_LABEL",
            "PILOT_ENDPOINT_TELEMETRY_LABEL",
        ];
        let mut command = Command::new(tools.join("pilot-discovery"));
        command
            .arg("discovery")
            .arg(format!("--kubeconfig={}", cluster.kubeconfig.display()))
            .args(["--meshConfig=mesh.yaml", "--networksConfig=none"])
            .arg(format!("--httpAddr={ADDRESS}:8080"))
            .arg(format!("--grpcAddr={ADDRESS}:15010"))
            .arg(format!("--secureGRPCAddr={ADDRESS}:15012"))
            .arg(format!("--httpsAddr={ADDRESS}:15017"))
            .arg(format!("--monitoringAddr={ADDRESS}:15014"))
            .envs(off.map(|name| (name, "false")))
            .envs([
                ("PILOT_DISABLE_MX_ALPN", "true"),
                ("CLUSTER_ID", "Kubernetes"),
                ("POD_NAMESPACE", "istio-system"),
                ("POD_NAME", "istiod-0"),
                ("REVISION", "default"),
                ("ISTIOD_CUSTOM_HOST", "istiod.istio-system.svc"),
            ])
            .current_dir(&own);
        let mut process = Process::start("istiod", folder, &mut command);
        process.until("a ready istiod", PATIENCE, || {
            TcpStream::connect((ADDRESS, 15012)).is_ok() && TcpStream::connect((ADDRESS, 8080)).is_ok()
        });
        let root = super::process::wait("the mesh's root certificate", PATIENCE, || {
            let path = "jsonpath={.data.root-cert\\.pem}";
            let root = cluster.kubectl(&[
                "get",
                "configmap",
                "istio-ca-root-cert",
                "-n",
                "istio-system",
                "--ignore-not-found",
                "-o",
                path,
            ]);
            if root.is_empty() { Err("there is none".to_owned()) } else { Ok(root) }
        });
        Istiod { _process: process, root }
    }
}
