//! How a decision is explained: it is made, and looked at from all sides.

use super::looked;
use super::spot::Spot;
use super::walk::{Asked, Canonical, Charge, Decided, Looks, Named, Walk};
use crate::cli::document::{Document, Quota};
use crate::cli::excerpt::Excerpts;
use crate::cli::further::FurtherShown;
use crate::cli::gateway::Gateway;
use crate::cli::request::Request;
use crate::cli::who;
use crate::decision::{Charged, Judged, Scratch, Timestamp};
use crate::policy::{Mode, Policy};
use crate::request::{Arrival, Form, Host, Identity, Path, Presented, Source, check_name};
use std::net::IpAddr;

/// Entries of each list that are looked at one by one.
const MOST: usize = 20;

/// What explanations are made from.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Explainer<'e> {
    pub(in crate::cli) policy: &'e Policy,
    pub(in crate::cli) document: &'e Document,
    pub(in crate::cli) excerpts: &'e Excerpts<'e>,
}

impl Explainer<'_> {
    /// Explains the decision on a request, as a gateway that has just started makes it.
    ///
    /// # Errors
    /// It is no request.
    pub(in crate::cli) fn walk(&self, request: &Request<'_>, now: Timestamp) -> Result<Walk, String> {
        let mut gateway = Gateway::default();
        let walk =
            gateway.play(self.policy, request, now, |arrival, judged, charged| self.of(arrival, judged, charged, now));
        walk.map_err(|mistake| mistake.message)
    }

    fn of(&self, asked: &Arrival<'_>, judged: &Judged<'_>, charged: &Charged<'_>, now: Timestamp) -> Walk {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let decision = &judged.decision;
        let candidates = self.policy.candidates(asked, now, &mut Scratch::default()).unwrap_or_default();
        let first = |list: &[u32], decisive: Option<usize>| -> (Vec<usize>, usize) {
            let numbers = list.iter().filter_map(|number| usize::try_from(*number).ok());
            let others = numbers.filter(|number| Some(*number) != decisive);
            let chosen: Vec<usize> = decisive.into_iter().chain(others).take(MOST).collect();
            let more = list.len().saturating_sub(chosen.len());
            (chosen, more)
        };
        let named = |id: &str| Some(id) == decision.rule;
        let decisive_deny = self.document.deny.iter().position(|entry| named(&entry.id));
        let decisive_rule = self.document.rules.iter().position(|rule| named(&rule.id));
        let (deny, more_deny) = first(&candidates.deny, decisive_deny);
        let (rules, more_rules) = first(&candidates.rules, decisive_rule);
        // What step 1 made of it: entries are asked one by one, by policies that are not in dry-run and see no route.
        let authority = judged.host.zip(judged.port).map(|(host, port)| authority(&host, port)).unwrap_or_default();
        let arrival = &Arrival {
            identity: judged.trusted.map(|id| Presented { source: Source::PeerCertificate, id: id.id().as_bytes() }),
            authority: authority.as_bytes(),
            cluster: None,
            ..*asked
        };
        let deny = deny.iter().filter_map(|at| looked::deny(self.document, self.excerpts, *at, arrival, now)).collect();
        let rules =
            rules.iter().filter_map(|at| looked::rule(self.document, self.excerpts, *at, arrival, now)).collect();
        Walk {
            request: Asked {
                identity: asked.identity.map(|presented| lossy(presented.id)),
                method: lossy(asked.method),
                authority: lossy(asked.authority),
                path: asked.path.map(lossy),
            },
            canonical: self.canonical(asked, judged),
            deny: Looks { looked_at: deny, more: more_deny },
            rules: Looks { looked_at: rules, more: more_rules },
            residency: self.residency(judged),
            dry_run: self.dry_run(judged),
            quotas: self.charges(charged),
            decision: Decided {
                decision: decision.outcome.as_str(),
                reason: decision.reason.as_str(),
                rule: decision.rule.map(str::to_owned),
                spot: decision.rule.map(|id| self.spot_of(id)).unwrap_or_default(),
                also: FurtherShown::all(&decision.also),
            },
            why_not: None,
            outcome: Some(decision.outcome),
        }
    }

    /// Where the entry of an id stands.
    fn spot_of(&self, id: &str) -> Spot {
        let Document { deny, rules, residency, quotas, .. } = self.document;
        let at = |list: &str, number: usize| Spot::at(format!("{list}[{number}]"));
        None.or_else(|| rules.iter().position(|entry| entry.id == id).map(|number| at("rules", number)))
            .or_else(|| deny.iter().position(|entry| entry.id == id).map(|number| at("deny", number)))
            .or_else(|| quotas.iter().position(|entry| entry.id == id).map(|number| at("quotas", number)))
            .or_else(|| residency.iter().position(|entry| entry.id == id).map(|number| at("residency", number)))
            .unwrap_or_default()
    }

    fn canonical(&self, arrival: &Arrival<'_>, judged: &Judged<'_>) -> Canonical {
        let mut canonical = Canonical {
            identity: judged.trusted.map(|identity| identity.id().to_owned()),
            groups: self.groups(judged.trusted.as_ref()),
            host: judged.host.map(|host| shown(&host)),
            port: judged.port,
            ..Canonical::default()
        };
        let mut notes = Vec::new();
        match (arrival.identity, judged.identity, judged.trusted) {
            (Some(presented), _, _) if !self.policy.settings().sources.contains(&presented.source) => {
                notes.push("`identity.sources` does not list where the identity comes from".to_owned());
            }
            (Some(_), None, _) => notes.push("what the caller presents is no SPIFFE ID".to_owned()),
            (Some(_), Some(_), None) => {
                let listed = self.policy.settings().trust_domains.join(", ");
                notes.push(format!("the identity's trust domain is not among those of the policy: {listed}"));
            }
            _ => {}
        }
        match judged.host {
            None => notes.push(format!("the authority is no host and port: {}", no_host(arrival.authority))),
            Some(host) => notes.extend(self.authority_notes(arrival, &host, judged.port)),
        }
        if arrival.overridden {
            notes.push("a header such as `x-http-method-override` makes servers see another method or path".to_owned());
        }
        if let Some(raw) = arrival.path {
            let mut buffer = Vec::new();
            let path = Path::parse(raw, &mut buffer);
            if raw.contains(&b'?') {
                notes.push("the query is not judged".to_owned());
            }
            match path.form {
                Form::Ambiguous => notes.push("servers may read the path in two ways: it is not canonical".to_owned()),
                Form::EncodedSlash => {
                    notes.push("the path holds `%2F`: only targets with `encodedSlash: data` compare it".to_owned());
                }
                Form::Canonical => {}
            }
            if path.form != Form::Ambiguous {
                canonical.path = Some(String::from_utf8_lossy(path.text).into_owned());
            }
        }
        canonical.notes = notes;
        canonical
    }

    fn authority_notes(&self, arrival: &Arrival<'_>, host: &Host<'_>, port: Option<u16>) -> Vec<String> {
        let mut notes = Vec::new();
        let written = String::from_utf8_lossy(arrival.authority);
        let host = shown(host);
        let named = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        match written.strip_prefix(named.as_str()) {
            Some("") => {
                let settings = self.policy.settings();
                match port {
                    Some(port) if port == settings.default_port => {
                        notes.push(format!("the authority names no port: the default, {port}, counts"));
                    }
                    Some(port) => notes.push(format!("the authority names no port: that of the route, {port}, counts")),
                    None => {}
                }
            }
            Some(_) => {}
            None => notes.push(format!("the host `{written}` is read as `{host}`")),
        }
        notes
    }

    fn groups(&self, identity: Option<&Identity<'_>>) -> Vec<String> {
        let (document, settings) = (self.document, self.policy.settings());
        let mut groups = Vec::new();
        match identity {
            None => groups.push("anonymous".to_owned()),
            Some(identity) => {
                if let Some((namespace, name)) = identity.service_account_key().and_then(|key| key.split_once("/sa/")) {
                    groups.push(format!("service account {namespace}/{name}"));
                    groups.push(format!("namespace {namespace}"));
                }
                groups.push("any".to_owned());
            }
        }
        let sets = document.workloads.iter();
        let holding = sets.filter(|(_, set)| who::any_selects(document, settings, set, identity));
        groups.extend(holding.map(|(name, _)| format!("workloads {name}")));
        groups
    }

    fn residency(&self, judged: &Judged<'_>) -> Vec<Named> {
        let (document, settings) = (self.document, self.policy.settings());
        let entries = document.residency.iter().enumerate();
        entries
            .filter(|(_, entry)| who::any_selects(document, settings, &entry.from, judged.trusted.as_ref()))
            .map(|(number, entry)| Named {
                id: entry.id.clone(),
                spot: Spot::at(format!("residency[{number}]")),
                detail: format!("only destinations in {}", entry.regions.join(", ")),
            })
            .collect()
    }

    fn dry_run(&self, judged: &Judged<'_>) -> Vec<String> {
        let (document, settings) = (self.document, self.policy.settings());
        let mut dry_run = Vec::new();
        if settings.mode == Mode::DryRun {
            dry_run.push("the policy is in dry-run: what no rule admits is let through".to_owned());
        }
        if who::any_selects(document, settings, &document.dry_run_for, judged.trusted.as_ref()) {
            dry_run.push("`dryRunFor` lists the identity: what no rule admits of it is let through".to_owned());
        }
        dry_run
    }

    fn charges(&self, charged: &Charged<'_>) -> Vec<Charge> {
        let written =
            |id: &str| self.document.quotas.iter().find(|quota| quota.id == id).map(limit).unwrap_or_default();
        let of = |note: &crate::decision::Note<'_>| Charge {
            id: note.quota.id.to_string(),
            spot: self.spot_of(&note.quota.id),
            limit: written(&note.quota.id),
            key: note.key().to_owned(),
            used: note.consulted.level.used,
            of: note.quota.limit.amount(),
            enforced: note.is_enforced(),
        };
        charged.notes.iter().map(of).collect()
    }
}

/// A limit as the policy writes it.
fn limit(quota: &Quota) -> String {
    let limit = &quota.limit;
    let amount = |amount: &Option<crate::cli::document::Amount>, what: &str| {
        amount.as_ref().map(|amount| format!("{amount} {what}"))
    };
    let what = limit
        .requests
        .map(|requests| format!("{requests} requests"))
        .or_else(|| limit.concurrent.map(|concurrent| format!("{concurrent} requests at a time")))
        .or_else(|| amount(&limit.bytes_out, "out"))
        .or_else(|| amount(&limit.bytes_in, "in"))
        .or_else(|| amount(&limit.bytes, "in all"))
        .unwrap_or_default();
    let per = limit.per.as_ref().map(|per| format!(" per {per}")).unwrap_or_default();
    let burst = limit.burst.as_ref().map(|burst| format!(", burst {burst}")).unwrap_or_default();
    format!("{what}{per}{burst}")
}

fn authority(host: &Host<'_>, port: u16) -> String {
    match host {
        Host::Ip(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        host => format!("{}:{port}", shown(host)),
    }
}

fn shown(host: &Host<'_>) -> String {
    match host {
        Host::Name(name) => (*name).to_owned(),
        Host::Ip(address) => address.to_string(),
    }
}

/// Why an authority is none.
fn no_host(authority: &[u8]) -> String {
    let lower = authority.to_ascii_lowercase();
    let name = match lower.iter().rposition(|byte| *byte == b':').and_then(|colon| lower.split_at_checked(colon)) {
        Some((name, _)) => name,
        None => &lower,
    };
    match check_name(name.strip_suffix(b".").unwrap_or(name)) {
        Err(error) => error.to_string(),
        Ok(_) => "its port is none".to_owned(),
    }
}
