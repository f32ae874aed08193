//! Facts about a request besides its headers, and the names by which the host is asked for them.

use tollgate::decision::{Reason, Timestamp};
use tollgate::policy::{Policy, Settings};
use tollgate::request::{Arrival, Presented, Source};

use crate::host::{Attribute, Failure, Host};

/// The name of the record in filter state; Envoy knows it as `wasm.tollgate`.
pub(crate) const RECORD: &str = "tollgate";

/// The name of the record of a connection.
pub(crate) const TCP_RECORD: &str = "tollgate-tcp";

/// The name in filter state of the cluster that was judged, empty where there is none.
pub(crate) const ROUTE: &str = "tollgate_route";

/// Attributes of one request. Only those that the policy looks at are asked for: a host call that returns bytes costs
/// more than a decision.
#[derive(Debug)]
pub(crate) struct Attributes {
    identity: Option<(Source, Vec<u8>)>,
    cluster: Option<Vec<u8>>,
    /// The cluster was asked for.
    pub(crate) is_routed: bool,
    pub(crate) now: Timestamp,
}

impl Attributes {
    /// Asks the host. A call that fails refuses the request, for the reason that names what could not be read.
    pub(crate) fn read(host: &mut impl Host, policy: &Policy) -> Result<Attributes, (Reason, Failure)> {
        let identity = identity(host, policy.settings()).map_err(|failure| (Reason::IdentityInvalid, failure))?;
        let by_principal = matches!(identity, Some((Source::PeerPrincipal, _)));
        let is_routed = by_principal || policy.reads_cluster();
        let cluster = if is_routed {
            host.attribute(Attribute::Cluster).map_err(|failure| (Reason::RouteMismatch, failure))?
        } else {
            None
        };
        let now = if policy.reads_clock() {
            Timestamp(host.now().map_err(|failure| (Reason::RuleExpired, failure))?)
        } else {
            Timestamp::default()
        };
        Ok(Attributes { identity, cluster, is_routed, now })
    }

    /// Adds identity and cluster to a request that was read from its headers.
    pub(crate) fn complete<'a>(&'a self, arrival: &mut Arrival<'a>) {
        arrival.identity = self.identity.as_ref().map(|(source, id)| Presented { source: *source, id });
        arrival.cluster = self.cluster.as_deref();
    }
}

/// The identity from the first source that has one, and that source.
pub(crate) fn identity(host: &mut impl Host, settings: &Settings) -> Result<Option<(Source, Vec<u8>)>, Failure> {
    for source in &settings.sources {
        let attribute = match source {
            Source::PeerCertificate => Attribute::PeerCertificate,
            Source::PeerPrincipal => Attribute::PeerPrincipal,
        };
        if let Some(id) = host.attribute(attribute)?.filter(|id| !id.is_empty()) {
            return Ok(Some((*source, id)));
        }
    }
    Ok(None)
}
