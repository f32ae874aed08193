//! The state of a worker besides its instances.

use tollgate::decision::Scratch;

use crate::charges::StreamCharges;
use crate::connections::Connections;
use crate::journal::Journal;
use crate::streams::Streams;

/// Buffers that one request after another uses again, and the streams that have not ended.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    /// Scratch for the search of the nearest rule, during which the decision's own is borrowed.
    pub(crate) nearest: Scratch,
    pub(crate) journal: Journal,
    pub(crate) charges: StreamCharges,
    pub(crate) streams: Streams,
    pub(crate) connections: Connections,
}
