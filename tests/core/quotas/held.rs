//! Requests in flight, and VMs that may count as lost.

use std::collections::HashMap;
use tollgate::quota::Now;

/// "Its holdings come back within 10 s."
const PATIENCE: u64 = 10_000_000_000;
/// A VM that takes something may have given its last sign of life so long before.
const FRESH: u64 = 3_000_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub bucket: (u64, String),
    pub request: u64,
    pub vm: u32,
    /// It may be given back already.
    pub doubtful: bool,
}

/// Its last sign of life: not before `sure`, not after `active`.
#[derive(Clone, Copy, Debug)]
struct Vm {
    sure: u64,
    active: u64,
}

#[derive(Debug, Default)]
pub struct Held {
    pub holdings: Vec<Holding>,
    vms: HashMap<u32, Vm>,
}

impl Held {
    /// A VM gave a sign of life, or, without `surely`, may have.
    pub fn sign(&mut self, vm: u32, now: Now, surely: bool, may_be_old: bool) {
        let time = now.monotonic;
        if let Some(Vm { sure, active }) = self.vms.get(&vm).copied() {
            // Where others may have taken it for lost, what it held may be gone for good.
            if time - sure > PATIENCE {
                let certainly = surely && time - active > PATIENCE;
                self.holdings.retain(|holding| holding.vm != vm || !certainly);
                self.holdings.iter_mut().filter(|holding| holding.vm == vm).for_each(|of| of.doubtful = true);
            }
        }
        let state = self.vms.entry(vm).or_insert(Vm { sure: 0, active: 0 });
        state.active = time;
        if surely {
            state.sure = state.sure.max(if may_be_old { time.saturating_sub(FRESH) } else { time });
        }
    }

    /// Least and greatest number that can be in flight.
    pub fn count(&self, bucket: &(u64, String), now: Now) -> (u64, u64) {
        let (mut least, mut most) = (0, 0);
        for holding in self.holdings.iter().filter(|holding| holding.bucket == *bucket) {
            let Some(Vm { sure, active }) = self.vms.get(&holding.vm) else { continue };
            least += u64::from(!holding.doubtful && now.monotonic - sure <= PATIENCE);
            most += u64::from(now.monotonic - active <= PATIENCE);
        }
        (least, most)
    }
}
