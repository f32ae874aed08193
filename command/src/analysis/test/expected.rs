//! Expectation of a test, and the actual decision.

use crate::analysis::further::FurtherShown;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::collections::BTreeMap;
use std::fmt;
use tollgate::decision::{Charged, Evaluation, Outcome, Reason};
use tollgate::policy::nearest;

/// A word of the language.
type Word = &'static str;

/// Expected decision. Keys that are not given are not compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    #[serde(deserialize_with = "decision")]
    decision: Word,
    #[serde(default, deserialize_with = "reason")]
    reason: Option<Word>,
    rule: Option<String>,
    also: Option<Vec<Further>>,
    /// Amount used of each quota that was consulted, by id.
    used: Option<BTreeMap<String, u64>>,
}

/// A further reason that is expected.
#[derive(Debug)]
struct Further {
    r: Word,
    /// The entry that gave it; not compared where only the reason was written.
    rule: Option<Option<String>>,
}

/// As it is written: the reason alone, or as records have it.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum WrittenExpectation {
    Reason(String),
    Whole { r: String, rule: Option<String> },
}

impl Further {
    fn is(&self, shown: &FurtherShown) -> bool {
        self.r == shown.r && self.rule.as_ref().is_none_or(|rule| *rule == shown.rule)
    }
}

impl fmt::Display for Further {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FurtherShown { r: self.r, rule: self.rule.clone().flatten() }.fmt(f)
    }
}

/// Actual decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Actual {
    decision: Word,
    reason: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<FurtherShown>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    used: BTreeMap<String, u64>,
}

impl Actual {
    pub(crate) fn of(judged: &Evaluation<'_>, charged: &Charged<'_>) -> Actual {
        let decision = &judged.decision;
        let used = charged.outcomes.iter().map(|note| (note.quota.id.to_string(), note.charge.level.used));
        Actual {
            decision: decision.outcome.as_str(),
            reason: decision.reason.as_str(),
            rule: decision.rule.map(str::to_owned),
            also: FurtherShown::all(&decision.also),
            used: used.collect(),
        }
    }

    /// The ids of the entry that decided and of the quotas that were asked.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.rule.as_deref().into_iter().chain(self.used.keys().map(String::as_str))
    }
}

impl Expected {
    pub(crate) fn is(&self, actual: &Actual) -> bool {
        self.decision == actual.decision
            && self.reason.is_none_or(|reason| reason == actual.reason)
            && self.rule.as_deref().is_none_or(|rule| actual.rule.as_deref() == Some(rule))
            && self.also.as_ref().is_none_or(|also| {
                also.len() == actual.also.len()
                    && also.iter().zip(&actual.also).all(|(further, shown)| further.is(shown))
            })
            && self.used.as_ref().is_none_or(|used| *used == actual.used)
    }
}

/// The words of a decision, as far as there are any: `deny NO_MATCH`, `allow RULE_ALLOW by r, used {q: 2}`.
fn words(
    f: &mut fmt::Formatter<'_>,
    [decision, reason, rule]: [Option<&str>; 3],
    also: Option<&[impl ToString]>,
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
        let also: Vec<_> = also.iter().map(ToString::to_string).collect();
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

impl<'de> Deserialize<'de> for Further {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Further, D::Error> {
        let (reason, rule) = match WrittenExpectation::deserialize(deserializer)? {
            WrittenExpectation::Reason(reason) => (reason, None),
            WrittenExpectation::Whole { r, rule } => (r, Some(rule)),
        };
        Ok(Further { r: word::<D::Error>(&reason, "reason", &Reason::ALL.map(Reason::as_str))?, rule })
    }
}

/// One of the words that there are.
fn word<E: de::Error>(text: &str, what: &str, known: &[Word]) -> Result<Word, E> {
    known.iter().find(|known| **known == text).copied().ok_or_else(|| match nearest(text, known) {
        Some(near) => E::custom(format!("`{text}` is no {what}; did you mean `{near}`?")),
        None => E::custom(format!("`{text}` is no {what}: they are {}", known.join(", "))),
    })
}
