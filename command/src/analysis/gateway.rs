//! One gateway that has just started, on which requests are played one after another.

use super::edge::Edge;
use super::request::{Arrived, Buffers, Mistake, Request};
use tollgate::decision::{Authorizer, Charged, Decision, Evaluation, Reason, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::quota::{Memory, QuotaThread};
use tollgate::request::Arrival;

/// The state of a gateway: its edge, its buckets, and the memory that its decisions share. By default it has no edge:
/// requests are as the filter sees them.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    edge: Edge,
    buffers: Buffers,
    scratch: Scratch,
    thread: QuotaThread,
    memory: Memory,
}

impl Gateway {
    /// A gateway whose requests come in over this edge.
    pub(crate) fn behind(edge: Edge) -> Gateway {
        Gateway { edge, ..Gateway::default() }
    }

    /// Decides a request and charges it to its quotas. It ends at once, having moved no bytes but those of its headers.
    ///
    /// # Errors
    /// The request is invalid.
    pub(crate) fn play<R>(
        &mut self,
        policy: &Policy,
        request: &Request<'_>,
        now: Timestamp,
        show: impl FnOnce(&Arrival<'_>, &Evaluation<'_>, &Charged<'_>) -> R,
    ) -> Result<R, Mistake> {
        let Arrived { arrival, refused } = request.arrival(&self.edge, &mut self.buffers)?;
        let mut judged = Authorizer::new(policy).decide(&arrival, now, &mut self.scratch);
        if refused.is_some() {
            judged = Evaluation { decision: Decision::refusal(Reason::RefusedByEnvoy), quotas: &[], ..judged };
        }
        // times may go back from request to request; a monotonic clock does not
        let clocks = &mut self.memory.now;
        (clocks.wall, clocks.monotonic) = (now.0, clocks.monotonic.max(now.0));
        let mut charged = Authorizer::new(policy).charge(
            &mut judged,
            request.header_bytes(&arrival),
            &mut self.thread,
            &mut self.memory,
        );
        if let Some(account) = &mut charged.account {
            // nobody else changes this store, so nothing can be left
            policy.terms().settle(account, &mut self.thread, &mut self.memory);
        }
        Ok(show(&arrival, &judged, &charged))
    }
}
