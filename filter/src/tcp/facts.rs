//! Facts about a connection that are known once it is decided.

use tollgate::decision::{Reason, Timestamp};
use tollgate::request::{Arrival, Connection, Presented, Source};

use crate::attributes::identity;
use crate::connections::Surroundings;
use crate::host::{Failure, Host};
use crate::serving::Serving;

/// Identity of a caller, and the time of the decision.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) identity: Option<(Source, Vec<u8>)>,
    pub(super) now: Timestamp,
}

impl Facts {
    /// Asks the host, for the surroundings as well. A call that fails refuses the connection, for the reason that names what
    /// could not be read.
    pub(super) fn read(
        host: &mut impl Host,
        serving: &Serving,
        surroundings: &mut Surroundings,
    ) -> Result<Facts, (Reason, Failure)> {
        let policy = &serving.policy;
        let identity = identity(host, policy.settings()).map_err(|failure| (Reason::IdentityInvalid, failure))?;
        surroundings.read(host, policy.settings()).map_err(|failure| (Reason::HostInvalid, failure))?;
        let now = if policy.reads_clock() {
            Timestamp(host.now().map_err(|failure| (Reason::RuleExpired, failure))?)
        } else {
            Timestamp::default()
        };
        Ok(Facts { identity, now })
    }

    /// The connection as it arrived, with its caller.
    pub(super) fn arrival<'a>(&'a self, connection: Connection<'a>) -> Arrival<'a> {
        let identity = self.identity.as_ref().map(|(source, id)| Presented { source: *source, id });
        Arrival::of_connection(identity, connection)
    }
}
