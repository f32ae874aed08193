//! Classes of what one layer decides.

use super::ask::Ask;
use super::classes::Classes;
use super::connections::ConnectionClasses;
use super::tuple::{At, Tuple};
use tollgate::policy::TargetTerms;

/// A layer that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Requests.
    Http,
    /// Connections of which nobody reads more than the beginning.
    Tcp,
}

/// The classes into which terms part what goes to one host.
pub(super) enum Partition {
    Http(Classes),
    Tcp(ConnectionClasses),
}

impl Partition {
    /// True if there may be more classes than these.
    pub(super) fn is_sample(&self) -> bool {
        matches!(self, Partition::Http(classes) if classes.is_sample())
    }

    /// Number of classes, at most.
    pub(super) fn count(&self) -> usize {
        match self {
            Partition::Http(classes) => classes.count(),
            Partition::Tcp(classes) => classes.count(),
        }
    }

    /// One of every class that one of `relevant` may take.
    pub(super) fn tuples(&self, relevant: &[&TargetTerms]) -> Vec<Tuple> {
        match self {
            Partition::Http(classes) => classes.tuples(relevant),
            Partition::Tcp(classes) => classes.tuples(relevant),
        }
    }

    /// Sets of classes in words.
    pub(super) fn describe(&self, at: &At) -> Ask {
        match self {
            Partition::Http(classes) => classes.describe(at),
            Partition::Tcp(classes) => classes.describe(at),
        }
    }
}
