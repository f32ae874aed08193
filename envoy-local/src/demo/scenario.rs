//! Requests of the demo, with the caller and the expected outcome of each: `scenarios.yaml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tollgate::request::Identity;

use crate::paths;

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The workloads, by name.
    pub workloads: BTreeMap<String, Member>,
    /// Their requests, in order.
    pub scenarios: Vec<Scenario>,
}

/// A workload.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its SPIFFE ID; without one it has no certificate.
    pub spiffe: Option<String>,
    /// True if an authority of another trust domain signed its certificate.
    #[serde(default)]
    pub foreign: bool,
}

/// A request of one workload, or several of the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A title, for people.
    pub story: String,
    /// The workload's name.
    #[serde(rename = "as")]
    pub workload: String,
    /// The request itself.
    pub request: Request,
    /// Number of times that it is sent, one after another; once if absent.
    #[serde(default = "once")]
    pub repeat: usize,
    /// The outcome to expect.
    pub expect: Expected,
}

/// A request in HTTP/1.1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// GET if absent.
    #[serde(default = "get")]
    pub method: String,
    /// Value of the Host header.
    pub authority: String,
    /// `/` if absent; not sent with CONNECT.
    #[serde(default = "slash")]
    pub path: String,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Bytes of its body, if it has one.
    pub body: Option<usize>,
}

/// Expected outcome of a request; of the last one, if there are several.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The record's `d`.
    pub decision: String,
    /// The record's `r`.
    pub reason: String,
    /// The record's `rule`.
    pub rule: Option<String>,
    /// Status of the response that the caller sees.
    pub status: u16,
    /// Number of the requests that the external server receives; if absent, all or none, depending on the decision. Of
    /// a request that is cut off, less than the whole must arrive.
    pub received: Option<usize>,
    /// Headers that the external server must not see; a `*` at the end stands for anything.
    #[serde(default)]
    pub withheld: Vec<String>,
}

fn once() -> usize {
    1
}

fn get() -> String {
    "GET".to_owned()
}

fn slash() -> String {
    "/".to_owned()
}

impl Script {
    /// The scenarios of the repository.
    pub fn shipped() -> Result<Script> {
        let file = directory().join("scenarios.yaml");
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_saphyr::from_str(&text).with_context(|| format!("{}", file.display()))
    }

    /// These callers and one without a certificate, who do nothing by themselves. Of an account, `NAMESPACE/NAME`, the identity
    /// is that of the policy's own trust domain.
    ///
    /// # Errors
    /// A caller is neither an account nor a SPIFFE ID.
    pub fn of_callers(callers: &[String], trust_domain: &str) -> Result<Script> {
        let mut workloads = BTreeMap::from([("nobody".to_owned(), Member::default())]);
        for caller in callers {
            let spiffe = match caller.split_once('/') {
                _ if caller.starts_with("spiffe://") => caller.clone(),
                Some((namespace, name)) => format!("spiffe://{trust_domain}/ns/{namespace}/sa/{name}"),
                None => bail!("`{caller}` is no caller: write NAMESPACE/NAME, or a SPIFFE ID"),
            };
            let is_identity = Identity::parse(spiffe.as_bytes()).is_some();
            ensure!(is_identity, "`{caller}` is no caller: `{spiffe}` is no SPIFFE ID");
            workloads.insert(caller.clone(), Member { spiffe: Some(spiffe), foreign: false });
        }
        Ok(Script { workloads, scenarios: Vec::new() })
    }

    /// The policy that they are written for.
    pub fn policy_file() -> PathBuf {
        directory().join("policy.yaml")
    }
}

fn directory() -> PathBuf {
    paths::root().join("envoy-local")
}

impl Request {
    /// The bytes, with an id by which to find the record.
    pub fn bytes(&self, id: &str) -> Vec<u8> {
        let Request { method, authority, path, headers, body } = self;
        let target = if method == "CONNECT" { authority } else { path };
        let mut text = format!("{method} {target} HTTP/1.1\r\nhost: {authority}\r\nx-request-id: {id}\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(size) = body {
            text.push_str(&format!("content-length: {size}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len().saturating_add(body.unwrap_or_default()), b'x');
        bytes
    }

    /// `METHOD authority/path`, for people.
    pub fn summary(&self) -> String {
        let path = if self.method == "CONNECT" { "" } else { &self.path };
        let upgrade = self.headers.get("upgrade").map(|to| format!(" (upgrade: {to})")).unwrap_or_default();
        let body = self.body.map(|size| format!(" ({size} bytes)")).unwrap_or_default();
        format!("{} {}{path}{upgrade}{body}", self.method, self.authority)
    }

    /// A `curl` command that sends the request, for the workload whose listener is at this address.
    pub fn curl(&self, listener: std::net::SocketAddr) -> String {
        let mut command = format!("curl -i --path-as-is --connect-to ::{listener}");
        if self.method != "GET" {
            command.push_str(&format!(" -X {}", self.method));
        }
        for (name, value) in &self.headers {
            command.push_str(&format!(" -H '{name}: {value}'"));
        }
        let command = format!("{command} 'http://{}{}'", self.authority, self.path);
        match self.body {
            Some(size) => format!("head -c {size} /dev/zero | {command} --data-binary @-"),
            None => command,
        }
    }
}
