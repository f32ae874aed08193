//! Limits hold whatever happens at once: four workers, eight callers, and a new policy every 100 ms. The long form,
//! `make quota-soak`, sends 200,000 requests in each race.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tollgate_local::gateway::{CLUSTER_HEADER, GatewayConfig};
use tollgate_local::origin::Tally;
use tollgate_local::wire;

use super::{CHECKOUT, get, policy, post, start};
use crate::support::rig::{PRINCIPAL_HEADER, Rig};

const CALLERS: u64 = 8;
const WORKERS: u32 = 4;

/// Number of requests in the long form of a race; none if it was not asked for.
fn soak() -> Option<u64> {
    std::env::var("TOLLGATE_QUOTA_SOAK").ok().map(|number| number.parse().unwrap())
}

fn requests() -> u64 {
    soak().unwrap_or(4_000)
}

/// Result of a race.
#[derive(Debug)]
struct Race {
    /// Number of each answer to the callers: 200, the reason of a refusal, or `broken` for a stream that was reset.
    told: BTreeMap<String, u64>,
    tally: Tally,
    elapsed: Duration,
    updates: u64,
}

impl Race {
    fn told(&self, what: &str) -> u64 {
        self.told.get(what).copied().unwrap_or_default()
    }
}

/// Lets all callers send this request, again and again, while policies come that all hold this quota.
fn race(quota: &Value, request: &[u8], requests: u64) -> Race {
    let rig =
        start(&update(quota, 0), GatewayConfig { concurrency: WORKERS, audited: false, ..GatewayConfig::default() });
    let left = AtomicU64::new(requests);
    let started = Instant::now();
    let (ended, is_ended) = channel::<()>();
    let plugin = &rig.plugin;
    let (told, elapsed, updates) = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| call(&rig, request, &left))).collect();
        let updates = scope.spawn(move || {
            let mut round = 0;
            while is_ended.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                round += 1;
                plugin.publish(&update(quota, round).to_string()).unwrap();
            }
        });
        let mut told = BTreeMap::new();
        for caller in callers {
            for (what, count) in caller.join().unwrap() {
                *told.entry(what).or_default() += count;
            }
        }
        let elapsed = started.elapsed();
        drop(ended);
        updates.join().unwrap();
        let updates = rig.gateway.admin().stat(&(rig.plugin.update_stats() + "config_reload")).unwrap();
        (told, elapsed, updates)
    });
    let log = rig.gateway.log();
    assert!(!log.contains("VM failed") && !log.contains("[error]"), "{log}");
    let page = rig.gateway.admin().page("/stats?filter=worker_.*downstream_cx_total").unwrap();
    let workers = page.lines().filter(|line| !line.ends_with(": 0")).count();
    assert!(workers > 1, "only one worker had requests: {page}");
    let contended = rig.metric("tollgate_quota_contended_total{}").unwrap_or_default();
    let race = Race { told, tally: rig.lab.origin().tally("race"), elapsed, updates };
    println!("{quota}\n{race:?} on {workers} workers, {contended} changes given up for contention");
    assert!(race.updates > 1, "{race:?}");
    assert_eq!(race.told.values().sum::<u64>(), requests);
    race
}

/// Puts the quota into a policy with another revision: alone, or with more rules and quotas before and behind it.
fn update(quota: &Value, round: usize) -> Value {
    let elsewhere = json!({"id": "elsewhere", "to": [{"hosts": ["elsewhere.example"]}], "limit": {"concurrent": 7}});
    let everywhere =
        json!({"id": "everywhere", "by": ["namespace"], "limit": {"requests": 1_000_000_000, "per": "month"}});
    let quotas = match round % 4 {
        0 => vec![quota.clone()],
        1 => vec![elsewhere, quota.clone()],
        2 => vec![quota.clone(), everywhere],
        _ => vec![everywhere, quota.clone(), elsewhere],
    };
    let mut policy = policy(&quotas);
    policy["revision"] = json!(format!("race-{round}"));
    if round % 3 == 1 {
        let more = json!({"id": "more", "from": [{"namespace": "more"}], "to": [{"hosts": ["more.example"]}]});
        policy["rules"].as_array_mut().unwrap().push(more);
    }
    policy
}

/// One caller: a connection is used until it breaks.
fn call(rig: &Rig, request: &[u8], left: &AtomicU64) -> BTreeMap<String, u64> {
    let mut told = BTreeMap::new();
    let mut connection = None;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let stream = connection.get_or_insert_with(|| rig.connect(Some(CHECKOUT)));
        let what = match wire::exchange(stream, request) {
            Ok(response) => {
                if response.header("connection").is_some_and(|value| value == b"close") {
                    connection = None;
                }
                match (response.status, response.header("x-egress-denied")) {
                    (_, Some(reason)) => String::from_utf8_lossy(reason).into_owned(),
                    (status, None) => status.to_string(),
                }
            }
            Err(_) => {
                connection = None;
                "broken".to_owned()
            }
        };
        *told.entry(what).or_default() += 1;
    }
    told
}

/// Runs until it has begun and ended on the same day (UTC).
fn within_a_day(run: impl Fn() -> Race) -> Race {
    let day = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 86_400;
    loop {
        let before = day();
        let race = run();
        if day() == before {
            return race;
        }
    }
}

#[test]
fn a_rate_admits_no_more_than_burst_and_time_allow() {
    const LIMIT: u64 = 200;
    const BURST: u64 = 100;
    let quota = json!({"id": "rate", "limit": {"requests": LIMIT, "per": "1s", "burst": BURST}});
    let race = race(&quota, &get("api.example.com", "/tally/race"), requests());
    let allowed = BURST + u64::try_from(race.elapsed.as_nanos() * u128::from(LIMIT) / 1_000_000_000).unwrap();
    assert!(race.tally.requests <= allowed, "{allowed} allowed: {race:?}");
    assert!(race.tally.requests >= BURST, "{race:?}");
    assert_eq!(race.tally.requests, race.told("200"), "{race:?}");
}

#[test]
fn a_window_admits_exactly_its_limit() {
    let limit = requests() / 2;
    let quota = json!({"id": "window", "by": [], "limit": {"requests": limit, "per": "day"}});
    let race = within_a_day(|| race(&quota, &get("api.example.com", "/tally/race"), requests()));
    assert_eq!((race.tally.requests, race.told("200")), (limit, limit), "{race:?}");
    // What is refused while there is room is lost to contention.
    assert!(race.told("QUOTA_UNAVAILABLE") * 100 < limit, "{race:?}");
}

#[test]
fn bytes_exceed_their_limit_by_no_more_than_a_chunk_for_each_stream() {
    const BODY: u64 = 16 << 10;
    const CHUNK: u64 = 1 << 20;
    let requests = requests();
    let limit = (requests - requests / 20) * BODY;
    let quota = json!({"id": "bytes", "limit": {"bytesOut": format!("{limit}B"), "per": "day"}});
    let request = post("api.example.com", "/tally/race", usize::try_from(BODY).unwrap());
    let race = within_a_day(|| race(&quota, &request, requests));
    assert!(race.tally.bytes <= limit + CALLERS * CHUNK, "{race:?}");
    // Headers count too, that with the caller's certificate included; no request has as many of them as this.
    assert!(race.tally.bytes >= limit - race.tally.requests * 2048, "{race:?}");
    assert!(race.told("QUOTA_BYTES") > 0, "{race:?}");
}

#[test]
fn no_more_are_in_flight_than_allowed() {
    const LIMIT: u64 = 3;
    let quota = json!({"id": "in-flight", "limit": {"concurrent": LIMIT}});
    let race = race(&quota, &get("api.example.com", "/tally/race?wait=2"), requests());
    assert!(race.tally.most <= LIMIT, "{race:?}");
    assert!(race.tally.most > 1 && race.told("QUOTA_CONCURRENT") > 0, "{race:?}");
    assert_eq!(race.tally.requests, race.told("200"), "{race:?}");
}

#[test]
fn what_comes_after_65536_live_buckets_shares_one() {
    // Only the long form: a bucket is an identity, and each has to ask once.
    const PLACES: u64 = 65_536;
    if soak().is_none() {
        return;
    }
    let cluster = "inbound-vip|443||api.example.com";
    let mut policy = policy(&[json!({"id": "once", "limit": {"requests": 1, "per": "day"}})]);
    policy["identity"] = json!({"sources": ["peer-principal"]});
    let config = GatewayConfig {
        concurrency: WORKERS,
        audited: false,
        clusters: vec![cluster.to_owned()],
        ..GatewayConfig::default()
    };
    let rig = start(&policy, config);
    let (next, admitted) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut stream = rig.connect(Some(CHECKOUT));
                while let number @ 0..70_000 = next.fetch_add(1, Ordering::Relaxed) {
                    let request = format!(
                        "GET /tally/race HTTP/1.1\r\nhost: api.example.com\r\n{CLUSTER_HEADER}: {cluster}\r\n\
                         {PRINCIPAL_HEADER}: spiffe://cluster.local/ns/many/sa/s{number}\r\n\r\n"
                    );
                    let status = wire::exchange(&mut stream, request.as_bytes()).unwrap().status;
                    assert!(matches!(status, 200 | 429), "{status}");
                    admitted.fetch_add(u64::from(status == 200), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), PLACES + 1);
    assert_eq!(rig.metric(r#"tollgate_quota_overflow_total{quota="once"}"#), Some(1.0));
}
