//! A request or a connection that stands for its class.

use super::hello::Hello;
use crate::analysis::edge::Edge;
use crate::analysis::request::{Buffers, Request};
use crate::analysis::{client_hello, server_name};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use std::collections::BTreeMap;
use tollgate::decision::Timestamp;
use tollgate::record::Layer;
use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, Presented, Source, Upgrade};

/// A request or a connection in the form that `tollgate eval --raw` takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Witness {
    #[serde(flatten)]
    pub(super) way: Way,
    #[serde(flatten)]
    content: Content,
    /// Seconds since 1970.
    now: u64,
}

/// The caller, and the host and port that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Way {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'static str>,
    pub(super) authority: String,
}

/// The rest of a witness.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
enum Content {
    Http {
        method: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<&'static str, String>,
    },
    Tcp {
        layer: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        sni: Option<String>,
        #[serde(rename = "clientHello_b64", skip_serializing_if = "Option::is_none")]
        client_hello_b64: Option<String>,
        #[serde(skip)]
        hello: Hello,
        /// The server name of its own TLS, if it has one.
        #[serde(skip)]
        name: String,
        /// The server name of the mesh's own TLS.
        #[serde(skip)]
        outer_sni: Vec<u8>,
    },
}

const UPGRADE: &str = "upgrade";

impl Witness {
    /// A request.
    pub(super) fn request(
        way: Way,
        method: String,
        path: Option<String>,
        headers: BTreeMap<&'static str, String>,
        now: u64,
    ) -> Witness {
        Witness { way, content: Content::Http { method, path, headers }, now }
    }

    /// A connection that was led to this host by its name, and begins so.
    pub(super) fn connection(way: Way, host: &str, hello: Hello, now: u64) -> Witness {
        let host = host.trim_matches(['[', ']']);
        let name = if hello == Hello::Other { format!("other.{host}") } else { host.to_owned() };
        let bytes = |server| BASE64_STANDARD.encode(client_hello::record(server, true));
        let (sni, client_hello_b64) = match hello {
            Hello::Named | Hello::Other => (Some(name.clone()), None),
            Hello::Unnamed => (None, None),
            Hello::NamedEch => (None, Some(bytes(Some(name.as_str())))),
            Hello::UnnamedEch => (None, Some(bytes(None))),
            Hello::Silent => (None, Some(String::new())),
        };
        let outer_sni = server_name::leading_to(way.authority.as_bytes());
        let layer = Layer::Tcp.as_str();
        Witness { way, content: Content::Tcp { layer, sni, client_hello_b64, hello, name, outer_sni }, now }
    }

    /// Copies it to another time, in seconds since 1970.
    pub(crate) fn at(&self, now: u64) -> Witness {
        Witness { now, ..self.clone() }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// The time at which it is decided.
    pub(super) fn time(&self) -> Timestamp {
        Timestamp(self.now.saturating_mul(1_000_000_000))
    }

    /// Tells whether another one is of the same caller, to the same host and port, at the same time.
    pub(super) fn shares_way_with(&self, other: &Witness) -> bool {
        (&self.way, self.now) == (&other.way, other.now)
    }

    /// As it would arrive.
    pub(super) fn arrival(&self) -> Arrival<'_> {
        let source = if self.way.source.is_some() { Source::PeerPrincipal } else { Source::PeerCertificate };
        let identity = self.way.identity.as_ref().map(|id| Presented { source, id: id.as_bytes() });
        let authority = self.way.authority.as_bytes();
        match &self.content {
            Content::Http { method, path, headers } => Arrival {
                identity,
                authority,
                method: method.as_bytes(),
                path: path.as_deref().map(str::as_bytes),
                upgrade: headers.get(UPGRADE).map_or(Upgrade::Absent, |value| Upgrade::To(value.as_bytes())),
                overridden: headers.keys().any(|name| *name != UPGRADE),
                cluster: None,
                connection: None,
            },
            Content::Tcp { hello, name, outer_sni, .. } => {
                let named = |ech| ClientHello { server_name: Some(name.as_bytes()), ech };
                let first = match hello {
                    Hello::Named | Hello::Other => FirstBytes::Hello(named(false)),
                    Hello::NamedEch => FirstBytes::Hello(named(true)),
                    Hello::UnnamedEch => FirstBytes::Hello(ClientHello { server_name: None, ech: true }),
                    Hello::Unnamed => FirstBytes::NoHello,
                    Hello::Silent => FirstBytes::Silent,
                };
                let connection = Connection { outer_sni, first, ..Connection::default() };
                Arrival { authority, ..Arrival::of_connection(identity, connection) }
            }
        }
    }

    /// Calls `with` on it as `tollgate eval` reads it; none if it would not.
    pub(super) fn as_read<T>(&self, with: impl FnOnce(&Arrival<'_>, Timestamp) -> T) -> Option<T> {
        let line = serde_json::to_vec(self).ok()?;
        let request = Request::read(&line).ok()?;
        let mut buffers = Buffers::default();
        let arrived = request.arrival(&Edge::default(), &mut buffers).ok()?;
        Some(with(&arrived.arrival, request.now()?))
    }
}

/// A moment in whole seconds, rounded up.
pub(super) fn seconds(moment: Timestamp) -> u64 {
    moment.0.div_ceil(1_000_000_000)
}
