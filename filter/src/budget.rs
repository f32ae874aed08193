//! Limit on series of metrics. Envoy never gives one up, so those that exist are remembered for the life of the
//! process: in shared data, across policies and threads.

use rustc_hash::FxHashSet;
use xxhash_rust::xxh64::xxh64;

use crate::host::{Expected, Host};

/// Limit of series with values of policies in one process. With the series of the closed lists, in each combination of
/// labels, there are at most 2,000.
pub(crate) const MOST: usize = 1500;

/// The key of the hashes of their names.
const KEY: &str = "tollgate/1/@series";

/// Attempts to write the key while other threads are faster.
const TRIES: u32 = 64;

/// Says of each name whether it may be defined. Series that exist may; new ones may in this order, while there is room.
pub(crate) fn admit(host: &mut impl Host, names: &[String]) -> Vec<bool> {
    let hashes: Vec<u64> = names.iter().map(|name| xxh64(name.as_bytes(), 0)).collect();
    for _ in 0..TRIES {
        let Ok(shared) = host.shared(KEY) else { break };
        let (mut value, expected) = match shared {
            Some((value, version)) => (value, Expected::Version(version)),
            None => (Vec::new(), Expected::Absent),
        };
        let mut known: FxHashSet<u64> = value.as_chunks::<8>().0.iter().map(|hash| u64::from_le_bytes(*hash)).collect();
        let before = known.len();
        let mut admitted = Vec::with_capacity(hashes.len());
        for hash in &hashes {
            let is_admitted = known.contains(hash) || known.len() < MOST;
            if is_admitted && known.insert(*hash) {
                value.extend_from_slice(&hash.to_le_bytes());
            }
            admitted.push(is_admitted);
        }
        if known.len() == before {
            return admitted;
        }
        match host.set_shared(KEY, &value, expected) {
            Ok(true) => return admitted,
            Ok(false) => {}
            Err(_) => break,
        }
    }
    vec![false; names.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn names(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|n| format!("series-{n}")).collect()
    }

    #[test]
    fn new_names_are_admitted_while_there_is_room_and_known_ones_for_ever() {
        let mut host = Fake::default();
        let admitted = |host: &mut Fake, range| admit(host, &names(range)).into_iter().filter(|yes| *yes).count();
        assert_eq!(admitted(&mut host, 0..1000), 1000);
        assert_eq!(admitted(&mut host, 900..2000), 600);
        assert_eq!(admitted(&mut host, 5000..5010), 0);
        assert_eq!(admitted(&mut host, 0..1500), 1500);
    }

    #[test]
    fn whoever_was_faster_is_taken_into_account() {
        let mut host = Fake { too_late: TRIES - 1, ..Fake::default() };
        assert_eq!(admit(&mut host, &names(0..3)), [true; 3]);
        host.too_late = TRIES;
        assert_eq!(admit(&mut host, &names(3..6)), [false; 3]);
    }
}
