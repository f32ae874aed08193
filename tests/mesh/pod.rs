//! Pods: objects of the cluster, a network of their own, and in it Istio's agent with an Envoy.

use super::cluster::Cluster;
use super::http2::{End, Open};
use super::istiod::Istiod;
use super::process::{Process, wait};
use super::sandbox::{NODE, Net};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tollgate_local::wire::{self, Response};

const PATIENCE: Duration = Duration::from_secs(90);

/// Description of a pod.
#[derive(Clone, Debug)]
pub struct Spec<'s> {
    pub namespace: &'s str,
    pub account: &'s str,
    pub address: &'s str,
    pub labels: Value,
    pub is_gateway: bool,
    /// Its workload's connections are led to the sidecar, wherever they go.
    pub is_captured: bool,
    /// The annotation `proxy.istio.io/config`.
    pub proxy_config: Value,
}

pub struct Pod {
    pub net: Net,
    agent: Process,
}

/// The programs that a pod is made of.
#[derive(Clone, Debug)]
pub struct Programs {
    pub agent: PathBuf,
    pub envoy: PathBuf,
    pub bootstrap: PathBuf,
}

impl Pod {
    pub fn start(cluster: &Cluster, istiod: &Istiod, programs: &Programs, folder: &Path, spec: &Spec<'_>) -> Pod {
        let Spec { namespace, account, address, labels, is_gateway, is_captured, proxy_config } = spec;
        let name = format!("{account}-0");
        cluster.create(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}}));
        cluster.create(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"serviceAccountName": account, "nodeName": "lab", "containers": [{"name": "istio-proxy", "image": "lab"}]},
        }));
        let status = json!({"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": NODE,
            "conditions": [{"type": "Ready", "status": "True"}],
        }});
        cluster.kubectl(&[
            "patch",
            "pod",
            &name,
            "-n",
            namespace,
            "--subresource=status",
            "--type=merge",
            "-p",
            &status.to_string(),
        ]);
        let token = cluster.kubectl(&[
            "create",
            "token",
            account,
            "-n",
            namespace,
            "--audience",
            "istio-ca",
            "--bound-object-kind",
            "Pod",
            "--bound-object-name",
            &name,
        ]);
        let own = folder.join(format!("{namespace}-{account}"));
        for (file, text) in [("tokens/istio-token", token.trim()), ("istio/root-cert.pem", &istiod.root)] {
            let file = own.join("var/run/secrets").join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let net = Net::new(&format!("{namespace}-{account}"), address);
        if *is_captured {
            net.capture();
        }
        let mut proxy = json!({
            "discoveryAddress": "istiod.istio-system.svc:15012",
            "binaryPath": programs.envoy,
            "configPath": own.join("envoy"),
            "concurrency": 1,
            "drainDuration": "1s",
            "terminationDrainDuration": "1s",
        });
        proxy.as_object_mut().unwrap().extend(proxy_config.as_object().cloned().unwrap_or_default());
        let labels: BTreeMap<String, String> = serde_json::from_value(labels.clone()).unwrap();
        let kind = if *is_gateway { "router" } else { "sidecar" };
        let mut command = Command::new("ip");
        // images are kept in a place of the machine, and each pod has its own
        let script = format!(
            "mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/istio/data && exec {} proxy {kind} --domain {namespace}.svc.cluster.local --proxyLogLevel=warning",
            programs.agent.display(),
        );
        command
            .args(["netns", "exec", &net.name, "sh", "-c", &script])
            .current_dir(&own)
            .envs([
                ("POD_NAME", name.as_str()),
                ("POD_NAMESPACE", namespace),
                ("INSTANCE_IP", address),
                ("HOST_IP", NODE),
                ("SERVICE_ACCOUNT", account),
                ("CA_ADDR", "istiod.istio-system.svc:15012"),
                ("ISTIOD_SAN", "istiod.istio-system.svc"),
                ("TRUST_DOMAIN", "cluster.local"),
                ("ISTIO_META_CLUSTER_ID", "Kubernetes"),
                ("ISTIO_META_MESH_ID", "cluster.local"),
                ("ISTIO_META_INTERCEPTION_MODE", if *is_captured { "REDIRECT" } else { "NONE" }),
                ("PILOT_CERT_PROVIDER", "istiod"),
                ("ISTIO_META_WORKLOAD_NAME", account),
            ])
            .env("ISTIO_METAJSON_LABELS", serde_json::to_string(&labels).unwrap())
            .env("ISTIO_BOOTSTRAP", &programs.bootstrap)
            .env("PROXY_CONFIG", proxy.to_string());
        let agent = Process::start(&format!("{namespace}-{account}"), folder, &mut command);
        Pod { net, agent }
    }

    /// Waits until the proxy says that it is ready.
    pub fn ready(&mut self) {
        let net = self.net.clone();
        self.agent.until("a ready proxy", PATIENCE, || admin(&net, "/ready").is_ok_and(|page| page.status == 200));
    }

    pub fn log(&self) -> String {
        self.agent.log()
    }

    /// A page of Envoy's admin interface.
    pub fn page(&self, path: &str) -> String {
        let page = admin(&self.net, path).unwrap();
        String::from_utf8_lossy(&page.body).into_owned()
    }

    /// The sum of the counters whose name ends so.
    pub fn stat(&self, name: &str) -> u64 {
        let page = self.page(&format!("/stats?filter={name}$"));
        page.lines().filter_map(|line| line.rsplit_once(": ")?.1.parse::<u64>().ok()).sum()
    }

    /// Response to the workload's request through its sidecar.
    pub fn ask(&self, method: &str, authority: &str, path: &str) -> Response {
        let port = authority.rsplit_once(':').map_or(80, |(_, port)| port.parse().unwrap());
        self.ask_at(SocketAddr::from(([127, 0, 0, 1], port)), method, authority, path).unwrap()
    }

    pub fn ask_at(&self, to: SocketAddr, method: &str, authority: &str, path: &str) -> io::Result<Response> {
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        exchange(&self.net, to, &request)
    }

    /// Result of the workload's gRPC call through its sidecar (HTTP/2 without an upgrade).
    pub fn call(&self, authority: &str, path: &str) -> io::Result<End> {
        let fields: &[(&[u8], &[u8])] = &[
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":authority", authority.as_bytes()),
            (b":path", path.as_bytes()),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        ];
        self.net.inside(|| {
            let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], 80)))?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            let mut open = Open::start(stream, fields)?;
            open.data(b"\0\0\0\0\0", true)?;
            open.end()
        })
    }

    /// Asks until the answer is as it should be: what is configured takes its time to get there.
    pub fn until(&self, method: &str, authority: &str, path: &str, is_right: impl Fn(&Response) -> bool) -> Response {
        wait(&format!("{method} {authority}{path}"), PATIENCE, || {
            let answer = self.ask(method, authority, path);
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            if is_right(&answer) { Ok(answer) } else { Err(format!("{} {body}", answer.status)) }
        })
    }
}

fn admin(net: &Net, path: &str) -> io::Result<Response> {
    let to = SocketAddr::from(([127, 0, 0, 1], 15000));
    exchange(net, to, &format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"))
}

fn exchange(net: &Net, to: SocketAddr, request: &str) -> io::Result<Response> {
    net.inside(|| {
        let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        wire::exchange(&mut stream, request.as_bytes())
    })
}
