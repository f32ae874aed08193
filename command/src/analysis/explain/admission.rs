//! Ways to admit a request that no rule admits, and how much else each of them admits.

use super::change::Change;
use super::edit::{Edit, Into};
use super::explainer::Explainer;
use super::wanted::Wanted;
use crate::analysis::atoms::{Alone, Layer, admitted_anew};
use crate::analysis::who;
use crate::read::clock;
use crate::read::document::Document;
use serde_json::{Value, json};
use tollgate::decision::{Authorizer, Reason, Timestamp};
use tollgate::policy::{Policy, Settings};
use tollgate::request::{Arrival, Identity};

/// Rules that are tried.
const RULES: usize = 60;
/// Targets of a rule that are tried.
const TARGETS: usize = 40;
/// Edits that are measured.
const MOST: usize = 60;

/// A request, and what is known of it.
pub(crate) struct Admissions<'a> {
    pub(crate) explainer: &'a Explainer<'a>,
    pub(crate) settings: &'a Settings,
    pub(crate) wanted: &'a Wanted<'a>,
    pub(crate) identity: Option<&'a Identity<'a>>,
    /// Canonical, its identity from a certificate.
    pub(crate) arrival: &'a Arrival<'a>,
    pub(crate) at: Timestamp,
}

/// An edit that admits the request, and the part of the changed rule that does.
struct Tried {
    edit: Edit,
    alone: Alone,
}

impl Admissions<'_> {
    /// Edits of rules that admit the request. The edit that admits least besides comes first; of those that admit as
    /// much, one on the nearest rule, and there one of the part that failed first.
    ///
    /// More words in targets and in `from` of rules are tried first. One more target in a rule of the identity is tried
    /// if none of them admits the request.
    pub(crate) fn least(&self) -> Vec<Edit> {
        let near = Authorizer::new(self.explainer.policy).nearest(self.arrival, self.at, &mut Default::default());
        let nearest = near.and_then(|near| self.explainer.document.rules.iter().position(|rule| rule.id == near.rule));
        let rules = self.explainer.document.rules.len();
        let all = || nearest.into_iter().chain((0..rules).filter(|number| Some(*number) != nearest));
        let (own, others): (Vec<usize>, Vec<usize>) = all()
            .filter(|number| self.is_own(*number) || self.may_fit(*number))
            .partition(|number| self.is_own(*number));
        let mut tried: Vec<Tried> = Vec::new();
        for number in own.iter().take(RULES) {
            tried.extend(self.words(*number));
        }
        tried.extend(others.iter().take(RULES).filter_map(|number| self.caller(*number)));
        if tried.is_empty() {
            tried.extend(own.iter().take(RULES).filter_map(|number| self.target(*number)));
        }
        tried.truncate(MOST);
        let failed = near.map(|near| near.failed.as_str());
        let (edits, alone): (Vec<Edit>, Vec<Alone>) = tried.into_iter().map(|tried| (tried.edit, tried.alone)).unzip();
        let counts = match edits.len() {
            0 | 1 => vec![0; edits.len()],
            _ => admitted_anew(
                self.layers(),
                self.explainer.policy,
                self.explainer.document,
                &alone,
                clock::seconds(self.at),
            ),
        };
        let mut ranked: Vec<_> = counts.into_iter().zip(edits).collect();
        ranked.sort_by_key(|(count, edit)| (*count, edit.rule() != nearest, edit.failed() != failed));
        ranked.into_iter().map(|(_, edit)| edit).collect()
    }

    /// The layers by which edits admit something besides. What is said of requests says nothing of connections to whoever has none.
    fn layers(&self) -> &'static [Layer] {
        if self.arrival.connection.is_some() { &[Layer::Http, Layer::Tcp] } else { &[Layer::Http] }
    }

    fn is_own(&self, number: usize) -> bool {
        let document = self.explainer.document;
        let rule = document.rules.get(number);
        rule.is_some_and(|rule| who::any_selects(document, self.settings, &rule.from, self.identity))
    }

    /// A word more in some target of a rule.
    fn words(&self, number: usize) -> Vec<Tried> {
        let targets = self.explainer.document.rules.get(number).map(|rule| rule.to.as_slice()).unwrap_or_default();
        let mut tried = Vec::new();
        for (item, target) in targets.iter().enumerate().take(TARGETS) {
            let mut word = |key, change| {
                let way = [Into::Key("rules"), Into::Item(number), Into::Key("to"), Into::Item(item), Into::Key(key)];
                tried.extend(self.tried(number, Edit { way: way.to_vec(), change }, |rule| {
                    let target = rule.get("to")?.get(item)?.clone();
                    rule.as_object_mut()?.insert("to".to_owned(), json!([target]));
                    Some(())
                }));
            };
            for (key, change) in self.wanted.changes_of(target) {
                word(key, change);
            }
        }
        tried
    }

    /// The caller more in a rule.
    fn caller(&self, number: usize) -> Option<Tried> {
        let way = vec![Into::Key("rules"), Into::Item(number), Into::Key("from")];
        let selector = self.wanted.selector.clone();
        let edit = Edit { way, change: Change::Add(vec![selector.clone()]) };
        self.tried(number, edit, |rule| {
            rule.as_object_mut()?.insert("from".to_owned(), json!([selector]));
            Some(())
        })
    }

    /// A target more in a rule.
    fn target(&self, number: usize) -> Option<Tried> {
        let way = vec![Into::Key("rules"), Into::Item(number), Into::Key("to")];
        let target = self.wanted.target();
        let edit = Edit { way, change: Change::Add(vec![target.clone()]) };
        self.tried(number, edit, |rule| {
            rule.as_object_mut()?.insert("to".to_owned(), json!([target]));
            Some(())
        })
    }

    /// Tries an edit; `narrow` leaves of the changed rule what the edit is about.
    fn tried(&self, number: usize, edit: Edit, narrow: impl FnOnce(&mut Value) -> Option<()>) -> Option<Tried> {
        let excerpts = self.explainer.excerpts;
        let mut policy = json!({"rules": [excerpts.rule(number)?]});
        let mut of_first = edit.clone();
        if let Some(Into::Item(item)) = of_first.way.get_mut(1) {
            *item = 0;
        }
        of_first.apply(&mut policy).then_some(())?;
        let mut rule = policy.get("rules")?.get(0)?.clone();
        narrow(&mut rule)?;
        let text = excerpts.json("rules", &[&rule])?;
        let policy = Policy::load(text.as_bytes()).ok()?;
        let reason = Authorizer::new(&policy).decide(self.arrival, self.at, &mut Default::default()).decision.reason;
        (reason == Reason::RuleAllow).then_some(())?;
        Some(Tried { edit, alone: Alone { policy, document: Document::read(&text)? } })
    }

    /// Tells whether some place of a rule looks as if it held the wanted one.
    fn may_fit(&self, number: usize) -> bool {
        let document = self.explainer.document;
        let targets = document.rules.get(number).map(|rule| rule.to.as_slice()).unwrap_or_default();
        targets.iter().any(|target| {
            let place = document.place(target);
            match self.wanted.name {
                None => !place.cidrs.is_empty(),
                Some(host) => place.hosts.iter().any(|pattern| match pattern.trim_start_matches('*') {
                    "" => true,
                    // a name with `*` inside is tried as it is
                    suffix if suffix.contains('*') => true,
                    suffix => host.ends_with(&suffix.trim_end_matches('.').to_ascii_lowercase()),
                }),
            }
        })
    }
}
