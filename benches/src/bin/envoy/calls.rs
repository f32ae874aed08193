//! Calls of the host that one request makes, counted from Envoy's own trace.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::Bench;
use crate::chain::{Chain, Target};
use crate::client::Workload;
use tollgate_bench::report::{Section, Table};
use tollgate_bench::shapes::{Request, Shape};

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn measure(bench: &Bench, section: &mut Section) -> Result<()> {
    let target = Target::start(bench, Chain::Tollgate(1_000))?;
    let allowed = Shape::A.request(1_000, 1, 0);
    let refused = Request { path: "/elsewhere".to_owned(), allowed: false, ..allowed.clone() };
    let [allowed, refused] = [allowed, refused].map(|request| calls_of(bench, &target, &request));
    let (allowed, refused) = (allowed?, refused?);

    let mut table = Table::new(&["call", "allowed", "refused"]);
    let names: BTreeSet<&String> = allowed.keys().chain(refused.keys()).collect();
    let times = |calls: &Calls, name| calls.get(name).copied().unwrap_or_default().to_string();
    for name in names {
        table.row([name.clone(), times(&allowed, name), times(&refused, name)]);
    }
    let all = |calls: &Calls| calls.values().sum::<usize>().to_string();
    table.row(["in all".to_owned(), all(&allowed), all(&refused)]);
    section.table("Calls of the host that one request makes", &table);
    Ok(())
}

/// Names of calls, and how often each was made.
type Calls = BTreeMap<String, usize>;

fn calls_of(bench: &Bench, target: &Target, request: &Request) -> Result<Calls> {
    let admin = target.envoy.admin();
    let mut workload = Workload::connect(&bench.lab, target.address, request)?;
    // The first request of a connection would be traced with it.
    workload.ask()?;
    admin.post("/logging?wasm=trace")?;
    let before = target.envoy.log().len();
    workload.ask()?;
    let started = Instant::now();
    let trace = loop {
        let trace = target.envoy.log().split_off(before);
        // The last thing that the filter is asked.
        if trace.contains("proxy_on_response_headers return") {
            break trace;
        }
        ensure!(started.elapsed() < PATIENCE, "Envoy's trace shows no whole request:\n{trace}");
        sleep(Duration::from_millis(20));
    };
    admin.post("/logging?wasm=info")?;
    let mut calls = Calls::new();
    for line in trace.lines() {
        if let Some((_, call)) = line.split_once("[vm->host] env.")
            && let Some((name, _)) = call.split_once('(')
        {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    Ok(calls)
}
