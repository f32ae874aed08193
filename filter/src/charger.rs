//! The side that answers whether a request's quotas have room for it.

use std::task::Poll;

use tollgate::decision::{Authorizer, Charged, Evaluation};
use tollgate::policy::Policy;
use tollgate::quota::{QuotaThread, SharedStore};

/// Charges requests to their quotas.
pub trait Charger {
    /// Charges a request that is let through to its quotas, all or none, and changes the decision if one refuses.
    /// `bytes` are those of its headers.
    ///
    /// Nothing is charged yet where the answer comes later: the request is held, and asked for again when the edge
    /// calls [`Worker::resume`](crate::worker::Worker::resume).
    fn charge<'s>(
        &mut self,
        stream: u32,
        policy: &'s Policy,
        evaluation: &mut Evaluation<'s>,
        bytes: u64,
        thread: &mut QuotaThread,
        store: &mut impl SharedStore,
    ) -> Poll<Charged<'s>>;

    /// Forgets a stream that has ended before its answer.
    fn forget(&mut self, stream: u32);
}

/// Quotas that each gateway keeps by itself: they answer at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatewayQuotas;

impl Charger for GatewayQuotas {
    fn charge<'s>(
        &mut self,
        _stream: u32,
        policy: &'s Policy,
        evaluation: &mut Evaluation<'s>,
        bytes: u64,
        thread: &mut QuotaThread,
        store: &mut impl SharedStore,
    ) -> Poll<Charged<'s>> {
        Poll::Ready(Authorizer::new(policy).charge(evaluation, bytes, thread, store))
    }

    fn forget(&mut self, _stream: u32) {}
}
