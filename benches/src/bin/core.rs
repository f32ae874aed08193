//! The core, natively: nanoseconds a decision, milliseconds a load.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a program that only developers run: a panic here tells of a bug and harms nobody"
)]

use anyhow::{Context, Result};
use serde::de::IgnoredAny;
use tollgate::decision::{Authorizer, Scratch, Timestamp};
use tollgate::policy::Policy;

use tollgate_bench::hostile::{self, Place};
use tollgate_bench::load;
use tollgate_bench::report::{Bars, Section, Table, trim};
use tollgate_bench::shapes::{Request, Shape};
use tollgate_bench::timing::{self, Passes, Prepared, median, median_ratio};

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const REQUESTS: usize = 1_000;
const HOT: usize = 10;
/// Interleaved repetitions of decisions, and passes through the requests in each.
const REPETITIONS: usize = 15;
const ROUNDS: usize = 10;
const LOADS: usize = 5;

fn main() -> Result<()> {
    let mut section = Section::new("core", "The core, natively");
    section.say(&format!(
        "Medians of {REPETITIONS} interleaved repetitions of {} decisions over {REQUESTS} distinct requests, every second one \
         allowed; *hot* over {HOT} of them. *Read* makes the raw bytes canonical, *judge* decides from canonical values. Loads \
         are medians of {LOADS}. The clock is the thread's CPU time.",
        REQUESTS * ROUNDS
    ));
    let mut bars = Bars::default();
    let mut results = Results::default();
    for shape in Shape::ALL {
        measure(shape, &mut section, &mut results)?;
    }
    results.compare(&mut bars);
    measure_hostile(&mut section, &mut bars)?;
    section.bars(bars);
    section.save()?;
    Ok(())
}

/// One shape at one size.
struct Subject {
    policy: Policy,
    requests: Vec<Prepared>,
    bytes: usize,
    load: f64,
    ignore: f64,
    raw: Vec<f64>,
    read: Vec<f64>,
    judge: Vec<f64>,
    hot: Vec<f64>,
}

impl Subject {
    fn new(shape: Shape, n: usize) -> Result<Subject> {
        let text = shape.policy(n);
        let (mut loads, mut ignores) = (Vec::new(), Vec::new());
        for _ in 0..LOADS {
            let (ignore, ignored) = timing::milliseconds(|| serde_json::from_slice::<IgnoredAny>(text.as_bytes()));
            ignored.context("not JSON")?;
            ignores.push(ignore);
            let (load, policy) = timing::milliseconds(|| load(&text));
            policy?;
            loads.push(load);
        }
        let policy = load(&text)?;
        Ok(Subject {
            policy,
            requests: shape.requests(n, REQUESTS).iter().map(Prepared::new).collect(),
            bytes: text.len(),
            load: median(loads),
            ignore: median(ignores),
            raw: Vec::new(),
            read: Vec::new(),
            judge: Vec::new(),
            hot: Vec::new(),
        })
    }

    fn repeat(&mut self) {
        let all = Passes { policy: &self.policy, requests: &self.requests, rounds: ROUNDS };
        let hot = Passes { requests: &self.requests[..HOT], rounds: ROUNDS * REQUESTS / HOT, ..all };
        self.raw.push(all.decide());
        self.read.push(all.read());
        self.judge.push(all.judge());
        self.hot.push(hot.decide());
    }
}

fn measure(shape: Shape, section: &mut Section, results: &mut Results) -> Result<()> {
    let mut subjects = SIZES.iter().map(|n| Subject::new(shape, *n)).collect::<Result<Vec<_>>>()?;
    for _ in 0..REPETITIONS {
        for subject in &mut subjects {
            subject.repeat();
        }
    }
    let (smallest, largest) = (&subjects[0], &subjects[SIZES.len() - 1]);
    let mut table = Table::new(&[
        "rules",
        "JSON MB",
        "read ns",
        "judge ns",
        "both ns",
        "both, hot",
        "judge × 10 rules",
        "both × 10 rules",
        "load ms",
        "IgnoredAny ms",
        "load ×",
    ]);
    let middle = |values: &[f64]| median(values.iter().copied());
    for (n, subject) in SIZES.iter().zip(&subjects) {
        table.row([
            n.to_string(),
            format!("{:.3}", subject.bytes as f64 / 1e6),
            trim(middle(&subject.read)),
            trim(middle(&subject.judge)),
            trim(middle(&subject.raw)),
            trim(middle(&subject.hot)),
            trim(median_ratio(&subject.judge, &smallest.judge)),
            trim(median_ratio(&subject.raw, &smallest.raw)),
            trim(subject.load),
            trim(subject.ignore),
            trim(subject.load / subject.ignore),
        ]);
    }
    section.table(&format!("Shape {shape}: {}", shape.about()), &table);

    results.judge.push((shape, middle(&largest.judge)));
    results.raw.push((shape, middle(&largest.raw)));
    results.judge_growth.push((shape, median_ratio(&largest.judge, &smallest.judge)));
    results.raw_growth.push((shape, median_ratio(&largest.raw, &smallest.raw)));
    results.load.push((shape, largest.load));
    Ok(())
}

/// Results of every shape at 100,000 rules; growth is against 10.
#[derive(Default)]
struct Results {
    raw: Vec<(Shape, f64)>,
    judge: Vec<(Shape, f64)>,
    raw_growth: Vec<(Shape, f64)>,
    judge_growth: Vec<(Shape, f64)>,
    load: Vec<(Shape, f64)>,
}

impl Results {
    fn compare(&self, bars: &mut Bars) {
        bars.each_at_most("decision from canonical values, 100,000 rules, every shape", 400.0, &self.judge, " ns");
        bars.each_at_most("decision from raw bytes, 100,000 rules, every shape", 800.0, &self.raw, " ns");
        bars.each_at_most("from canonical values, 100,000 rules against 10", 2.2, &self.judge_growth, " ×");
        bars.each_at_most("from raw bytes, 100,000 rules against 10", 2.2, &self.raw_growth, " ×");
        bars.each_at_most("load, 100,000 rules of shape A", 150.0, &self.load[..1], " ms");
    }
}

fn measure_hostile(section: &mut Section, bars: &mut Bars) -> Result<()> {
    let paths = hostile::paths();
    let head: Vec<&str> = ["512 globs", "in", "load"].into_iter().chain(paths.iter().map(|(name, _)| *name)).collect();
    let mut table = Table::new(&head);
    let mut worst: f64 = 0.0;
    for (style, pattern) in hostile::STYLES {
        for place in Place::ALL {
            let text = hostile::policy(pattern, place);
            let (load, policy) = timing::milliseconds(|| load(&text));
            let policy = policy?;
            let times = paths.iter().map(|(_, path)| one_decision(&policy, path)).collect::<Vec<_>>();
            worst = times.iter().copied().fold(worst, f64::max);
            let names = [style.to_owned(), place.name().to_owned(), trim(load)].into_iter();
            table.row(names.chain(times.iter().map(|time| trim(*time))));
        }
    }
    section.table("Hostile paths of 8 KB, ms a decision", &table);
    bars.at_most("hostile path of 8 KB, 512 globs, the worst of all", 10.0, worst, " ms");

    let mut table = Table::new(&["rules, all with stars at other places", "µs a decision"]);
    for rules in [100, 1_000, 10_000, 100_000] {
        let (text, path) = hostile::stars(rules);
        table.row([rules.to_string(), trim(one_decision(&load(&text)?, &path) * 1e3)]);
    }
    section.table("Whole-segment stars", &table);
    Ok(())
}

/// Milliseconds for one decision that no pattern makes.
fn one_decision(policy: &Policy, path: &str) -> f64 {
    let request = Prepared::new(&Request {
        account: hostile::ACCOUNT.to_owned(),
        authority: hostile::HOST.to_owned(),
        path: path.to_owned(),
        allowed: false,
    });
    let mut scratch = Scratch::default();
    let times = (0..5).map(|_| {
        timing::milliseconds(|| {
            Authorizer::new(policy).decide(&request.arrival(), Timestamp::default(), &mut scratch).decision
        })
        .0
    });
    median(times.collect::<Vec<_>>())
}
