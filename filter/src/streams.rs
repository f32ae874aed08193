//! Requests that were let through and have not ended: what each is bound to, a few words a request.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use tollgate::decision::Reason;

use crate::serving::BoundPolicy;

/// The open requests of one worker.
#[derive(Debug, Default)]
pub(crate) struct Streams(FxHashMap<u32, Stream>);

/// One that was let through.
#[derive(Debug)]
pub(crate) struct Stream {
    /// To the policy that let it through.
    pub(crate) bound: Rc<BoundPolicy>,
    /// The cluster that was judged stands in filter state, for a filter behind this one to compare.
    pub(crate) is_routed: bool,
    /// Why it was refused after all.
    pub(crate) refused: Option<Reason>,
}

impl Streams {
    /// A request is let through.
    pub(crate) fn open(&mut self, stream: u32, bound: &Rc<BoundPolicy>, is_routed: bool) {
        self.0.insert(stream, Stream { bound: Rc::clone(bound), is_routed, refused: None });
    }

    /// An open request; none if it was refused, or is unknown.
    pub(crate) fn get(&mut self, stream: u32) -> Option<&mut Stream> {
        self.0.get_mut(&stream)
    }

    /// A request has ended, however it did.
    pub(crate) fn close(&mut self, stream: u32) {
        self.0.remove(&stream);
    }
}
