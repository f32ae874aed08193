//! The measurement of quotas in Envoy, beside Envoy's own filter for local rate limits.

use anyhow::{Result, bail};

use crate::chain::Chain;
use crate::limits::Quotas;
use crate::{Bench, Subject, run, spread};
use tollgate_bench::report::{Bars, Section, Table, trim};
use tollgate_bench::timing::{median, median_ratio};

pub(crate) fn measure(bench: &Bench, section: &mut Section, bars: &mut Bars) -> Result<()> {
    let chains: Vec<Chain> = [Chain::Empty, Chain::Noop, Chain::Quotas(Quotas::Floor)]
        .into_iter()
        .chain(Quotas::ALL.map(Chain::Quotas))
        .collect();
    let subjects = run(bench, &chains)?;
    let [empty, noop, floor, none, one, three, metered, keys, many, alone, principals, native, behind] =
        subjects.as_slice()
    else {
        bail!("not one subject a chain");
    };
    let mut table = Table::new(&["chain", "CPU µs a request", "least", "above empty", "above no quota"]);
    for subject in &subjects {
        table.row([
            subject.chain.to_string(),
            trim(median(subject.microseconds.iter().copied())),
            trim(subject.least()),
            spread(subject.above(empty)),
            spread(subject.above(none)),
        ]);
    }
    section.table("Quotas", &table);
    section.say(
        "As above; no limit is ever reached. Identities from a header take Envoy one more filter and Tollgate one more \
         property, so those two chains are compared with each other.",
    );
    let above = |subject: &Subject| median(subject.above(none));
    bars.at_most("CPU of one quota above none", 2.0, above(one), " µs");
    bars.at_most("CPU of three quotas of one key above none", 3.0, above(three), " µs");
    bars.at_most("CPU of three quotas of one key, one of bytes, above none", 3.0, above(metered), " µs");
    bars.at_most("CPU of three quotas of three keys above none", 3.0, above(keys), " µs");
    let ratio = |of: &Subject, to: &Subject| median_ratio(&of.microseconds, &to.microseconds);
    bars.at_most("CPU of a whole request, 10,000 quotas against one", 1.2, ratio(many, one), " ×");
    bars.at_most("CPU of a whole request, 100,000 identities against one", 1.2, ratio(principals, alone), " ×");
    section.say(&format!(
        "A filter that does nothing but read a value of Envoy's shared data and the clock and write the value back, which \
         no exact quota in a wasm filter can do without, takes {:.1} µs ({:.1} by the least of each) above one that does \
         nothing. One quota takes {:.1} µs ({:.1} by the least of each) above none.",
        median(floor.above(noop)),
        floor.least() - noop.least(),
        above(one),
        one.least() - none.least(),
    ));
    section.say(&format!(
        "Above empty, Tollgate with 1,000 rules and one quota takes {:.1} µs, Envoy's own rate limits {:.1} µs, and these \
         behind RBAC {:.1} µs.",
        median(one.above(empty)),
        median(native.above(empty)),
        median(behind.above(empty)),
    ));
    Ok(())
}
