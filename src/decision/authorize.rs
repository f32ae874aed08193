//! The order of the decision: who is denied, who is admitted, where to, charged to which quotas.

use super::canonical::Canonical;
use super::charge::{Charged, charge};
use super::question::{Asked, Question};
use super::read_http::read_http;
use super::read_tcp::read_tcp;
use super::scratch::{Buffers, Lookups, Scratch, SectionVisits};
use super::search::{Admission, Admit, Refusal, Refuse, Stage, Unmatched, admits, excepts};
use super::{Evaluation, Failed, Near, Reason, quotas};
use crate::index::{NONE, Resolved, VisitedSets};
use crate::policy::{Mode, Policy, Regions};
use crate::quota::{QuotaThread, SharedStore};
use crate::request::Arrival;
use crate::timestamp::Timestamp;

/// Decides requests by a policy.
///
/// ```
/// use tollgate::decision::{Authorizer, Outcome, Scratch, Timestamp};
/// use tollgate::policy::Policy;
/// use tollgate::request::Arrival;
///
/// let policy = Policy::load(br#"{"version": 1, "name": "p", "rules": [
///     {"id": "docs", "from": [{"anonymous": true}], "to": [{"hosts": ["docs.example.com"]}]}
/// ]}"#)?;
/// let arrival = Arrival { authority: b"docs.example.com", method: b"GET", path: Some(b"/"), ..Arrival::default() };
/// let mut scratch = Scratch::default();
/// let evaluation = Authorizer::new(&policy).decide(&arrival, Timestamp::default(), &mut scratch);
/// assert_eq!(evaluation.decision.outcome, Outcome::Allow);
/// # Ok::<(), tollgate::policy::Rejection>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Authorizer<'p> {
    policy: &'p Policy,
}

/// Entries whose selectors and places match a request, whatever the rest of their targets says: numbers in file order,
/// each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Of enforced deny entries and of those in dry-run.
    pub deny: Vec<u32>,
    /// Of rules.
    pub rules: Vec<u32>,
}

impl<'p> Authorizer<'p> {
    /// Returns what decides by this policy.
    pub fn new(policy: &'p Policy) -> Authorizer<'p> {
        Authorizer { policy }
    }

    /// Decides one request. Linear in the size of the request; allocates nothing in the common case.
    pub fn decide<'s>(&self, arrival: &Arrival<'s>, now: Timestamp, scratch: &'s mut Scratch) -> Evaluation<'s>
    where
        'p: 's,
    {
        let Scratch { buffers, lookups } = scratch;
        match self.read(arrival, buffers) {
            // By reference: to move it would cost more than to read it.
            Ok(ref canonical) => self.authorize(canonical, now, lookups),
            Err(refused) => refused,
        }
    }

    /// Takes the first step of [`Authorizer::decide`] alone. Public for benchmarks only.
    #[doc(hidden)]
    #[cfg_attr(
        target_pointer_width = "64",
        expect(clippy::result_large_err, reason = "both are values of one decision, moved once")
    )]
    #[inline]
    pub fn read<'s>(&self, arrival: &Arrival<'s>, buffers: &'s mut Buffers) -> Result<Canonical<'s>, Evaluation<'s>>
    where
        'p: 's,
    {
        match &arrival.connection {
            None => read_http(self.policy, arrival, buffers),
            Some(connection) => read_tcp(self.policy, arrival, connection, buffers),
        }
    }

    /// Takes the steps of [`Authorizer::decide`] behind the first: 2 to 4 on canonical values, and the quotas of step 5.
    /// Public for benchmarks only.
    #[doc(hidden)]
    pub fn authorize<'s>(&self, canonical: &Canonical<'s>, now: Timestamp, lookups: &'s mut Lookups) -> Evaluation<'s>
    where
        'p: 's,
    {
        let Authorizer { policy } = *self;
        let Lookups { groups, hosts, visited, applicable, staged } = lookups;
        let (mut pending, subject) = (canonical.pending(), &canonical.subject);

        let question = self.resolve(canonical, now, groups, hosts);
        let slashed = canonical.slashed_question(now);
        let (narrow, wide) = (hosts.narrow(), hosts.wide());
        let asked = Asked { groups, narrow, wide, question: &question, slashed: slashed.as_ref() };

        if let Some(refusal) = self.refuse(&asked, visited) {
            return pending.deny(subject, refusal.reason(), policy.deny_id(refusal.entry));
        }
        self.stage(&asked, visited, staged);
        for refusal in staged {
            pending.suspend(refusal.reason(), policy.deny_id(refusal.entry));
        }

        let onboarding =
            policy.settings.mode == Mode::DryRun || policy.dry_run_for.contains_any(groups, &policy.workloads);
        match self.admit(&asked, visited) {
            Ok(admission) => {
                pending.admit(policy, &admission);
                match self.resides(&admission, &asked, visited) {
                    Ok(expires) => pending.end_by(expires),
                    Err(entry) => {
                        let id = entry.and_then(|entry| policy.residency_id(entry));
                        if !onboarding {
                            return pending.deny(subject, Reason::Residency, id);
                        }
                        pending.suspend(Reason::Residency, id);
                    }
                }
            }
            Err(refused) => {
                let reason = match refused {
                    Unadmitted::Expired(_) => Reason::RuleExpired,
                    Unadmitted::Form => Reason::RequestAmbiguous,
                    Unadmitted::Hello => Reason::SniMissing,
                    Unadmitted::NoRule if subject.trusted.is_none() => Reason::IdentityMissing,
                    Unadmitted::NoRule => Reason::NoMatch,
                };
                let rule = match refused {
                    Unadmitted::Expired(rule) => policy.rule_id(rule),
                    _ => None,
                };
                if !onboarding {
                    return pending.deny(subject, reason, rule);
                }
                pending.suspend(reason, rule);
            }
        }
        quotas::list(policy, &asked, onboarding, &mut visited.quotas, applicable);
        pending.let_through(subject, applicable)
    }

    /// Charges a request that is let through to its quotas, all or none, and changes the decision if one refuses.
    /// `bytes` are those of the names and values of the request's headers.
    pub fn charge<'s>(
        &self,
        evaluation: &mut Evaluation<'s>,
        bytes: u64,
        thread: &mut QuotaThread,
        store: &mut impl SharedStore,
    ) -> Charged<'s>
    where
        'p: 's,
    {
        charge(self.policy, evaluation, bytes, thread, store)
    }

    /// Finds the rule of this identity that came nearest to admitting a refused request.
    pub fn nearest(&self, arrival: &Arrival<'_>, now: Timestamp, scratch: &mut Scratch) -> Option<Near<'p>> {
        let Scratch { buffers, lookups: Lookups { groups, hosts, visited, .. } } = scratch;
        let canonical = self.read(arrival, buffers).ok()?;
        let question = self.resolve(&canonical, now, groups, hosts);
        let rules = &self.policy.rules;
        let mut unmatched = Unmatched::default();
        for path in question.rule_paths() {
            let candidates = rules.candidates(groups, hosts.narrow(), path, &mut visited.rules);
            candidates.for_each(|candidate| unmatched.add(&candidate, &question));
        }
        let nearest = unmatched.nearest();
        let (rule, failed) = nearest.or_else(|| rules.first_of(groups).map(|target| (target.entry, Failed::Host)))?;
        Some(Near { rule: self.policy.rule_id(rule)?, failed })
    }

    /// Tells whether a connection was led to a place whose server may speak first to some caller.
    pub fn may_be_silent(&self, arrival: &Arrival<'_>, scratch: &mut Scratch) -> bool {
        let Scratch { buffers, lookups: Lookups { hosts, .. } } = scratch;
        let server_first = &self.policy.server_first;
        if server_first.is_empty() {
            return false;
        }
        let Ok(canonical) = self.read(arrival, buffers) else { return false };
        self.policy.hosts.resolve(canonical.host, hosts);
        hosts.narrow().iter().any(|place| server_first.binary_search(&place.node).is_ok())
    }

    /// Lists the candidates of a request; none where it was refused before any entry was looked at.
    pub fn candidates(&self, arrival: &Arrival<'_>, now: Timestamp, scratch: &mut Scratch) -> Option<Candidates> {
        let Scratch { buffers, lookups: Lookups { groups, hosts, visited, .. } } = scratch;
        let canonical = self.read(arrival, buffers).ok()?;
        let question = self.resolve(&canonical, now, groups, hosts);
        let mut found = Candidates::default();
        for section in [&self.policy.deny, &self.policy.deny_dry_run] {
            let deny = section.candidates(groups, hosts.wide(), question.wide_path(), &mut visited.deny);
            found.deny.extend(deny.map(|candidate| candidate.target.entry));
        }
        for path in question.rule_paths() {
            let rules = self.policy.rules.candidates(groups, hosts.narrow(), path, &mut visited.rules);
            found.rules.extend(rules.map(|candidate| candidate.target.entry));
        }
        for entries in [&mut found.deny, &mut found.rules] {
            entries.sort_unstable();
            entries.dedup();
        }
        Some(found)
    }

    /// Finds the groups and places of a request, and returns the question for their targets.
    fn resolve<'s>(
        &self,
        canonical: &Canonical<'s>,
        now: Timestamp,
        groups: &mut Vec<u32>,
        hosts: &mut Resolved,
    ) -> Question<'s> {
        let own = self.policy.settings.trust_domains.first().map_or("", |domain| domain);
        self.policy.identities.resolve(canonical.subject.trusted.as_ref(), own, groups);
        self.policy.hosts.resolve(canonical.host, hosts);
        canonical.question(now)
    }

    /// Step 2: finds the first enforced deny entry that matches.
    fn refuse(&self, asked: &Asked<'_>, visited: &mut SectionVisits) -> Option<Refusal> {
        if self.policy.deny.is_empty() {
            return None;
        }
        let SectionVisits { deny, except, .. } = visited;
        let is_exempt = |entry| self.is_exempt(entry, asked, except);
        let mut search = Refuse { question: asked.question, is_exempt, first: None };
        for question in asked.widely() {
            search.question = question;
            self.policy.deny.search(asked.groups, asked.wide, question.wide_path(), deny, &mut search);
        }
        search.first
    }

    /// Finds the first deny entries in dry-run that match: as many as a record can name.
    fn stage(&self, asked: &Asked<'_>, visited: &mut SectionVisits, staged: &mut Vec<Refusal>) {
        staged.clear();
        let section = &self.policy.deny_dry_run;
        if section.is_empty() {
            return;
        }
        let SectionVisits { deny, except, .. } = visited;
        let mut stage = Stage { found: staged };
        for question in asked.widely() {
            for candidate in section.candidates(asked.groups, asked.wide, question.wide_path(), deny) {
                if stage.wants(&candidate)
                    && let Some(how) = question.widely(&candidate)
                {
                    stage.add(candidate.target.entry, how, |entry| self.is_exempt(entry, asked, except));
                }
            }
        }
    }

    /// Tells whether a deny entry leaves the request out.
    fn is_exempt(&self, entry: u32, asked: &Asked<'_>, visited: &mut VisitedSets) -> bool {
        let Authorizer { policy } = *self;
        policy.exemption(entry).is_some_and(|(number, exemption)| {
            if exemption.not_from.contains_any(asked.groups, &policy.workloads) {
                return true;
            }
            let (groups, path) = ([number], asked.question.narrow_path());
            let mut exceptions = policy.except.candidates(&groups, asked.narrow, path, visited);
            exceptions.any(|candidate| excepts(&candidate, asked.question))
        })
    }

    /// Step 3: finds the most specific rule that admits, or why there is none.
    fn admit(&self, asked: &Asked<'_>, visited: &mut SectionVisits) -> Result<Admission, Unadmitted> {
        let rules = &self.policy.rules;
        let mut admit = Admit { question: asked.question, best: None };
        for path in asked.question.rule_paths() {
            rules.search(asked.groups, asked.narrow, path, &mut visited.rules, &mut admit);
        }
        if let Some(admission) = admit.best {
            return Ok(admission);
        }
        let mut unmatched = Unmatched::default();
        for path in asked.question.rule_paths() {
            let candidates = rules.candidates(asked.groups, asked.narrow, path, &mut visited.rules);
            candidates.for_each(|candidate| unmatched.add(&candidate, asked.question));
        }
        Err(match unmatched {
            Unmatched { expired: Some(expired), .. } => Unadmitted::Expired(expired.rule),
            Unmatched { form: true, .. } => Unadmitted::Form,
            Unmatched { hello: true, .. } => Unadmitted::Hello,
            _ => Unadmitted::NoRule,
        })
    }

    /// Step 4: checks that some admitting target is in a region that all residency entries of the identity list. Returns the
    /// first moment at which that one no longer admits.
    ///
    /// # Errors
    /// The entry that says otherwise.
    fn resides(
        &self,
        admission: &Admission,
        asked: &Asked<'_>,
        visited: &mut SectionVisits,
    ) -> Result<Timestamp, Option<u32>> {
        let residency = &self.policy.residency;
        if residency.is_empty() || residency.allows(asked.groups, admission.region) {
            return Ok(admission.expires);
        }
        let mut regions = Regions::default();
        for path in asked.question.rule_paths() {
            for candidate in self.policy.rules.candidates(asked.groups, asked.narrow, path, &mut visited.rules) {
                let region = candidate.constraints.region;
                if region == NONE || regions.contains(region) || !admits(&candidate, asked.question) {
                    continue;
                }
                if residency.allows(asked.groups, region) {
                    return Ok(candidate.constraints.expires);
                }
                regions.insert(region);
            }
        }
        let entries = residency.entries_of(asked.groups);
        let unsatisfied = |entry: &&u32| {
            let listed = residency.entries.get(**entry as usize);
            listed.is_some_and(|(_, listed)| !listed.intersects(&regions))
        };
        Err(entries.iter().find(unsatisfied).or(entries.first()).copied())
    }
}

/// The cause for which no rule admits.
enum Unadmitted {
    /// Only the expiry of this rule stood in the way.
    Expired(u32),
    /// Only the request's form did.
    Form,
    /// Only the beginning of the connection did.
    Hello,
    NoRule,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Outcome;
    use crate::quota::Memory;
    use crate::request::{ClientHello, Connection, FirstBytes, Presented, Source};

    const POLICY: &[u8] = br#"{"version": 1, "name": "p", "rules": [
        {"id": "plain", "from": [{"any": true}], "to": [{"hosts": ["plain.test"], "ports": [443]}]},
        {"id": "kept", "from": [{"any": true}], "to": [
            {"hosts": ["method.test"], "methods": ["GET"], "ports": [443]},
            {"hosts": ["path.test"], "paths": ["/**"], "ports": [443]},
            {"hosts": ["upgrade.test"], "upgrades": ["websocket"], "ports": [443]}]},
        {"id": "all", "from": [{"any": true}], "to": [{"hosts": ["*.closed.test"], "ports": [443]}]}],
        "deny": [
        {"id": "method", "from": [{"any": true}], "to": [{"hosts": ["method.closed.test"], "methods": ["GET"]}]},
        {"id": "path", "from": [{"any": true}], "to": [{"hosts": ["path.closed.test"], "paths": ["/a/**"]}]},
        {"id": "upgrade", "from": [{"any": true}], "to": [{"hosts": ["upgrade.closed.test"], "upgrades": ["websocket"]}]}],
        "quotas": [{"id": "q", "to": [{"hosts": ["*.closed.test"], "paths": ["/b"]}],
                    "limit": {"requests": 1, "per": "day"}}]}"#;

    #[test]
    fn of_a_connection_that_nobody_reads_targets_admit_by_host_alone_and_close_whole() {
        let policy = Policy::load(POLICY).expect("a policy");
        let authorizer = Authorizer::new(&policy);
        let presented = Presented { source: Source::PeerCertificate, id: b"spiffe://cluster.local/ns/a/sa/b" };
        let (mut thread, mut memory) = (QuotaThread::default(), Memory::default());
        for (host, port, reason, rule) in [
            ("plain.test", 443, Reason::RuleAllow, Some("plain")),
            ("plain.test", 80, Reason::NoMatch, None),
            ("method.test", 443, Reason::NoMatch, None),
            ("path.test", 443, Reason::NoMatch, None),
            ("upgrade.test", 443, Reason::NoMatch, None),
            ("method.closed.test", 443, Reason::DenyRule, Some("method")),
            ("path.closed.test", 443, Reason::DenyRule, Some("path")),
            ("upgrade.closed.test", 443, Reason::DenyRule, Some("upgrade")),
            ("open.closed.test", 443, Reason::RuleAllow, Some("all")),
            ("open.closed.test", 443, Reason::QuotaRequests, Some("q")),
        ] {
            let chain = format!("inbound-vip|{port}|tcp|{host}");
            let hello = ClientHello { server_name: Some(host.as_bytes()), ech: false };
            let connection =
                Connection { chain: chain.as_bytes(), first: FirstBytes::Hello(hello), ..Connection::default() };
            let arrival = Arrival::of_connection(Some(presented), connection);
            let mut scratch = Scratch::default();
            let mut evaluation = authorizer.decide(&arrival, Timestamp::default(), &mut scratch);
            authorizer.charge(&mut evaluation, 0, &mut thread, &mut memory);
            let decision = &evaluation.decision;
            assert_eq!((decision.reason, decision.rule), (reason, rule), "{host}:{port}");
            assert_eq!(decision.outcome == Outcome::Allow, reason == Reason::RuleAllow);
        }
    }
}
