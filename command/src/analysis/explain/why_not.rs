//! Nearest ways to let a denied request through: edits that are tried out before they are shown.

use super::admission::Admissions;
use super::change::Change;
use super::edit::{Edit, Into};
use super::explainer::Explainer;
use super::reduced::Reduced;
use super::walk::{Nearest, Walk, WhyNot};
use super::wanted::{Wanted, without_id};
use super::{ambiguity, authority, connection};
use crate::analysis::gateway::Gateway;
use crate::analysis::request::Request;
use crate::read::clock;
use serde_json::{Value, json};
use tollgate::decision::{Authorizer, Outcome, Reason, Timestamp};
use tollgate::policy::{Policy, Settings};
use tollgate::request::{Arrival, Host, Identity, Upgrade};

/// Edits that are made in turn: one reason may stand behind another.
const ROUNDS: usize = 4;
/// Rules that are tried for one kind of edit.
const TRIES: usize = 40;

/// Looks for the edits that let a request through and admit the least besides, or for what is wrong with the request itself.
pub(crate) fn find(explainer: &Explainer<'_>, json: &str, request: &Request<'_>, walk: &Walk) -> WhyNot {
    let at = request.now().unwrap_or_else(clock::now);
    let mut gateway = Gateway::behind(explainer.edge.clone());
    let seen = gateway.play(explainer.policy, request, at, |arrival, judged, _| {
        let near = Authorizer::new(explainer.policy).nearest(arrival, at, &mut Default::default());
        let near = near.map(|near| Nearest { rule: near.rule.to_owned(), failed: near.failed.as_str() });
        let advice = match arrival.connection {
            None => advice(walk.decision.reason, arrival, near.as_ref()),
            Some(connection) => connection::advice(judged.decision.reason, &connection.first, judged.host.is_some()),
        };
        let port = judged.host.and_then(|host| other_port(explainer, arrival, host, at));
        (near, advice, port)
    });
    let Ok((nearest, advice, port)) = seen else { return WhyNot::default() };
    let mut found = WhyNot { nearest, advice, ..WhyNot::default() };
    if walk.decision.reason == "REQUEST_AMBIGUOUS" || found.advice.is_none() {
        let edits = edits(explainer, json, request, at).unwrap_or_default();
        if !edits.is_empty() {
            found.advice = None;
        }
        found.edits = edits;
    }
    let is_of_a_word = |edit: &Edit| edit.failed().is_some();
    match port {
        // a word more in a rule is as good an answer; a rule more is none where the rule is there
        Some(port) if walk.decision.reason == "NO_MATCH" => match found.edits.iter().all(is_of_a_word) {
            true if !found.edits.is_empty() => found.alternatives.push(port),
            _ => {
                found.edits.clear();
                found.advice = Some(port);
            }
        },
        _ => {}
    }
    if let Some((number, edit)) = found.edits.iter().find_map(|edit| Some((edit.rule()?, edit))) {
        let changed = explainer.document.rules.get(number).map(|rule| rule.id.as_str());
        let known = found.nearest.take().filter(|near| Some(near.rule.as_str()) == changed);
        let failed = edit.failed().or(known.as_ref().map(|near| near.failed)).unwrap_or("host");
        found.nearest = changed.map(|rule| Nearest { rule: rule.to_owned(), failed });
    }
    found.alternatives.extend(found.edits.iter().filter_map(pattern));
    found
}

/// A pattern in place of a path with an id in it.
fn pattern(edit: &Edit) -> Option<String> {
    let path = edit.added("paths")?;
    let (pattern, id) = without_id(path)?;
    Some(format!("add {} to `{}`, if `{id}` is an id", json!(pattern), edit.pointer()))
}

/// The authority with which a rule would admit the request as it is, if it names no port.
fn other_port(explainer: &Explainer<'_>, arrival: &Arrival<'_>, host: Host<'_>, at: Timestamp) -> Option<String> {
    let named = tollgate::request::Authority::parse(arrival.authority, &mut Vec::new())?.port;
    if named.is_some() || arrival.connection.is_some() {
        return None;
    }
    let document = explainer.document;
    let targets = document.rules.iter().flat_map(|rule| &rule.to);
    let mut ports: Vec<u16> = targets
        .filter_map(|target| document.place(target).ports)
        .flat_map(|ports| ports.listed().iter().map(|range| range.first()))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    // what is asked of port 80 is another protocol
    let asked = ports.into_iter().filter(|port| *port != 80).take(TRIES).map(|port| authority::of(&host, port));
    let admits = |authority: &String| {
        let other = Arrival { authority: authority.as_bytes(), ..*arrival };
        Authorizer::new(explainer.policy).decide(&other, at, &mut Default::default()).decision.reason
            == Reason::RuleAllow
    };
    asked.into_iter().find(admits).map(|authority| format!("ask {authority}"))
}

/// Advice about what no edit should do away with.
fn advice(reason: &str, arrival: &Arrival<'_>, nearest: Option<&Nearest>) -> Option<String> {
    let is_upgrade = match arrival.upgrade {
        Upgrade::Absent => false,
        Upgrade::To(protocol) => !protocol.eq_ignore_ascii_case(b"websocket"),
        Upgrade::Several => true,
    };
    let advice = match reason {
        "HOST_INVALID" => "send an authority that is a host name or address, with a port from 1 to 65535 if any",
        "IDENTITY_INVALID" => "let the workload's certificate carry a SPIFFE ID as its first URI",
        "IDENTITY_MISSING" => {
            "send it through the mesh, with the workload's certificate; only `anonymous: true` admits what has none"
        }
        "ROUTE_MISMATCH" => "mend the route: the cluster that it chose stands for another host or port",
        "REFUSED_BY_ENVOY" | "NO_MATCH"
            if is_upgrade && (reason != "NO_MATCH" || nearest.is_some_and(|near| near.failed == "upgrade")) =>
        {
            "send no upgrade header (HttpClient 5.4: protocolUpgradeEnabled=false)"
        }
        "REFUSED_BY_ENVOY" => "send a path of visible ASCII, without `#` and `%00`",
        "REQUEST_AMBIGUOUS" => return Some(plainer(arrival)),
        _ => return None,
    };
    Some(advice.to_owned())
}

/// Advice to the sender of an ambiguous request.
fn plainer(arrival: &Arrival<'_>) -> String {
    if arrival.overridden {
        return "send no header that overrides method or path".to_owned();
    }
    match arrival.path.map(|raw| raw.split(|byte| *byte == b'?').next().unwrap_or_default()) {
        None => "send a path: what a tunnel asks for is seen by nobody".to_owned(),
        Some(path) => match ambiguity::of(path) {
            Some(why) => format!("send the path in canonical form: {why}"),
            None => "send the path without `%2F`".to_owned(),
        },
    }
}

/// A request, and the policy as it has become.
struct Search<'s, 'e> {
    explainer: &'s Explainer<'e>,
    request: &'s Request<'s>,
    at: Timestamp,
    policy: Value,
}

fn edits(explainer: &Explainer<'_>, json: &str, request: &Request<'_>, at: Timestamp) -> Option<Vec<Edit>> {
    let policy: Value = serde_json::from_str(json).ok()?;
    if policy.get("packed").is_some() {
        return None;
    }
    let mut search = Search { explainer, request, at, policy };
    let mut edits = Vec::new();
    let mut obstacle = search.decide(&search.policy)??;
    for _ in 0..ROUNDS {
        let (edit, then) = search.step(&obstacle)?;
        edit.apply(&mut search.policy);
        edits.push(edit);
        match then {
            None => return Some(edits),
            Some(then) => obstacle = then,
        }
    }
    None
}

/// Reason for which a policy denies a request, and the entry that does.
type Obstacle = (Reason, Option<String>);

impl Search<'_, '_> {
    /// A gateway that has just started.
    fn gateway(&self) -> Gateway {
        Gateway::behind(self.explainer.edge.clone())
    }

    /// Decides the request by a policy. The inner option is the obstacle, none if the request is let through; the outer
    /// one is none if the policy is invalid.
    fn decide(&self, policy: &Value) -> Option<Option<Obstacle>> {
        let policy = Policy::load(policy.to_string().as_bytes()).ok()?;
        let denied = self.gateway().play(&policy, self.request, self.at, |_, judged, _| {
            let decision = &judged.decision;
            (decision.outcome == Outcome::Deny).then(|| (decision.reason, decision.rule.map(str::to_owned)))
        });
        denied.ok()
    }

    /// The first edit that does away with an obstacle, and what stands behind that.
    fn step(&self, obstacle: &Obstacle) -> Option<(Edit, Option<Obstacle>)> {
        let current = Policy::load(self.policy.to_string().as_bytes()).ok()?;
        let proposals = self
            .gateway()
            .play(&current, self.request, self.at, |arrival, judged, _| {
                self.proposals(
                    obstacle,
                    current.settings(),
                    arrival,
                    judged.trusted.as_ref(),
                    judged.host?,
                    judged.port?,
                )
            })
            .ok()??;
        proposals.into_iter().find_map(|edit| {
            let mut changed = self.policy.clone();
            if !edit.apply(&mut changed) {
                return None;
            }
            let then = self.decide(&changed)?;
            (then.as_ref() != Some(obstacle)).then_some((edit, then))
        })
    }

    fn proposals(
        &self,
        (reason, entry): &Obstacle,
        settings: &Settings,
        arrival: &Arrival<'_>,
        identity: Option<&Identity<'_>>,
        host: Host<'_>,
        port: u16,
    ) -> Option<Vec<Edit>> {
        let wanted = Wanted::of(settings, arrival, identity, &host, port);
        match reason {
            Reason::IdentityUntrusted => {
                let presented = arrival.identity.and_then(|presented| Identity::parse(presented.id))?;
                let mut domains = settings.trust_domains.clone();
                domains.push(presented.trust_domain().to_owned());
                let way = vec![Into::Key("identity"), Into::Key("trustDomains")];
                Some(match self.policy.get("identity") {
                    Some(_) => vec![Edit { way, change: Change::Set(json!(domains)) }],
                    None => {
                        let identity = json!({"trustDomains": domains});
                        vec![Edit { way: vec![Into::Key("identity")], change: Change::Set(identity) }]
                    }
                })
            }
            Reason::DenyRule => self.exceptions(entry.as_deref()?, &wanted),
            Reason::RuleExpired => Some(self.longer()),
            Reason::Residency => Some(self.regions()),
            Reason::NoMatch | Reason::IdentityMissing | Reason::SniMissing => {
                Some(self.admissions(settings, &wanted, identity, arrival, &host))
            }
            // an ambiguous request gets through only where its `%2F` is said to be data
            Reason::RequestAmbiguous
                if entry.is_none() && (wanted.encoded_slash || wanted.is_key) && !wanted.overridden =>
            {
                let admissions = self.admissions(settings, &wanted, identity, arrival, &host);
                Some(admissions.into_iter().filter(Edit::is_encoded_slash).collect())
            }
            _ => None,
        }
    }

    /// Takes the request out of the deny entry that decided.
    fn exceptions(&self, id: &str, wanted: &Wanted<'_>) -> Option<Vec<Edit>> {
        let number = self.explainer.document.deny.iter().position(|entry| entry.id == id)?;
        let way = vec![Into::Key("deny"), Into::Item(number), Into::Key("except")];
        Some(vec![Edit { way, change: Change::Add(vec![wanted.exception()]) }])
    }

    /// Lets rules go on that have ended.
    fn longer(&self) -> Vec<Edit> {
        let rules = self.explainer.document.rules.iter().enumerate();
        let ended = rules.filter(|(_, rule)| rule.expires_at.is_some()).take(TRIES);
        let edit = |(number, _)| Edit {
            way: vec![Into::Key("rules"), Into::Item(number), Into::Key("expiresAt")],
            change: Change::Remove,
        };
        ended.map(edit).collect()
    }

    /// Lets residency entries allow the region of some destination.
    fn regions(&self) -> Vec<Edit> {
        let document = self.explainer.document;
        let targets = document.rules.iter().flat_map(|rule| &rule.to);
        let mut regions: Vec<&str> = targets.filter_map(|target| document.place(target).region).collect();
        regions.sort_unstable();
        regions.dedup();
        let entries = document.residency.iter().enumerate();
        entries
            .flat_map(|(number, entry)| {
                let others = regions.iter().filter(|region| !entry.regions.iter().any(|listed| listed == *region));
                others.map(move |region| Edit {
                    way: vec![Into::Key("residency"), Into::Item(number), Into::Key("regions")],
                    change: Change::Add(vec![json!(region)]),
                })
            })
            .take(TRIES)
            .collect()
    }

    /// Ways to admit a request that no rule admits, the one that admits least besides first.
    fn admissions(
        &self,
        settings: &Settings,
        wanted: &Wanted<'_>,
        identity: Option<&Identity<'_>>,
        arrival: &Arrival<'_>,
        host: &Host<'_>,
    ) -> Vec<Edit> {
        let reduced = Reduced::to(host, wanted.port);
        let arrival = reduced.arrival(identity.copied(), arrival);
        let admissions =
            Admissions { explainer: self.explainer, settings, wanted, identity, arrival: &arrival, at: self.at };
        let mut found = admissions.least();
        let rule = json!({"id": self.free_id(), "from": [wanted.selector], "to": [wanted.target()]});
        found.push(Edit { way: vec![Into::Key("rules")], change: Change::Add(vec![rule]) });
        found
    }

    /// An id that nothing has yet.
    fn free_id(&self) -> String {
        let policy = self.explainer.policy;
        let is_free = |id: &String| !policy.ids().any(|taken| taken == id);
        let numbered = (2..).map(|number: u32| format!("new-rule-{number}"));
        std::iter::once("new-rule".to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }
}
