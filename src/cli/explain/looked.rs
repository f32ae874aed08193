//! What one entry says of a request, found by asking a policy that holds nothing but it.

use super::spot::Spot;
use crate::cli::document::{Document, Rule, Target};
use crate::cli::excerpt::Excerpts;
use crate::decision::{Failed, Reason, Scratch, Timestamp};
use crate::request::Arrival;
use serde::Serialize;
use serde_json::{Map, Value};

/// Values of a list that are shown.
const SHOWN: usize = 6;

/// How an entry stands to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) enum Verdict {
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
pub(in crate::cli) struct Looked {
    pub(in crate::cli) id: String,
    #[serde(flatten)]
    pub(in crate::cli) spot: Spot,
    pub(in crate::cli) verdict: Verdict,
    /// The first thing that failed: `port`, `method`, `path`, `upgrade`, `expired` or `form`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) failed: Option<&'static str>,
    /// In words.
    pub(in crate::cli) detail: String,
    /// Whether the entry is in dry-run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::cli) dry_run: bool,
}

/// The form of a request stood in the way, and nothing else.
const FORM: &str = "form";

/// What a rule says of a request.
pub(super) fn rule(
    document: &Document,
    excerpts: &Excerpts<'_>,
    number: usize,
    arrival: &Arrival<'_>,
    now: Timestamp,
) -> Option<Looked> {
    let rule = document.rules.get(number)?;
    let policy = excerpts.policy("rules", &[&excerpts.rule(number)?])?;
    let mut scratch = Scratch::default();
    let judged = policy.decide(arrival, now, &mut scratch);
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
            let failed = policy.nearest(arrival, now, &mut scratch)?.failed;
            (Verdict::Fails, Some(failed.as_str()), failure(document, rule, failed, arrival, port))
        }
    };
    let spot = Spot::at(format!("rules[{number}]"));
    Some(Looked { id: rule.id.clone(), spot, verdict, failed, detail, dry_run: false })
}

/// Why a rule does not admit a request, in words.
fn failure(document: &Document, rule: &Rule, failed: Failed, arrival: &Arrival<'_>, port: Option<u16>) -> String {
    let method = String::from_utf8_lossy(arrival.method);
    match failed {
        Failed::Host => "its hosts and networks do not match".to_owned(),
        Failed::Port => {
            let port = port.map(|port| port.to_string()).unwrap_or_default();
            let ports = |target: &Target| match document.place(target).ports {
                [] => vec!["80".to_owned(), "443".to_owned()],
                ports => ports.iter().map(u16::to_string).collect(),
            };
            format!("port {port} is not among {}", listed(rule, ports))
        }
        Failed::Method if rule.to.iter().all(|target| target.methods.is_empty()) => match arrival.method {
            b"CONNECT" => "CONNECT is admitted only where `methods` lists it".to_owned(),
            _ => format!("`{method}` is no method in its only spelling"),
        },
        Failed::Method => format!("{method} is not among {}", listed(rule, |target| target.methods.clone())),
        Failed::Path if arrival.path.is_none() => "the request has no path, and the rule lists some".to_owned(),
        Failed::Path => format!("the path matches none of {}", listed(rule, |target| target.paths.clone())),
        Failed::Upgrade => "it is an upgrade request, and `upgrades` does not list what to".to_owned(),
        Failed::Expired => format!("it ended at {}", rule.expires_at.as_deref().unwrap_or_default()),
    }
}

/// What the targets of a rule list, each once, and not all of it.
fn listed(rule: &Rule, values: impl Fn(&Target) -> Vec<String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for value in rule.to.iter().flat_map(values) {
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

/// What a deny entry says of a request.
pub(super) fn deny(
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
        let decision = policy.decide(arrival, now, &mut scratch).decision;
        decision.rule.is_some().then_some(decision.reason)
    };
    let (verdict, failed, detail) = match asked(map) {
        Some(Reason::RequestAmbiguous) => {
            let detail = "matches it only because servers may read the request in two ways";
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
    let dry_run = entry.mode == crate::cli::document::Mode::DryRun;
    Some(Looked { id: entry.id.clone(), spot, verdict, failed, detail, dry_run })
}

/// The first part without which an entry would match: its places do match.
fn part_that_fails(
    map: &mut Map<String, Value>,
    asked: &impl Fn(&Map<String, Value>) -> Option<Reason>,
) -> Option<&'static str> {
    for (key, part) in [("paths", "path"), ("upgrades", "upgrade"), ("methods", "method"), ("ports", "port")] {
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
