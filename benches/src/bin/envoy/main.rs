//! The filter in a real Envoy: CPU a request above an empty chain, beside a wasm filter that does nothing and Envoy's own
//! RBAC filter; how long a worker stands still while a policy is loaded; which calls of the host a request makes.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a program that only developers run: a panic here tells of a bug and harms nobody"
)]

mod calls;
mod chain;
mod client;
mod process;
mod stall;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tollgate_local::envoy::binary;
use tollgate_local::lab::Lab;
use tollgate_local::{module, paths};

use chain::{Chain, Target};
use client::Client;
use tollgate_bench::report::{Bars, Section, Table, trim};
use tollgate_bench::timing::{median, median_ratio};

/// Interleaved repetitions.
const REPETITIONS: usize = 7;
const REQUESTS: usize = 20_000;
/// Of chains that take a millisecond a request.
const FEW_REQUESTS: usize = 2_000;

/// What every measurement needs.
struct Bench {
    lab: Lab,
    envoy: PathBuf,
    module: PathBuf,
    noop: PathBuf,
}

fn main() -> Result<()> {
    let version = binary::newest();
    let lab = Lab::temporary()?;
    let noop = lab.dir().join("noop.wasm");
    std::fs::write(&noop, wat::parse_str(include_str!("noop.wat"))?)?;
    let bench =
        Bench { envoy: binary::install(&paths::tools(), version)?, module: module::find_or_build()?, noop, lab };

    let mut section = Section::new("envoy", "The filter in Envoy", "make bench");
    section.say(&format!(
        "Envoy {version}, one worker, mTLS with an identity a connection, HTTP/1.1, a direct response, no access log."
    ));
    let mut bars = Bars::default();
    measure_cpu(&bench, &mut section, &mut bars)?;
    stall::measure(&bench, &mut section, &mut bars)?;
    calls::measure(&bench, &mut section)?;
    let kib = size(&bench.module)? / 1024.0;
    bars.at_most("module", 400.0, kib, " KiB");
    section.table("Bars", bars.table());
    section.save()?;
    Ok(())
}

fn size(file: &Path) -> Result<f64> {
    let metadata = file.metadata().with_context(|| format!("cannot read {}", file.display()))?;
    Ok(metadata.len() as f64)
}

/// One chain, and what was measured of it.
struct Subject {
    chain: Chain,
    target: Target,
    client: Client,
    microseconds: Vec<f64>,
}

impl Subject {
    fn start(bench: &Bench, chain: Chain) -> Result<Subject> {
        let target = Target::start(bench, chain)?;
        let mut client = Client::connect(&bench.lab, target.address, chain.rules())?;
        client.run(REQUESTS / 10)?;
        Ok(Subject { chain, target, client, microseconds: Vec::new() })
    }

    fn repeat(&mut self) -> Result<()> {
        let requests = if self.chain == Chain::Rbac(10_000) { FEW_REQUESTS } else { REQUESTS };
        let before = process::cpu_time(self.target.envoy.id())?;
        self.client.run(requests)?;
        let spent = process::cpu_time(self.target.envoy.id())? - before;
        self.microseconds.push(spent.as_secs_f64() * 1e6 / requests as f64);
        Ok(())
    }

    fn above(&self, other: &Subject) -> f64 {
        median(self.microseconds.iter().zip(&other.microseconds).map(|(mine, its)| mine - its))
    }
}

fn measure_cpu(bench: &Bench, section: &mut Section, bars: &mut Bars) -> Result<()> {
    let mut subjects = Vec::new();
    for chain in Chain::ALL {
        subjects.push(Subject::start(bench, chain)?);
    }
    for _ in 0..REPETITIONS {
        for subject in &mut subjects {
            subject.repeat()?;
        }
    }
    let [empty, noop, smallest, _, _, largest, _, _, rbac_1k, rbac_10k] = subjects.as_slice() else {
        bail!("not one subject a chain");
    };
    let mut table = Table::new(&["chain", "CPU µs a request", "above empty", "above no-op", "RSS MiB"]);
    for subject in &subjects {
        table.row([
            subject.chain.to_string(),
            trim(median(subject.microseconds.iter().copied())),
            trim(subject.above(empty)),
            trim(subject.above(noop)),
            trim(process::resident(subject.target.envoy.id())? / 1_048_576.0),
        ]);
    }
    section.table("CPU a request", &table);
    section.say(&format!(
        "Medians of {REPETITIONS} interleaved repetitions of {REQUESTS} requests, all of them allowed, over {} connections with an \
         identity each, spread over all rules: RBAC's match stands in the middle on average. CPU is that of Envoy's whole process. \
         Record and counter are on. The wasm filter that does nothing exports the same callbacks.",
        client::CONNECTIONS
    ));
    bars.at_most("100,000 rules of shape A above no-op wasm", 4.0, largest.above(noop), " µs");
    let growth = median_ratio(&largest.microseconds, &smallest.microseconds);
    bars.at_most("100,000 rules against 10, a whole request", 1.2, growth, " ×");
    for (rbac, rules) in [(rbac_1k, "1,000"), (rbac_10k, "10,000")] {
        let ratio = largest.above(empty) / rbac.above(empty);
        bars.at_most(&format!("100,000 rules ÷ RBAC with {rules} policies, above empty"), 1.0, ratio, " ×");
    }
    Ok(())
}
