//! The case files of `tests/cases`: a policy, and requests with what is decided about each. The same files run on the
//! core and over mTLS in real Envoys. A file's requests come one after another, so that quotas remember them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;

/// A file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name, without the folder.
    #[serde(skip)]
    pub name: String,
    pub policy: Value,
    pub tests: Vec<Case>,
}

/// A request, and what is decided about it; about the last, if it is repeated.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub request: Request,
    /// Number of times that it is sent; once if absent.
    #[serde(default = "once")]
    pub repeat: usize,
    pub expect: Expected,
}

/// A request, as `tollgate eval` takes it too. What ends in `_b64` is for bytes that text cannot hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    identity: Option<String>,
    identity_b64: Option<String>,
    #[serde(default)]
    authority: String,
    authority_b64: Option<String>,
    method: Option<String>,
    path: Option<String>,
    path_b64: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The cluster that the route chose.
    pub cluster: Option<String>,
    /// Source of the identity; the peer's certificate if absent.
    pub source: Option<String>,
    /// Time of the decision (RFC 3339); absent if it does not matter.
    pub now: Option<String>,
    /// `tcp` for a connection: the authority is the host and port that it was led to.
    pub layer: Option<String>,
    /// The server name in the caller's own TLS.
    sni: Option<String>,
    /// The first bytes of a connection; neither these nor a server name: it speaks no TLS.
    #[serde(rename = "clientHello_b64")]
    client_hello_b64: Option<String>,
}

fn once() -> usize {
    1
}

/// Expected decision. Keys that are absent are not compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub decision: String,
    pub reason: String,
    pub rule: Option<String>,
    pub also: Option<Vec<Further>>,
    /// Amount used of each quota that was consulted, by id.
    pub used: Option<BTreeMap<String, u64>>,
}

/// A further reason of a dry-run; written alone it says nothing of the entry that gave it.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Further {
    Reason(String),
    Whole { r: String, rule: Option<String> },
}

impl Further {
    pub fn is(&self, reason: &str, by: Option<&str>) -> bool {
        match self {
            Further::Reason(expected) => expected == reason,
            Further::Whole { r, rule } => r == reason && rule.as_deref() == by,
        }
    }
}

/// All files, by name.
pub fn files() -> Vec<File> {
    let dir = crate::root().join("tests/cases");
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let parse = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let file: File = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        File { name: path.file_name().unwrap().display().to_string(), ..file }
    };
    paths.iter().map(|path| parse(path)).collect()
}

impl Request {
    pub fn identity(&self) -> Option<Vec<u8>> {
        either(self.identity.as_ref(), self.identity_b64.as_ref())
    }

    pub fn authority(&self) -> Vec<u8> {
        either(Some(&self.authority), self.authority_b64.as_ref()).unwrap_or_default()
    }

    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    pub fn path(&self) -> Option<Vec<u8>> {
        either(self.path.as_ref(), self.path_b64.as_ref())
    }

    /// Tells whether it is a TCP connection.
    pub fn is_connection(&self) -> bool {
        self.layer.as_deref() == Some("tcp")
    }

    /// The first bytes of a connection.
    pub fn first_bytes(&self) -> Vec<u8> {
        match (&self.sni, either(None, self.client_hello_b64.as_ref())) {
            (Some(sni), None) => crate::hello::Hello::of(sni).record(),
            (None, Some(bytes)) => bytes,
            (None, None) => b"no TLS".to_vec(),
            (Some(_), Some(_)) => panic!("both a server name and first bytes"),
        }
    }

    /// The server name of the mesh's own TLS that leads a connection to its authority.
    pub fn outer_sni(&self) -> String {
        match self.authority.rsplit_once(':') {
            Some((host, port)) => format!("outbound_.{port}_._.{host}"),
            None => self.authority.clone(),
        }
    }

    /// Tells whether the identity is the principal of a mesh's tunnel. Panics at any other source.
    pub fn by_principal(&self) -> bool {
        match self.source.as_deref() {
            None | Some("peer-certificate") => false,
            Some("peer-principal") => true,
            Some(other) => panic!("`{other}` is no source of identities"),
        }
    }
}

fn either(text: Option<&String>, base64: Option<&String>) -> Option<Vec<u8>> {
    match base64 {
        Some(base64) => Some(BASE64_STANDARD.decode(base64).unwrap()),
        None => text.map(|text| text.clone().into_bytes()),
    }
}
