//! The site file: where a policy runs. It names the gateway and what the mesh lets one do there.

mod dns;
mod gateway;
mod inside;
mod istio;
mod module;

pub(crate) use self::dns::{Dns, Family};
pub(crate) use self::gateway::{Api, Gateway, Permission, Routes};
pub(crate) use self::inside::Inside;
pub(crate) use self::istio::{Istio, PathNormalization};
pub(crate) use self::module::{FailStrategy, Module, without_tag};

use crate::read::{self, Failure};
use serde::Deserialize;
use std::path::Path;

/// Rule for names of namespaces, in words.
const NAMESPACE: &str = "a namespace is letters, digits and `-`, 63 at most";

/// Noun for the file in findings.
const NOUN: &str = "site file";

/// Pointer of a value below something else, and the reason why it cannot be.
type Wrong = (String, String);

/// The pointer and the message of a value that cannot be.
fn at(pointer: &str, message: &str) -> Option<Wrong> {
    Some((pointer.to_owned(), message.to_owned()))
}

/// A site.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Site {
    /// Version of the file's shape.
    site: u64,
    pub(crate) istio: Istio,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) module: Module,
    /// Namespaces that may use the gateways: they see the routes.
    #[serde(default)]
    pub(crate) workload_namespaces: Vec<String>,
    #[serde(default)]
    pub(crate) lockdown: Lockdown,
    #[serde(default = "system")]
    pub(crate) ca_certificates: String,
}

/// Workloads that are left no way out but the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lockdown {
    /// Nobody: workloads reach what they did.
    #[default]
    None,
    /// Every pod of the workload namespaces.
    Workloads,
}

/// The authorities of the proxy's own image.
const SYSTEM: &str = "system";

fn system() -> String {
    SYSTEM.to_owned()
}

/// Reads a site file.
///
/// # Errors
/// A file that cannot be read, or the first thing in it that is wrong.
pub(crate) fn read(path: &Path) -> Result<Site, Failure> {
    let unreadable = || {
        let error = std::io::Error::other("a site is one file");
        Failure::Unreadable(read::Unreadable { path: crate::read::escape::path(path), error })
    };
    let mut texts = read::texts(&[path], NOUN)?;
    let (file, json) = texts.pop().filter(|_| texts.is_empty()).ok_or_else(unreadable)?;
    let site: Site = read::typed(&file, &json, NOUN).map_err(Failure::Rejected)?;
    match site.wrong() {
        Some((pointer, message)) => Err(Failure::Rejected(read::rejected(&file, &pointer, &message, NOUN))),
        None => Ok(site),
    }
}

impl Site {
    /// The first value that is of the right type, and cannot be: its pointer, and why.
    fn wrong(&self) -> Option<Wrong> {
        if self.site != 1 {
            return at("site", "the only version of site files is 1");
        }
        if let Some((below, message)) = self.istio.wrong() {
            return at(&format!("istio.{below}"), &message);
        }
        if self.gateways.is_empty() {
            return at("gateways", "there is no gateway");
        }
        let mut gateways = self.gateways.iter().enumerate();
        let gateways = gateways.find_map(|(number, gateway)| {
            let (below, message) = gateway.wrong()?;
            Some((format!("gateways[{number}].{below}"), message))
        });
        let twice =
            self.gateways.iter().enumerate().find(|(number, gateway)| {
                self.gateways.iter().take(*number).any(|earlier| earlier.name == gateway.name)
            });
        let twice = twice.map(|(number, _)| (format!("gateways[{number}].name"), "two gateways have this name".into()));
        let namespaces = self.workload_namespaces.iter().enumerate().find(|(_, namespace)| !is_label(namespace));
        let namespaces = namespaces.map(|(number, _)| (format!("workloadNamespaces[{number}]"), NAMESPACE.into()));
        let nobody = || {
            let message = "there is nobody to lock down: list `workloadNamespaces`";
            at("lockdown", message)
                .filter(|_| self.lockdown == Lockdown::Workloads && self.workload_namespaces.is_empty())
        };
        let is_path = self.ca_certificates.starts_with('/') || self.ca_certificates == SYSTEM;
        let authorities = || {
            let message =
                "write `system` (the authorities of the proxy's image), or the path of a file in the gateway's pods";
            at("caCertificates", message).filter(|_| !is_path)
        };
        gateways.or(twice).or_else(|| self.shared_pods()).or(namespaces).or_else(nobody).or_else(authorities).or_else(
            || {
                let (below, message) = self.module.wrong()?;
                at(&format!("module.{below}"), message)
            },
        )
    }

    /// A gateway with a port for connections whose pods another one may have, too: their clusters and listeners would meet.
    fn shared_pods(&self) -> Option<Wrong> {
        let may_meet = |one: &Gateway, other: &Gateway| {
            let differs =
                |(label, value): (&String, &String)| other.selector.get(label).is_some_and(|own| own != value);
            one.namespace == other.namespace && !one.selector.iter().any(differs)
        };
        let mut gateways = self.gateways.iter().enumerate();
        let (number, _) = gateways.find(|(number, gateway)| {
            let mut earlier = self.gateways.iter().take(*number);
            earlier.any(|earlier| {
                let carries = gateway.ports.carrying().or(earlier.ports.carrying()).is_some();
                carries && may_meet(earlier, gateway)
            })
        })?;
        let message = "another gateway of this namespace may have the same pods: with a port for connections each takes pods of its own";
        at(&format!("gateways[{number}].selector"), message)
    }
}

/// Tells whether Kubernetes takes it as a label of a name (RFC 1123).
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}
