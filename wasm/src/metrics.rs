//! What the filter counts. Names and label values come from the policy and from closed lists, never from a request.
//!
//! Labels travel in a metric's name in the form that Istio's `stats_tags` take apart: `key=.=value;.;`, before the
//! name itself. A metric that Envoy refuses is not counted, and that never refuses a request: the record of every
//! request says more.

use rustc_hash::FxHashMap;
use tollgate::decision::{Judged, Outcome, Reason};
use tollgate::policy::Policy;
use tollgate::quota::Events;

use crate::host::{Failure, Host, MetricId, MetricKind};

/// How many series one policy may have, of the request counter and of those of quotas. With the others there are at most
/// 2,000; Envoy never gives one up.
const SERIES: usize = 1900;

/// Quotas that are counted by id; the others are counted together.
const QUOTAS: usize = 200;

/// What a label says where the policy's value is not among those kept, or there is none.
const OTHER: &str = "other";

/// Adds one to a counter that is rarely used.
pub(crate) fn count(host: &mut impl Host, name: &str) -> Result<(), Failure> {
    let metric = host.define_metric(MetricKind::Counter, name)?;
    host.count(metric)
}

/// Sets a gauge.
pub(crate) fn gauge(host: &mut impl Host, name: &str, value: u64) -> Result<(), Failure> {
    let metric = host.define_metric(MetricKind::Gauge, name)?;
    host.gauge(metric, value)
}

/// The name of the counter of requests with this outcome and reason, without further labels.
pub(crate) fn request(outcome: Outcome, reason: Reason) -> String {
    name(outcome, reason, [])
}

/// The counter of requests, one series for every combination of labels; all are defined beforehand.
#[derive(Debug)]
pub(crate) struct Requests {
    decisions: Vec<(Outcome, Reason, Dimensions)>,
    series: Vec<Option<MetricId>>,
    rules: Values,
    namespaces: Values,
    destinations: Values,
}

impl Requests {
    /// Defines the counter of requests that are refused for want of a policy.
    pub(crate) fn without_policy(host: &mut impl Host) -> Result<MetricId, Failure> {
        host.define_metric(MetricKind::Counter, &request(Outcome::Deny, Reason::PolicyInvalid))
    }

    /// Defines the series of a policy, and says which call failed first, if one did.
    /// `others` is how many series there are besides.
    pub(crate) fn define(host: &mut impl Host, policy: &Policy, others: usize) -> (Requests, Option<Failure>) {
        let by = policy.settings().by;
        Requests::of_values(
            host,
            SERIES.saturating_sub(others),
            by.rule.then(|| policy.ids().collect()),
            by.namespace.then(|| policy.namespaces().collect()),
            by.destination.then(|| policy.destinations().collect()),
        )
    }

    fn of_values(
        host: &mut impl Host,
        most: usize,
        rules: Option<Vec<&str>>,
        namespaces: Option<Vec<&str>>,
        destinations: Option<Vec<&str>>,
    ) -> (Requests, Option<Failure>) {
        let lengths = [&rules, &namespaces, &destinations].map(|values| values.as_ref().map_or(0, Vec::len));
        let kept = kept(lengths, most);
        let mut requests = Requests {
            decisions: Vec::new(),
            series: Vec::new(),
            rules: Values::new("rule", rules, kept),
            namespaces: Values::new("namespace", namespaces, kept),
            destinations: Values::new("destination", destinations, kept),
        };
        let mut failure = None;
        for (outcome, reason) in decisions() {
            let by_entry = by_entry(reason);
            let start = requests.series.len();
            for namespace in requests.namespaces.labels(true) {
                for rule in requests.rules.labels(by_entry) {
                    for destination in requests.destinations.labels(by_entry) {
                        let name = name(outcome, reason, [rule, namespace, destination]);
                        let metric = host.define_metric(MetricKind::Counter, &name);
                        failure = failure.or(metric.err());
                        requests.series.push(metric.ok());
                    }
                }
            }
            let [rules, destinations] =
                [&requests.rules, &requests.destinations].map(|values| values.labels(by_entry).count());
            requests.decisions.push((outcome, reason, Dimensions { start, rules, destinations }));
        }
        (requests, failure)
    }

    /// Counts one request.
    pub(crate) fn count(&self, host: &mut impl Host, judged: &Judged<'_>) -> Result<(), Failure> {
        match self.series_of(judged) {
            Some(metric) => host.count(metric),
            None => Ok(()),
        }
    }

    fn series_of(&self, judged: &Judged<'_>) -> Option<MetricId> {
        let decision = &judged.decision;
        let (_, _, dimensions) = self
            .decisions
            .iter()
            .find(|(outcome, reason, _)| (*outcome, *reason) == (decision.outcome, decision.reason))?;
        let (mut rule, mut destination) = (0, 0);
        if by_entry(decision.reason) {
            rule = self.rules.index(decision.rule);
            destination = self.destinations.index(decision.destination);
        }
        let at = dimensions.index(self.namespaces.index(judged.namespace()), rule, destination)?;
        self.series.get(at).copied().flatten()
    }
}

/// What quotas count, by their number: what they refuse, and charges of their overflow buckets. The last is `other`.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    denied: Vec<Option<MetricId>>,
    overflow: Vec<Option<MetricId>>,
    contended: Option<MetricId>,
    foreign: Option<MetricId>,
}

impl Quotas {
    /// Defines the series of a policy, none if it has no quotas; and says which call failed first, if one did.
    pub(crate) fn define(host: &mut impl Host, policy: &Policy) -> (Quotas, Option<Failure>) {
        let mut quotas = Quotas::default();
        if policy.quotas().is_empty() {
            return (quotas, None);
        }
        let mut failure = None;
        let mut define = |name: &str| {
            let metric = host.define_metric(MetricKind::Counter, name);
            failure = failure.or(metric.err());
            metric.ok()
        };
        let ids = policy.quotas().iter().take(QUOTAS).map(|entry| &*entry.quota.id);
        for id in ids.chain([OTHER]) {
            quotas.denied.push(define(&["quota=.=", id, ";.;tollgate_quota_denied_total"].concat()));
            quotas.overflow.push(define(&["quota=.=", id, ";.;tollgate_quota_overflow_total"].concat()));
        }
        quotas.contended = define("tollgate_quota_contended_total");
        quotas.foreign = define("tollgate_quota_foreign_total");
        (quotas, failure)
    }

    /// How many series they have.
    pub(crate) fn series(&self) -> usize {
        self.denied.len().saturating_add(self.overflow.len())
    }

    /// Counts that a quota refused a request or cut it off.
    pub(crate) fn count_denied(&self, host: &mut impl Host, quota: u32) -> Result<(), Failure> {
        count_of(host, &self.denied, quota)
    }

    /// Counts what happened in the ledger.
    pub(crate) fn count(&self, host: &mut impl Host, events: &Events) -> Result<(), Failure> {
        for quota in &events.overflowed {
            count_of(host, &self.overflow, *quota)?;
        }
        let times = [(self.contended, events.contended), (self.foreign, events.foreign)];
        for (metric, times) in times.into_iter().filter_map(|(metric, times)| Some((metric?, times))) {
            for _ in 0..times {
                host.count(metric)?;
            }
        }
        Ok(())
    }
}

fn count_of(host: &mut impl Host, series: &[Option<MetricId>], quota: u32) -> Result<(), Failure> {
    let metric = series.get(quota as usize).filter(|_| (quota as usize) < series.len().saturating_sub(1));
    match metric.or(series.last()) {
        Some(Some(metric)) => host.count(*metric),
        _ => Ok(()),
    }
}

/// Where the series of one decision stand, and how many values two of its labels have.
#[derive(Debug)]
struct Dimensions {
    start: usize,
    rules: usize,
    destinations: usize,
}

impl Dimensions {
    fn index(&self, namespace: usize, rule: usize, destination: usize) -> Option<usize> {
        let row = namespace.checked_mul(self.rules)?.checked_add(rule)?;
        row.checked_mul(self.destinations)?.checked_add(destination)?.checked_add(self.start)
    }
}

/// The values of one label. The first, number 0, is `other`.
#[derive(Debug)]
struct Values {
    key: &'static str,
    /// Whether the policy wants the label at all.
    wanted: bool,
    names: Vec<Box<str>>,
    numbers: FxHashMap<Box<str>, usize>,
}

impl Values {
    fn new(key: &'static str, names: Option<Vec<&str>>, kept: usize) -> Values {
        let wanted = names.is_some();
        let names: Vec<Box<str>> = names.unwrap_or_default().into_iter().take(kept).map(Box::from).collect();
        let numbers = names.iter().cloned().zip(1..).collect();
        Values { key, wanted, names, numbers }
    }

    /// Each label as it stands in a name; only `other` where a decision has no value for it.
    fn labels(&self, has_value: bool) -> impl Iterator<Item = Option<(&'static str, &str)>> {
        let names = if has_value { self.names.as_slice() } else { &[] };
        let values = std::iter::once(OTHER).chain(names.iter().map(|name| &**name));
        values.map(|value| self.wanted.then_some((self.key, value)))
    }

    fn index(&self, name: Option<&str>) -> usize {
        name.filter(|_| !self.numbers.is_empty()).and_then(|name| self.numbers.get(name)).copied().unwrap_or(0)
    }
}

/// Every decision that can come out.
fn decisions() -> impl Iterator<Item = (Outcome, Reason)> {
    Reason::ALL.into_iter().flat_map(|reason| {
        let outcomes: &[Outcome] = match reason {
            Reason::RuleAllow => &[Outcome::Allow],
            Reason::HostInvalid | Reason::PolicyInvalid | Reason::AddressInside | Reason::RefusedByEnvoy => {
                &[Outcome::Deny]
            }
            _ => &[Outcome::Deny, Outcome::WouldDeny],
        };
        outcomes.iter().map(move |outcome| (*outcome, reason))
    })
}

/// Whether series of this reason say which entry decided. (One may have stood in the way of a request that is
/// ambiguous or came too late; those are few, and the record names it.)
fn by_entry(reason: Reason) -> bool {
    matches!(reason, Reason::RuleAllow | Reason::DenyRule | Reason::Residency)
}

/// How many values each label keeps, so that there are no more series than allowed.
fn kept(lengths: [usize; 3], most: usize) -> usize {
    let series = |kept: usize| {
        let [rules, namespaces, destinations] = lengths.map(|length| length.min(kept).saturating_add(1));
        let by_entry = decisions().filter(|(_, reason)| by_entry(*reason)).count();
        let others = decisions().count().saturating_sub(by_entry);
        by_entry.saturating_mul(rules).saturating_mul(destinations).saturating_add(others).saturating_mul(namespaces)
    };
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low.midpoint(high.saturating_add(1));
        if series(middle) <= most {
            low = middle;
        } else {
            high = middle.saturating_sub(1);
        }
    }
    low
}

fn name<'a>(outcome: Outcome, reason: Reason, labels: impl IntoIterator<Item = Option<(&'a str, &'a str)>>) -> String {
    let decision = [Some(("decision", outcome.as_str())), Some(("reason", reason.as_str()))];
    let mut name = String::new();
    for (key, value) in decision.into_iter().chain(labels).flatten() {
        for part in [key, "=.=", value, ";.;"] {
            name.push_str(part);
        }
    }
    name.push_str("tollgate_requests_total");
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use tollgate::decision::Decision;
    use tollgate::request::Identity;

    fn judged(outcome: Outcome, reason: Reason, rule: &'static str, namespace: &'static str) -> Judged<'static> {
        let decision = Decision { outcome, rule: Some(rule), destination: Some("d1"), ..Decision::refusal(reason) };
        let trusted = Identity::parse(match namespace {
            "n1" => b"spiffe://td/ns/n1/sa/a",
            "n2" => b"spiffe://td/ns/n2/sa/a",
            _ => b"spiffe://td/ns/unheard-of/sa/a",
        });
        Judged { trusted, decision, ..Judged::refused(reason) }
    }

    fn counted(host: &mut Fake, requests: &Requests, judged: &Judged<'_>) -> String {
        host.metrics.iter_mut().for_each(|(_, value)| *value = 0);
        requests.count(host, judged).expect("counted");
        let counted: Vec<_> =
            host.metrics.iter().filter(|(_, value)| *value == 1).map(|(name, _)| name.clone()).collect();
        counted.join(" ")
    }

    #[test]
    fn every_decision_is_counted_by_its_own_series() {
        let mut host = Fake::default();
        let (requests, failure) = Requests::of_values(&mut host, SERIES, None, None, None);
        assert_eq!(failure, None);
        for (outcome, reason) in decisions() {
            let (decision, reason_name) = (outcome.as_str(), reason.as_str());
            assert_eq!(
                counted(&mut host, &requests, &judged(outcome, reason, "r1", "n1")),
                format!("decision=.={decision};.;reason=.={reason_name};.;tollgate_requests_total")
            );
        }
    }

    #[test]
    fn labels_hold_values_of_the_policy_or_other() {
        let mut host = Fake::default();
        let (requests, _) =
            Requests::of_values(&mut host, SERIES, Some(vec!["r1", "r2"]), Some(vec!["n1", "n2"]), Some(vec!["d1"]));
        let labels = |host: &mut Fake, reason, rule, namespace| {
            let outcome = if reason == Reason::RuleAllow { Outcome::Allow } else { Outcome::Deny };
            let name = counted(host, &requests, &judged(outcome, reason, rule, namespace));
            name.split(";.;").skip(2).map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        let end = "tollgate_requests_total";
        assert_eq!(
            labels(&mut host, Reason::RuleAllow, "r2", "n1"),
            format!("rule=.=r2 namespace=.=n1 destination=.=d1 {end}")
        );
        assert_eq!(
            labels(&mut host, Reason::DenyRule, "unheard-of", "n2"),
            format!("rule=.=other namespace=.=n2 destination=.=d1 {end}")
        );
        assert_eq!(
            labels(&mut host, Reason::NoMatch, "r1", "unheard-of"),
            format!("rule=.=other namespace=.=other destination=.=other {end}")
        );
    }

    #[test]
    fn no_policy_has_more_series_than_allowed_or_fewer_than_it_could() {
        let names: Vec<String> = (0..5000).map(|n| format!("v{n}")).collect();
        for (rules, namespaces, destinations) in [
            (5000, 0, 0),
            (0, 5000, 0),
            (0, 0, 5000),
            (5000, 5000, 5000),
            (3, 5000, 1),
            (40, 0, 30),
            (1, 1, 1),
            (0, 0, 0),
        ] {
            let mut host = Fake::default();
            let values = |count: usize| Some(names.iter().take(count).map(String::as_str).collect());
            let (requests, _) =
                Requests::of_values(&mut host, SERIES, values(rules), values(namespaces), values(destinations));
            assert!(requests.series.len() <= SERIES, "{rules} {namespaces} {destinations}: {}", requests.series.len());
            assert_eq!(requests.series.len(), host.metrics.len());
            let all_kept = requests.rules.names.len() == rules
                && requests.namespaces.names.len() == namespaces
                && requests.destinations.names.len() == destinations;
            assert!(all_kept || requests.series.len() > SERIES / 4, "{}", requests.series.len());
        }
    }

    #[test]
    fn a_series_that_cannot_be_defined_is_not_counted_and_does_no_harm() {
        let mut host = Fake::default();
        host.failing.insert("proxy_define_metric");
        let (requests, failure) = Requests::of_values(&mut host, SERIES, None, None, None);
        assert_eq!(failure.map(|failure| failure.call), Some("proxy_define_metric"));
        assert_eq!(requests.count(&mut host, &judged(Outcome::Allow, Reason::RuleAllow, "r1", "n1")), Ok(()));
    }
}
