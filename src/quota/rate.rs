//! A rate with bursts: the generic cell rate algorithm, exact in nanoseconds of a monotonic clock.
//!
//! A bucket's state is its theoretical arrival time (`tat`): the moment at which its debt will be paid. A charge of n moves it
//! by ⌈n × per ÷ limit⌉, of one by the emission interval. The time from now to the `tat` is debt, and there is room while the
//! debt stays within the burst tolerance, which is what a full burst costs. So any
//! interval D sees at most `burst + ⌊D × limit ÷ per⌋` charges of one: each costs at least per ÷ limit.

use super::unit::Unit;
use crate::hash;

/// A rate and its burst, as one gateway enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    amount: u64,
    per: u64,
    burst: u64,
    replicas: u32,
    /// Nanoseconds that one unit costs.
    emission_interval: u64,
    /// The debt that a full burst makes, in nanoseconds.
    burst_tolerance: u64,
    /// A hash of the configuration: tells a changed rate from this one.
    config_hash: u32,
}

/// The longest time in which a burst is paid back, in nanoseconds: beyond it the `tat` would not be sure to fit its number.
const LONGEST: u128 = 1 << 62;

impl Rate {
    /// `amount` in `per` nanoseconds for all replicas together; `burst` is what one of them allows at once. None where
    /// a number is 0 or a burst would take longer than 146 years to pay.
    pub fn new(unit: Unit, amount: u64, per: u64, burst: u64, replicas: u32) -> Option<Rate> {
        if amount == 0 || per == 0 || burst == 0 || replicas == 0 {
            return None;
        }
        let config_hash =
            hash::tag(hash::finish([amount, per, burst, u64::from(replicas)].into_iter().fold(0, hash::mix)));
        let rate = Rate { amount, per, burst, replicas, emission_interval: 0, burst_tolerance: 0, config_hash };
        let emission_interval = rate.price(1)?;
        // Requests come one by one, each rounded up; bytes come in any number.
        let burst_tolerance =
            if unit == Unit::Requests { emission_interval.checked_mul(u128::from(burst))? } else { rate.price(burst)? };
        if burst_tolerance > LONGEST {
            return None;
        }
        Some(Rate {
            emission_interval: u64::try_from(emission_interval).ok()?,
            burst_tolerance: u64::try_from(burst_tolerance).ok()?,
            ..rate
        })
    }

    /// ⌈n × per × replicas ÷ amount⌉ nanoseconds.
    fn price(&self, n: u64) -> Option<u128> {
        let whole = u128::from(n).checked_mul(u128::from(self.per))?.checked_mul(u128::from(self.replicas))?;
        Some(whole.div_ceil(u128::from(self.amount)))
    }

    /// Returns the nanoseconds that a charge costs; more than there are where it cannot be paid.
    pub fn cost(&self, n: u64) -> u64 {
        match n {
            1 => self.emission_interval,
            _ => self.price(n).and_then(|cost| u64::try_from(cost).ok()).unwrap_or(u64::MAX),
        }
    }

    /// Returns the largest debt, in nanoseconds.
    pub fn burst_tolerance(&self) -> u64 {
        self.burst_tolerance
    }

    /// The limit within [`Rate::per`], of this gateway alone; rounded down, at least 1.
    pub fn amount(&self) -> u64 {
        self.amount.div_euclid(u64::from(self.replicas.max(1))).max(1)
    }

    /// Nanoseconds.
    pub fn per(&self) -> u64 {
        self.per
    }

    /// Returns the units that may come at once.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// Returns the units that a debt is worth, rounded up.
    pub fn units(&self, debt: u64) -> u64 {
        // one unit of bytes may cost less than a nanosecond
        let whole = u128::from(debt).saturating_mul(u128::from(self.amount));
        let unit = u128::from(self.per).saturating_mul(u128::from(self.replicas)).max(1);
        let units = if self.emission_interval > 1 {
            u128::from(debt.div_ceil(self.emission_interval))
        } else {
            whole.div_ceil(unit)
        };
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// Returns a hash that tells a changed rate from this one.
    pub(super) fn config_hash(&self) -> u32 {
        self.config_hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_charge_costs_its_share_of_the_time_rounded_up() {
        let third = Rate::new(Unit::Requests, 3, SECOND, 3, 1).unwrap();
        assert_eq!((third.cost(1), third.cost(2), third.burst_tolerance()), (333_333_334, 666_666_667, 1_000_000_002));
        let bytes = Rate::new(Unit::BytesOut, 3_000_000_000, SECOND, 3_000_000_000, 1).unwrap();
        assert_eq!((bytes.cost(0), bytes.cost(1), bytes.cost(10), bytes.burst_tolerance()), (0, 1, 4, SECOND));
    }

    #[test]
    fn replicas_divide_the_rate_exactly() {
        let rate = Rate::new(Unit::Requests, 100, SECOND, 66, 3).unwrap();
        assert_eq!(rate.cost(1), 30_000_000);
        assert_eq!(rate.amount(), 33);
        assert_eq!(Rate::new(Unit::Requests, 1, SECOND, 1, 3).unwrap().amount(), 1);
    }

    #[test]
    fn what_cannot_be_kept_in_nanoseconds_is_refused() {
        assert_eq!(Rate::new(Unit::Requests, 1, 3600 * SECOND, u64::MAX, 1), None);
        assert_eq!(Rate::new(Unit::Requests, 1, u64::MAX, 1, 1), None);
        assert_eq!(Rate::new(Unit::Requests, 1, 1 << 62, 1, 2), None);
        assert_eq!(Rate::new(Unit::Bytes, u64::MAX, u64::MAX, u64::MAX, u32::MAX), None);
        for zero in 0..4 {
            let n = |i| u64::from(i != zero);
            assert_eq!(Rate::new(Unit::Requests, n(0), n(1), n(2), u32::from(zero != 3)), None);
        }
        let rate = Rate::new(Unit::Requests, 1, 1 << 62, 1, 1).unwrap();
        assert_eq!((rate.cost(4), rate.cost(8)), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_debt_is_worth_what_was_charged() {
        for (unit, amount) in [(Unit::Requests, 7), (Unit::Bytes, 10_000_000_019)] {
            let rate = Rate::new(unit, amount, SECOND, 100, 1).unwrap();
            for n in 0..100 {
                let debt = if unit == Unit::Requests { rate.cost(1) * n } else { rate.cost(n) };
                let units = rate.units(debt);
                assert!(units >= n && (unit == Unit::Bytes || units == n), "{n} {units}");
            }
        }
    }

    #[test]
    fn any_change_changes_the_hash_of_the_configuration() {
        let rates = [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2)];
        let hashes = rates.map(|(amount, per, burst, replicas)| {
            Rate::new(Unit::Requests, amount, per, burst, replicas).unwrap().config_hash()
        });
        for (i, one) in hashes.iter().enumerate() {
            assert!(!hashes[i + 1..].contains(one));
        }
    }
}
