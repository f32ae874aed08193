//! What holds where a policy says nothing.

use super::settings::VerifyRoute;
use super::{Document, RouteWord, Source};
use std::collections::BTreeSet;

impl Document {
    /// Where identities are read.
    /// Port of a connection that says none.
    pub(crate) fn tcp_port(&self) -> u16 {
        self.tcp.port.unwrap_or(443)
    }

    pub(crate) fn sources(&self) -> BTreeSet<Source> {
        match self.identity.sources.as_slice() {
            [] => [Source::PeerCertificate].into(),
            listed => listed.iter().copied().collect(),
        }
    }

    /// The trust domains whose identities count, the mesh's own first.
    pub(crate) fn trust_domains(&self) -> Vec<&str> {
        match self.identity.trust_domains.as_slice() {
            [] => vec!["cluster.local"],
            listed => listed.iter().map(String::as_str).collect(),
        }
    }

    /// The port of an authority that names none.
    pub(crate) fn default_port(&self) -> u16 {
        self.authority.default_port.unwrap_or(443)
    }

    /// The port of a connection that was led to a host without one.
    pub(crate) fn connection_port(&self) -> u16 {
        self.tcp.port.unwrap_or(443)
    }

    /// How far the routed cluster is compared, where the policy says so.
    pub(crate) fn verify_route(&self) -> Option<RouteWord> {
        self.authority.verify_route.map(VerifyRoute::word)
    }
}
