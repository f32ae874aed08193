//! Metrics of the filter. Names and label values come from the policy and from closed lists, never from a request.
//!
//! Labels travel in a metric's name in the form that Istio's `stats_tags` take apart: `key=.=value;.;`, before the
//! name itself. A metric that Envoy refuses is not counted, and that never refuses a request: the record of every
//! request says more.

use rustc_hash::FxHashMap;
use tollgate::decision::{Evaluation, Outcome, Reason};
use tollgate::policy::{MetricLabels, Policy};
use tollgate::quota::Events;

use crate::budget;
use crate::host::{Failure, Host, MetricId, MetricKind};

/// Quotas that are counted by id; the others are counted together.
const QUOTAS: usize = 200;

/// Value of a label if the policy's own is not among those kept, or there is none.
const OTHER: &str = "other";

/// Log line for a request that could not be counted.
pub(crate) const UNCOUNTED: &str = "a request is not counted";

/// Adds one to a counter that is rarely used.
pub(crate) fn count(host: &mut impl Host, name: &str) -> Result<(), Failure> {
    let metric = host.define_metric(MetricKind::Counter, name)?;
    host.count(metric)
}

/// Defines a counter, so that it stands at 0 before it is counted for the first time.
pub(crate) fn define(host: &mut impl Host, name: &str) -> Result<(), Failure> {
    host.define_metric(MetricKind::Counter, name).map(|_| ())
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

/// The counter of requests. Every decision has a series whose further labels are `other`. Values of the policy that can
/// occur together have series of their own while there is room.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    decisions: Vec<(Outcome, Reason, Option<MetricId>)>,
    series: FxHashMap<Key, MetricId>,
    rules: Values,
    namespaces: Values,
    destinations: Values,
}

/// A series: place of the decision, numbers of rule, namespace and destination.
type Key = (usize, usize, usize, usize);

impl Requests {
    /// Defines the counter of requests that are refused for want of a policy.
    pub(crate) fn without_policy(host: &mut impl Host) -> Result<MetricId, Failure> {
        host.define_metric(MetricKind::Counter, &request(Outcome::Deny, Reason::PolicyInvalid))
    }

    /// Defines the series of a policy, and says which call failed first, if one did.
    pub(crate) fn define(host: &mut impl Host, policy: &Policy) -> (Requests, Option<Failure>) {
        let by = policy.settings().by;
        let mut requests = Requests::default();
        let mut failure = None;
        for (outcome, reason) in decisions() {
            let metric = host.define_metric(MetricKind::Counter, &name(outcome, reason, labels(by, None, None, None)));
            failure = failure.or(metric.err());
            requests.decisions.push((outcome, reason, metric.ok()));
        }
        let wanted = requests.wanted(policy, by);
        let names: Vec<String> = wanted.iter().map(|(_, name)| name.clone()).collect();
        let admitted = budget::admit(host, &names);
        for ((key, name), _) in wanted.iter().zip(admitted).filter(|(_, is_admitted)| *is_admitted) {
            let metric = host.define_metric(MetricKind::Counter, name);
            failure = failure.or(metric.err());
            requests.series.extend(metric.ok().map(|metric| (*key, metric)));
        }
        (requests, failure)
    }

    /// Series with values of the policy, the most telling first, at most as many as a process may have.
    fn wanted(&mut self, policy: &Policy, by: MetricLabels) -> Vec<(Key, String)> {
        let mut wanted: Vec<(Key, String)> = Vec::new();
        let mut seen = rustc_hash::FxHashSet::default();
        let namespaces = policy.namespaces().filter(|_| by.namespace).map(Some);
        for namespace in std::iter::once(None).chain(namespaces) {
            for (place, (outcome, reason)) in decisions().enumerate() {
                let any = std::iter::once((None, None));
                let mut add = |rule: Option<&str>, destination: Option<&str>| {
                    let (rule, destination) = (rule.filter(|_| by.rule), destination.filter(|_| by.destination));
                    let numbers = [
                        self.rules.number(rule),
                        self.namespaces.number(namespace),
                        self.destinations.number(destination),
                    ];
                    let [rule_number, namespace_number, destination_number] = numbers;
                    let key = (place, rule_number, namespace_number, destination_number);
                    if numbers != [0; 3] && seen.insert(key) {
                        wanted.push((key, name(outcome, reason, labels(by, rule, namespace, destination))));
                    }
                    wanted.len() < budget::MOST
                };
                let goes_on = any.clone().all(|(rule, destination)| add(rule, destination))
                    && match reason {
                        Reason::RuleAllow => policy.leads().all(|(rule, destination)| add(Some(rule), destination)),
                        Reason::DenyRule => policy.deny_ids().all(|id| add(Some(id), None)),
                        Reason::Residency => policy.residency_ids().all(|id| add(Some(id), None)),
                        _ => true,
                    };
                if !goes_on {
                    return wanted;
                }
            }
        }
        wanted
    }

    /// Counts one request.
    pub(crate) fn count(&self, host: &mut impl Host, evaluation: &Evaluation<'_>) -> Result<(), Failure> {
        match self.series_of(evaluation) {
            Some(metric) => host.count(metric),
            None => Ok(()),
        }
    }

    /// The most telling series for a decision.
    fn series_of(&self, evaluation: &Evaluation<'_>) -> Option<MetricId> {
        let decision = &evaluation.decision;
        let is =
            |(outcome, reason, _): &(Outcome, Reason, _)| (*outcome, *reason) == (decision.outcome, decision.reason);
        let place = self.decisions.iter().position(is)?;
        if !self.series.is_empty() {
            let (mut rule, mut destination) = (0, 0);
            if by_entry(decision.reason) {
                rule = self.rules.index(decision.rule);
                destination = self.destinations.index(decision.destination);
            }
            let namespace = self.namespaces.index(evaluation.namespace());
            let keys = [
                (place, rule, namespace, destination),
                (place, rule, namespace, 0),
                (place, rule, 0, destination),
                (place, rule, 0, 0),
                (place, 0, namespace, 0),
            ];
            if let Some(metric) = keys.iter().find_map(|key| self.series.get(key)) {
                return Some(*metric);
            }
        }
        self.decisions.get(place).and_then(|(_, _, metric)| *metric)
    }
}

/// The further labels of a series, as far as the policy wants them.
fn labels<'l>(
    by: MetricLabels,
    rule: Option<&'l str>,
    namespace: Option<&'l str>,
    destination: Option<&'l str>,
) -> [Option<(&'static str, &'l str)>; 3] {
    [
        by.rule.then(|| ("rule", rule.unwrap_or(OTHER))),
        // Prometheus puts the pod's own `namespace` on every series.
        by.namespace.then(|| ("caller_namespace", namespace.unwrap_or(OTHER))),
        by.destination.then(|| ("destination", destination.unwrap_or(OTHER))),
    ]
}

/// Counters of quotas, by their number: refusals, and charges of their overflow buckets. The last is `other`.
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
        let ids = policy.quotas().iter().take(QUOTAS).map(|entry| &*entry.quota.id);
        let names = |id: &str| ["denied", "overflow"].map(|what| format!("quota=.={id};.;tollgate_quota_{what}_total"));
        let wanted: Vec<String> = ids.flat_map(names).collect();
        let admitted = budget::admit(host, &wanted);
        let mut failure = None;
        let mut define = |name: &str| {
            let metric = host.define_metric(MetricKind::Counter, name);
            failure = failure.or(metric.err());
            metric.ok()
        };
        let [denied, overflow] = names(OTHER).map(|name| define(&name));
        let mut series =
            wanted.iter().zip(admitted).map(|(name, is_admitted)| if is_admitted { define(name) } else { None });
        while let (Some(of_denied), Some(of_overflow)) = (series.next(), series.next()) {
            quotas.denied.push(of_denied.or(denied));
            quotas.overflow.push(of_overflow.or(overflow));
        }
        drop(series);
        quotas.denied.push(denied);
        quotas.overflow.push(overflow);
        quotas.contended = define("tollgate_quota_contended_total");
        quotas.foreign = define("tollgate_quota_foreign_total");
        (quotas, failure)
    }

    /// Counts that a quota refused a request or cut it off.
    pub(crate) fn count_denied(&self, host: &mut impl Host, quota: u32) -> Result<(), Failure> {
        count_of(host, &self.denied, quota)
    }

    /// Counts the events of quotas.
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

/// The values of one label, numbered from 1; 0 is `other`.
#[derive(Debug, Default)]
struct Values(FxHashMap<Box<str>, usize>);

impl Values {
    /// The number of a value, a new one where it has none.
    fn number(&mut self, value: Option<&str>) -> usize {
        let Some(value) = value else { return 0 };
        let next = self.0.len().saturating_add(1);
        match self.0.get(value) {
            Some(number) => *number,
            None => *self.0.entry(value.into()).or_insert(next),
        }
    }

    fn index(&self, value: Option<&str>) -> usize {
        value.filter(|_| !self.0.is_empty()).and_then(|value| self.0.get(value)).copied().unwrap_or(0)
    }
}

/// Every outcome with every reason that a decision can have.
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

/// Tells whether series of this reason name the entry that decided. Requests that are ambiguous or came after an
/// entry's end may have one too; they are few, and the record names it.
fn by_entry(reason: Reason) -> bool {
    matches!(reason, Reason::RuleAllow | Reason::DenyRule | Reason::Residency)
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
    use crate::host::Call;
    use tollgate::decision::Decision;
    use tollgate::request::Identity;

    /// Rules, destinations and namespaces are numbered from 1; each rule leads to the destination of its number.
    fn policy(count: usize, by: &str, revision: usize) -> Policy {
        let destinations: Vec<_> =
            (1..=count).map(|n| format!(r#""d{n}-{revision}": {{"hosts": ["h{n}.com"]}}"#)).collect();
        let rule = |n: usize| {
            let from = format!(r#"[{{"namespace": "n{n}-{revision}"}}]"#);
            format!(r#"{{"id": "r{n}-{revision}", "from": {from}, "to": [{{"destination": "d{n}-{revision}"}}]}}"#)
        };
        let rules: Vec<_> = (1..=count).map(rule).collect();
        let quotas: Vec<_> =
            (1..=count).map(|n| format!(r#"{{"id": "q{n}-{revision}", "limit": {{"concurrent": 1}}}}"#)).collect();
        let text = format!(
            r#"{{"version": 1, "name": "p", "metrics": {{"by": [{by}]}}, "destinations": {{{}}}, "rules": [{}],
                "deny": [{{"id": "no", "to": [{{"hosts": ["no.com"]}}]}}], "quotas": [{}]}}"#,
            destinations.join(","),
            rules.join(","),
            quotas.join(",")
        );
        Policy::load(text.as_bytes()).expect("a policy")
    }

    fn defined(host: &mut Fake, policy: &Policy) -> Requests {
        let (_, unquoted) = Quotas::define(host, policy);
        let (requests, failure) = Requests::define(host, policy);
        assert_eq!((unquoted, failure), (None, None));
        requests
    }

    /// The labels of the series that counts a decision, besides decision and reason.
    fn labels_of(host: &mut Fake, requests: &Requests, reason: Reason, values: [&'static str; 3]) -> String {
        let [rule, namespace, destination] = values;
        let outcome = if reason == Reason::RuleAllow { Outcome::Allow } else { Outcome::Deny };
        let id = format!("spiffe://td/ns/{namespace}/sa/a");
        let decision =
            Decision { outcome, rule: Some(rule), destination: Some(destination), ..Decision::refusal(reason) };
        let evaluation =
            Evaluation { trusted: Identity::parse(id.as_bytes()), decision, ..Evaluation::refused(reason) };
        host.metrics.iter_mut().for_each(|(_, value)| *value = 0);
        requests.count(host, &evaluation).expect("counted");
        let counted: Vec<_> = host.metrics.iter().filter(|(_, value)| *value == 1).map(|(name, _)| name).collect();
        let [name] = counted.as_slice() else { panic!("{counted:?}") };
        let start = format!("decision=.={};.;reason=.={};.;", outcome.as_str(), reason.as_str());
        let labels = name.strip_prefix(&start).and_then(|rest| rest.strip_suffix("tollgate_requests_total"));
        labels.expect("the decision's series").replace(";.;", " ").replace("=.=", "=").trim_end().to_owned()
    }

    #[test]
    fn every_decision_is_counted_from_the_start_by_a_series_of_its_own() {
        let mut host = Fake::default();
        let requests = defined(&mut host, &policy(0, "", 0));
        assert_eq!(host.metrics.len(), decisions().count());
        for (outcome, reason) in decisions() {
            let evaluation = Evaluation {
                decision: Decision { outcome, ..Decision::refusal(reason) },
                ..Evaluation::refused(reason)
            };
            requests.count(&mut host, &evaluation).expect("counted");
            assert_eq!(host.metric(&request(outcome, reason)), Some(1));
        }
        assert!(host.metrics.iter().all(|(_, value)| *value == 1));
    }

    #[test]
    fn labels_hold_values_of_the_policy_or_other() {
        let mut host = Fake::default();
        let requests = defined(&mut host, &policy(3, r#""rule", "namespace", "destination""#, 0));
        let mut of = |reason, values| labels_of(&mut host, &requests, reason, values);
        assert_eq!(of(Reason::RuleAllow, ["r2-0", "n2-0", "d2-0"]), "rule=r2-0 caller_namespace=n2-0 destination=d2-0");
        assert_eq!(of(Reason::DenyRule, ["no", "n1-0", "d1-0"]), "rule=no caller_namespace=n1-0 destination=other");
        assert_eq!(of(Reason::NoMatch, ["r1-0", "n3-0", "d1-0"]), "rule=other caller_namespace=n3-0 destination=other");
        assert_eq!(
            of(Reason::NoMatch, ["r1-0", "foreign", "x"]),
            "rule=other caller_namespace=other destination=other"
        );
    }

    #[test]
    fn only_rules_and_destinations_that_lead_to_each_other_share_a_series() {
        let mut host = Fake::default();
        defined(&mut host, &policy(3, r#""rule", "destination""#, 0));
        let has = |rule: &str, destination: &str| {
            let labels = format!("rule=.={rule};.;destination=.={destination};.;");
            host.metrics.iter().any(|(name, _)| name.contains(&labels))
        };
        assert!(has("r1-0", "d1-0") && has("r3-0", "d3-0") && has("no", "other"));
        assert!(!has("r1-0", "d2-0") && !has("no", "d1-0"));
    }

    #[test]
    fn a_process_has_at_most_2000_series_in_its_life_and_what_comes_later_is_other() {
        let mut host = Fake::default();
        for revision in 0..40 {
            let by = [r#""rule""#, r#""rule", "namespace", "destination""#, r#""namespace""#, r#""destination""#];
            let requests = defined(&mut host, &policy(120, by[revision % by.len()], revision));
            assert!(host.metrics.len() <= 1980, "{revision}: {}", host.metrics.len());
            assert!(revision > 1 || !requests.series.is_empty());
        }
        let requests = defined(&mut host, &policy(120, r#""rule""#, 99));
        assert_eq!(labels_of(&mut host, &requests, Reason::RuleAllow, ["r1-99", "n", "d"]), "rule=other");
        let requests = defined(&mut host, &policy(120, r#""rule""#, 0));
        assert_eq!(labels_of(&mut host, &requests, Reason::RuleAllow, ["r1-0", "n", "d"]), "rule=r1-0", "it is known");
    }

    #[test]
    fn a_series_that_cannot_be_defined_is_not_counted_and_does_no_harm() {
        for call in [Call::DefineMetric, Call::ReadShared, Call::WriteShared] {
            let mut host = Fake::default();
            host.failing.insert(call);
            let (requests, failure) = Requests::define(&mut host, &policy(2, r#""rule""#, 0));
            assert_eq!(failure.is_some(), call == Call::DefineMetric);
            assert!(requests.series.is_empty(), "{call}");
            let evaluation = Evaluation::refused(Reason::NoMatch);
            assert_eq!(requests.count(&mut host, &evaluation), Ok(()));
        }
    }
}
