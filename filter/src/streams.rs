//! Streams that have not ended, by number, and how far each has come. A few words a stream.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use tollgate::decision::Reason;

use crate::charging::Charging;
use crate::serving::BoundPolicy;

/// The streams of one worker, those of all instances and sources together.
#[derive(Debug, Default)]
pub(crate) struct Streams(FxHashMap<u32, Stream>);

/// Progress of a stream.
#[derive(Debug)]
pub(crate) enum Stream {
    /// It came to this instance, and nothing of it was shown yet.
    Created { instance: u32 },
    /// It is held until its quotas answer.
    Charging(Box<Charging>),
    /// It was let through.
    Open(Open),
    /// Its headers were shown, and it was not let through.
    Refused,
}

/// A request that was let through.
#[derive(Debug)]
pub(crate) struct Open {
    /// The policy that let it through.
    pub(crate) bound: Rc<BoundPolicy>,
    /// The cluster that was judged stands in filter state, for a filter behind this one to compare.
    pub(crate) is_routed: bool,
    /// Reason of a refusal after it had been let through.
    pub(crate) refused: Option<Reason>,
}

impl Streams {
    /// A stream begins.
    pub(crate) fn create(&mut self, stream: u32, instance: u32) {
        self.0.insert(stream, Stream::Created { instance });
    }

    /// Shows the headers of a stream. Returns its instance; none if the stream is unknown, or its headers were shown
    /// before: it is refused then. Until it is held or opened it counts as refused.
    pub(crate) fn show(&mut self, stream: u32) -> Option<u32> {
        match std::mem::replace(self.0.get_mut(&stream)?, Stream::Refused) {
            Stream::Created { instance } => Some(instance),
            _ => None,
        }
    }

    /// A request whose headers were shown is held.
    pub(crate) fn hold(&mut self, stream: u32, charging: Box<Charging>) {
        if let Some(stream) = self.0.get_mut(&stream) {
            *stream = Stream::Charging(charging);
        }
    }

    /// A request whose headers were shown is let through.
    pub(crate) fn open(&mut self, stream: u32, bound: &Rc<BoundPolicy>, is_routed: bool) {
        if let Some(stream) = self.0.get_mut(&stream) {
            *stream = Stream::Open(Open { bound: Rc::clone(bound), is_routed, refused: None });
        }
    }

    /// A stream; none if it is unknown.
    pub(crate) fn get(&mut self, stream: u32) -> Option<&mut Stream> {
        self.0.get_mut(&stream)
    }

    /// Takes a request that is held. Until it is held again or opened it counts as refused.
    pub(crate) fn take_held(&mut self, stream: u32) -> Option<Box<Charging>> {
        let stream = self.0.get_mut(&stream)?;
        match std::mem::replace(stream, Stream::Refused) {
            Stream::Charging(charging) => Some(charging),
            other => {
                *stream = other;
                None
            }
        }
    }

    /// A stream has ended, however it did. Returns how far it had come; none if it is unknown.
    pub(crate) fn close(&mut self, stream: u32) -> Option<Stream> {
        self.0.remove(&stream)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Stream {
    /// The policy and the reason by which a stream that ends was refused, if nothing has said so yet.
    pub(crate) fn take_refusal(&mut self) -> Option<(Rc<BoundPolicy>, Reason)> {
        match self {
            // It was not let through, for want of an answer.
            Stream::Charging(held) => Some((Rc::clone(&held.serving.bound), Reason::QuotaUnavailable)),
            Stream::Open(open) => open.refused.take().map(|reason| (Rc::clone(&open.bound), reason)),
            Stream::Created { .. } | Stream::Refused => None,
        }
    }
}
