//! Hosts that have objects of their own, as routes lead to them.

use super::object::{Maker, Object, ObjectKind, ObjectPart};
use crate::analysis::ports::Upstream;
use crate::read::sha256;
use serde_json::Value;

/// The longest name of an object (RFC 1123, a subdomain).
const LONGEST: usize = 253;
/// Hex digits that a name that is cut off ends in.
const HASH: usize = 16;

/// A host, and how it is reached.
pub(super) struct RoutedHost<'h> {
    pub(super) maker: &'h Maker<'h>,
    /// Headers that end at the gateway.
    pub(super) strip: &'h [String],
    pub(super) host: &'h str,
    /// Name of its objects.
    pub(super) name: String,
    /// Namespaces that see it.
    pub(super) exported: Vec<&'h str>,
    pub(super) ways: Vec<PortWay>,
    /// Certificate authorities that count.
    pub(super) trusted: &'h str,
}

/// One port of a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortWay {
    /// Port that a workload connects to, and that the ServiceEntry has.
    pub(super) mesh: u16,
    /// Port of the host.
    pub(super) upstream: u16,
    pub(super) tls: Upstream,
    /// HTTP/2 is spoken to it, whatever the caller speaks.
    pub(super) http2: bool,
    /// End of such a request's authority.
    pub(super) named: NamedPort,
}

/// The port at the end of a request's authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedPort {
    /// It does not, or it names the default.
    Default,
    /// It does.
    Port,
    /// It does not when the workload asks; the port is written into it on the way to the gateway, and taken out behind it.
    Added,
}

impl RoutedHost<'_> {
    /// An object of the host's name.
    pub(super) fn object(&self, kind: ObjectKind, spec: Value) -> Object {
        self.maker.object(ObjectPart::Routes, kind, &self.name, spec)
    }
}

impl PortWay {
    /// Authorities of requests that go this way (RE2, the whole of it).
    pub(super) fn authority(&self) -> String {
        match self.named {
            NamedPort::Default => format!("[^:]+(:{})?", self.upstream),
            NamedPort::Port | NamedPort::Added => format!("[^:]+:{}", self.upstream),
        }
    }
}

/// The name that Tollgate knows for one that leads to this host.
pub(super) fn cluster_name(port: u16, host: &str) -> String {
    format!("tollgate.out|{port}|{host}")
}

/// A host's name behind a prefix; of one that is too long, the end is a hash of the whole.
pub(super) fn name(prefix: &str, host: &str) -> String {
    let long = format!("{prefix}.{host}");
    if long.len() <= LONGEST {
        return long;
    }
    let kept = LONGEST.saturating_sub(HASH).saturating_sub(2);
    let start: String = long.chars().take(kept).collect();
    let hash: String = sha256::hex(long.as_bytes()).chars().take(HASH).collect();
    format!("{}-x{hash}", start.trim_end_matches(['.', '-']))
}
