//! Hosts that have objects of their own, as routes lead to them.

use super::object::{Maker, Object, ObjectKind, ObjectPart};
use crate::analysis::ports::{Known, Upstream};
use crate::read::sha256;
use serde_json::Value;
use std::net::IpAddr;

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
    /// Ports that are asked for in HTTP.
    pub(super) ways: Vec<PortWay>,
    /// Ports that connections are carried on.
    pub(super) carried: Vec<CarriedWay>,
    /// Address that stands for it, where something is known by that.
    pub(super) vip: Option<IpAddr>,
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

/// One port of a host that connections are carried on: a workload connects to the host's own port.
#[derive(Clone, Debug)]
pub(super) struct CarriedWay {
    pub(super) port: u16,
    pub(super) known: Known,
    pub(super) tls: Upstream,
    /// Port of the gateway that it goes to.
    pub(super) to: u16,
    /// Subset of the gateway's Service whose server name tells the gateway where to.
    pub(super) subset: String,
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

/// The name of the cluster that the filter leads a connection to. Nothing that another namespace writes makes one of this name, so that
/// what was not rendered leads nowhere.
pub(super) fn carried_cluster(port: u16, host: &str) -> String {
    format!("tollgate.tcp|{port}|{host}")
}

/// The server name of the mesh's own TLS that leads a connection to a port of a host.
pub(super) fn server_name(port: u16, host: &str) -> String {
    format!("outbound_.{port}_._.{host}")
}

/// The longest label (RFC 1123).
const LONGEST_LABEL: usize = 63;

/// A subset's name, a label: dots of the host are `-`, and each `-` of it is two, so that no two hosts share one.
pub(super) fn subset(port: u16, host: &str) -> String {
    let long = format!("s{port}-{}", host.replace('-', "--").replace('.', "-"));
    if long.len() <= LONGEST_LABEL {
        return long;
    }
    let kept: String = long.chars().take(LONGEST_LABEL.saturating_sub(HASH).saturating_sub(2)).collect();
    format!("{}-x{}", kept.trim_end_matches('-'), hex(host))
}

/// Bits of a hash of a text.
pub(super) fn hash(text: &str) -> u32 {
    hex(text).chars().take(8).filter_map(|digit| digit.to_digit(16)).fold(0, |hash, digit| hash << 4 | digit)
}

/// A hash of a text, in hex.
fn hex(text: &str) -> String {
    sha256::hex(text.as_bytes()).chars().take(HASH).collect()
}

/// A host's name behind a prefix; of one that is too long, the end is a hash of the whole.
pub(super) fn name(prefix: &str, host: &str) -> String {
    let long = format!("{prefix}.{host}");
    if long.len() <= LONGEST {
        return long;
    }
    let kept = LONGEST.saturating_sub(HASH).saturating_sub(2);
    let start: String = long.chars().take(kept).collect();
    format!("{}-x{}", start.trim_end_matches(['.', '-']), hex(&long))
}
