//! The measure of a rule: requests that it would let through and that are denied today, counted class by class.

use super::entry::targets_of;
use super::partition::Layer;
use super::place::Place;
use super::region::{Analysis, Inquiry};
use super::who::Who;
use crate::read::document::{Document, Source};
use std::collections::BTreeSet;
use tollgate::decision::{Authorizer, Outcome, Reason, Scratch, Timestamp};
use tollgate::policy::{Policy, TargetTerms};
use tollgate::request::{Arrival, Presented};

/// Pairs of callers and places of one rule that are looked at.
const MOST_PAIRS: usize = 2_000;
/// Requests that are asked about for all rules together, and states of the automata that tell their paths apart.
const MOST_WORK: usize = 1_000_000;

/// A policy with one rule and no deny entry, whose identities come from certificates.
#[derive(Debug)]
pub(crate) struct Alone {
    pub(crate) policy: Policy,
    pub(crate) document: Document,
}

/// Counts, for each of some rules, the classes of what goes by these layers that it would admit and that the policy denies for want of
/// a rule.
///
/// Classes are those that the entries of the policy and of all these rules tell apart, callers included. `usize::MAX`
/// is more than was counted: for the first rule with too many of them, and for all rules after it.
pub(crate) fn admitted_anew(
    layers: &[Layer],
    policy: &Policy,
    document: &Document,
    rules: &[Alone],
    now: u64,
) -> Vec<usize> {
    admitted_within(MOST_WORK, layers, policy, document, rules, now)
}

fn admitted_within(
    most_work: usize,
    layers: &[Layer],
    policy: &Policy,
    document: &Document,
    rules: &[Alone],
    now: u64,
) -> Vec<usize> {
    let documents = std::iter::once(document).chain(rules.iter().map(|rule| &rule.document)).collect();
    let mut analysis = Analysis::new(documents, now, false).bounded(most_work);
    let by_principal = !document.sources().contains(&Source::PeerCertificate);
    let inquiry = |layer| Inquiry { layer, changed_only: false, names_port: true, by_principal, says_source: false };
    let at = Timestamp(now.saturating_mul(1_000_000_000));
    let (mut scratch, mut own_scratch) = (Scratch::default(), Scratch::default());
    let mut count_of = |rule: &Alone| {
        let (pairs, terms) = reach(&rule.document);
        if pairs.len() > MOST_PAIRS {
            return usize::MAX;
        }
        let mut count = 0_usize;
        let regions = layers.iter().flat_map(|layer| pairs.iter().map(|pair| (inquiry(*layer), pair)));
        for (inquiry, (who, place)) in regions {
            if analysis.is_sample {
                break;
            }
            analysis.classes_of(who, place, inquiry, &terms, &mut |witness, classes| {
                let arrival = witness.arrival();
                let presented =
                    arrival.identity.map(|own| Presented { source: tollgate::request::Source::PeerCertificate, ..own });
                let alone = Arrival { identity: presented, ..arrival };
                let admits = Authorizer::new(&rule.policy).decide(&alone, at, &mut own_scratch).decision.reason
                    == Reason::RuleAllow;
                if admits && lacks_a_rule(policy, &arrival, at, &mut scratch) {
                    count = count.saturating_add(classes);
                }
            });
        }
        if analysis.is_sample { usize::MAX } else { count }
    };
    rules.iter().map(&mut count_of).collect()
}

/// Tells whether a request is denied for want of a rule.
fn lacks_a_rule(policy: &Policy, arrival: &Arrival<'_>, at: Timestamp, scratch: &mut Scratch) -> bool {
    let decision = Authorizer::new(policy).decide(arrival, at, scratch).decision;
    let by_rules = match decision.reason {
        Reason::NoMatch | Reason::IdentityMissing | Reason::RuleExpired | Reason::SniMissing => true,
        // of a deny entry it names the entry
        Reason::RequestAmbiguous => decision.rule.is_none(),
        _ => false,
    };
    decision.outcome == Outcome::Deny && by_rules
}

/// The callers and places of the only rule, none inside another; and its conditions on requests.
fn reach(document: &Document) -> (Vec<(Who, Place)>, Vec<TargetTerms>) {
    let Some(rule) = document.rules.first() else { return (Vec::new(), Vec::new()) };
    let whos = Who::listed(document, &rule.from, false);
    let whos: Vec<&Who> = whos.iter().filter(|who| !whos.iter().any(|wide| wide != *who && wide.covers(who))).collect();
    let (places, terms): (Vec<Vec<Place>>, Vec<TargetTerms>) = targets_of(document, rule).into_iter().unzip();
    let places: BTreeSet<Place> = places.into_iter().flatten().collect();
    let places: Vec<&Place> =
        places.iter().filter(|place| !places.iter().any(|wide| wide != *place && wide.covers(place))).collect();
    let pairs = whos.iter().flat_map(|who| places.iter().map(|place| ((*who).clone(), (*place).clone())));
    (pairs.collect(), terms)
}

#[cfg(test)]
mod tests {
    use super::{Alone, Layer, admitted_anew, admitted_within};
    use crate::read::document::Document;
    use serde_json::{Value, json};
    use tollgate::policy::Policy;

    fn read(target: &Value) -> Alone {
        let rule = json!({"id": "a", "from": [{"namespace": "a"}], "to": [target]});
        let text = json!({"version": 1, "name": "x", "rules": [rule]}).to_string();
        Alone { policy: Policy::load(text.as_bytes()).unwrap(), document: Document::read(&text).unwrap() }
    }

    #[test]
    fn rules_are_counted_until_the_work_is_done_that_may_be() {
        let policy = read(&json!({"hosts": ["a.test"], "methods": ["GET"], "paths": ["/a/*"]}));
        let rules = [
            json!({"hosts": ["a.test"], "methods": ["GET", "PUT"], "paths": ["/a/*"]}),
            json!({"hosts": ["a.test"], "methods": ["GET"], "paths": ["/a/*", "/**"]}),
        ];
        let rules = rules.map(|target| read(&target));
        let counts = |power: u32| {
            admitted_within(2_usize.pow(power), &[Layer::Http], &policy.policy, &policy.document, &rules, 0)
        };
        let mut found: Vec<Vec<usize>> = (0..20).map(counts).collect();
        found.dedup();
        assert_eq!(found, [[usize::MAX, usize::MAX], [1, usize::MAX], [1, 1]]);
        assert_eq!(admitted_anew(&[Layer::Http], &policy.policy, &policy.document, &rules, 0), [1, 1]);
    }

    #[test]
    fn connections_are_counted_where_they_are_asked_about() {
        let policy = read(&json!({"hosts": ["a.test"], "paths": ["/a"]}));
        let rules = [
            json!({"hosts": ["a.test"], "paths": ["/a"], "overTls": "host-only"}),
            json!({"hosts": ["a.test"], "paths": ["/a"], "overTls": "host-only", "ech": "allow", "clientHello": "optional"}),
        ];
        let rules = rules.map(|target| read(&target));
        let counts = |layers: &[Layer]| admitted_anew(layers, &policy.policy, &policy.document, &rules, 0);
        // what names the host, and whatever else the second takes alike
        assert_eq!((counts(&[Layer::Http]), counts(&[Layer::Tcp])), (vec![0, 0], vec![1, 2]));
        assert_eq!(counts(&[Layer::Http, Layer::Tcp]), [1, 2]);
    }
}
