//! Verdict of one entry on a request, found by asking a policy that holds nothing but it.

use super::spot::Spot;
use super::target_words::CONDITIONS;
use crate::read::document::{Document, Rule, Target};
use crate::read::escape;
use crate::read::excerpt::Excerpts;
use serde::Serialize;
use serde_json::{Map, Value};
use tollgate::decision::{Authorizer, Failed, Reason, Scratch, Timestamp};
use tollgate::policy::{DEFAULT_PORTS, PortRange};
use tollgate::request::{Arrival, Upgrade};

/// Values of a list that are shown.
const SHOWN: usize = 6;
/// Targets of a rule that are asked one by one.
const MOST_TARGETS: usize = 100;

/// Verdict of an entry on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Verdict {
    /// A rule that admits it.
    Admits,
    /// A deny entry that matches it.
    Matches,
    /// A deny entry that leaves it out, by `notFrom` or `except`.
    LeftOut,
    /// Something of the entry does not match.
    Fails,
}

/// An entry that was looked at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Looked {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) spot: Spot,
    pub(crate) verdict: Verdict,
    /// The first thing that failed: `port`, `method`, `path`, `upgrade`, `hello`, `expired` or `form`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<&'static str>,
    /// In words.
    pub(crate) detail: String,
    /// True if the entry is in dry-run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dry_run: bool,
}

/// The form of a request stood in the way, and nothing else.
const FORM: &str = "form";

/// Asks one rule about a request. None if there is no such rule.
pub(crate) fn rule(
    document: &Document,
    excerpts: &Excerpts<'_>,
    number: usize,
    arrival: &Arrival<'_>,
    now: Timestamp,
) -> Option<Looked> {
    let rule = document.rules.get(number)?;
    let written = excerpts.rule(number)?;
    let policy = excerpts.policy("rules", &[&written])?;
    let mut scratch = Scratch::default();
    let judged = Authorizer::new(&policy).decide(arrival, now, &mut scratch);
    let (verdict, failed, detail) = match judged.decision.reason {
        Reason::RuleAllow => {
            let by = judged.decision.pattern.map(|pattern| format!(", by the path `{pattern}`")).unwrap_or_default();
            let through = judged.decision.destination.map(|name| format!(", through `{name}`")).unwrap_or_default();
            (Verdict::Admits, None, format!("admits it{through}{by}"))
        }
        Reason::RequestAmbiguous => {
            let detail = "only the form of the request is in the way: servers may read it in two ways";
            (Verdict::Fails, Some(FORM), detail.to_owned())
        }
        _ => {
            let port = judged.port;
            let failed = Authorizer::new(&policy).nearest(arrival, now, &mut scratch)?.failed;
            let near = near_targets(excerpts, &written, rule, failed, arrival, now);
            (Verdict::Fails, Some(failed.as_str()), failure(document, rule, &near, failed, arrival, port))
        }
    };
    let spot = Spot::at(format!("rules[{number}]"));
    Some(Looked { id: rule.id.clone(), spot, verdict, failed, detail, dry_run: false })
}

/// The targets of a rule that come nearest, which fail at this part first. All of them if they are too many to ask.
pub(crate) fn near_targets<'r>(
    excerpts: &Excerpts<'_>,
    written: &Value,
    rule: &'r Rule,
    failed: Failed,
    arrival: &Arrival<'_>,
    now: Timestamp,
) -> Vec<&'r Target> {
    if rule.to.len() <= 1 || rule.to.len() > MOST_TARGETS {
        return rule.to.iter().collect();
    }
    let is_near = |target: &Value| {
        let mut alone = written.clone();
        alone.as_object_mut()?.insert("to".to_owned(), Value::Array(vec![target.clone()]));
        let policy = excerpts.policy("rules", &[&alone])?;
        let near = Authorizer::new(&policy).nearest(arrival, now, &mut Scratch::default())?;
        (near.failed == failed).then_some(())
    };
    let targets = written.get("to").and_then(Value::as_array).into_iter().flatten();
    let near: Vec<&Target> =
        rule.to.iter().zip(targets).filter(|(_, target)| is_near(target).is_some()).map(|(target, _)| target).collect();
    if near.is_empty() { rule.to.iter().collect() } else { near }
}

/// Says in words why a rule does not admit a request. `near` are the targets that come nearest.
fn failure(
    document: &Document,
    rule: &Rule,
    near: &[&Target],
    failed: Failed,
    arrival: &Arrival<'_>,
    port: Option<u16>,
) -> String {
    let method = String::from_utf8_lossy(arrival.method);
    match failed {
        Failed::Host => "its hosts and networks do not match".to_owned(),
        Failed::Port => {
            let port = port.map(|port| port.to_string()).unwrap_or_default();
            let ports = |target: &Target| match document.place(target).ports {
                None => DEFAULT_PORTS.iter().map(u16::to_string).collect(),
                Some(ports) => ports.listed().iter().map(PortRange::to_string).collect(),
            };
            format!("port {port} is not among {}", listed(near, ports))
        }
        Failed::Method | Failed::Path | Failed::Upgrade if arrival.connection.is_some() => {
            let mut keys: Vec<&str> = near.iter().flat_map(|target| target.unseen_keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            format!("nobody sees in a connection what it lists as {}", keys.join(" and "))
        }
        Failed::Method if near.iter().all(|target| target.methods.is_empty()) => match arrival.method {
            b"CONNECT" => "CONNECT is admitted only where `methods` lists it".to_owned(),
            _ => format!("`{method}` is no method in its only spelling"),
        },
        Failed::Method => format!("{method} is not among {}", listed(near, |target| target.methods.clone())),
        Failed::Path if arrival.path.is_none() => "the request has no path, and the rule lists some".to_owned(),
        Failed::Path => format!("the path matches none of {}", listed(near, |target| target.paths.clone())),
        Failed::Upgrade => match arrival.upgrade {
            Upgrade::To(protocol) if protocol.eq_ignore_ascii_case(b"websocket") => {
                "it asks to upgrade to websocket, which `upgrades` does not list".to_owned()
            }
            Upgrade::To(protocol) => {
                let protocol = escape::bytes(protocol);
                format!("it asks to upgrade to {protocol}, which no policy can admit (only websocket)")
            }
            _ => "it asks to upgrade to several protocols, which no policy can admit (only websocket)".to_owned(),
        },
        Failed::Hello => "the connection does not begin with a TLS hello that shows the host's name".to_owned(),
        Failed::Expired => format!("it ended at {}", rule.expires_at.as_deref().unwrap_or_default()),
    }
}

/// Values that targets list, each once, and not all of them.
fn listed(targets: &[&Target], values: impl Fn(&Target) -> Vec<String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for value in targets.iter().flat_map(|target| values(target)) {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    let shown: Vec<_> = all.iter().take(SHOWN).map(String::as_str).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Asks one deny entry about a request. None if there is no such entry.
pub(crate) fn deny(
    document: &Document,
    excerpts: &Excerpts<'_>,
    number: usize,
    arrival: &Arrival<'_>,
    now: Timestamp,
) -> Option<Looked> {
    let entry = document.deny.get(number)?;
    let mut value = excerpts.deny(number)?;
    let map = value.as_object_mut()?;
    map.remove("mode");
    let asked = |map: &Map<String, Value>| {
        let policy = excerpts.policy("deny", &[&Value::Object(map.clone())])?;
        let mut scratch = Scratch::default();
        let decision = Authorizer::new(&policy).decide(arrival, now, &mut scratch).decision;
        decision.rule.is_some().then_some(decision.reason)
    };
    let (verdict, failed, detail) = match asked(map) {
        Some(Reason::RequestAmbiguous) => {
            let detail = "matches it only because servers may read the request in two ways";
            (Verdict::Matches, None, detail.to_owned())
        }
        Some(_)
            if arrival.connection.is_some() && entry.to.iter().any(|target| target.unseen_keys().next().is_some()) =>
        {
            let detail = "matches it, whatever methods and paths it lists: nobody sees those in a connection";
            (Verdict::Matches, None, detail.to_owned())
        }
        Some(_) => (Verdict::Matches, None, "matches it".to_owned()),
        None => {
            let except = map.remove("except");
            if except.is_some() && asked(map).is_some() {
                (Verdict::LeftOut, None, "`except` leaves it out".to_owned())
            } else {
                map.remove("notFrom");
                match asked(map).is_some() {
                    true => (Verdict::LeftOut, None, "`notFrom` leaves it out".to_owned()),
                    false => {
                        let failed = part_that_fails(map, &asked);
                        (Verdict::Fails, failed, format!("its {}s do not match", failed.unwrap_or("target")))
                    }
                }
            }
        }
    };
    let spot = Spot::at(format!("deny[{number}]"));
    let dry_run = entry.mode == crate::read::document::Mode::DryRun;
    Some(Looked { id: entry.id.clone(), spot, verdict, failed, detail, dry_run })
}

/// The first part without which an entry would match: its places do match.
fn part_that_fails(
    map: &mut Map<String, Value>,
    asked: &impl Fn(&Map<String, Value>) -> Option<Reason>,
) -> Option<&'static str> {
    for (key, part) in CONDITIONS {
        let mut any = false;
        for target in map.get_mut("to").and_then(Value::as_array_mut).into_iter().flatten() {
            any |= target.as_object_mut().is_some_and(|target| target.remove(key).is_some());
        }
        if any && asked(map).is_some() {
            return Some(part);
        }
    }
    // the ports of a named destination
    Some("port")
}
