//! The lab: a control plane, a registry, two gateways and three workloads, from what `render` and `push` produce.

use super::cluster::{Cluster, succeeded};
use super::grpc;
use super::istiod::{self, Istiod};
use super::origin;
use super::pod::{Pod, Programs, Spec};
use super::process::{Process, wait};
use super::sandbox;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use tollgate_local::wire::{self, Response};

/// Address of the registry.
const REGISTRY: (&str, u16) = ("10.244.0.3", 5000);
const PATIENCE: Duration = Duration::from_secs(30);

/// External servers: their names and addresses.
const SERVERS: [(&str, &str); 16] = [
    ("api.ext.example", "203.0.113.10"),
    ("limited.ext.example", "203.0.113.10"),
    ("unlisted.ext.example", "203.0.113.10"),
    ("wrong.ext.example", "203.0.113.11"),
    ("expired.ext.example", "203.0.113.12"),
    ("plain.ext.example", "203.0.113.13"),
    ("wildcard.ext.example", "203.0.113.14"),
    ("grpc.ext.example", "203.0.113.15"),
    ("tls.ext.example", "203.0.113.10"),
    ("db.ext.example", DATABASE),
    ("cache.ext.example", DATABASE),
    ("mail.ext.example", DATABASE),
    ("new.any.example", "203.0.113.10"),
    ("denied.any.example", "203.0.113.10"),
    // whoever owns a name says what it resolves to
    ("inside.any.example", sandbox::NODE),
    ("inner.any.example", INSIDE),
];

/// An address of the inside with a server that nobody may reach.
pub const INSIDE: &str = "10.244.0.4";
/// Address of servers that speak no HTTP.
pub const DATABASE: &str = "203.0.113.16";

/// A gateway of the lab.
pub struct Gateway {
    pub pod: Pod,
    /// Folder of its policy, its site file and the rendered objects.
    folder: PathBuf,
}

pub struct Lab {
    pub cluster: Cluster,
    /// A gateway with Istio's own API, each host listed.
    pub listed: Gateway,
    /// A gateway with the Gateway API, any host.
    pub open: Gateway,
    pub checkout: Pod,
    /// A workload whose connections are led to its sidecar.
    pub ledger: Pod,
    pub web: Pod,
    pub batch: Pod,
    /// A workload whose connections are led to its sidecar, of a namespace that may use the other gateway.
    pub agent: Pod,
    pub tools: PathBuf,
    folder: PathBuf,
    registry: Mutex<Option<Process>>,
    istiod: Istiod,
    /// The certificate of the authority that servers have theirs from.
    pub authority: CertificateDer<'static>,
    programs: Programs,
    proxy_config: Value,
}

/// The policy of the gateway with listed hosts.
pub const LISTED: &str = include_str!("listed.yaml");
/// The policy of the gateway that any host is reached through.
pub const OPEN: &str = include_str!("open.yaml");

impl Lab {
    pub fn start(tools: &Path, folder: &Path) -> Lab {
        let authority = Authority::new();
        let names: Vec<_> = SERVERS.into_iter().chain([("istiod.istio-system.svc", istiod::ADDRESS)]).collect();
        sandbox::prepare(&names, &authority.pem(), folder);
        for address in [
            "203.0.113.10",
            "203.0.113.11",
            "203.0.113.12",
            "203.0.113.13",
            "203.0.113.14",
            "203.0.113.15",
            DATABASE,
            INSIDE,
            "203.0.113.66",
            istiod::ADDRESS,
            REGISTRY.0,
        ] {
            sandbox::address(address);
        }
        let good = &[
            "api.ext.example",
            "limited.ext.example",
            "unlisted.ext.example",
            "tls.ext.example",
            "new.any.example",
            "denied.any.example",
            "inside.any.example",
            "203.0.113.10",
            sandbox::NODE,
        ];
        for address in ["203.0.113.10:443", "203.0.113.10:8443", "10.244.0.1:443"] {
            origin::serve(address, Some(authority.issue(good, false)));
        }
        origin::serve("203.0.113.11:443", Some(authority.issue(&["other.ext.example"], false)));
        origin::serve("203.0.113.12:443", Some(authority.issue(&["expired.ext.example"], true)));
        origin::serve("203.0.113.13:80", None);
        origin::serve("203.0.113.14:443", Some(authority.issue(&["*.ext.example"], false)));
        for port in [5432, 6379] {
            origin::echo(&format!("{DATABASE}:{port}"));
        }
        grpc::serve("203.0.113.15:443", authority.issue(&["grpc.ext.example"], false));

        let registry = registry(folder);
        let digest = push("oci://10.244.0.3:5000/tollgate:1", &tollgate_local::module::HTTP.find_or_build().unwrap());
        let tcp = push("oci://10.244.0.3:5000/tollgate-tcp:1", &tollgate_local::module::TCP.find_or_build().unwrap());

        let site = |name, api, routes, namespaces: &[&str]| {
            let mut site = site(name, api, routes, &digest, namespaces);
            site["module"]["tcp"] = json!({"digest": tcp});
            site
        };
        let listed = write("listed", LISTED, &site("egress", "istio", "listed", &["payments", "frontend"]), folder);
        let open = write("open", OPEN, &site("open", "gateway", "catch-all", &["batch"]), folder);
        render(&listed);
        render(&open);

        let cluster = Cluster::start(tools, folder);
        for namespace in ["istio-system", "istio-egress", "istio-open", "payments", "frontend", "batch", "ci"] {
            cluster.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        }
        service(&cluster, "istio-egress", "istio-egressgateway", &json!({"istio": "egressgateway"}), "10.244.1.10");
        service(
            &cluster,
            "istio-open",
            "open-istio",
            &json!({"gateway.networking.k8s.io/gateway-name": "open"}),
            "10.244.1.20",
        );
        apply(&cluster, &listed);
        apply(&cluster, &open);
        let mesh = read(&listed.join("rendered/patches/mesh-config.yaml"));
        let istiod = Istiod::start(tools, folder, &cluster, &mesh);
        let pods = read(&listed.join("rendered/patches/gateway-pods.yaml"));
        let config = pods.pointer("/spec/template/metadata/annotations/proxy.istio.io~1config").and_then(Value::as_str);
        let config: Value = serde_saphyr::from_str(config.unwrap()).unwrap();

        let programs = Programs {
            agent: tools.join("pilot-agent"),
            envoy: tollgate_local::envoy::binary::install(&tollgate_local::paths::tools(), ENVOY).unwrap(),
            bootstrap: tools.join("envoy_bootstrap.json"),
        };
        let start =
            |namespace: &'static str, account: &'static str, address: &'static str, labels: Value, gateway: bool| {
                let proxy_config = if gateway { config.clone() } else { json!({}) };
                let is_captured = ["ledger", "agent"].contains(&account);
                let spec = Spec { namespace, account, address, labels, is_gateway: gateway, is_captured, proxy_config };
                Pod::start(&cluster, &istiod, &programs, folder, &spec)
            };
        let egress = start("istio-egress", "egress", "10.244.1.10", json!({"istio": "egressgateway"}), true);
        let any =
            start("istio-open", "open", "10.244.1.20", json!({"gateway.networking.k8s.io/gateway-name": "open"}), true);
        let checkout = start("payments", "checkout", "10.244.2.10", json!({"app": "checkout"}), false);
        let ledger = start("payments", "ledger", "10.244.2.13", json!({"app": "ledger"}), false);
        let web = start("frontend", "web", "10.244.2.11", json!({"app": "web"}), false);
        let batch = start("batch", "job", "10.244.2.12", json!({"app": "job"}), false);
        let agent = start("batch", "agent", "10.244.2.14", json!({"app": "agent"}), false);
        let mut lab = Lab {
            cluster,
            listed: Gateway { pod: egress, folder: listed },
            open: Gateway { pod: any, folder: open },
            checkout,
            ledger,
            web,
            batch,
            agent,
            tools: tools.to_owned(),
            folder: folder.to_owned(),
            registry: Mutex::new(Some(registry)),
            istiod,
            authority: authority.0.der().clone(),
            programs,
            proxy_config: config,
        };
        for pod in [
            &mut lab.listed.pod,
            &mut lab.open.pod,
            &mut lab.checkout,
            &mut lab.ledger,
            &mut lab.web,
            &mut lab.batch,
            &mut lab.agent,
        ] {
            pod.ready();
        }
        lab
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One more pod of the gateway with listed hosts; it is not ready yet.
    pub fn another_gateway(&self, account: &'static str, address: &'static str) -> Pod {
        let spec = Spec {
            namespace: "istio-egress",
            account,
            address,
            labels: json!({"istio": "egressgateway"}),
            is_gateway: true,
            is_captured: false,
            proxy_config: self.proxy_config.clone(),
        };
        Pod::start(&self.cluster, &self.istiod, &self.programs, &self.folder, &spec)
    }

    /// Does something while the registry is down.
    pub fn without_registry(&self, work: impl FnOnce()) {
        drop(self.registry.lock().unwrap().take());
        work();
        *self.registry.lock().unwrap() = Some(registry(&self.folder));
    }

    /// Another registry, which lists referrers.
    pub fn registry_with_referrers(&self) -> Referrers {
        let address = SocketAddr::from(([127, 0, 0, 1], 5001));
        let mut command = Command::new(self.tools.join("registry"));
        let mut process = Process::start("referrers", &self.folder, command.arg(address.to_string()));
        process.until("a registry", PATIENCE, || TcpStream::connect(address).is_ok());
        Referrers { address, _process: process }
    }

    /// Verdict of `istioctl analyze` on everything in the cluster: success, and its output.
    pub fn analysis(&self) -> (bool, String) {
        self.analyze(&["--all-namespaces"])
    }

    /// Verdict with these objects added: success, and the output.
    pub fn analysis_of(&self, objects: &str) -> (bool, String) {
        let file = self.folder.join("analysed.yaml");
        fs::write(&file, objects).unwrap();
        self.analyze(&[file.to_str().unwrap(), "--all-namespaces"])
    }

    fn analyze(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(self.tools.join("istioctl"));
        command.arg("--kubeconfig").arg(&self.cluster.kubeconfig).args(["analyze", "--color=false"]).args(arguments);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

/// A registry that lists referrers.
pub struct Referrers {
    pub address: SocketAddr,
    _process: Process,
}

impl Referrers {
    pub fn get(&self, path: &str) -> Response {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: registry\r\nconnection: close\r\n\r\n");
        wire::exchange(&mut stream, request.as_bytes()).unwrap()
    }
}

impl Gateway {
    /// The line of the access log that holds a text; there is one, or the test fails.
    pub fn logged(&self, text: &str) -> Value {
        wait(&format!("a record of {text}"), PATIENCE, || {
            let log = self.pod.log();
            let line = log.lines().rev().find(|line| line.starts_with('{') && line.contains(text));
            line.and_then(|line| serde_json::from_str(line).ok()).ok_or_else(|| "there is none".to_owned())
        })
    }

    /// Tollgate's record in the line of the access log that holds a text.
    pub fn record(&self, text: &str) -> Value {
        let line = self.logged(text);
        let record = line.get("egress.record").cloned().unwrap_or_default();
        record.as_str().map_or(record.clone(), |record| serde_json::from_str(record).unwrap())
    }

    /// The rendered file of a part.
    pub fn rendered(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join("rendered").join(file)).unwrap()
    }

    /// Gives it another policy, the way people do.
    pub fn enforce(&self, cluster: &Cluster, policy: &str) {
        fs::write(self.folder.join("policy.yaml"), policy).unwrap();
        self.apply(cluster);
    }

    /// Gives it another image: by its digest, or by a tag alone.
    pub fn run_image(&self, cluster: &Cluster, image: &str, digest: Option<&str>) {
        let file = self.folder.join("site.yaml");
        let mut site = read(&file);
        site["module"]["image"] = image.into();
        site["module"].as_object_mut().unwrap().remove("digest");
        if let Some(digest) = digest {
            site["module"]["digest"] = digest.into();
        }
        fs::write(file, site.to_string()).unwrap();
        self.apply(cluster);
    }

    /// Renders and applies what there is.
    pub fn apply(&self, cluster: &Cluster) {
        render(&self.folder);
        apply(cluster, &self.folder);
    }
}

/// Istio 1.31's Envoy.
const ENVOY: &str = "1.39.3";

/// The command under test.
fn tollgate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tollgate"))
}

/// Pushes a module, and tells its digest.
pub fn push(to: &str, module: &Path) -> String {
    push_with(to, module, &[])
}

/// Pushes a module with more arguments, and tells its digest.
pub fn push_with(to: &str, module: &Path, more: &[&Path]) -> String {
    let mut command = tollgate();
    command.args(["push", "--plain-http", "--format", "json", to, "--module"]).arg(module).args(more);
    let report: Value = serde_json::from_str(&succeeded(command.output().unwrap(), "push")).unwrap();
    report["digest"].as_str().unwrap().to_owned()
}

fn registry(folder: &Path) -> Process {
    let (host, port) = REGISTRY;
    let config = folder.join("registry.yml");
    let text = format!(
        "version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '{host}:{port}'}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n",
        folder.join("registry").display()
    );
    fs::write(&config, text).unwrap();
    let binary = tollgate_local::paths::tools().join("registry/usr/bin/docker-registry");
    let mut process = Process::start("registry", folder, Command::new(binary).arg("serve").arg(config));
    process.until("a registry", PATIENCE, || TcpStream::connect(REGISTRY).is_ok());
    process
}

fn site(name: &str, api: &str, routes: &str, digest: &str, namespaces: &[&str]) -> Value {
    let (namespace, selector, service) = match api {
        "istio" => ("istio-egress", json!({"istio": "egressgateway"}), "istio-egressgateway"),
        _ => ("istio-open", json!({"gateway.networking.k8s.io/gateway-name": name}), "open-istio"),
    };
    let ports = match routes {
        "listed" => json!({"http": 8443, "tls": 9443, "serverFirst": 9444}),
        _ => json!({"http": 8443, "all": 9445}),
    };
    json!({
        "site": 1,
        "istio": {"version": "1.31"},
        "gateways": [{
            "name": name, "api": api, "namespace": namespace, "selector": selector,
            "service": format!("{service}.{namespace}.svc.cluster.local"), "ports": ports, "replicas": 1, "routes": routes,
        }],
        "module": {"image": "10.244.0.3:5000/tollgate", "digest": digest, "failStrategy": "FAIL_RELOAD"},
        "workloadNamespaces": namespaces,
        "lockdown": "workloads",
    })
}

fn write(name: &str, policy: &str, site: &Value, folder: &Path) -> PathBuf {
    let own = folder.join(name);
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("policy.yaml"), policy).unwrap();
    fs::write(own.join("site.yaml"), site.to_string()).unwrap();
    own
}

fn render(folder: &Path) {
    let mut command = tollgate();
    command.args(["render", "policy.yaml", "--site", "site.yaml", "-o", "rendered"]).current_dir(folder);
    let output = command.output().unwrap();
    // warnings are for people: an image without a digest is one
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)) && !said.contains("error"), "render: {said}");
}

fn apply(cluster: &Cluster, folder: &Path) {
    cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-k", folder.join("rendered").to_str().unwrap()]);
}

fn read(file: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// A Service and, since nobody else makes them here, its endpoints.
fn service(cluster: &Cluster, namespace: &str, name: &str, selector: &Value, address: &str) {
    cluster.create(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": selector, "ports": [
            {"name": "https-mesh", "port": 8443, "targetPort": 8443},
            {"name": "tls-mesh", "port": 9443, "targetPort": 9443},
            {"name": "tls-server-first", "port": 9444, "targetPort": 9444},
            {"name": "tls-all", "port": 9445, "targetPort": 9445},
        ]},
    }));
    cluster.create(&json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [
            {"name": "https-mesh", "port": 8443}, {"name": "tls-mesh", "port": 9443}, {"name": "tls-server-first", "port": 9444},
            {"name": "tls-all", "port": 9445},
        ],
        "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
    }));
}

/// A private authority, which the lab's machine trusts.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the lab's authority");
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, names: &[&str], is_expired: bool) -> origin::Identity {
        let mut params = CertificateParams::default();
        let san = |name: &&str| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        };
        params.subject_alt_names = names.iter().map(san).collect();
        if is_expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }
}
