//! Targets and destinations as they are written: keys, words, and the combinations that a target may not have.

use super::cidr::CidrPattern;
use super::decode::{At, Entries, Field, Keyed, Shape, Stop, Text, object};
use super::finding::{Findings, code};
use super::target::Kind;
use super::value::{MethodName, Switch};
use super::words::words;
use crate::model::{EncodedSlash, HostPattern, PathPattern, Ports, TargetOptions};

object! {
    /// An element of `to` and `except`.
    TargetDoc<'a>, "a target" {
        "destination" => destination: Text<'a>,
        "hosts" => hosts: Vec<HostPattern<'a>>,
        "cidrs" => cidrs: Vec<CidrPattern>,
        "ports" => ports: Ports,
        "region" => region: Region<'a>,
        "tls" => tls: Tls,
        "methods" => methods: Vec<MethodName<'a>>,
        "paths" => paths: Vec<At<PathPattern<'a>>>,
        "upgrades" => upgrades: Vec<UpgradeName>,
        "encodedSlash" => encoded_slash: EncodedSlash,
        "clientHello" => client_hello: ClientHelloWord,
        "ech" => ech: EchWord,
        "overTls" => over_tls: OverTls,
    }
}

object! {
    /// A value of `destinations`.
    DestinationDoc<'a>, "a destination" {
        "hosts" => hosts: Vec<HostPattern<'a>>,
        "cidrs" => cidrs: Vec<CidrPattern>,
        "ports" => ports: Ports,
        "region" => region: Region<'a>,
        "tls" => tls: Tls,
        "protocol" => protocol: Protocol,
        "serverFirst" => server_first: Switch,
    }
}

/// Keys of a target.
pub const TARGET_KEYS: &[&str] = TargetDoc::KEYS;

impl TargetDoc<'_> {
    /// The options that the target itself gives: what is wrong counts as not given.
    pub(super) fn options(&self) -> TargetOptions {
        TargetOptions {
            websocket: !self.upgrades.is_absent(),
            encoded_slash: self.encoded_slash.as_ref().copied().unwrap_or(EncodedSlash::Refused),
            hello_optional: self.client_hello.as_ref() == Some(&ClientHelloWord::Optional),
            ech: !self.ech.is_absent(),
            host_only: !self.over_tls.is_absent(),
            server_first: false,
        }
    }
}

/// For renderers and advice; no decision looks at it.
#[derive(Debug)]
pub(super) struct Tls;

words! { Tls, "`originate`, `passthrough`, `both` or `none`" {
    "originate" => Tls,
    "passthrough" => Tls,
    "both" => Tls,
    "none" => Tls,
}}

/// For renderers and advice; no decision looks at it.
#[derive(Debug)]
pub(super) struct Protocol;

words! { Protocol, "a protocol, as `http`, `grpc` or `tcp`" {
    "http" => Protocol,
    "http2" => Protocol,
    "grpc" => Protocol,
    "tcp" => Protocol,
    "amqp" => Protocol,
    "cassandra" => Protocol,
    "ftp" => Protocol,
    "imap" => Protocol,
    "kafka" => Protocol,
    "ldap" => Protocol,
    "memcached" => Protocol,
    "mongodb" => Protocol,
    "mssql" => Protocol,
    "mysql" => Protocol,
    "nfs" => Protocol,
    "oracle" => Protocol,
    "pop3" => Protocol,
    "postgres" => Protocol,
    "redis" => Protocol,
    "smtp" => Protocol,
    "ssh" => Protocol,
    "telnet" => Protocol,
}}

/// The one upgrade that a target can list.
#[derive(Debug)]
pub(super) struct UpgradeName;

words! { UpgradeName, "`websocket`" {
    "websocket" => UpgradeName,
}}

/// The demand on the caller's own TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientHelloWord {
    Required,
    Optional,
}

words! { ClientHelloWord, "`required` or `optional`" {
    "required" => ClientHelloWord::Required,
    "optional" => ClientHelloWord::Optional,
}}

/// The one word about an encrypted server name.
#[derive(Debug)]
pub(super) struct EchWord;

words! { EchWord, "`allow`" {
    "allow" => EchWord,
}}

/// The one word about what nobody can read in the caller's own TLS.
#[derive(Debug)]
pub(super) struct OverTls;

words! { OverTls, "`host-only`" {
    "host-only" => OverTls,
}}

words! { EncodedSlash, "`data` or `key`" {
    "data" => EncodedSlash::Data,
    "key" => EncodedSlash::Key,
}}

/// A label of destinations, compared with those of `residency`.
#[derive(Debug)]
pub(super) struct Region<'a>(pub(super) Text<'a>);

impl<'de> Shape<'de> for Region<'de> {
    const EXPECTED: &'static str = "a region";
    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if text.is_empty() {
            return findings.error(code::VALUE, "the region is empty", None);
        }
        Some(Region(text))
    }
}

/// Combinations that the parts of a target may not have.
pub(super) fn check(doc: &TargetDoc<'_>, kind: Kind, findings: &mut Findings<'_>) {
    if doc.destination.is_absent() {
        if !kind.closes() && doc.hosts.is_absent() && doc.cidrs.is_absent() {
            let fix = "name a `destination`, or give `hosts`, `cidrs` or both".to_owned();
            findings.error::<()>(code::MISSING, "the target says nowhere to", fix);
        }
    } else {
        let inline = [
            ("hosts", doc.hosts.is_absent()),
            ("cidrs", doc.cidrs.is_absent()),
            ("ports", doc.ports.is_absent()),
            ("region", doc.region.is_absent()),
            ("tls", doc.tls.is_absent()),
        ];
        for (key, _) in inline.iter().filter(|(_, absent)| !absent) {
            let message = format!("`{key}` stands beside `destination`");
            findings.error_in(key, code::COMBINATION, message, "the destination says it; keep one".to_owned());
        }
    }
    if kind == Kind::Quotas
        && !doc.paths.is_absent()
        && doc.methods.as_ref().is_some_and(|methods| methods.iter().all(|method| &*method.0 == "CONNECT"))
    {
        let message = "a CONNECT request has no path, so that `paths` says nothing of it";
        let fix = "remove `paths`, or list the methods of requests that have one".to_owned();
        findings.error_in("paths", code::COMBINATION, message, fix);
    }
    if kind != Kind::Rules {
        let given = [
            ("clientHello", doc.client_hello.is_absent()),
            ("ech", doc.ech.is_absent()),
            ("overTls", doc.over_tls.is_absent()),
        ];
        for (key, _) in given.iter().filter(|(_, absent)| !absent) {
            let message = format!("`{key}` is for rules: elsewhere a connection is compared by host and port alone");
            findings.error_in(key, code::COMBINATION, message, "remove it".to_owned());
        }
    }
    if doc.encoded_slash.as_ref() == Some(&EncodedSlash::Key) {
        keys(doc, kind, findings);
    }
    if doc.encoded_slash.is_absent() {
        for path in doc.paths.as_ref().into_iter().flatten().filter(|path| path.value.has_encoded_slash()) {
            findings.enter_key("paths");
            findings.enter_item(path.item);
            let message = format!("`{}` holds `%2F`, which no canonical path has", path.value);
            findings.error::<()>(code::PATH, message, "add `encodedSlash: data` to the target".to_owned());
            findings.leave();
            findings.leave();
        }
    }
}

/// Says where paths cannot be read as keys.
fn keys(doc: &TargetDoc<'_>, kind: Kind, findings: &mut Findings<'_>) {
    if kind != Kind::Rules {
        let fix = "write `data`: what closes is compared with `%2F` as it is and as `/`".to_owned();
        let message = "`key` is for rules: what closes compares every reading of a path";
        findings.error_in("encodedSlash", code::COMBINATION, message, fix);
        return;
    }
    for path in doc.paths.as_ref().into_iter().flatten().filter(|path| !path.value.begins_literally()) {
        findings.enter_key("paths");
        findings.enter_item(path.item);
        let message = format!("`{}` begins with no segment of its own, behind which a key could stand", path.value);
        let fix = format!("write it first, as `/BUCKET{}`", path.value);
        findings.error::<()>(code::PATH, message, fix);
        findings.leave();
        findings.leave();
    }
}
