//! What a test expects, and what came of it.

use crate::decision::{Charged, Judged, Outcome, Reason};
use crate::policy::nearest;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::collections::BTreeMap;
use std::fmt;

/// A word of the language.
type Word = &'static str;

/// What is to be decided. What is not given is not compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    #[serde(deserialize_with = "decision")]
    decision: Word,
    #[serde(default, deserialize_with = "reason")]
    reason: Option<Word>,
    rule: Option<String>,
    #[serde(default, deserialize_with = "reasons")]
    also: Option<Vec<Word>>,
    /// How much is used of each quota that was consulted, by id.
    used: Option<BTreeMap<String, u64>>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Actual {
    decision: Word,
    reason: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<Word>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    used: BTreeMap<String, u64>,
}

impl Actual {
    pub(super) fn of(judged: &Judged<'_>, charged: &Charged<'_>) -> Actual {
        let decision = &judged.decision;
        let used = charged.notes.iter().map(|note| (note.quota.id.to_string(), note.consulted.level.used));
        Actual {
            decision: decision.outcome.as_str(),
            reason: decision.reason.as_str(),
            rule: decision.rule.map(str::to_owned),
            also: decision.also.iter().map(Reason::as_str).collect(),
            used: used.collect(),
        }
    }

    /// The ids of the entry that decided and of the quotas that were asked.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.rule.as_deref().into_iter().chain(self.used.keys().map(String::as_str))
    }
}

impl Expected {
    pub(super) fn is(&self, actual: &Actual) -> bool {
        self.decision == actual.decision
            && self.reason.is_none_or(|reason| reason == actual.reason)
            && self.rule.as_deref().is_none_or(|rule| actual.rule.as_deref() == Some(rule))
            && self.also.as_ref().is_none_or(|also| *also == actual.also)
            && self.used.as_ref().is_none_or(|used| *used == actual.used)
    }
}

/// The words of a decision, as far as there are any: `deny NO_MATCH`, `allow RULE_ALLOW by r, used {q: 2}`.
fn words(
    f: &mut fmt::Formatter<'_>,
    [decision, reason, rule]: [Option<&str>; 3],
    also: Option<&[&str]>,
    used: Option<&BTreeMap<String, u64>>,
) -> fmt::Result {
    f.write_str(decision.unwrap_or_default())?;
    if let Some(reason) = reason {
        write!(f, " {reason}")?;
    }
    if let Some(rule) = rule {
        write!(f, " by {rule}")?;
    }
    if let Some(also) = also {
        write!(f, ", also [{}]", also.join(", "))?;
    }
    if let Some(used) = used {
        let used: Vec<_> = used.iter().map(|(id, used)| format!("{id}: {used}")).collect();
        write!(f, ", used {{{}}}", used.join(", "))?;
    }
    Ok(())
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [Some(self.decision), self.reason, self.rule.as_deref()];
        words(f, parts, self.also.as_deref(), self.used.as_ref())
    }
}

impl fmt::Display for Actual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [Some(self.decision), Some(self.reason), self.rule.as_deref()];
        let also = Some(self.also.as_slice()).filter(|also| !also.is_empty());
        words(f, parts, also, Some(&self.used).filter(|used| !used.is_empty()))
    }
}

fn decision<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    let known = [Outcome::Allow, Outcome::Deny, Outcome::WouldDeny].map(Outcome::as_str);
    word(&String::deserialize(deserializer)?, "decision", &known)
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Word>, D::Error> {
    word(&String::deserialize(deserializer)?, "reason", &Reason::ALL.map(Reason::as_str)).map(Some)
}

fn reasons<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Word>>, D::Error> {
    let listed = Vec::<String>::deserialize(deserializer)?;
    listed.iter().map(|text| word(text, "reason", &Reason::ALL.map(Reason::as_str))).collect::<Result<_, _>>().map(Some)
}

/// One of the words that there are.
fn word<E: de::Error>(text: &str, what: &str, known: &[Word]) -> Result<Word, E> {
    known.iter().find(|known| **known == text).copied().ok_or_else(|| match nearest(text, known) {
        Some(near) => E::custom(format!("`{text}` is no {what}; did you mean `{near}`?")),
        None => E::custom(format!("`{text}` is no {what}: they are {}", known.join(", "))),
    })
}
