//! The sentences of the quotas' definition, each a test, on transactions with a store that does what it is told.
#![expect(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::bucket::{Now, State};
use super::store::{SharedStore, TRIES, Unavailable, Version};
use super::*;

const SECOND: u64 = 1_000_000_000;
/// 2026-11-25T12:00:00Z, a Wednesday.
const NOON: u64 = 1_795_608_000 * SECOND;

const BY_IDENTITY: By = By { identity: true, namespace: false, destination: false };

/// A store that can be told to fail, and to let somebody else be faster.
#[derive(Default)]
struct Store {
    memory: Memory,
    /// Reads and writes until one fails; none fails if there is none.
    fails_after: Option<u32>,
    failed: bool,
    /// So many writes come too late.
    too_late: u32,
    writes: u32,
    reads: u32,
    clocks_fail: bool,
    /// The number of a write for which somebody else is faster.
    late_write: Option<u32>,
}

impl Store {
    fn fail(&mut self) -> Result<(), Unavailable> {
        match &mut self.fails_after {
            Some(0) => {
                self.failed = true;
                Err(Unavailable)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl SharedStore for Store {
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable> {
        self.reads += 1;
        self.fail()?;
        self.memory.read(key)
    }

    fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable> {
        self.writes += 1;
        self.fail()?;
        if self.too_late > 0 {
            self.too_late -= 1;
            return Ok(false);
        }
        if self.late_write == Some(self.writes) {
            return Ok(false);
        }
        self.memory.replace(key, value, seen)
    }

    fn monotonic(&mut self) -> Result<u64, Unavailable> {
        if self.clocks_fail { Err(Unavailable) } else { self.memory.monotonic() }
    }

    fn wall(&mut self) -> Result<u64, Unavailable> {
        if self.clocks_fail { Err(Unavailable) } else { self.memory.wall() }
    }
}

fn tag(id: &str, unit: Unit, limit: &Limit, by: By) -> u64 {
    let kind = match limit {
        Limit::Rate(_) => "rate",
        Limit::Window(calendar, _) => calendar.as_str(),
        Limit::Concurrent(_) => "concurrent",
    };
    crate::hash::bytes(7, format!("{id} {unit:?} {kind} {by:?}").as_bytes())
}

fn quota(id: &str, unit: Unit, limit: Limit) -> Quota {
    let by = BY_IDENTITY;
    Quota { id: id.into(), unit, limit, by, overrun: Overrun::Cut, tag: tag(id, unit, &limit, by) }
}

fn rate(id: &str, unit: Unit, amount: u64, per: u64, burst: u64) -> Quota {
    quota(id, unit, Limit::Rate(Rate::new(unit, amount, per, burst, 1).unwrap()))
}

fn window(id: &str, unit: Unit, calendar: Calendar, amount: u64) -> Quota {
    quota(id, unit, Limit::Window(calendar, amount))
}

fn concurrent(id: &str, amount: u64) -> Quota {
    quota(id, Unit::Concurrent, Limit::Concurrent(amount))
}

/// A gateway of one or more threads.
struct Lab {
    store: Store,
    threads: Vec<QuotaThread>,
    quotas: Vec<Quota>,
    namespace: QuotaNamespace,
    enforced: Vec<bool>,
    bytes: u64,
}

impl Lab {
    fn new(quotas: impl IntoIterator<Item = Quota>) -> Lab {
        let mut store = Store::default();
        store.memory.now = Now { monotonic: 1_000 * SECOND, wall: NOON };
        let mut lab = Lab {
            store,
            threads: (0..3).map(|_| QuotaThread::default()).collect(),
            quotas: Vec::new(),
            namespace: QuotaNamespace::default(),
            enforced: Vec::new(),
            bytes: 0,
        };
        lab.configure(quotas);
        lab
    }

    /// Another policy.
    fn configure(&mut self, quotas: impl IntoIterator<Item = Quota>) {
        self.quotas = quotas.into_iter().collect();
        self.namespace = QuotaNamespace::of("test", self.quotas.iter());
        self.enforced = vec![true; self.quotas.len()];
    }

    fn after(&mut self, nanoseconds: u64) -> &mut Lab {
        let now = &mut self.store.memory.now;
        now.monotonic += nanoseconds;
        now.wall += nanoseconds;
        self
    }

    fn ask_on(&mut self, thread: usize, key: &str) -> ChargeResults {
        let charges: Vec<_> = self.quotas.iter().zip(&self.enforced).zip(0..).collect();
        let charges: Vec<_> = charges
            .into_iter()
            .map(|((quota, enforced), number)| RequestCharge { quota, number, key, enforced: *enforced })
            .collect();
        let Lab { threads, store, namespace, bytes, .. } = self;
        Transaction::new(&mut threads[thread], namespace, store).charge(&charges, *bytes)
    }

    fn ask(&mut self, key: &str) -> ChargeResults {
        self.ask_on(0, key)
    }

    fn refusals(&mut self, key: &str) -> Vec<Option<Refusal>> {
        self.ask(key).outcomes.iter().map(|result| result.refusal).collect()
    }

    /// Tells whether everything that is enforced lets it pass.
    fn passes(&mut self, key: &str) -> bool {
        let enforced = self.enforced.clone();
        !self.refusals(key).iter().zip(enforced).any(|(refusal, enforced)| enforced && refusal.is_some())
    }

    fn passing(&mut self, key: &str, asked: u32) -> u32 {
        (0..asked).map(|_| u32::from(self.passes(key))).sum()
    }

    fn flow(&mut self, account: &mut Account, out: u64, inward: u64) -> Option<Crossing> {
        let Lab { threads, store, namespace, quotas, .. } = self;
        let quotas = |number: u32| quotas.get(number as usize);
        Transaction::new(&mut threads[0], namespace, store).flow(account, out, inward, quotas)
    }

    fn settle(&mut self, account: &mut Account) -> bool {
        let Lab { threads, store, namespace, quotas, .. } = self;
        Transaction::new(&mut threads[0], namespace, store).settle(account, |number: u32| quotas.get(number as usize))
    }

    fn level(&mut self, key: &str) -> Level {
        self.ask(key).outcomes[0].level
    }
}

// Rates

#[test]
fn a_rate_lets_pass_its_burst_and_then_one_each_share_of_the_time() {
    let mut lab = Lab::new([rate("r", Unit::Requests, 10, SECOND, 20)]);
    assert_eq!(lab.passing("a", 100), 20);
    assert!(!lab.after(SECOND / 10 - 1).passes("a"));
    assert!(lab.after(1).passes("a"));
    assert!(!lab.passes("a"));
    assert_eq!(lab.after(SECOND).passing("a", 100), 10);
    assert_eq!(lab.after(3600 * SECOND).passing("a", 100), 20);
}

#[test]
fn after_a_rest_a_rate_lets_pass_burst_and_limit_within_one_per() {
    let mut lab = Lab::new([rate("r", Unit::Requests, 10, SECOND, 20)]);
    let mut passed = 0;
    for _ in 0..=1000 {
        passed += lab.after(SECOND / 1000).passing("a", 3);
    }
    assert_eq!(passed, 30);
}

#[test]
fn a_limit_that_divides_nothing_evenly_lets_pass_its_whole_burst() {
    let mut lab = Lab::new([rate("r", Unit::Requests, 3, SECOND, 3)]);
    assert_eq!(lab.passing("a", 10), 3);
    assert_eq!(lab.after(SECOND).passing("a", 10), 2, "each charge is rounded up");
}

#[test]
fn keys_do_not_share() {
    let mut lab = Lab::new([rate("r", Unit::Requests, 1, SECOND, 1)]);
    assert!(lab.passes("a") && lab.passes("b") && !lab.passes("a") && !lab.passes("b"));
}

#[test]
fn a_thread_that_stands_still_before_it_reads_a_page_forgives_no_debt_of_others() {
    /// Stands still at its first read, for two seconds in which another thread uses up the burst.
    struct Slow<'l>(&'l mut Lab, bool);
    impl SharedStore for Slow<'_> {
        fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable> {
            if !std::mem::replace(&mut self.1, true) {
                self.0.after(2 * SECOND).passing("a", 100);
            }
            self.0.store.read(key)
        }
        fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable> {
            self.0.store.replace(key, value, seen)
        }
        fn monotonic(&mut self) -> Result<u64, Unavailable> {
            self.0.store.monotonic()
        }
        fn wall(&mut self) -> Result<u64, Unavailable> {
            self.0.store.wall()
        }
    }
    for quota in [rate("r", Unit::Requests, 10, SECOND, 20), window("w", Unit::Requests, Calendar::Minute, 20)] {
        let mut lab = Lab::new([quota.clone()]);
        assert!(lab.passes("a"));
        lab.after(59 * SECOND);
        let (mut thread, namespace) = (QuotaThread::default(), QuotaNamespace::of("test", [&quota].into_iter()));
        let charges = [RequestCharge { quota: &quota, number: 0, key: "a", enforced: true }];
        let slow = Transaction::new(&mut thread, &namespace, &mut Slow(&mut lab, false)).charge(&charges, 0);
        assert_eq!(slow.outcomes[0].refusal, Some(Refusal::Exhausted), "the other has used up the burst");
        assert_eq!(thread.take_events(), None, "nor takes it for a foreign writer's");
        assert!(!lab.passes("a"), "{quota:?}");
    }
}

#[test]
fn a_monotonic_clock_near_its_end_lets_nothing_pass_that_it_should_not() {
    let mut lab = Lab::new([rate("r", Unit::Requests, 1, SECOND, 2)]);
    lab.store.memory.now.monotonic = u64::MAX - SECOND;
    assert!(lab.passes("a"));
    assert_eq!(lab.refusals("a"), [Some(Refusal::Exhausted)], "its debt does not end before time does");
    lab.store.memory.now.monotonic = u64::MAX;
    assert!(!lab.passes("a"));
    assert!(lab.passes("b") && !lab.passes("b"));
}

// Windows

#[test]
fn a_window_lets_pass_its_limit_and_begins_anew_at_its_end() {
    for (calendar, rest) in [
        (Calendar::Minute, 60),
        (Calendar::Hour, 3600),
        (Calendar::Day, 12 * 3600),
        (Calendar::Week, 4 * 86_400 + 12 * 3600),
        (Calendar::Month, 5 * 86_400 + 12 * 3600),
    ] {
        let mut lab = Lab::new([window("w", Unit::Requests, calendar, 5)]);
        assert_eq!(lab.passing("a", 10), 5, "{calendar:?}");
        assert!(!lab.after(rest * SECOND - 1).passes("a"), "{calendar:?}");
        assert_eq!(lab.after(1).passing("a", 10), 5, "{calendar:?}");
    }
}

#[test]
fn a_wall_clock_that_steps_over_admits_nothing_but_what_the_new_window_allows() {
    let mut lab = Lab::new([window("w", Unit::Requests, Calendar::Hour, 5)]);
    assert_eq!(lab.passing("a", 10), 5);
    let wall = |lab: &mut Lab, wall| lab.store.memory.now.wall = wall;
    wall(&mut lab, NOON + 3600 * SECOND);
    assert_eq!(lab.passing("a", 3), 3, "forward: a new window");
    wall(&mut lab, NOON);
    assert_eq!(lab.passing("a", 10), 2, "back by one: that window is charged on");
    wall(&mut lab, NOON - 3600 * SECOND);
    assert_eq!(lab.passing("a", 10), 0, "further back: used up");
    wall(&mut lab, NOON);
    assert_eq!(lab.passing("a", 10), 5, "which ends with the window that was the current one");
    wall(&mut lab, 0);
    assert_eq!(lab.passing("a", 10), 0, "1970");
    wall(&mut lab, u64::MAX);
    assert_eq!(lab.passing("a", 10), 5, "the end of the clock");
    assert_eq!(lab.threads[0].take_events(), None, "a clock is no foreign writer");
}

// Bytes

#[test]
fn a_request_is_let_through_until_its_bytes_are_used_up() {
    for quota in [
        window("b", Unit::BytesOut, Calendar::Day, 1000),
        rate("b", Unit::BytesOut, 1000, SECOND, 1000),
        Quota { overrun: Overrun::Finish, ..window("b", Unit::BytesOut, Calendar::Day, 1000) },
    ] {
        let mut lab = Lab::new([quota.clone()]);
        lab.bytes = 100;
        let mut account = lab.ask("a").account.expect("bytes will flow");
        assert_eq!(lab.flow(&mut account, 900, 5000), None, "exactly used up");
        assert_eq!(lab.refusals("a"), [Some(Refusal::Exhausted)]);
        let crossing = lab.flow(&mut account, 1, 0);
        assert_eq!(crossing.map(|crossing| crossing.cut), (quota.overrun == Overrun::Cut).then_some(true));
        assert!(lab.settle(&mut account));
    }
}

#[test]
fn what_has_crossed_the_line_counts() {
    let mut lab = Lab::new([rate("b", Unit::Bytes, 1000, SECOND, 1000)]);
    let mut account = lab.ask("a").account.unwrap();
    assert!(lab.flow(&mut account, 1500, 1500).is_some());
    assert!(!lab.after(2 * SECOND).passes("a"));
    assert!(lab.after(1).passes("a"));
}

#[test]
fn bytes_whose_debt_ends_behind_the_clocks_end_are_not_free() {
    let mut lab = Lab::new([Quota { overrun: Overrun::Finish, ..rate("b", Unit::Bytes, 1, 3600 * SECOND, 1) }]);
    let mut account = lab.ask("a").account.unwrap();
    assert_eq!(lab.flow(&mut account, 1 << 40, 0), None);
    assert!(lab.settle(&mut account), "nor tried again for ever");
    assert!(!lab.passes("a"));
    assert!(!lab.after(1 << 62).passes("a"));
    lab.configure([rate("b", Unit::Bytes, 1, SECOND, 1)]);
    assert!(!lab.passes("a"));
    assert!(lab.after(SECOND).passes("a"), "a changed limit caps it");
}

#[test]
fn bytes_are_counted_in_their_direction() {
    for (unit, used) in [(Unit::BytesOut, 7), (Unit::BytesIn, 30), (Unit::Bytes, 37)] {
        let mut lab = Lab::new([window("b", unit, Calendar::Day, 1000)]);
        lab.bytes = 2;
        let mut account = lab.ask("a").account.unwrap();
        lab.flow(&mut account, 5, 30);
        lab.bytes = 0;
        assert_eq!(lab.level("a").used, used, "{unit:?}");
    }
}

#[test]
fn bytes_of_a_contended_store_stay_owed_and_cut_only_beyond_the_credit() {
    let mut lab = Lab::new([window("b", Unit::Bytes, Calendar::Day, 1 << 40)]);
    let mut account = lab.ask("a").account.unwrap();
    lab.store.too_late = TRIES;
    assert_eq!(lab.flow(&mut account, 1 << 20, 0), None);
    lab.store.too_late = TRIES;
    let crossing = lab.flow(&mut account, 1, 0).expect("the credit is used up");
    assert_eq!((crossing.refusal, crossing.cut), (Refusal::Unavailable, true));
    lab.store.too_late = TRIES;
    assert!(!lab.settle(&mut account));
    assert!(lab.settle(&mut account), "the next tick");
    assert_eq!(lab.level("a").used, (1 << 20) + 1);
    assert_eq!(lab.threads[0].take_events().unwrap().contended, 3);
}

// Concurrency

#[test]
fn what_is_held_is_given_back_once() {
    let mut lab = Lab::new([concurrent("c", 2)]);
    let mut first = lab.ask("a").account.unwrap();
    let mut second = lab.ask_on(1, "a").account.unwrap();
    assert!(!lab.passes("a"));
    assert!(lab.settle(&mut first) && lab.settle(&mut first));
    let mut third = lab.ask("a").account.unwrap();
    assert!(!lab.passes("a"), "nothing was given back twice");
    assert!(lab.settle(&mut second) && lab.settle(&mut third));
    assert_eq!(lab.level("a").used, 1, "this one");
}

#[test]
fn of_two_that_a_thread_holds_one_is_given_back_and_the_other_stays() {
    let mut lab = Lab::new([concurrent("c", 2)]);
    let mut first = lab.ask("a").account.unwrap();
    let _second = lab.ask("a").account.unwrap();
    assert!(lab.settle(&mut first));
    assert!(lab.passes("a") && !lab.passes("a"));
}

#[test]
fn what_a_lost_thread_held_comes_back_within_ten_seconds() {
    let mut lab = Lab::new([concurrent("c", 1)]);
    let mut lost = lab.ask_on(1, "a").account.unwrap();
    for _ in 0..10 {
        assert!(!lab.after(SECOND).passes("a"));
        lab.threads[0].beat(&mut lab.store);
    }
    assert!(lab.after(1).passes("a"));
    assert!(!lab.passes("a"));
    assert!(lab.settle(&mut lost), "it was not lost after all, and gives back what it no longer holds");
    assert!(!lab.passes("a"));
}

#[test]
fn a_thread_that_gives_signs_of_life_keeps_what_it_holds() {
    let mut lab = Lab::new([concurrent("c", 1)]);
    let _held = lab.ask_on(1, "a").account.unwrap();
    for _ in 0..60 {
        lab.after(SECOND);
        lab.threads[1].beat(&mut lab.store);
        assert!(!lab.passes("a"));
    }
}

#[test]
fn a_thread_that_was_taken_for_lost_holds_under_a_new_number() {
    let mut lab = Lab::new([concurrent("c", 2)]);
    let mut old = lab.ask_on(1, "a").account.unwrap();
    lab.after(11 * SECOND);
    assert!(lab.passes("a") && lab.passes("a"), "the old one is given up");
    let _ = lab.settle(&mut old);
    assert!(!lab.passes("a"), "and gives back nothing of the others'");
}

#[test]
fn a_new_thread_gets_no_number_that_another_still_holds_under_though_a_foreign_writer_wiped_them() {
    let mut lab = Lab::new([concurrent("c", 1)]);
    lab.store.memory.now.monotonic += 123_456_789;
    let _lost = lab.ask_on(0, "a").account.unwrap();
    lab.store.memory.overwrite("tollgate/1/@members", b"?");
    lab.ask_on(1, "b").account.unwrap();
    // Thread 0 gives no further sign of life, and thread 1 does.
    for _ in 0..11 {
        lab.threads[1].beat(&mut lab.store);
        lab.after(SECOND);
    }
    assert!(lab.passes("a"), "what the lost one held is not kept alive by the other");
}

#[test]
fn members_that_cannot_be_read_hold_nothing_and_are_counted() {
    let mut lab = Lab::new([concurrent("c", 1)]);
    let _held = lab.ask_on(0, "a").account.unwrap();
    lab.store.memory.overwrite("tollgate/1/@members", b"?");
    assert!(lab.passes("a"));
    assert_eq!(lab.threads[0].take_events().map(|events| events.foreign), Some(1));
}

// Several quotas

#[test]
fn a_request_is_charged_to_every_quota_or_to_none() {
    let quotas = [
        rate("wide", Unit::Requests, 100, SECOND, 100),
        window("narrow", Unit::Requests, Calendar::Hour, 3),
        concurrent("held", 50),
    ];
    let mut lab = Lab::new(quotas);
    assert_eq!(lab.passing("a", 10), 3);
    let refused = lab.ask("a");
    assert_eq!(refused.outcomes.iter().map(|result| result.level.used).collect::<Vec<_>>(), [3, 3, 3]);
    assert!(refused.account.is_none());
}

#[test]
fn a_dry_run_keeps_its_state_as_if_it_were_enforced() {
    let quotas = [window("dry", Unit::Requests, Calendar::Hour, 2), window("real", Unit::Requests, Calendar::Hour, 4)];
    let mut lab = Lab::new(quotas);
    lab.enforced = vec![false, true];
    assert_eq!(lab.passing("a", 10), 4);
    assert_eq!(lab.refusals("a"), [Some(Refusal::Exhausted); 2]);
    lab.enforced = vec![true, true];
    assert_eq!(lab.ask("a").outcomes.iter().map(|result| result.level.used).collect::<Vec<_>>(), [2, 4]);
}

/// Asks for the first quota under one key and the second under another, whose bucket stands on another page.
fn ask_two(lab: &mut Lab) -> ChargeResults {
    let demand = |number: u32, key: &'static str| {
        let (quota, enforced) = (&lab.quotas[number as usize], lab.enforced[number as usize]);
        RequestCharge { quota, number, key, enforced }
    };
    let charges = [demand(0, "a"), demand(1, "b")];
    Transaction::new(&mut lab.threads[0], &lab.namespace, &mut lab.store).charge(&charges, 0)
}

#[test]
fn a_page_that_somebody_else_was_faster_with_is_tried_again_without_charging_the_other_twice() {
    let quotas = [window("one", Unit::Requests, Calendar::Hour, 5), window("other", Unit::Requests, Calendar::Hour, 5)];
    for too_late in 0..10 {
        let mut lab = Lab::new(quotas.clone());
        ask_two(&mut lab);
        lab.store.too_late = too_late;
        ask_two(&mut lab);
        let levels: Vec<_> = ask_two(&mut lab).outcomes.iter().map(|result| result.level.used).collect();
        assert_eq!(levels, [3, 3], "{too_late}");
    }
}

#[test]
fn what_is_said_of_a_quota_does_not_depend_on_whether_another_is_tried_again() {
    let mut lab =
        Lab::new([rate("one", Unit::Requests, 5, SECOND, 5), window("other", Unit::Requests, Calendar::Hour, 5)]);
    let levels = |lab: &mut Lab| ask_two(lab).outcomes.iter().map(|result| result.level).collect::<Vec<_>>();
    levels(&mut lab);
    lab.after(10 * SECOND);
    let before = levels(&mut lab);
    lab.after(10 * SECOND);
    lab.store.late_write = Some(lab.store.writes + 2);
    let again = levels(&mut lab);
    assert_eq!(again[0], before[0], "the second page was tried again, by the other clock alone");
    assert_eq!((before[1].used, again[1].used), (2, 3));
}

#[test]
fn what_was_charged_before_another_page_refused_is_taken_back() {
    // The second page is charged by somebody else between reading and writing.
    struct Faster<'s>(&'s mut Store, u32);
    impl SharedStore for Faster<'_> {
        fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable> {
            self.0.read(key)
        }
        fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable> {
            self.1 += 1;
            if self.1 == 2 {
                // the very charge that this thread was about to make
                self.0.replace(key, value, seen)?;
                return Ok(false);
            }
            self.0.replace(key, value, seen)
        }
        fn monotonic(&mut self) -> Result<u64, Unavailable> {
            self.0.monotonic()
        }
        fn wall(&mut self) -> Result<u64, Unavailable> {
            self.0.wall()
        }
    }
    for first in [
        rate("one", Unit::Requests, 5, SECOND, 5),
        window("one", Unit::Requests, Calendar::Hour, 5),
        concurrent("one", 5),
    ] {
        let mut lab = Lab::new([first, window("other", Unit::Requests, Calendar::Hour, 1)]);
        // Both buckets exist, so that nothing but pages is written.
        lab.quotas[1].limit = Limit::Window(Calendar::Hour, 2);
        let mut account = ask_two(&mut lab).account;
        if let Some(account) = &mut account {
            assert!(lab.settle(account));
        }
        let before = ask_one(&mut lab).level.used;
        let charges = [
            RequestCharge { quota: &lab.quotas[0], number: 0, key: "a", enforced: true },
            RequestCharge { quota: &lab.quotas[1], number: 1, key: "b", enforced: true },
        ];
        let mut faster = Faster(&mut lab.store, 0);
        let refused = Transaction::new(&mut lab.threads[0], &lab.namespace, &mut faster).charge(&charges, 0);
        assert_eq!(refused.outcomes[1].refusal, Some(Refusal::Exhausted));
        assert!(refused.account.is_none());
        assert_eq!(ask_one(&mut lab).level.used, before, "{:?}", lab.quotas[0].unit);
    }
}

#[test]
fn charges_that_others_made_meanwhile_stay_when_a_charge_is_taken_back() {
    /// A store in which, between the first page and the second, another thread charges both keys.
    struct Meanwhile<'s> {
        store: &'s mut Store,
        namespace: &'s QuotaNamespace,
        quotas: [(&'s Quota, &'static str); 2],
        other: QuotaThread,
        writes: u32,
        passed: u32,
    }
    impl SharedStore for Meanwhile<'_> {
        fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable> {
            self.store.read(key)
        }
        fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable> {
            self.writes += 1;
            if self.writes == 2 {
                for (quota, key) in self.quotas {
                    let charges = [RequestCharge { quota, number: 0, key, enforced: true }];
                    let charged = Transaction::new(&mut self.other, self.namespace, self.store).charge(&charges, 0);
                    self.passed += u32::from(charged.outcomes[0].refusal.is_none());
                }
            }
            self.store.replace(key, value, seen)
        }
        fn monotonic(&mut self) -> Result<u64, Unavailable> {
            self.store.monotonic()
        }
        fn wall(&mut self) -> Result<u64, Unavailable> {
            self.store.wall()
        }
    }
    // A rate keeps its own charge, too: part of it may be paid already.
    for (first, kept) in [
        (rate("one", Unit::Requests, 9, SECOND, 9), 2),
        (window("one", Unit::Requests, Calendar::Hour, 9), 1),
        (concurrent("one", 9), 1),
    ] {
        let mut lab = Lab::new([first, window("other", Unit::Requests, Calendar::Hour, 2)]);
        // Both buckets exist, so that nothing but pages is written.
        let mut account = ask_two(&mut lab).account;
        if let Some(account) = &mut account {
            assert!(lab.settle(account));
        }
        // It sees the member of the other thread.
        let mut other = QuotaThread::default();
        let held = [RequestCharge { quota: &concurrent("held", 9), number: 0, key: "c", enforced: true }];
        Transaction::new(&mut other, &lab.namespace, &mut lab.store).charge(&held, 0);
        let before = ask_one(&mut lab).level.used;
        let [one, two] = lab.quotas.as_slice() else { panic!() };
        let charges =
            [(one, "a"), (two, "b")].map(|(quota, key)| RequestCharge { quota, number: 0, key, enforced: true });
        let (namespace, quotas) = (&lab.namespace, [(one, "a"), (two, "b")]);
        let mut meanwhile = Meanwhile { store: &mut lab.store, namespace, quotas, other, writes: 0, passed: 0 };
        let refused = Transaction::new(&mut lab.threads[0], &lab.namespace, &mut meanwhile).charge(&charges, 0);
        assert_eq!(meanwhile.passed, 2);
        assert_eq!(refused.outcomes[1].refusal, Some(Refusal::Exhausted));
        assert!(refused.account.is_none());
        assert_eq!(ask_one(&mut lab).level.used, before + kept, "{:?}", lab.quotas[0].unit);
    }
}

/// Looks at the first quota's bucket without charging it: another one refuses.
fn ask_one(lab: &mut Lab) -> ChargeOutcome {
    let shut = window("shut", Unit::Requests, Calendar::Hour, 0);
    let charges = [
        RequestCharge { quota: &lab.quotas[0], number: 0, key: "a", enforced: true },
        RequestCharge { quota: &shut, number: 1, key: "a", enforced: true },
    ];
    Transaction::new(&mut lab.threads[0], &lab.namespace, &mut lab.store).charge(&charges, 0).outcomes[0]
}

// Contention and failures

#[test]
fn contention_is_given_up_after_64_tries_and_counted() {
    let mut lab = Lab::new([window("w", Unit::Requests, Calendar::Hour, 5)]);
    assert!(lab.passes("a"));
    lab.store.too_late = TRIES - 1;
    assert!(lab.passes("a"));
    lab.store.too_late = TRIES;
    assert_eq!(lab.refusals("a"), [Some(Refusal::Unavailable)]);
    assert_eq!(lab.threads[0].take_events().unwrap().contended, 1);
    assert_eq!(lab.level("a").used, 3, "the one that was given up is not among them");
}

#[test]
fn a_store_or_clock_that_fails_at_any_place_denies_and_charges_nothing_that_stays() {
    let quotas = [rate("r", Unit::Requests, 5, SECOND, 5), concurrent("c", 5)];
    for calls in 0..40 {
        let mut lab = Lab::new(quotas.clone());
        lab.store.fails_after = Some(calls);
        let failing = lab.ask("a");
        let failed = lab.store.failed;
        lab.store.fails_after = None;
        assert_eq!(failing.outcomes[0].refusal, failed.then_some(Refusal::Unavailable), "{calls}");
        lab.store.clocks_fail = true;
        assert_eq!(lab.refusals("b"), [Some(Refusal::Unavailable); 2]);
        lab.store.clocks_fail = false;
        let passed = 5 - u32::from(!failed);
        assert_eq!(lab.passing("a", 10), passed, "{calls}");
        if !failed {
            return;
        }
    }
    panic!("it makes more calls than that?");
}

#[test]
fn a_dry_run_that_cannot_be_read_lets_pass_and_says_so() {
    let mut lab = Lab::new([window("w", Unit::Requests, Calendar::Hour, 5)]);
    lab.enforced = vec![false];
    lab.store.fails_after = Some(0);
    assert!(lab.passes("a"));
    assert_eq!(lab.refusals("a"), [Some(Refusal::Unavailable)]);
}

// Foreign values

fn pages(lab: &Lab) -> Vec<String> {
    lab.store.memory.keys().filter(|key| key.contains("@page")).map(str::to_owned).collect()
}

#[test]
fn a_value_of_unknown_form_is_full_debt_used_up_or_nothing_held_and_healed_when_its_time_is_over() {
    let cases = [
        (rate("q", Unit::Requests, 10, SECOND, 20), 0, SECOND / 10),
        (window("q", Unit::Requests, Calendar::Minute, 5), 0, 60 * SECOND),
        (rate("q", Unit::Bytes, 10, SECOND, 20), 0, 1),
        (concurrent("q", 5), 5, 0),
    ];
    for (quota, at_once, healed) in cases {
        for foreign in [
            &b""[..],
            b"x",
            b"\x01",
            b"\x02\x00",
            b"\x01\x00\x05",
            b"\x01\x04",
            b"\x01\x00\x0e\x00\x09\x00\
            \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        ] {
            let mut lab = Lab::new([quota.clone()]);
            lab.bytes = 1;
            lab.passes("a");
            let [page] = pages(&lab).try_into().expect("one page");
            lab.store.memory.overwrite(&page, foreign);
            let before = lab.passing("a", 10);
            assert_eq!(before.min(5), at_once, "{quota:?} {foreign:?}");
            assert_eq!(lab.threads[0].take_events().map(|events| events.foreign), Some(1), "counted once");
            if healed > 0 {
                assert!(!lab.after(healed - 1).passes("a"), "{quota:?}");
                assert!(lab.after(1).passes("a"), "{quota:?}");
            }
        }
    }
}

#[test]
fn a_bucket_that_was_on_a_page_of_unknown_form_is_full_whoever_comes_first() {
    let quotas =
        [window("one", Unit::Requests, Calendar::Minute, 5), window("two", Unit::Requests, Calendar::Minute, 5)];
    let mut lab = Lab::new(quotas.clone());
    lab.passes("a");
    let [page] = pages(&lab).try_into().expect("one page");
    lab.store.memory.overwrite(&page, b"?");
    lab.configure([quotas[0].clone()]);
    assert!(!lab.passes("a"));
    lab.configure([quotas[1].clone()]);
    assert!(!lab.passes("a"), "the page is well-formed again, and yet");
    assert_eq!(lab.after(60 * SECOND).passing("a", 10), 5);
}

#[test]
fn a_state_of_another_kind_under_the_same_tag_is_foreign() {
    let rated = rate("q", Unit::Requests, 10, SECOND, 20);
    let windowed = Quota { tag: rated.tag, ..window("q", Unit::Requests, Calendar::Minute, 5) };
    let mut lab = Lab::new([rated]);
    lab.passes("a");
    lab.configure([windowed]);
    assert!(!lab.passes("a"));
    assert_eq!(lab.threads[0].take_events().unwrap().foreign, 1);
    assert_eq!(lab.after(60 * SECOND).passing("a", 10), 5);
}

#[test]
fn a_debt_that_no_rate_of_requests_can_have_is_foreign_and_full() {
    let mut lab = Lab::new([rate("q", Unit::Requests, 10, SECOND, 20)]);
    lab.passes("a");
    lab.store.memory.now.monotonic -= 900 * SECOND;
    assert!(!lab.passes("a"));
    assert!(!lab.after(SECOND / 10 - 1).passes("a"));
    assert!(lab.after(1).passes("a"), "not in a quarter of an hour");
}

// Changed policies

#[test]
fn a_changed_limit_keeps_the_debt_in_time_up_to_the_new_full_debt() {
    let mut lab = Lab::new([rate("q", Unit::Requests, 10, SECOND, 20)]);
    assert_eq!(lab.passing("a", 10), 10, "one second's debt");
    lab.configure([rate("q", Unit::Requests, 100, SECOND, 200)]);
    assert_eq!(lab.passing("a", 1000), 100, "of two");
    lab.configure([rate("q", Unit::Requests, 10, SECOND, 5)]);
    assert!(!lab.passes("a"));
    assert!(!lab.after(SECOND / 10 - 1).passes("a"), "half a second's debt is the most there is now");
    assert!(lab.after(1).passes("a"));
}

#[test]
fn a_window_keeps_what_was_used() {
    let mut lab = Lab::new([window("q", Unit::Requests, Calendar::Hour, 5)]);
    assert_eq!(lab.passing("a", 10), 5);
    lab.configure([window("q", Unit::Requests, Calendar::Hour, 8)]);
    assert_eq!(lab.passing("a", 10), 3);
    lab.configure([window("q", Unit::Requests, Calendar::Hour, 2)]);
    assert_eq!(lab.passing("a", 10), 0);
}

#[test]
fn what_is_held_stays_held_under_a_changed_limit() {
    let mut lab = Lab::new([concurrent("q", 3)]);
    assert_eq!(lab.passing("a", 10), 3);
    lab.configure([concurrent("q", 5)]);
    assert_eq!(lab.passing("a", 10), 2);
}

#[test]
fn another_tag_starts_a_new_bucket() {
    let mut lab = Lab::new([window("q", Unit::Requests, Calendar::Hour, 5)]);
    assert_eq!(lab.passing("a", 10), 5);
    lab.configure([window("q", Unit::Requests, Calendar::Day, 5)]);
    assert_eq!(lab.passing("a", 10), 5);
}

#[test]
fn a_quota_that_comes_back_finds_its_bucket() {
    let quotas = [window("q", Unit::Requests, Calendar::Hour, 5), window("p", Unit::Requests, Calendar::Hour, 50)];
    let mut lab = Lab::new([quotas[0].clone()]);
    assert_eq!(lab.passing("a", 10), 5);
    lab.configure([quotas[1].clone()]);
    assert!(lab.passes("a"));
    lab.configure(quotas);
    assert!(!lab.passes("a"));
}

// Places

#[test]
fn past_65536_live_buckets_new_keys_share_one_and_buckets_at_rest_give_up_their_place() {
    let mut lab = Lab::new([rate("q", Unit::Requests, 1, 10 * SECOND, 1)]);
    for key in 0..65_536 {
        assert!(lab.passes(&format!("key-{key}")));
    }
    assert_eq!(lab.threads[0].take_events(), None);
    let late = lab.ask("late-1");
    assert!(late.outcomes[0].overflowed && late.outcomes[0].refusal.is_none());
    assert!(!lab.passes("late-2"), "it shares the bucket of the first");
    assert!(!lab.passes("key-7"), "who has one keeps it");
    assert_eq!(lab.threads[0].take_events().unwrap().overflowed, [0]);
    lab.after(20 * SECOND);
    for key in 0..65_536 {
        let result = lab.ask(&format!("new-{key}")).outcomes[0];
        assert!(result.refusal.is_none() && !result.overflowed, "{key}");
    }
    assert!(lab.store.memory.keys().count() <= 8192 * 257 + 2);
}

#[test]
fn a_page_with_many_buckets_spills_and_finds_all_of_them_again() {
    let quotas: Vec<_> = (0..1000).map(|i| window(&format!("q{i}"), Unit::Requests, Calendar::Hour, 2)).collect();
    let mut lab = Lab::new([]);
    for round in 0..3 {
        for quota in &quotas {
            lab.quotas = vec![quota.clone()];
            lab.namespace = QuotaNamespace::of("test", quotas.iter());
            lab.enforced = vec![true];
            assert_eq!(lab.passes("one key"), round < 2, "{}", quota.id);
        }
    }
    assert!(pages(&lab).len() > 100);
    lab.store.reads = 0;
    lab.passes("one key");
    assert_eq!(lab.store.reads, 2, "the page, and the one below");
}

#[test]
fn what_a_policy_left_behind_makes_room_once_it_is_at_rest() {
    let mut lab = Lab::new([]);
    for i in 0..10_000 {
        lab.configure([rate(&format!("q{i}"), Unit::Requests, 1, SECOND, 1)]);
        assert!(lab.after(2 * SECOND).passes("a"));
    }
    let pages = pages(&lab);
    assert_eq!(pages.len(), 1);
    let (bytes, _) = lab.store.read(&pages[0]).unwrap().unwrap();
    assert!(bytes.len() < 100, "{}", bytes.len());
}

#[test]
fn a_place_that_a_dry_run_took_and_does_not_need_any_more_is_not_lost() {
    /// The page is begun anew under the thread's hands: what is not on it is full.
    struct Begun<'s>(&'s mut Store, bool);
    impl SharedStore for Begun<'_> {
        fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable> {
            self.0.read(key)
        }
        fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable> {
            if key.contains("@page") && !std::mem::replace(&mut self.1, true) {
                let page = super::page::Page::doubted(self.0.memory.now);
                self.0.memory.overwrite(key, page.bytes());
            }
            self.0.replace(key, value, seen)
        }
        fn monotonic(&mut self) -> Result<u64, Unavailable> {
            self.0.monotonic()
        }
        fn wall(&mut self) -> Result<u64, Unavailable> {
            self.0.wall()
        }
    }
    let mut lab = Lab::new([window("dry", Unit::Requests, Calendar::Hour, 5)]);
    let charges = [RequestCharge { quota: &lab.quotas[0], number: 0, key: "a", enforced: false }];
    let doubtful = &mut Begun(&mut lab.store, false);
    let refused = Transaction::new(&mut lab.threads[0], &lab.namespace, doubtful).charge(&charges, 0);
    assert_eq!(refused.outcomes[0].refusal, Some(Refusal::Exhausted));
    let (places, _) = lab.store.read("tollgate/1/test/dry/@places").unwrap().unwrap();
    assert_eq!(places, [0; 4]);
}

// Costs

#[test]
fn a_request_costs_one_read_and_one_write_however_many_quotas_share_its_key() {
    let quotas = [
        rate("one", Unit::Requests, 10, SECOND, 20),
        window("two", Unit::Bytes, Calendar::Day, 1 << 30),
        rate("three", Unit::Requests, 100, SECOND, 200),
    ];
    let mut lab = Lab::new(quotas);
    lab.bytes = 300;
    lab.ask("a");
    (lab.store.reads, lab.store.writes) = (0, 0);
    lab.ask("a");
    assert_eq!((lab.store.reads, lab.store.writes), (1, 1));
}

#[test]
fn a_refusal_writes_nothing() {
    let mut lab = Lab::new([rate("one", Unit::Requests, 1, SECOND, 1)]);
    lab.ask("a");
    lab.store.writes = 0;
    assert!(!lab.passes("a"));
    assert_eq!(lab.store.writes, 0);
}

// Levels

#[test]
fn levels_say_what_is_used_what_is_left_and_when_it_is_over() {
    let mut lab = Lab::new([rate("q", Unit::Requests, 10, SECOND, 20)]);
    lab.passing("a", 19);
    let twentieth = lab.level("a");
    assert_eq!(twentieth, Level { used: 20, left: 0, reset: Some(2 * SECOND), retry: Some(SECOND / 10) });
    let mut lab = Lab::new([window("q", Unit::Requests, Calendar::Hour, 2)]);
    assert_eq!(lab.level("a"), Level { used: 1, left: 1, reset: Some(3600 * SECOND), retry: Some(0) });
    lab.after(600 * SECOND).passes("a");
    assert_eq!(lab.level("a").retry, Some(3000 * SECOND));
    let mut lab = Lab::new([concurrent("q", 2)]);
    assert_eq!(lab.level("a"), Level { used: 1, left: 1, reset: None, retry: None });
}

#[test]
fn a_full_state_is_used_up_whatever_the_limit_becomes() {
    let now = Now { monotonic: SECOND, wall: NOON };
    let limit = Limit::Window(Calendar::Hour, 5);
    let full = State::full(&limit, now);
    assert!(!full.has_room(Unit::Requests, &Limit::Window(Calendar::Hour, u64::MAX), now));
    assert_eq!(full.level(&limit, now).used, 5);
}
