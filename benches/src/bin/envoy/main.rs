//! The filter in a real Envoy: CPU a request above an empty chain, beside a wasm filter that does nothing and Envoy's
//! own RBAC filter; the stall of a worker while it loads a policy; the calls of the host that a request makes.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a program that only developers run: a panic here tells of a bug and harms nobody"
)]

mod calls;
mod chain;
mod client;
mod limits;
mod process;
mod quotas;
mod rbac;
mod stall;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tollgate_local::envoy::binary;
use tollgate_local::lab::Lab;
use tollgate_local::{module, paths};

use chain::{Chain, Target};
use client::Client;
use tollgate_bench::report::{Bars, Section, Table, trim};
use tollgate_bench::timing::{median, median_ratio, quartiles};
use tollgate_bench::wasm;

/// Interleaved repetitions.
const REPETITIONS: usize = 21;
/// Requests in each.
const REQUESTS: usize = 16 * client::CONNECTIONS;
/// Requests to a chain that takes a millisecond each.
const FEW_REQUESTS: usize = client::CONNECTIONS;

/// Lab, Envoy and modules that every measurement needs.
struct Bench {
    lab: Lab,
    envoy: PathBuf,
    module: PathBuf,
    /// Filters to compare with: one that does nothing, on the ABI itself and on the SDK, and one that keeps an exact
    /// quota.
    noop: PathBuf,
    sdk: PathBuf,
    store: PathBuf,
}

fn main() -> Result<()> {
    let version = binary::newest();
    let lab = Lab::temporary()?;
    let assembled = |name: &str, text: &str| -> Result<PathBuf> {
        let file = lab.dir().join(name);
        std::fs::write(&file, wat::parse_str(text)?)?;
        Ok(file)
    };
    let bench = Bench {
        envoy: binary::install(&paths::tools(), version)?,
        module: module::HTTP.find_or_build()?,
        noop: assembled("noop.wasm", include_str!("noop.wat"))?,
        sdk: wasm::build("tollgate-bench-sdk", "sdk.wasm")?,
        store: assembled("store.wasm", include_str!("store.wat"))?,
        lab,
    };

    let mut section = Section::new("envoy", "The filter in Envoy");
    section.say(&format!(
        "Envoy {version}, one worker, mTLS with an identity a connection, HTTP/1.1, a direct response, no access log."
    ));
    let mut bars = Bars::default();
    measure_cpu(&bench, &mut section, &mut bars)?;
    quotas::measure(&bench, &mut section, &mut bars)?;
    stall::measure(&bench, &mut section, &mut bars)?;
    calls::measure(&bench, &mut section)?;
    let kib = size(&bench.module)? / 1024.0;
    bars.at_most("module", 400.0, kib, " KiB");
    section.bars(bars);
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
        let mut client = Client::connect(&bench.lab, target.address, chain)?;
        let requests = if chain == Chain::Rbac(10_000) { FEW_REQUESTS } else { REQUESTS };
        client.run(requests).with_context(|| format!("the chain {chain}: {}", tail(&target.envoy.log())))?;
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

    /// The repetition that was disturbed least.
    fn least(&self) -> f64 {
        self.microseconds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Differences to another chain, one a repetition.
    fn above(&self, other: &Subject) -> Vec<f64> {
        self.microseconds.iter().zip(&other.microseconds).map(|(mine, its)| mine - its).collect()
    }
}

/// The end of a log.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

/// The middle of differences, and the half of them that is nearest to it.
fn spread(differences: Vec<f64>) -> String {
    let (low, high) = quartiles(differences.iter().copied());
    format!("{:.2} ({low:.2} to {high:.2})", median(differences))
}

/// Measures chains side by side.
fn run(bench: &Bench, chains: &[Chain]) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for chain in chains {
        subjects.push(Subject::start(bench, *chain)?);
    }
    for repetition in 0..REPETITIONS {
        // in turns forwards and backwards, so that nobody always comes after the same one
        let mut order: Vec<&mut Subject> = subjects.iter_mut().collect();
        if repetition % 2 == 1 {
            order.reverse();
        }
        order.into_iter().try_for_each(Subject::repeat)?;
    }
    Ok(subjects)
}

fn measure_cpu(bench: &Bench, section: &mut Section, bars: &mut Bars) -> Result<()> {
    let subjects = run(bench, &Chain::ALL)?;
    let [empty, noop, sdk, smallest, _, _, largest, _, _, rbac_1k, rbac_10k] = subjects.as_slice() else {
        bail!("not one subject a chain");
    };
    let mut table = Table::new(&["chain", "CPU µs a request", "least", "above empty", "above no-op", "RSS MiB"]);
    for subject in &subjects {
        table.row([
            subject.chain.to_string(),
            trim(median(subject.microseconds.iter().copied())),
            trim(subject.least()),
            spread(subject.above(empty)),
            spread(subject.above(noop)),
            trim(process::resident(subject.target.envoy.id())? / 1_048_576.0),
        ]);
    }
    section.table("CPU a request", &table);
    section.say(&format!(
        "Medians of {REPETITIONS} interleaved repetitions of {REQUESTS} requests, all of them allowed, from {} connections with an \
         identity each, spread over all rules: RBAC's match stands in the middle on average. {} requests are under way at a time, \
         from one thread. CPU is that of Envoy's whole process. *Above* is the median of the differences within a repetition, \
         with their quartiles. Record and counter are on. The wasm filter that does nothing exports the same callbacks.",
        client::CONNECTIONS,
        client::AHEAD,
    ));
    let above_noop = median(largest.above(noop));
    bars.at_most("CPU of 100,000 rules of shape A above a wasm filter that does nothing", 4.0, above_noop, " µs");
    let dispatch = median(sdk.above(noop)) / median(noop.above(empty));
    bars.at_most("CPU of the SDK's dispatch, as a share of a wasm filter that does nothing", 0.1, dispatch, " ×");
    let growth = median_ratio(&largest.microseconds, &smallest.microseconds);
    bars.at_most("CPU of a whole request, 100,000 rules against 10", 1.2, growth, " ×");
    for (rbac, rules) in [(rbac_1k, "1,000"), (rbac_10k, "10,000")] {
        let ratio = median(largest.above(empty)) / median(rbac.above(empty));
        bars.at_most(&format!("CPU of 100,000 rules ÷ that of RBAC with {rules} policies"), 1.0, ratio, " ×");
    }
    Ok(())
}
