//! The state of a worker besides its instances.

use tollgate::decision::Scratch;

use crate::charges::StreamCharges;
use crate::journal::Journal;
use crate::streams::Streams;

/// Memory that one request after another uses again, and what is known of those that have not ended.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    /// For the rule that came nearest: the memory of the decision itself is lent while that is looked for.
    pub(crate) nearest: Scratch,
    pub(crate) journal: Journal,
    pub(crate) charges: StreamCharges,
    pub(crate) streams: Streams,
}
