//! What comes nearest to letting a denied request through: edits that are tried out before they are shown.

use super::edit::{Change, Edit, Into};
use super::explainer::Explainer;
use super::walk::{Nearest, Walk, WhyNot};
use crate::cli::gateway::Gateway;
use crate::cli::request::Request;
use crate::cli::{clock, who};
use crate::decision::{Failed, Outcome, Reason, Timestamp};
use crate::policy::{Policy, Settings};
use crate::request::{Arrival, Form, Host, Identity, Path, Upgrade};
use serde_json::{Map, Value, json};

/// Reasons that may stand behind one another: so many edits are made in turn.
const ROUNDS: usize = 4;
/// Rules that are tried for one kind of edit.
const TRIES: usize = 40;

/// Looks for the smallest edits that let a request through.
pub(super) fn find(explainer: &Explainer<'_>, json: &str, request: &Request<'_>, walk: &Walk) -> WhyNot {
    let at = request.now().unwrap_or_else(clock::now);
    let nearest = Gateway::default().play(explainer.policy, request, at, |arrival, _, _| {
        let near = explainer.policy.nearest(arrival, at, &mut Default::default())?;
        Some(Nearest { rule: near.rule.to_owned(), failed: near.failed.as_str() })
    });
    let mut found = WhyNot { nearest: nearest.ok().flatten(), ..WhyNot::default() };
    found.advice = advice(walk.decision.reason);
    if found.advice.is_none() {
        found.edits = edits(explainer, json, request, at).unwrap_or_default();
        let changed = found.edits.iter().find_map(Edit::rule).and_then(|number| explainer.document.rules.get(number));
        let by_identity = || changed.map(|rule| Nearest { rule: rule.id.clone(), failed: "identity" });
        found.nearest = found.nearest.or_else(by_identity);
    }
    found
}

/// What to do about reasons that no edit should do away with.
fn advice(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "HOST_INVALID" => "send an authority that is a host name or address, with a port from 1 to 65535 if any",
        "IDENTITY_INVALID" => "let the workload's certificate carry a SPIFFE ID as its first URI",
        "IDENTITY_MISSING" => {
            "send it through the mesh, with the workload's certificate; only `anonymous: true` admits what has none"
        }
        "ROUTE_MISMATCH" => "mend the route: the cluster that it chose stands for another host or port",
        "REQUEST_AMBIGUOUS" => "send the path in canonical form, and no header that overrides method or path",
        _ => return None,
    })
}

/// A request in the words of a policy.
struct Wanted<'w> {
    selector: Value,
    /// The key of its place, and that: a name or an address.
    key: &'static str,
    place: String,
    name: Option<&'w str>,
    port: u16,
    method: String,
    /// The path, if a pattern can say it and nothing else.
    path: Option<String>,
    encoded_slash: bool,
    upgrade: bool,
    overridden: bool,
}

impl<'w> Wanted<'w> {
    fn of(
        settings: &Settings,
        arrival: &Arrival<'_>,
        identity: Option<&Identity<'_>>,
        host: &Host<'w>,
        port: u16,
    ) -> Wanted<'w> {
        let (key, place, name) = match host {
            Host::Name(name) => ("hosts", (*name).to_owned(), Some(*name)),
            Host::Ip(address) => ("cidrs", address.to_string(), None),
        };
        let mut buffer = Vec::new();
        let path = arrival.path.map(|raw| Path::parse(raw, &mut buffer)).filter(|path| path.form != Form::Ambiguous);
        let encoded_slash = path.as_ref().is_some_and(|path| path.form == Form::EncodedSlash);
        let text = path.map(|path| String::from_utf8_lossy(path.text).into_owned());
        Wanted {
            selector: who::selector_of(settings, identity),
            key,
            place,
            name,
            port,
            method: String::from_utf8_lossy(arrival.method).into_owned(),
            path: text.filter(|text| !text.contains(['*', '{', '}', '[', ']'])),
            encoded_slash,
            upgrade: arrival.upgrade != Upgrade::Absent,
            overridden: arrival.overridden,
        }
    }

    /// A target that takes in this request and little else.
    fn target(&self) -> Value {
        let mut target = Map::new();
        target.insert(self.key.to_owned(), json!([self.place]));
        if self.port != 80 && self.port != 443 {
            target.insert("ports".to_owned(), json!([self.port]));
        }
        // neither is compared with a request whose headers override them
        if !self.overridden {
            target.insert("methods".to_owned(), json!([self.method]));
            if let Some(path) = self.path.as_ref().filter(|_| self.method != "CONNECT") {
                target.insert("paths".to_owned(), json!([path]));
                if self.encoded_slash {
                    target.insert("encodedSlash".to_owned(), json!("data"));
                }
            }
        }
        if self.upgrade {
            target.insert("upgrades".to_owned(), json!(["websocket"]));
        }
        target.into()
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

/// Why a policy denies a request, and the entry that does.
type Obstacle = (Reason, Option<String>);

impl Search<'_, '_> {
    /// Why a policy denies the request; none within if it lets it through, none at all if it is no policy.
    fn decide(&self, policy: &Value) -> Option<Option<Obstacle>> {
        let policy = Policy::load(policy.to_string().as_bytes()).ok()?;
        let denied = Gateway::default().play(&policy, self.request, self.at, |_, judged, _| {
            let decision = &judged.decision;
            (decision.outcome == Outcome::Deny).then(|| (decision.reason, decision.rule.map(str::to_owned)))
        });
        denied.ok()
    }

    /// The first edit that does away with an obstacle, and what stands behind that.
    fn step(&self, obstacle: &Obstacle) -> Option<(Edit, Option<Obstacle>)> {
        let current = Policy::load(self.policy.to_string().as_bytes()).ok()?;
        let proposals = Gateway::default()
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
            Reason::NoMatch | Reason::IdentityMissing => Some(self.admissions(settings, &wanted, identity, arrival)),
            _ => None,
        }
    }

    /// Takes the request out of the deny entry that decided.
    fn exceptions(&self, id: &str, wanted: &Wanted<'_>) -> Option<Vec<Edit>> {
        let number = self.explainer.document.deny.iter().position(|entry| entry.id == id)?;
        let way = vec![Into::Key("deny"), Into::Item(number), Into::Key("except")];
        Some(vec![Edit { way, change: Change::Add(vec![wanted.target()]) }])
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

    /// Ways to admit a request that no rule admits, the smallest first: a word more in a rule of the identity, its
    /// selector in a rule that fits, a target more in a rule of it, a rule more.
    fn admissions(
        &self,
        settings: &Settings,
        wanted: &Wanted<'_>,
        identity: Option<&Identity<'_>>,
        arrival: &Arrival<'_>,
    ) -> Vec<Edit> {
        let Explainer { document, excerpts, .. } = *self.explainer;
        let is_own = |number: usize| {
            document.rules.get(number).is_some_and(|rule| who::any_selects(document, settings, &rule.from, identity))
        };
        let own: Vec<usize> = (0..document.rules.len()).filter(|number| is_own(*number)).take(TRIES).collect();
        // whether a rule that is changed so admits the request
        let admits = |number: usize, edit: &Edit| {
            let mut alone = json!({"rules": [excerpts.rule(number)?]});
            let mut of_first = edit.clone();
            if let Some(Into::Item(item)) = of_first.way.get_mut(1) {
                *item = 0;
            }
            of_first.apply(&mut alone);
            let policy = excerpts.policy("rules", &[alone.get("rules")?.get(0)?])?;
            let reason = policy.decide(arrival, self.at, &mut Default::default()).decision.reason;
            (reason == Reason::RuleAllow).then_some(())
        };
        let mut found: Vec<Edit> = Vec::new();
        for number in &own {
            let edits = self.words(*number, wanted);
            found.extend(edits.into_iter().find(|edit| admits(*number, edit).is_some()));
        }
        let others = (0..document.rules.len()).filter(|number| !is_own(*number) && self.may_fit(*number, wanted));
        for number in others.take(TRIES) {
            let way = vec![Into::Key("rules"), Into::Item(number), Into::Key("from")];
            let edit = Edit { way, change: Change::Add(vec![wanted.selector.clone()]) };
            found.extend(admits(number, &edit).map(|()| edit));
        }
        let target = wanted.target();
        let nearest = self.nearest(arrival).filter(|number| is_own(*number)).or(own.first().copied());
        found.extend(nearest.map(|number| Edit {
            way: vec![Into::Key("rules"), Into::Item(number), Into::Key("to")],
            change: Change::Add(vec![target.clone()]),
        }));
        let rule = json!({"id": self.free_id(), "from": [wanted.selector], "to": [target]});
        found.push(Edit { way: vec![Into::Key("rules")], change: Change::Add(vec![rule]) });
        found
    }

    /// The rule that comes nearest, by its number.
    fn nearest(&self, arrival: &Arrival<'_>) -> Option<usize> {
        let near = self.explainer.policy.nearest(arrival, self.at, &mut Default::default())?;
        let near = Some(near).filter(|near| near.failed != Failed::Expired)?;
        self.explainer.document.rules.iter().position(|rule| rule.id == near.rule)
    }

    /// A word more in some target of a rule.
    fn words(&self, number: usize, wanted: &Wanted<'_>) -> Vec<Edit> {
        let targets = self.explainer.document.rules.get(number).map(|rule| rule.to.as_slice()).unwrap_or_default();
        let mut edits = Vec::new();
        for (item, target) in targets.iter().enumerate() {
            let mut edit = |key, change| {
                let way =
                    vec![Into::Key("rules"), Into::Item(number), Into::Key("to"), Into::Item(item), Into::Key(key)];
                edits.push(Edit { way, change });
            };
            if !target.methods.is_empty() {
                edit("methods", Change::Add(vec![json!(wanted.method)]));
            }
            if let Some(path) = wanted.path.as_ref().filter(|_| !target.paths.is_empty()) {
                edit("paths", Change::Add(vec![json!(path)]));
            }
            if target.destination.is_none() {
                match target.ports.as_slice() {
                    // what is not given is 80 and 443
                    [] => edit("ports", Change::Set(json!([80, 443, wanted.port]))),
                    _ => edit("ports", Change::Add(vec![json!(wanted.port)])),
                }
                edit(wanted.key, Change::Add(vec![json!(wanted.place)]));
            }
            edit("upgrades", Change::Set(json!(["websocket"])));
        }
        edits
    }

    /// Whether some place of a rule looks as if it held the wanted one.
    fn may_fit(&self, number: usize, wanted: &Wanted<'_>) -> bool {
        let document = self.explainer.document;
        let targets = document.rules.get(number).map(|rule| rule.to.as_slice()).unwrap_or_default();
        targets.iter().any(|target| {
            let place = document.place(target);
            match wanted.name {
                None => !place.cidrs.is_empty(),
                Some(host) => place.hosts.iter().any(|pattern| match pattern.trim_start_matches('*') {
                    "" => true,
                    suffix => host.ends_with(&suffix.trim_end_matches('.').to_ascii_lowercase()),
                }),
            }
        })
    }

    /// An id that nothing has yet.
    fn free_id(&self) -> String {
        let policy = self.explainer.policy;
        let is_free = |id: &String| !policy.ids().any(|taken| taken == id);
        let numbered = (2..).map(|number: u32| format!("new-rule-{number}"));
        std::iter::once("new-rule".to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }
}
