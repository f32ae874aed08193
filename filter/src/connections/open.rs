//! Connections and tunnels that were let through.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use tollgate::decision::Timestamp;
use tollgate::request::Watch;

use super::subject::Subject;
use super::undecided::PATIENCE;
use crate::serving::Serving;

/// A connection or a tunnel that was let through.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) subject: Rc<Subject>,
    /// Until no second ClientHello can be heard any more.
    pub(crate) watch: Option<Box<Watch>>,
    /// Bytes of the caller that the host holds and that were read and charged.
    pub(crate) held: usize,
    /// Nanoseconds of the monotonic clock since when bytes are held.
    pub(crate) held_since: Option<u64>,
    /// It was closed; the host has not said so yet.
    pub(crate) is_closed: bool,
}

/// The standing of all streams that are decided alike.
#[derive(Debug)]
struct Standing {
    /// The policy that has decided last.
    judged_by: Rc<Serving>,
    /// The first moment at which that has to be decided again.
    expires: Timestamp,
}

/// The open connections and tunnels of one VM.
#[derive(Debug, Default)]
pub(crate) struct Flowing {
    all: FxHashMap<u32, Open>,
    standings: FxHashMap<Rc<Subject>, Standing>,
}

impl Flowing {
    /// A stream was let through by a policy, which admits it until then.
    pub(crate) fn add(
        &mut self,
        stream: u32,
        subject: Subject,
        watch: Option<Box<Watch>>,
        by: &Rc<Serving>,
        expires: Timestamp,
    ) {
        let known = self.standings.get_key_value(&subject).map(|(known, _)| Rc::clone(known));
        let subject = known.unwrap_or_else(|| Rc::new(subject));
        self.standings.insert(Rc::clone(&subject), Standing { judged_by: Rc::clone(by), expires });
        self.all.insert(stream, Open { subject, watch, held: 0, held_since: None, is_closed: false });
    }

    pub(crate) fn get(&mut self, stream: u32) -> Option<&mut Open> {
        self.all.get_mut(&stream)
    }

    /// A connection has ended.
    pub(crate) fn remove(&mut self, stream: u32) {
        let Some(open) = self.all.remove(&stream) else { return };
        // the table's key and this one
        if Rc::strong_count(&open.subject) == 2 {
            self.standings.remove(&open.subject);
        }
    }

    /// Lists the connections of which the host has held a second ClientHello for too long.
    pub(crate) fn late(&self, now: u64) -> Vec<u32> {
        let is_late = |open: &Open| open.held_since.is_some_and(|since| now.saturating_sub(since) >= PATIENCE);
        self.all.iter().filter(|(_, open)| is_late(open)).map(|(stream, _)| *stream).collect()
    }

    /// Lists what has to be decided again: by another policy than the one that did, or since the time has come.
    pub(crate) fn doubtful(
        &self,
        now: Timestamp,
        mut policy: impl FnMut(u32) -> Option<Rc<Serving>>,
    ) -> Vec<(Rc<Subject>, Rc<Serving>)> {
        let mut policies: FxHashMap<u32, Option<Rc<Serving>>> = FxHashMap::default();
        let mut doubtful = Vec::new();
        for (subject, standing) in &self.standings {
            let policy = policies.entry(subject.instance).or_insert_with(|| policy(subject.instance));
            if let Some(policy) = policy
                && (!Rc::ptr_eq(policy, &standing.judged_by) || standing.expires.has_come(now))
            {
                doubtful.push((Rc::clone(subject), Rc::clone(policy)));
            }
        }
        doubtful
    }

    /// Notes that a policy still admits what is decided alike, until then.
    pub(crate) fn confirm(&mut self, subject: &Rc<Subject>, by: &Rc<Serving>, expires: Timestamp) {
        if let Some(standing) = self.standings.get_mut(subject) {
            *standing = Standing { judged_by: Rc::clone(by), expires };
        }
    }

    /// Lists the streams that still flow and are decided like these, for each of them.
    pub(crate) fn among(&self, subjects: &[Rc<Subject>]) -> Vec<Vec<u32>> {
        let places: FxHashMap<*const Subject, usize> =
            subjects.iter().enumerate().map(|(place, subject)| (Rc::as_ptr(subject), place)).collect();
        let mut streams = vec![Vec::new(); subjects.len()];
        for (stream, open) in self.all.iter().filter(|(_, open)| !open.is_closed) {
            let place = places.get(&Rc::as_ptr(&open.subject));
            if let Some(same) = place.and_then(|place| streams.get_mut(*place)) {
                same.push(*stream);
            }
        }
        streams
    }

    /// A stream was closed; the host has not said so yet.
    pub(crate) fn close(&mut self, stream: u32) {
        if let Some(open) = self.all.get_mut(&stream) {
            open.is_closed = true;
        }
    }

    /// Tells whether nothing is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
