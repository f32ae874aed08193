//! Cost of quotas a request, natively, with a store that is a map: the ledger's own work and a copy of each page.
#![expect(clippy::arithmetic_side_effects, reason = "a program that only developers run: a panic here harms nobody")]

use std::fmt::Write as _;

use anyhow::{Result, anyhow};
use tollgate::decision::{Authorizer, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::quota::{Memory, QuotaThread};
use tollgate::request::{Arrival, Presented, Source};
use tollgate_bench::report::{Section, Table, trim};
use tollgate_bench::timing::{median, median_ratio, milliseconds};

const REPETITIONS: usize = 9;
const REQUESTS: usize = 100_000;
/// 2026-11-25T12:00:00Z.
const NOON: u64 = 1_795_608_000_000_000_000;

/// One of the policies compared, with its quota state and its times so far.
struct Subject {
    name: &'static str,
    policy: Policy,
    identities: usize,
    hosts: usize,
    thread: QuotaThread,
    store: Memory,
    nanoseconds: Vec<f64>,
}

fn policy(quotas: &str) -> Result<Policy> {
    let text = format!(
        r#"{{"version": 1, "name": "bench", "rules": [{{"id": "all", "from": [{{"any": true}}], "to": [{{"hosts": ["**"]}}]}}], "quotas": [{quotas}]}}"#
    );
    Policy::load(text.as_bytes()).map_err(|rejection| anyhow!("{rejection}"))
}

/// The text of that many quotas, each of one host.
fn of_hosts(quotas: usize) -> String {
    let mut text = String::new();
    for i in 0..quotas {
        let comma = if i > 0 { "," } else { "" };
        // Writing into memory does not fail.
        let _ = write!(
            text,
            r#"{comma}{{"id": "q{i}", "to": [{{"hosts": ["h{i}.test"]}}], "limit": {{"requests": 1000000, "per": "1s"}}}}"#
        );
    }
    text
}

const ONE: &str = r#"{"id": "a", "limit": {"requests": 1000000, "per": "1s"}}"#;
const THREE: &str = r#"{"id": "a", "limit": {"requests": 1000000, "per": "1s"}},
    {"id": "b", "limit": {"requests": 1000000000, "per": "day"}}, {"id": "c", "limit": {"bytesOut": "1TB", "per": "day"}}"#;
const THREE_KEYS: &str = r#"{"id": "a", "limit": {"requests": 1000000, "per": "1s"}},
    {"id": "b", "by": ["namespace"], "limit": {"requests": 1000000000, "per": "day"}},
    {"id": "c", "by": [], "limit": {"requests": 1000000, "per": "1s"}}"#;

impl Subject {
    fn new(name: &'static str, quotas: &str, identities: usize, hosts: usize) -> Result<Subject> {
        let (policy, thread, store) = (policy(quotas)?, QuotaThread::default(), Memory::default());
        Ok(Subject { name, policy, identities, hosts, thread, store, nanoseconds: Vec::new() })
    }

    fn run(&mut self, requests: usize) {
        let mut scratch = Scratch::default();
        let ids: Vec<String> =
            (0..self.identities).map(|i| format!("spiffe://cluster.local/ns/n{}/sa/a{i}", i % 100)).collect();
        let hosts: Vec<String> = (0..self.hosts).map(|i| format!("h{i}.test")).collect();
        let (elapsed, ()) = milliseconds(|| {
            for i in 0..requests {
                // a stride that visits all of them
                let id = ids.get(i * 7919 % self.identities).map_or("", |id| id);
                let host = hosts.get(i * 7919 % self.hosts).map_or("", |host| host);
                let arrival = Arrival {
                    identity: Some(Presented { source: Source::PeerCertificate, id: id.as_bytes() }),
                    authority: host.as_bytes(),
                    method: b"GET",
                    path: Some(b"/v1/items"),
                    ..Arrival::default()
                };
                self.store.now.monotonic += 10_000;
                self.store.now.wall = NOON + self.store.now.monotonic;
                let mut judged = Authorizer::new(&self.policy).decide(&arrival, Timestamp(0), &mut scratch);
                let charged = Authorizer::new(&self.policy).charge(&mut judged, 300, &mut self.thread, &mut self.store);
                std::hint::black_box(charged);
            }
        });
        self.nanoseconds.push(elapsed * 1e6 / requests as f64);
    }

    fn above(&self, other: &Subject) -> f64 {
        median(self.nanoseconds.iter().zip(&other.nanoseconds).map(|(mine, its)| mine - its))
    }
}

fn main() -> Result<()> {
    let mut subjects = [
        Subject::new("no quota", "", 1, 1)?,
        Subject::new("one quota", ONE, 1, 1)?,
        Subject::new("three quotas of one key", THREE, 1, 1)?,
        Subject::new("three quotas of three keys", THREE_KEYS, 1, 1)?,
        Subject::new("one quota, one of 10,000", &of_hosts(10_000), 1, 1)?,
        Subject::new("10,000 quotas, all used by one identity", &of_hosts(10_000), 1, 10_000)?,
        Subject::new("one quota, 100,000 identities", ONE, 100_000, 1)?,
    ];
    for subject in &mut subjects {
        subject.run(REQUESTS * 2);
        subject.nanoseconds.clear();
    }
    for _ in 0..REPETITIONS {
        for subject in &mut subjects {
            subject.run(REQUESTS);
        }
    }
    let [none, one, ..] = &subjects;
    let mut section = Section::new("quotas", "Quotas, natively");
    let mut table = Table::new(&["policy, requests", "ns a request", "above no quota", "÷ one quota"]);
    for subject in &subjects {
        table.row([
            subject.name.to_owned(),
            trim(median(subject.nanoseconds.iter().copied())),
            trim(subject.above(none)),
            trim(median_ratio(&subject.nanoseconds, &one.nanoseconds)),
        ]);
    }
    section.table("Decision and consultation", &table);
    section.say(&format!(
        "Medians of {REPETITIONS} interleaved repetitions of {REQUESTS} requests. The store is a map in memory, which copies what is read and written; in Envoy a quota costs two calls of the host instead. Of the 100,000 identities a third share the overflow bucket."
    ));
    section.save()?;
    Ok(())
}
