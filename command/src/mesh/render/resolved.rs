//! Advice on a gateway that resolves names as they are asked for: what it has to hold, and what its walls refuse.

use crate::analysis::advice::{Advice, code, is_below, place_of};
use crate::mesh::site::{Gateway, Routes};
use crate::read::document::{Amount, By, Document, Mode, Quota, Rule, Selector, Target};
use tollgate::policy::{HostPattern, Network, Reading, duration, networks};

/// Names that callers can make up within a minute, of those that the cache holds.
const MOST_NEW_NAMES: u64 = 2_000;
const MINUTE: u64 = 60;

/// Says what of the rules floods the gateway's cache of names, and what never gets through its walls.
pub(super) fn judge(document: &Document, gateway: &Gateway, advice: &mut Advice) {
    for (rule, entry) in document.rules.iter().enumerate() {
        for (item, given) in entry.to.iter().enumerate() {
            let place = document.place(given);
            for (number, pattern) in place.patterns.iter().enumerate() {
                let at = || place_of(rule, item, given, &format!("hosts[{number}]"));
                let host = pattern.to_string();
                if is_below(&host, LOCALHOST) && !is_denied(document, &Denied::Names(pattern)) {
                    let message = format!("`{host}` is the gateway itself: its walls refuse what the rule admits");
                    let fix = "a workload reaches itself without a gateway: remove it".to_owned();
                    advice.add(code::REFUSED, at(), message, fix);
                }
                if gateway.routes == Routes::CatchAll && host.contains('*') && !is_held(document, entry, given, pattern)
                {
                    let message =
                        format!("`{host}` lets a caller fill the gateway's cache of names, which all callers share");
                    let fix = format!(
                        "add an enforced quota of requests by identity or namespace whose `burst` and limit come to {MOST_NEW_NAMES} a minute at most"
                    );
                    advice.add(code::UNHELD, at(), message, fix);
                }
            }
            // objects of their own lead to no address at all
            let cidrs = place.cidrs.iter().enumerate().filter(|_| gateway.routes == Routes::CatchAll);
            for (number, cidr) in cidrs {
                if let Some(refused) = networks(cidr)
                    .into_iter()
                    .flat_map(inner)
                    .find(|network| !is_denied(document, &Denied::Network(*network)) && !is_inside(gateway, *network))
                {
                    let message = format!(
                        "`{cidr}` is or holds the private {refused}, and the gateway's walls refuse every name that resolves to it"
                    );
                    let fix = "list the names and their network under `inside` of the site file, or deny `private`"
                        .to_owned();
                    advice.add(code::REFUSED, place_of(rule, item, given, &format!("cidrs[{number}]")), message, fix);
                }
            }
        }
    }
}

/// The name of whoever looks it up (RFC 6761).
const LOCALHOST: &str = "localhost";

/// Private parts of a network: itself, or the private networks in it.
fn inner(network: Network) -> Vec<Network> {
    let private = networks("private");
    if private.iter().any(|private| private.covers(network)) {
        return vec![network];
    }
    private.into_iter().filter(|private| network.covers(*private)).collect()
}

fn is_inside(gateway: &Gateway, network: Network) -> bool {
    let mut inside = gateway.inside.iter().flat_map(|inside| &inside.cidrs).flat_map(|cidr| networks(cidr));
    inside.any(|inside| inside.covers(network))
}

enum Denied<'d> {
    Names(&'d HostPattern<'d>),
    Network(Network),
}

/// Tells whether some entry denies it to everybody, on every port.
fn is_denied(document: &Document, what: &Denied<'_>) -> bool {
    let holds = |target: &Target| {
        let place = document.place(target);
        target.terms().takes_everything()
            && match what {
                Denied::Names(names) => place.patterns.iter().any(|host| host.covers(names, Reading::Wide)),
                Denied::Network(network) => place.networks.iter().any(|denied| denied.covers(*network)),
            }
    };
    document.deny.iter().any(|deny| {
        let is_sure = deny.mode == Mode::Enforce && deny.except.is_empty() && deny.not_from.is_empty();
        is_sure && is_everybody(document, &deny.from) && deny.to.iter().any(holds)
    })
}

fn is_everybody(document: &Document, from: &[Selector]) -> bool {
    from.is_empty() || document.selectors(from).any(|selector| selector.any == Some(true))
}

/// Tells whether a quota bounds how many names these callers can make up.
fn is_held(document: &Document, rule: &Rule, given: &Target, host: &HostPattern<'_>) -> bool {
    document.quotas.iter().any(|quota| {
        bounds(document, quota)
            && (is_everybody(document, &quota.from) || selects_all(document, quota, rule))
            && (quota.to.is_empty() || quota.to.iter().any(|target| counts_all(document, target, given, host)))
    })
}

/// Tells whether it is enforced, by caller, and lets few through.
fn bounds(document: &Document, quota: &Quota) -> bool {
    let is_enforced = quota.mode.unwrap_or(document.mode) == Mode::Enforce;
    let by = quota.by.as_deref().unwrap_or(&[By::Identity]);
    let is_by_caller = !by.is_empty() && !by.contains(&By::Destination);
    let few = a_minute(quota).is_some_and(|requests| requests <= MOST_NEW_NAMES);
    is_enforced && is_by_caller && few
}

/// Requests that a quota lets through in the fullest minute; none if it counts something else.
fn a_minute(quota: &Quota) -> Option<u64> {
    let limit = quota.limit.requests?;
    let burst = match &quota.limit.burst {
        Some(Amount::Number(burst)) => *burst,
        Some(Amount::Text(_)) => return None,
        None => limit,
    };
    let nanoseconds = match quota.limit.per.as_deref()? {
        "minute" => 60 * SECOND,
        "hour" => 3_600 * SECOND,
        "day" | "week" | "month" => 86_400 * SECOND,
        text => duration(text)?,
    };
    let rate = limit.saturating_mul(MINUTE.saturating_mul(SECOND)).checked_div(nanoseconds)?;
    Some(burst.saturating_add(rate))
}

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

fn selects_all(document: &Document, quota: &Quota, rule: &Rule) -> bool {
    document.selectors(&rule.from).all(|selector| {
        document.selectors(&quota.from).any(|counted| {
            let of_account = selector.service_account.as_ref().and_then(|account| account.split('/').next());
            let in_namespace = counted.namespace.is_some()
                && counted.namespace.as_deref() == of_account
                && counted.trust_domain == selector.trust_domain;
            counted == selector || in_namespace
        })
    })
}

fn counts_all(document: &Document, target: &Target, given: &Target, host: &HostPattern<'_>) -> bool {
    let counted = document.place(target);
    let is_whole = target.terms().asks_only_for_ports() && target.terms().ports().covers(given.terms().ports());
    let everywhere = counted.hosts.is_empty() && counted.cidrs.is_empty();
    is_whole && (everywhere || counted.patterns.iter().any(|counted| counted.covers(host, Reading::Wide)))
}
