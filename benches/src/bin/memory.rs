//! The core's memory, counted by the allocator: bytes of a policy, and of loading it.

use allocation_counter::measure;
use anyhow::Result;
use tollgate::decision::{Authorizer, Scratch, Timestamp};

use tollgate_bench::load;
use tollgate_bench::report::{Bars, Section, Table, trim};
use tollgate_bench::shapes::Shape;
use tollgate_bench::timing::Prepared;

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Bytes that the bar allows beside twice the JSON.
const RESERVE: f64 = 65_536.0;

fn main() -> Result<()> {
    let mut section = Section::new("memory", "Memory of the core");
    section.say(
        "Counted by the allocator, native. *Index* is what is held once the policy is loaded, *says* what `Policy::bytes` \
         (the metric) makes of it, *peak* the most held while it is loaded, without the JSON itself. *Allocations* is how \
         many a decision makes once its scratch is warm.",
    );
    let mut bars = Bars::default();
    let mut parts = Vec::new();
    let mut table =
        Table::new(&["shape, rules", "JSON", "index", "index ÷ JSON", "says ÷ index", "peak ÷ JSON", "allocations"]);
    for shape in Shape::ALL {
        for n in SIZES {
            let text = shape.policy(n);
            let json = text.len() as f64;
            let mut loaded = None;
            let memory = measure(|| loaded = Some(load(&text)));
            let Some(policy) = loaded.transpose()? else { continue };
            let index = memory.bytes_current as f64;

            let requests: Vec<Prepared> = shape.requests(n, 1_000).iter().map(Prepared::new).collect();
            let mut scratch = Scratch::default();
            let mut decide = || {
                for request in &requests {
                    Authorizer::new(&policy).decide(&request.arrival(), Timestamp::default(), &mut scratch);
                }
            };
            decide();
            let allocations = measure(decide).count_total as f64 / requests.len() as f64;
            table.row([
                format!("{shape:?} {n}"),
                text.len().to_string(),
                memory.bytes_current.to_string(),
                trim(index / json),
                trim(policy.bytes() as f64 / index),
                trim(memory.bytes_max as f64 / json),
                trim(allocations),
            ]);
            parts.push((format!("{shape:?} {n}"), index / (2.0 * json + RESERVE)));
        }
    }
    section.table("Bytes", &table);
    bars.each_at_most("index ÷ (2 × JSON + 64 KiB), every shape and size", 1.0, &parts, "");
    section.bars(bars);
    section.save()?;
    Ok(())
}
