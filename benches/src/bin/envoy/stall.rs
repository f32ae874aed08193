//! Stall of a worker while it loads a policy: the longest request of a caller that never stops asking.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use tollgate_local::envoy::Admin;
use tollgate_local::plugin::Plugin;

use crate::Bench;
use crate::chain::Target;
use crate::client::Workload;
use tollgate_bench::report::{Bars, Section, Table, trim};
use tollgate_bench::shapes::Shape;
use tollgate_bench::timing::median;

const UPDATES: usize = 7;
const PATIENCE: Duration = Duration::from_secs(30);
/// The worker goes on with what the main thread hands it after Envoy has counted the update.
const AFTER: Duration = Duration::from_millis(700);

pub(crate) fn measure(bench: &Bench, section: &mut Section, bars: &mut Bars) -> Result<()> {
    let mut table = Table::new(&["rules", "JSON MB", "median request ms", "longest ms, median", "longest ms, worst"]);
    for (rules, bar) in [(10, None), (1_000, None), (10_000, Some(40.0)), (100_000, Some(350.0))] {
        let text = Shape::A.policy(rules);
        let plugin = Plugin::new(&bench.lab.dir().join(format!("stall-{rules}")), &bench.module)?;
        plugin.publish(&text)?;
        let target = Target::with(bench, &format!("stall-{rules}"), vec![plugin.filter()])?;
        let mut workload = Workload::connect(&bench.lab, target.address, &Shape::A.request(rules, 0, 0))?;
        let mut longest = Vec::new();
        let mut usual = Vec::new();
        for update in 0..UPDATES {
            let other = text.replacen("\"rules\"", &format!("\"revision\":\"{update}\",\"rules\""), 1);
            let mut times = times_during(&mut workload, || publish(&plugin, target.envoy.admin(), &other))?;
            times.sort_by(f64::total_cmp);
            longest.push(times[times.len() - 1]);
            usual.push(times[times.len() / 2]);
        }
        let middle = median(longest.iter().copied());
        table.row([
            rules.to_string(),
            format!("{:.3}", text.len() as f64 / 1e6),
            trim(median(usual)),
            trim(middle),
            trim(longest.into_iter().fold(0.0, f64::max)),
        ]);
        if let Some(bar) = bar {
            bars.at_most(&format!("a worker's stall by an update of {rules} rules"), bar, middle, " ms");
        }
    }
    section.table("Stall of a worker by a policy update", &table);
    section.say(&format!(
        "The longest request of one caller that asks on and on while Envoy applies an update; {UPDATES} updates of each size."
    ));
    Ok(())
}

fn publish(plugin: &Plugin, admin: Admin, policy: &str) -> Result<()> {
    let counter = format!("{}config_reload", plugin.update_stats());
    let before = admin.stat(&counter)?;
    plugin.publish(policy)?;
    let started = Instant::now();
    while admin.stat(&counter)? == before {
        ensure!(started.elapsed() < PATIENCE, "Envoy did not take the update");
        sleep(Duration::from_millis(20));
    }
    sleep(AFTER);
    Ok(())
}

/// Milliseconds of each request while `event` lasts.
fn times_during(workload: &mut Workload, event: impl FnOnce() -> Result<()>) -> Result<Vec<f64>> {
    let over = AtomicBool::new(false);
    scope(|scope| {
        let asking = scope.spawn(|| {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                times.push(workload.ask()?.as_secs_f64() * 1e3);
            }
            anyhow::Ok(times)
        });
        let result = event();
        over.store(true, Ordering::Relaxed);
        let times = asking.join().map_err(|_| anyhow!("the caller panicked"))??;
        result.map(|()| times)
    })
}
