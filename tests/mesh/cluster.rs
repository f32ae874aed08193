//! A real Kubernetes API server and its store. There are no nodes: pods are objects, and their programs are started by
//! hand.

use super::process::Process;
use super::sandbox::NODE;
use rcgen::KeyPair;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "lab";

pub struct Cluster {
    kubectl: PathBuf,
    pub kubeconfig: PathBuf,
    _etcd: Process,
    _server: Process,
}

impl Cluster {
    pub fn start(tools: &Path, folder: &Path) -> Cluster {
        let etcd = Process::start(
            "etcd",
            folder,
            Command::new(tools.join("etcd"))
                .args([
                    "--listen-client-urls",
                    "http://127.0.0.1:2379",
                    "--advertise-client-urls",
                    "http://127.0.0.1:2379",
                ])
                .args(["--listen-peer-urls", "http://127.0.0.1:2380", "--unsafe-no-fsync", "--data-dir"])
                .arg(folder.join("etcd")),
        );
        let key = KeyPair::generate().unwrap();
        let (private, public) = (folder.join("sa.key"), folder.join("sa.pub"));
        fs::write(&private, key.serialize_pem()).unwrap();
        fs::write(&public, key.public_key_pem()).unwrap();
        let tokens = folder.join("tokens.csv");
        fs::write(&tokens, format!("{TOKEN},admin,admin,system:masters\n")).unwrap();
        let mut command = Command::new(tools.join("kube-apiserver"));
        command
            .args(["--etcd-servers=http://127.0.0.1:2379", "--service-cluster-ip-range=10.96.0.0/16"])
            .args(["--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=RBAC"])
            .args(["--api-audiences=https://kubernetes.default.svc,istio-ca", "--secure-port=6443"])
            .args(["--bind-address=127.0.0.1", &format!("--advertise-address={NODE}")])
            .arg(format!("--service-account-key-file={}", public.display()))
            .arg(format!("--service-account-signing-key-file={}", private.display()))
            .arg(format!("--token-auth-file={}", tokens.display()))
            .arg(format!("--cert-dir={}", folder.join("apiserver").display()));
        let mut server = Process::start("kube-apiserver", folder, &mut command);
        let kubeconfig = folder.join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": true}}],
            "users": [{"name": "lab", "user": {"token": TOKEN}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        });
        fs::write(&kubeconfig, config.to_string()).unwrap();
        let kubectl = tools.join("kubectl");
        let ready = || {
            let asked =
                Command::new(&kubectl).arg("--kubeconfig").arg(&kubeconfig).args(["get", "--raw", "/readyz"]).output();
            asked.is_ok_and(|output| output.status.success())
        };
        server.until("a ready API server", PATIENCE, ready);
        let cluster = Cluster { kubectl, kubeconfig, _etcd: etcd, _server: server };
        for crds in ["istio-crds.yaml", "gateway-api-crds.yaml"] {
            cluster.apply(&fs::read_to_string(tools.join(crds)).unwrap());
        }
        let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
        cluster.kubectl(&established);
        cluster
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        command
    }

    /// Runs kubectl and returns its output; panics if it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        succeeded(self.command(arguments).output().unwrap(), &arguments.join(" "))
    }

    fn apply_with(&self, text: &str, more: &[&str]) -> Output {
        let mut arguments = vec!["apply", "--server-side", "-f", "-"];
        arguments.extend(more);
        let mut child = self
            .command(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // what it refuses, it need not read to the end
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Applies objects, as people do, and as the API server takes them: all of them, or the test fails.
    pub fn apply(&self, text: &str) -> String {
        succeeded(self.apply_with(text, &[]), "apply")
    }

    /// The API server's reason for refusing objects; none if it would take them. Nothing is stored.
    pub fn refusal(&self, text: &str) -> Option<String> {
        let output = self.apply_with(text, &["--dry-run=server"]);
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub fn create(&self, object: &Value) {
        self.apply(&object.to_string());
    }

    pub fn delete(&self, kind: &str, namespace: &str, name: &str) {
        self.kubectl(&["delete", kind, "-n", namespace, name, "--wait=true"]);
    }
}

pub fn succeeded(output: Output, what: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
