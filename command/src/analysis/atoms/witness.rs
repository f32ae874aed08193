//! A request that stands for its class.

use crate::analysis::edge::Edge;
use crate::analysis::request::{Buffers, Request};
use serde::Serialize;
use std::collections::BTreeMap;
use tollgate::decision::Timestamp;
use tollgate::request::{Arrival, Presented, Source, Upgrade};

/// A request in the form that `tollgate eval --raw` takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Witness {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'static str>,
    pub(super) authority: String,
    pub(super) method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<&'static str, String>,
    /// Seconds since 1970.
    pub(super) now: u64,
}

const UPGRADE: &str = "upgrade";

impl Witness {
    /// Copies the request to another time, in seconds since 1970.
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
    pub(crate) fn shares_way_with(&self, other: &Witness) -> bool {
        (&self.identity, self.source, &self.authority, self.now)
            == (&other.identity, other.source, &other.authority, other.now)
    }

    /// As it would arrive.
    pub(super) fn arrival(&self) -> Arrival<'_> {
        let source = if self.source.is_some() { Source::PeerPrincipal } else { Source::PeerCertificate };
        Arrival {
            identity: self.identity.as_ref().map(|id| Presented { source, id: id.as_bytes() }),
            authority: self.authority.as_bytes(),
            method: self.method.as_bytes(),
            path: self.path.as_deref().map(str::as_bytes),
            upgrade: self.headers.get(UPGRADE).map_or(Upgrade::Absent, |value| Upgrade::To(value.as_bytes())),
            overridden: self.headers.keys().any(|name| *name != UPGRADE),
            cluster: None,
            connection: None,
        }
    }

    /// Calls `with` on the request as `tollgate eval` reads it; none if it would not.
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
