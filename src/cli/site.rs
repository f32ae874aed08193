//! The site file: where a policy runs. It names the gateway and what the mesh lets one do there.

use super::source::{self, Failure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What a name of a namespace has to be.
const NAMESPACE: &str = "a namespace is letters, digits and `-`, 63 at most";

/// What the file is read as.
const NOUN: &str = "site file";

/// A site.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Site {
    /// Version of the file's shape.
    site: u64,
    pub(super) istio: Istio,
    pub(super) gateways: Vec<Gateway>,
    pub(super) module: Module,
    /// Namespaces that the lock-down policies are written for, and that see the routes.
    #[serde(default)]
    pub(super) workload_namespaces: Vec<String>,
}

/// The control plane.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Istio {
    pub(super) version: String,
    #[serde(default = "root_namespace")]
    pub(super) namespace: String,
}

/// An egress gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Gateway {
    pub(super) name: String,
    pub(super) api: Api,
    pub(super) namespace: String,
    /// Labels of its pods.
    pub(super) selector: BTreeMap<String, String>,
    /// `NAME.NAMESPACE.svc…` of its Service.
    pub(super) service: String,
    pub(super) ports: Ports,
    /// The most pods there will be.
    pub(super) replicas: Option<u64>,
    #[serde(default)]
    pub(super) routes: Routes,
    #[serde(default)]
    pub(super) envoy_filter: Permission,
}

/// The ports that the mesh's mTLS arrives at.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ports {
    /// Of the HTTP filter.
    pub(super) http: u16,
    /// Of the filter for TLS passed through.
    #[expect(dead_code, reason = "part of the file's shape; there is no such filter yet")]
    #[serde(default)]
    tls: Option<u16>,
}

/// Whose objects describe a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Api {
    /// Istio's own Gateway and VirtualService.
    Istio,
    /// The Kubernetes Gateway API.
    Gateway,
    /// A waypoint of an ambient mesh.
    Waypoint,
}

/// What a host needs to be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Routes {
    /// Objects of its own.
    #[default]
    Listed,
    /// Nothing: one dynamic route, and the policy alone decides.
    CatchAll,
}

/// Whether the mesh lets one patch Envoy's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Permission {
    #[default]
    Allowed,
    Forbidden,
}

/// The filter's image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Module {
    pub(super) image: String,
    pub(super) digest: Option<String>,
    pub(super) pull_secret: Option<String>,
    #[serde(default)]
    pub(super) fail_strategy: FailStrategy,
}

/// What Envoy does when the filter's VM dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum FailStrategy {
    /// Makes another VM; until then, requests are refused.
    #[default]
    FailReload,
    /// Refuses requests from then on.
    FailClose,
}

fn root_namespace() -> String {
    "istio-system".to_owned()
}

/// Reads a site file.
///
/// # Errors
/// A file that cannot be read, or the first thing in it that is wrong.
pub(super) fn read(path: &Path) -> Result<Site, Failure> {
    let unreadable = || {
        let error = std::io::Error::other("a site is one file");
        Failure::Unreadable(source::Unreadable { path: path.display().to_string(), error })
    };
    let mut texts = source::texts(&[path], NOUN)?;
    let (file, json) = texts.pop().filter(|_| texts.is_empty()).ok_or_else(unreadable)?;
    let site: Site = source::typed(&file, &json, NOUN).map_err(Failure::Rejected)?;
    match site.wrong() {
        Some((pointer, message)) => Err(Failure::Rejected(source::rejected(&file, &pointer, &message, NOUN))),
        None => Ok(site),
    }
}

impl Site {
    /// The first value that is of the right type, and cannot be: its pointer, and why.
    fn wrong(&self) -> Option<(String, String)> {
        let at = |pointer: &str, message: &str| Some((pointer.to_owned(), message.to_owned()));
        if self.site != 1 {
            return at("site", "the only version of site files is 1");
        }
        if self.istio.minor().is_none() {
            return at("istio.version", "write a version as `\"1.31\"`, in quotes");
        }
        if !is_label(&self.istio.namespace) {
            return at("istio.namespace", NAMESPACE);
        }
        if self.gateways.is_empty() {
            return at("gateways", "there is no gateway");
        }
        let mut gateways = self.gateways.iter().enumerate();
        let gateways = gateways.find_map(|(number, gateway)| {
            let (below, message) = gateway.wrong()?;
            Some((format!("gateways[{number}].{below}"), message.to_owned()))
        });
        let twice =
            self.gateways.iter().enumerate().find(|(number, gateway)| {
                self.gateways.iter().take(*number).any(|earlier| earlier.name == gateway.name)
            });
        let twice = twice.map(|(number, _)| (format!("gateways[{number}].name"), "two gateways have this name".into()));
        let namespaces = self.workload_namespaces.iter().enumerate().find(|(_, namespace)| !is_label(namespace));
        let namespaces = namespaces.map(|(number, _)| (format!("workloadNamespaces[{number}]"), NAMESPACE.into()));
        gateways.or(twice).or(namespaces).or_else(|| {
            let (below, message) = self.module.wrong()?;
            at(&format!("module.{below}"), message)
        })
    }
}

impl Istio {
    /// `31` of `1.31` and `1.31.2`.
    pub(super) fn minor(&self) -> Option<u32> {
        let mut parts = self.version.split('.');
        (parts.next() == Some("1")).then_some(())?;
        parts.next()?.parse().ok()
    }
}

impl Gateway {
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        if !is_label(&self.name) || self.name.len() > MOST_OF_A_GATEWAY {
            return Some((
                "name",
                "a gateway's name is letters, digits and `-`, 40 at most: other names begin with it",
            ));
        }
        if !is_label(&self.namespace) {
            return Some(("namespace", NAMESPACE));
        }
        if self.selector.is_empty() {
            return Some(("selector", "without labels it would select every pod of the namespace"));
        }
        let in_namespace = self.service.split('.').nth(1) == Some(self.namespace.as_str());
        if !in_namespace || !self.service.contains(".svc") || !self.service.split('.').all(is_label) {
            return Some(("service", "write the Service of this namespace as `NAME.NAMESPACE.svc.cluster.local`"));
        }
        if self.ports.http == 0 {
            return Some(("ports.http", "0 is no port"));
        }
        (self.replicas == Some(0)).then_some(("replicas", "there is at least one pod"))
    }

    /// The first label of the Service's name.
    pub(super) fn service_name(&self) -> &str {
        self.service.split('.').next().unwrap_or(&self.service)
    }
}

impl Module {
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        if self.image.is_empty() || self.image.contains("://") || self.image.contains('@') {
            return Some(("image", "write the image as `HOST/NAME` or `HOST/NAME:TAG`, and its digest under `digest`"));
        }
        let is_digest = |digest: &String| {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let wrong = self.digest.as_ref().is_some_and(|digest| !is_digest(digest));
        wrong.then_some(("digest", "a digest is `sha256:` and 64 hex digits, as `tollgate push` prints it"))
    }
}

/// Names of other objects begin with a gateway's, and are 63 long at most.
const MOST_OF_A_GATEWAY: usize = 40;

/// Whether Kubernetes takes it as a label of a name (RFC 1123).
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}
