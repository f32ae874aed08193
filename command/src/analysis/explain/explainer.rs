//! Explains a decision: makes it, and looks at it from all sides.

use super::authority::shown;
use super::reduced::Reduced;
use super::spot::Spot;
use super::walk::{Asked, Canonical, Charge, Decided, Looks, Named, Walk};
use super::{ambiguity, authority, connection, looked};
use crate::analysis::edge::{Edge, Refusal};
use crate::analysis::further::FurtherShown;
use crate::analysis::gateway::Gateway;
use crate::analysis::request::{Buffers, Mistake, Request};
use crate::analysis::strength::Strength;
use crate::analysis::who;
use crate::read::document::{Document, Quota};
use crate::read::excerpt::Excerpts;
use tollgate::decision::{Authorizer, Charged, Evaluation, Outcome, Scratch, Timestamp};
use tollgate::policy::{Mode, Policy};
use tollgate::record::Layer;
use tollgate::request::{Arrival, Form, Host, Identity, Path, Presented, Upgrade, is_method};

/// Entries of each list that are looked at one by one.
const MOST: usize = 20;

/// Policy, its text and its edge, from which explanations are made.
#[derive(Clone, Copy)]
pub(crate) struct Explainer<'e> {
    pub(crate) policy: &'e Policy,
    pub(crate) document: &'e Document,
    pub(crate) excerpts: &'e Excerpts<'e>,
    /// The way of requests to the filter.
    pub(crate) edge: &'e Edge,
}

/// A request before and behind the edge.
struct Way<'w> {
    sent: &'w Arrival<'w>,
    seen: &'w Arrival<'w>,
    refused: Option<Refusal>,
}

impl Explainer<'_> {
    /// Explains the decision on a request, as a gateway that has just started makes it.
    ///
    /// # Errors
    /// It is no request.
    pub(crate) fn walk(&self, request: &Request<'_>, now: Timestamp) -> Result<Walk, String> {
        let message = |mistake: Mistake| mistake.message;
        let (mut before, mut behind) = (Buffers::default(), Buffers::default());
        let sent = request.arrival(&Edge::default(), &mut before).map_err(message)?.arrival;
        let refused = request.arrival(self.edge, &mut behind).map_err(message)?.refused;
        let mut gateway = Gateway::behind(self.edge.clone());
        let walk = gateway.play(self.policy, request, now, |seen, judged, charged| {
            self.of(&Way { sent: &sent, seen, refused }, judged, charged, now)
        });
        let mut walk = walk.map_err(message)?;
        walk.note(self.without_edge(request, now, &walk.decision).map_err(message)?);
        Ok(walk)
    }

    /// The decision on the same bytes at the filter, if it is another.
    fn without_edge(
        &self,
        request: &Request<'_>,
        now: Timestamp,
        decided: &Decided,
    ) -> Result<Option<String>, Mistake> {
        Gateway::default().play(self.policy, request, now, |_, judged, _| {
            let decision = &judged.decision;
            let (outcome, reason) = (decision.outcome.as_str(), decision.reason.as_str());
            let is_same =
                (outcome, reason, decision.rule) == (decided.decision, decided.reason, decided.rule.as_deref());
            (!is_same).then(|| {
                let by = decision.rule.map(|id| format!(", by {id}")).unwrap_or_default();
                format!("these bytes at the filter (`--raw`) would be `{outcome}: {reason}{by}`")
            })
        })
    }

    fn of(&self, way: &Way<'_>, judged: &Evaluation<'_>, charged: &Charged<'_>, now: Timestamp) -> Walk {
        let (sent, asked) = (way.sent, way.seen);
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let decision = &judged.decision;
        let candidates =
            Authorizer::new(self.policy).candidates(asked, now, &mut Scratch::default()).unwrap_or_default();
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
        let reduced = judged.host.zip(judged.port).map(|(host, port)| Reduced::to(&host, port)).unwrap_or_default();
        let arrival = &reduced.arrival(judged.trusted, asked);
        let deny = deny.iter().filter_map(|at| looked::deny(self.document, self.excerpts, *at, arrival, now)).collect();
        let rules =
            rules.iter().filter_map(|at| looked::rule(self.document, self.excerpts, *at, arrival, now)).collect();
        Walk {
            request: Asked {
                identity: asked.identity.map(|presented| lossy(presented.id)),
                layer: asked.connection.map(|_| Layer::Tcp.as_str()),
                method: asked.connection.is_none().then(|| lossy(sent.method)),
                authority: lossy(sent.authority),
                path: sent.path.map(lossy),
                sni: asked.connection.and_then(|connection| connection.first.server_name()).map(lossy),
                tls: asked.connection.map(|connection| connection::tls(&connection.first)),
            },
            canonical: self.canonical(way, judged),
            deny: Looks { looked_at: deny, more: more_deny },
            rules: Looks { looked_at: rules, more: more_rules },
            residency: self.residency(judged),
            dry_run: self.dry_run(judged),
            quotas: self.charges(charged),
            strength: self.strength(asked, judged, now),
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

    /// The strength with which the way of a request is held that is let through.
    fn strength(&self, asked: &Arrival<'_>, judged: &Evaluation<'_>, now: Timestamp) -> Option<Strength> {
        let is_let_through = matches!(judged.decision.outcome, Outcome::Allow | Outcome::WouldDeny);
        let (host, port) = judged.host.zip(judged.port).filter(|_| is_let_through)?;
        Some(Strength::of(self.policy, asked.identity, &host, port, now, &mut Scratch::default()))
    }

    /// Place of the entry with this id.
    fn spot_of(&self, id: &str) -> Spot {
        let Document { deny, rules, residency, quotas, .. } = self.document;
        let at = |list: &str, number: usize| Spot::at(format!("{list}[{number}]"));
        None.or_else(|| rules.iter().position(|entry| entry.id == id).map(|number| at("rules", number)))
            .or_else(|| deny.iter().position(|entry| entry.id == id).map(|number| at("deny", number)))
            .or_else(|| quotas.iter().position(|entry| entry.id == id).map(|number| at("quotas", number)))
            .or_else(|| residency.iter().position(|entry| entry.id == id).map(|number| at("residency", number)))
            .unwrap_or_default()
    }

    fn canonical(&self, way: &Way<'_>, judged: &Evaluation<'_>) -> Canonical {
        let arrival = way.seen;
        // where there is no host, nothing else was looked at
        let own = arrival.identity.filter(|_| judged.host.is_none()).and_then(|presented| self.own(presented));
        let identity = judged.identity.map(|presented| presented.id).or(own.as_ref().map(|id| id.id().as_bytes()));
        let trusted = judged.trusted.or(own.filter(|id| self.trusts(id)));
        let mut canonical = Canonical {
            identity: trusted.map(|identity| identity.id().to_owned()),
            groups: self.groups(trusted.as_ref()),
            host: judged.host.map(|host| shown(&host)),
            port: judged.port,
            ..Canonical::default()
        };
        let mut notes = edge_notes(way);
        match (arrival.identity, identity, trusted) {
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
        match (&arrival.connection, judged.host) {
            (Some(connection), _) => {
                notes.extend(connection::notes(self.policy.settings(), arrival, connection, judged));
            }
            (None, None) => {
                notes.push(format!("the authority is no host and port: {}", authority::fault(arrival.authority)));
            }
            (None, Some(host)) => notes.extend(self.authority_notes(arrival, &host, judged.port)),
        }
        let method = String::from_utf8_lossy(arrival.method).to_ascii_uppercase();
        if !is_method(arrival.method) && is_method(method.as_bytes()) {
            notes.push(format!("methods mind case: no rule admits this one in another spelling than `{method}`"));
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
                Form::Ambiguous => {
                    let why = ambiguity::of(path.text).unwrap_or_else(|| "it is not canonical".to_owned());
                    notes.push(format!("servers may read the path in two ways: {why}"));
                }
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

    /// The identity that is presented, if it is one that the policy reads.
    fn own<'i>(&self, presented: Presented<'i>) -> Option<Identity<'i>> {
        let is_read = self.policy.settings().sources.contains(&presented.source);
        Identity::parse(presented.id).filter(|_| is_read)
    }

    fn trusts(&self, identity: &Identity<'_>) -> bool {
        self.policy.settings().trust_domains.iter().any(|trusted| trusted == identity.trust_domain())
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

    fn residency(&self, judged: &Evaluation<'_>) -> Vec<Named> {
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

    fn dry_run(&self, judged: &Evaluation<'_>) -> Vec<String> {
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
        let of = |note: &tollgate::decision::QuotaOutcome<'_>| Charge {
            id: note.quota.id.to_string(),
            spot: self.spot_of(&note.quota.id),
            limit: written(&note.quota.id),
            key: note.key().to_owned(),
            used: note.charge.level.used,
            of: note.quota.limit.amount(),
            enforced: note.is_enforced(),
        };
        charged.outcomes.iter().map(of).collect()
    }
}

/// Notes about what the way to the filter made of a request.
fn edge_notes(way: &Way<'_>) -> Vec<String> {
    let Way { sent, seen, refused } = way;
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut notes = Vec::new();
    if sent.authority != seen.authority {
        let port = lossy(seen.authority);
        notes
            .push(format!("the sidecar asks for `{port}`: plain HTTP, and no rule knows the host on the default port"));
    }
    match (refused, sent.path, seen.path) {
        (Some(Refusal::Path), ..) => notes.push("Envoy refuses the path before the policy is asked (400)".to_owned()),
        (_, Some(sent), Some(seen)) if sent != seen => {
            let text = |path: &[u8]| lossy(path.split(|byte| *byte == b'?').next().unwrap_or_default());
            notes.push(format!("the gateway reads the path `{}` as `{}`", text(sent), text(seen)));
        }
        _ => {}
    }
    match (sent.upgrade, seen.upgrade) {
        (Upgrade::To(protocol), Upgrade::Absent) if protocol.eq_ignore_ascii_case(b"h2c") => {
            notes.push("the gateway drops `upgrade: h2c`, as Envoy always does".to_owned());
        }
        (Upgrade::To(_) | Upgrade::Several, Upgrade::Absent) => {
            notes.push("the gateway drops `upgrade`: no `connection: upgrade` names it".to_owned());
        }
        (Upgrade::To(protocol), _) if *refused == Some(Refusal::Upgrade) => {
            notes.push(format!("Envoy refuses an upgrade to `{}` before the policy is asked (403)", lossy(protocol)));
        }
        _ if *refused == Some(Refusal::Upgrade) => {
            notes.push("Envoy refuses an upgrade to several protocols before the policy is asked (403)".to_owned());
        }
        _ => {}
    }
    notes
}

/// A limit as the policy writes it.
fn limit(quota: &Quota) -> String {
    let limit = &quota.limit;
    let amount = |amount: &Option<crate::read::document::Amount>, what: &str| {
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
