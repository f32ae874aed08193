//! Streams that have not ended, by number: the instance that serves each, and how far it has come. A few words a
//! stream.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use tollgate::decision::Reason;

use crate::charging::Charging;
use crate::serving::BoundPolicy;

/// The streams of one worker, those of all instances and sources together.
#[derive(Debug, Default)]
pub(crate) struct Streams(FxHashMap<u32, Stream>);

/// One stream.
#[derive(Debug)]
struct Stream {
    /// The instance that it came to.
    instance: u32,
    state: State,
}

/// Progress of a stream.
#[derive(Debug)]
pub(crate) enum State {
    /// Nothing of it was shown yet.
    Created,
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
        self.0.insert(stream, Stream { instance, state: State::Created });
    }

    /// Shows the headers of a stream. Returns its instance; none if the stream is unknown, or its headers were shown
    /// before: it is refused then. Until it is opened it counts as refused.
    pub(crate) fn show(&mut self, stream: u32) -> Option<u32> {
        let stream = self.0.get_mut(&stream)?;
        let is_new = matches!(std::mem::replace(&mut stream.state, State::Refused), State::Created);
        is_new.then_some(stream.instance)
    }

    /// A request whose headers were shown is let through.
    pub(crate) fn open(&mut self, stream: u32, bound: &Rc<BoundPolicy>, is_routed: bool) {
        if let Some(stream) = self.0.get_mut(&stream) {
            stream.state = State::Open(Open { bound: Rc::clone(bound), is_routed, refused: None });
        }
    }

    /// A request whose headers were shown is held.
    pub(crate) fn hold(&mut self, stream: u32, charging: Box<Charging>) {
        if let Some(stream) = self.0.get_mut(&stream) {
            stream.state = State::Charging(charging);
        }
    }

    /// A request that is held.
    pub(crate) fn held(&mut self, stream: u32) -> Option<&mut Charging> {
        match &mut self.0.get_mut(&stream)?.state {
            State::Charging(charging) => Some(charging),
            _ => None,
        }
    }

    /// Takes a request that is held. Until it is opened or held again it counts as refused.
    pub(crate) fn take_held(&mut self, stream: u32) -> Option<Box<Charging>> {
        let state = &mut self.0.get_mut(&stream)?.state;
        match std::mem::replace(state, State::Refused) {
            State::Charging(charging) => Some(charging),
            other => {
                *state = other;
                None
            }
        }
    }

    /// A request that was let through; none if it was refused, or is unknown.
    pub(crate) fn get(&mut self, stream: u32) -> Option<&mut Open> {
        match &mut self.0.get_mut(&stream)?.state {
            State::Open(open) => Some(open),
            _ => None,
        }
    }

    /// The instance of a stream whose headers were never shown.
    pub(crate) fn unseen(&self, stream: u32) -> Option<u32> {
        let stream = self.0.get(&stream)?;
        matches!(stream.state, State::Created).then_some(stream.instance)
    }

    /// A stream has ended, however it did. Returns how far it had come; none if it is unknown.
    pub(crate) fn close(&mut self, stream: u32) -> Option<State> {
        self.0.remove(&stream).map(|stream| stream.state)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
