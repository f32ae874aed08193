//! The way of a request to the filter: out of the workload, and in Envoy's connection manager at the gateway.
//!
//! Decisions that the command shows are those of a gateway, so requests are reduced as a gateway does it. A test
//! compares with real Envoys.

mod path;
mod upgrade;

use super::ports;
use crate::read::document::Document;
use std::collections::BTreeMap;
use std::rc::Rc;
use tollgate::policy::Settings;
use tollgate::request::{Authority, Host};

pub(crate) use upgrade::Upgrading;

/// A gateway's treatment of paths: `meshConfig.pathNormalization` of Istio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Normalization {
    /// Not at all (`NONE`)
    None,
    /// Dot segments, escaped unreserved characters and `\` are resolved (`BASE`, Istio's default)
    #[default]
    Base,
    /// Besides, empty segments are left out (`MERGE_SLASHES`)
    Merge,
    /// Before that, `%2F` and `%5C` are decoded (`DECODE_AND_MERGE_SLASHES`)
    Decode,
}

/// The way of requests to the filter. By default there is none: they are seen as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    way: Option<EdgeWay>,
}

#[derive(Clone, Debug)]
struct EdgeWay {
    normalization: Normalization,
    /// Ports that sidecars write into authorities that name none.
    written: Rc<BTreeMap<String, u16>>,
    /// The mesh's own trust domain.
    trust_domain: String,
}

/// Reasons of Envoy to refuse a request before the filter sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A path that it does not take (400).
    Path,
    /// An upgrade to something other than websocket (403).
    Upgrade,
}

impl Edge {
    /// The edge before a policy; no normalization at all if requests are to be taken as the filter sees them.
    pub(crate) fn of(normalization: Option<Normalization>, document: &Document, settings: &Settings) -> Edge {
        let way = |normalization| EdgeWay {
            normalization,
            written: Rc::new(ports::written(document)),
            trust_domain: own_domain(settings).to_owned(),
        };
        Edge { way: normalization.map(way) }
    }

    /// Turns it into the edge for requests whose URL says `https`: no port is written into their authority.
    pub(crate) fn without_written_ports(mut self) -> Edge {
        self.way.iter_mut().for_each(|way| way.written = Rc::default());
        self
    }

    /// The path that the filter sees; none where Envoy refuses the request.
    pub(crate) fn path<'p>(&self, raw: &'p [u8], buffer: &'p mut Vec<u8>) -> Option<&'p [u8]> {
        match &self.way {
            None => Some(raw),
            Some(way) => path::normalize(raw, way.normalization, buffer).then_some(buffer),
        }
    }

    /// Reads the upgrade that headers ask for.
    pub(crate) fn upgrade<'h>(&self, headers: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone) -> Upgrading {
        if self.way.is_some() { upgrade::of(headers) } else { Upgrading::Kept }
    }

    /// The authority that the filter sees.
    pub(crate) fn authority<'a>(&self, raw: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
        let Some(way) = self.way.as_ref().filter(|way| !way.written.is_empty()) else { return raw };
        let mut lowered = Vec::new();
        let port = match Authority::parse(raw, &mut lowered) {
            Some(Authority { host: Host::Name(name), port: None }) => way.written.get(name).map(|port| (name, port)),
            _ => None,
        };
        match port {
            None => raw,
            Some((name, port)) => {
                *buffer = format!("{name}:{port}").into_bytes();
                buffer
            }
        }
    }

    /// The mesh's own trust domain.
    pub(crate) fn trust_domain(&self) -> &str {
        self.way.as_ref().map_or(USUAL_DOMAIN, |way| &way.trust_domain)
    }

    /// The SPIFFE ID of a caller that is given as `NAMESPACE/NAME`, where such are read.
    pub(crate) fn caller(&self, text: &str) -> Option<String> {
        account(text, &self.way.as_ref()?.trust_domain)
    }
}

/// The mesh's own trust domain where a policy says nothing.
const USUAL_DOMAIN: &str = "cluster.local";

/// The mesh's own trust domain.
pub(crate) fn own_domain(settings: &Settings) -> &str {
    settings.trust_domains.first().map_or(USUAL_DOMAIN, String::as_str)
}

/// The SPIFFE ID of `NAMESPACE/NAME` in a trust domain; none for anything else.
pub(crate) fn account(text: &str, trust_domain: &str) -> Option<String> {
    let (namespace, name) = text.split_once('/')?;
    let is_account = !namespace.is_empty() && !name.is_empty() && !name.contains('/') && !namespace.contains(':');
    is_account.then(|| format!("spiffe://{trust_domain}/ns/{namespace}/sa/{name}"))
}
