//! The order of the decision: what is canonical, who is denied, who is admitted, where to.

use super::question::{Asked, DenyMatch, LONGEST_FOR_COSTLY, Method, Question, QuestionPath};
use super::quotas::ApplicableQuota;
use super::scratch::{Buffers, Lookups, Scratch, SectionMarks};
use super::search::{Admission, Admit, Except, Explain, Places, Refusal, Refuse, Stage};
use super::{Also, Evaluation, Failed, Further, Near, Outcome, Reason};
use crate::index::{NONE, Resolved, Section, VisitedSets};
use crate::policy::{Mode, Policy, Regions, VerifyRoute};
use crate::request::{
    Arrival, Authority, Comparison, Form, Host, Identity, Path, Presented, Routed, Source, Upgrade, widen,
};
use crate::timestamp::Timestamp;

impl Policy {
    /// Decides one request. Linear in the size of the request; allocates nothing in the common case.
    pub fn decide<'s>(&'s self, arrival: &Arrival<'s>, now: Timestamp, scratch: &'s mut Scratch) -> Evaluation<'s> {
        let Scratch { buffers, lookups } = scratch;
        match self.read(arrival, buffers) {
            Ok(canonical) => self.judge(&canonical, now, lookups),
            Err(refused) => refused,
        }
    }

    /// The second half of [`Policy::decide`]: steps 2 to 4 on canonical values, and the quotas of step 5. Public for
    /// benchmarks only.
    #[doc(hidden)]
    pub fn judge<'s>(&'s self, canonical: &Canonical<'s>, now: Timestamp, lookups: &'s mut Lookups) -> Evaluation<'s> {
        let Lookups { groups, hosts, visited, applicable, staged } = lookups;
        let mut pending = canonical.pending();

        let question = self.ask(canonical, now, groups, hosts);
        let slashed = canonical.slashed_question(now);
        let (narrow, wide) = (hosts.narrow(), hosts.wide());
        let asked = Asked { groups, narrow, wide, question: &question, slashed: slashed.as_ref() };

        if let Some(refusal) = self.refuse(&asked, visited) {
            return pending.deny(refusal.reason(), self.deny_id(refusal.entry));
        }
        self.stage(&asked, visited, staged);
        for refusal in staged {
            pending.suspend(refusal.reason(), self.deny_id(refusal.entry));
        }

        let onboarding = self.settings.mode == Mode::DryRun || self.dry_run_for.contains_any(groups, &self.workloads);
        match self.admit(&asked, visited) {
            Ok(admission) => {
                pending.admitted(self, &admission);
                if let Err(entry) = self.resides(&admission, &asked, visited) {
                    let id = entry.and_then(|entry| self.residency_id(entry));
                    if !onboarding {
                        return pending.deny(Reason::Residency, id);
                    }
                    pending.suspend(Reason::Residency, id);
                }
            }
            Err(refused) => {
                let reason = match refused {
                    Unadmitted::Expired(_) => Reason::RuleExpired,
                    Unadmitted::Form => Reason::RequestAmbiguous,
                    Unadmitted::NoRule if canonical.identity.is_none() => Reason::IdentityMissing,
                    Unadmitted::NoRule => Reason::NoMatch,
                };
                let rule = match refused {
                    Unadmitted::Expired(rule) => self.rule_id(rule),
                    _ => None,
                };
                if !onboarding {
                    return pending.deny(reason, rule);
                }
                pending.suspend(reason, rule);
            }
        }
        self.list_quotas(&asked, onboarding, &mut visited.quotas, applicable);
        pending.let_through(applicable)
    }

    /// The rule of this identity that came nearest to admitting a refused request.
    pub fn nearest<'s>(&'s self, arrival: &Arrival<'_>, now: Timestamp, scratch: &mut Scratch) -> Option<Near<'s>> {
        let Scratch { buffers, lookups: Lookups { groups, hosts, visited, .. } } = scratch;
        let canonical = self.read(arrival, buffers).ok()?;
        let question = self.ask(&canonical, now, groups, hosts);
        let mut explain = Explain::new(&question);
        self.rules.search(groups, hosts.narrow(), question.narrow_path(), &mut visited.rules, &mut explain);
        let (rule, failed) =
            explain.nearest().or_else(|| self.rules.first_of(groups).map(|target| (target.entry, Failed::Host)))?;
        Some(Near { rule: self.rule_id(rule)?, failed })
    }

    /// What the index knows of a request, and what is asked of its targets.
    pub(super) fn ask<'s>(
        &self,
        canonical: &Canonical<'s>,
        now: Timestamp,
        groups: &mut Vec<u32>,
        hosts: &mut Resolved,
    ) -> Question<'s> {
        self.identities.resolve(canonical.identity.as_ref(), self.own_domain(), groups);
        self.hosts.resolve(canonical.host, hosts);
        canonical.question(now)
    }

    fn own_domain(&self) -> &str {
        self.settings.trust_domains.first().map_or("", |domain| domain)
    }

    /// The first half of [`Policy::decide`]: canonical values, or what is answered without them (step 1). Public for
    /// benchmarks only.
    #[doc(hidden)]
    #[cfg_attr(
        target_pointer_width = "64",
        expect(clippy::result_large_err, reason = "both are values of one decision, moved once")
    )]
    pub fn read<'s>(
        &'s self,
        arrival: &Arrival<'s>,
        buffers: &'s mut Buffers,
    ) -> Result<Canonical<'s>, Evaluation<'s>> {
        let Buffers { authority: buffer, path, wide_path, slashed_path, wide_slashed_path } = buffers;
        let dry_run = self.settings.mode == Mode::DryRun;
        let presented = self.presented(arrival);
        let mut pending = PendingDecision::new();
        let Some(authority) = Authority::parse(arrival.authority, buffer) else {
            return Err(pending.deny(Reason::HostInvalid, None));
        };
        let mut port = match authority.port {
            Some(port) => port,
            // RFC 9110 §9.3.6: the target of CONNECT names its port
            None if Method::new(arrival.method).is_connect() => return Err(pending.deny(Reason::HostInvalid, None)),
            None => self.settings.default_port,
        };
        pending.evaluation.host = Some(authority.host);
        pending.evaluation.port = Some(port);

        let mut identity = presented.and_then(|presented| Identity::parse(presented.id));
        if identity.is_some() {
            pending.evaluation.identity = presented;
        }
        let reason = match identity {
            None if presented.is_some() => Some(Reason::IdentityInvalid),
            Some(known) if !self.trusts(&known) => Some(Reason::IdentityUntrusted),
            _ => None,
        };
        if let Some(reason) = reason {
            if !dry_run {
                return Err(pending.deny(reason, None));
            }
            pending.suspend(reason, None);
            identity = None;
        }
        pending.evaluation.trusted = identity;

        match self.routed_port(presented, &authority, arrival.cluster) {
            Some(routed) => port = routed.unwrap_or(port),
            None if dry_run => pending.suspend(Reason::RouteMismatch, None),
            None => return Err(pending.deny(Reason::RouteMismatch, None)),
        }
        pending.evaluation.port = Some(port);
        let path = arrival.path.map(|bytes| self.path(bytes, path, wide_path));
        let slashed = path.filter(|path| path.form == Form::EncodedSlash && !path.wide.is_empty());
        Ok(Canonical {
            identity,
            host: authority.host,
            port,
            method: Method::new(arrival.method),
            upgrade: arrival.upgrade,
            overridden: arrival.overridden,
            path,
            slashed: slashed.map(|path| path.slashed(slashed_path, wide_slashed_path)),
            suspended: pending.reasons(),
            shown: pending.evaluation.identity,
        })
    }

    /// The port of the route, where it counts; `None` where the route leads elsewhere than the authority says.
    fn routed_port(
        &self,
        presented: Option<Presented<'_>>,
        authority: &Authority<'_>,
        cluster: Option<&[u8]>,
    ) -> Option<Option<u16>> {
        // Who presents nothing where identities come from the tunnel came through it, too.
        let by_principal = match presented {
            Some(presented) => presented.source == Source::PeerPrincipal,
            None => self.settings.reads_principals(),
        };
        let unless_said = if by_principal { VerifyRoute::Full } else { VerifyRoute::Off };
        let compared = self.settings.verify_route.unwrap_or(unless_said);
        let Some(cluster) = cluster.filter(|name| !name.is_empty() && compared != VerifyRoute::Off) else {
            // no cluster: nothing leads out
            return Some(None);
        };
        let ports = compared == VerifyRoute::Full;
        match Routed::of(cluster) {
            Routed::To(route) => {
                let agrees =
                    route.agrees(&authority.host, authority.port, Comparison { ports, wildcards: by_principal });
                agrees.then_some(Some(route.port).filter(|_| ports))
            }
            Routed::ByAuthority => Some(None),
            Routed::Elsewhere => None,
        }
    }

    /// The identity, if it comes from a source that the policy reads; an empty one counts as none.
    fn presented<'s>(&self, arrival: &Arrival<'s>) -> Option<Presented<'s>> {
        arrival.identity.filter(|identity| !identity.id.is_empty() && self.settings.sources.contains(&identity.source))
    }

    fn trusts(&self, identity: &Identity<'_>) -> bool {
        self.settings.trust_domains.iter().any(|trusted| trusted == identity.trust_domain())
    }

    /// The path, and its wide reading if anything asks for that.
    fn path<'s>(&self, bytes: &'s [u8], buffer: &'s mut Vec<u8>, wide: &'s mut Vec<u8>) -> QuestionPath<'s> {
        let Path { form, text } = Path::parse(bytes, buffer);
        wide.clear();
        let asks_widely = [&self.deny, &self.deny_dry_run, &self.quotas].into_iter().any(Section::has_paths);
        if asks_widely && form != Form::Ambiguous {
            widen(text, wide);
        }
        QuestionPath { form, narrow: text, wide, is_long: text.len() > LONGEST_FOR_COSTLY }
    }

    /// Step 2: the first enforced deny entry that matches.
    fn refuse(&self, asked: &Asked<'_>, visited: &mut SectionMarks) -> Option<Refusal> {
        if self.deny.is_empty() {
            return None;
        }
        let SectionMarks { deny, except, .. } = visited;
        let is_exempt = |entry| self.is_exempt(entry, asked, except);
        let mut search = Refuse { question: asked.question, is_exempt, first: None };
        for question in asked.widely() {
            search.question = question;
            self.deny.search(asked.groups, asked.wide, question.wide_path(), deny, &mut search);
        }
        search.first
    }

    /// The first deny entries in dry-run that match: as many as a record can name.
    fn stage(&self, asked: &Asked<'_>, visited: &mut SectionMarks, staged: &mut Vec<Refusal>) {
        staged.clear();
        if self.deny_dry_run.is_empty() {
            return;
        }
        let SectionMarks { deny, except, .. } = visited;
        let is_exempt = |entry| self.is_exempt(entry, asked, except);
        let mut search = Stage { question: asked.question, is_exempt, found: staged };
        for question in asked.widely() {
            search.question = question;
            self.deny_dry_run.search(asked.groups, asked.wide, question.wide_path(), deny, &mut search);
        }
    }

    /// Tells whether a deny entry leaves the request out.
    fn is_exempt(&self, entry: u32, asked: &Asked<'_>, visited: &mut VisitedSets) -> bool {
        self.exemption(entry).is_some_and(|(number, exemption)| {
            if exemption.not_from.contains_any(asked.groups, &self.workloads) {
                return true;
            }
            let mut search = Except { question: asked.question, found: false };
            self.except.search(&[number], asked.narrow, asked.question.narrow_path(), visited, &mut search);
            search.found
        })
    }

    /// Step 3: the most specific rule that admits, or why there is none.
    fn admit(&self, asked: &Asked<'_>, visited: &mut SectionMarks) -> Result<Admission, Unadmitted> {
        let path = asked.question.narrow_path();
        let mut admit = Admit { question: asked.question, best: None };
        self.rules.search(asked.groups, asked.narrow, path, &mut visited.rules, &mut admit);
        if let Some(admission) = admit.best {
            return Ok(admission);
        }
        let mut explain = Explain::new(asked.question);
        self.rules.search(asked.groups, asked.narrow, path, &mut visited.rules, &mut explain);
        Err(match (explain.expired, explain.form) {
            (Some(expired), _) => Unadmitted::Expired(expired.rule),
            (None, true) => Unadmitted::Form,
            (None, false) => Unadmitted::NoRule,
        })
    }

    /// Step 4: whether some admitting target is in a region that all residency entries of the identity list; if not,
    /// the entry that says so.
    fn resides(&self, admission: &Admission, asked: &Asked<'_>, visited: &mut SectionMarks) -> Result<(), Option<u32>> {
        if self.residency.is_empty() || self.residency.allows(asked.groups, admission.region) {
            return Ok(());
        }
        let mut places = Places {
            question: asked.question,
            residency: &self.residency,
            groups: asked.groups,
            allowed: false,
            regions: Regions::default(),
        };
        let path = asked.question.narrow_path();
        self.rules.search(asked.groups, asked.narrow, path, &mut visited.rules, &mut places);
        if places.allowed {
            return Ok(());
        }
        let entries = self.residency.entries_of(asked.groups);
        let unsatisfied = |entry: &&u32| {
            let listed = self.residency.entries.get(**entry as usize);
            listed.is_some_and(|(_, listed)| !listed.intersects(&places.regions))
        };
        Err(entries.iter().find(unsatisfied).or(entries.first()).copied())
    }
}

/// What step 1 yields.
#[doc(hidden)]
#[derive(Debug)]
pub struct Canonical<'s> {
    identity: Option<Identity<'s>>,
    host: Host<'s>,
    port: u16,
    method: Method<'s>,
    upgrade: Upgrade<'s>,
    overridden: bool,
    path: Option<QuestionPath<'s>>,
    /// The same with `%2F` read as a separator.
    slashed: Option<QuestionPath<'s>>,
    /// What of the first step a dry-run suspended.
    suspended: [Option<Reason>; 2],
    /// The SPIFFE ID, whether trusted or not.
    shown: Option<Presented<'s>>,
}

impl<'s> Canonical<'s> {
    /// The decision as far as the first step has brought it.
    fn pending(&self) -> PendingDecision<'s> {
        let mut pending = PendingDecision::new();
        let Canonical { identity, host, port, shown, .. } = *self;
        (pending.evaluation.identity, pending.evaluation.trusted) = (shown, identity);
        (pending.evaluation.host, pending.evaluation.port) = (Some(host), Some(port));
        for reason in self.suspended.into_iter().flatten() {
            pending.suspend(reason, None);
        }
        pending
    }

    fn question(&self, now: Timestamp) -> Question<'s> {
        let Canonical { port, method, upgrade, overridden, path, .. } = *self;
        Question { port, method, upgrade, overridden, path, now }
    }

    /// The question that closing targets are asked besides, where `%2F` is data to some of them: it may separate
    /// segments all the same.
    fn slashed_question(&self, now: Timestamp) -> Option<Question<'s>> {
        self.slashed.map(|path| Question { path: Some(path), ..self.question(now) })
    }
}

/// Why no rule admits.
enum Unadmitted {
    /// Only the expiry of this rule stood in the way.
    Expired(u32),
    /// Only the request's form did.
    Form,
    NoRule,
}

impl Refusal {
    fn reason(self) -> Reason {
        match self.how {
            DenyMatch::Certain => Reason::DenyRule,
            DenyMatch::Ambiguous => Reason::RequestAmbiguous,
        }
    }
}

/// A decision in the making.
#[derive(Debug)]
struct PendingDecision<'s> {
    /// What dry-run suspended first: it will be named.
    suspended: Option<Further<'s>>,
    evaluation: Evaluation<'s>,
}

impl<'s> PendingDecision<'s> {
    fn new() -> PendingDecision<'s> {
        PendingDecision { suspended: None, evaluation: Evaluation::refused(Reason::NoMatch) }
    }

    /// What was suspended in the first step: who asks, and where the route leads.
    fn reasons(&self) -> [Option<Reason>; 2] {
        [self.suspended, self.evaluation.decision.also.iter().next()]
            .map(|further| further.map(|further| further.reason))
    }

    fn suspend(&mut self, reason: Reason, rule: Option<&'s str>) {
        let further = Further { reason, rule };
        match self.suspended {
            None => self.suspended = Some(further),
            Some(_) => self.evaluation.decision.also.push(further),
        }
    }

    fn admitted(&mut self, policy: &'s Policy, admission: &Admission) {
        let decision = &mut self.evaluation.decision;
        decision.reason = Reason::RuleAllow;
        decision.rule = policy.rule_id(admission.rule);
        decision.destination = Some(admission.destination)
            .filter(|destination| *destination != NONE)
            .and_then(|destination| policy.destination_name(destination));
        decision.pattern = admission.pattern.and_then(|address| policy.rules.pattern_text(address));
    }

    fn deny(mut self, reason: Reason, rule: Option<&'s str>) -> Evaluation<'s> {
        let decision = &mut self.evaluation.decision;
        (decision.outcome, decision.reason, decision.rule, decision.pattern) = (Outcome::Deny, reason, rule, None);
        decision.also = Also::NONE;
        self.evaluation
    }

    fn let_through(mut self, quotas: &'s [ApplicableQuota]) -> Evaluation<'s> {
        self.evaluation.quotas = quotas;
        let decision = &mut self.evaluation.decision;
        match self.suspended {
            None => decision.outcome = Outcome::Allow,
            Some(Further { reason, rule }) => {
                (decision.outcome, decision.reason, decision.rule) = (Outcome::WouldDeny, reason, rule);
            }
        }
        self.evaluation
    }
}
