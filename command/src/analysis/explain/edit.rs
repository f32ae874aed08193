//! Changes of a policy, small enough to be said in a line.

use super::change::Change;
use super::target_words::part_of;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use tollgate::policy::Step;

/// A step into a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Into {
    Key(&'static str),
    Item(usize),
}

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// Way to the changed value, from the root of the policy.
    pub(crate) way: Vec<Into>,
    pub(crate) change: Change,
}

impl Edit {
    /// Makes the change; false if there is nothing to make it on.
    pub(crate) fn apply(&self, policy: &mut Value) -> bool {
        let Some((last, way)) = self.way.split_last() else { return false };
        let mut at = policy;
        for step in way {
            let next = match step {
                Into::Key(key) => at.get_mut(*key),
                Into::Item(item) => at.get_mut(*item),
            };
            match next {
                Some(next) => at = next,
                None => return false,
            }
        }
        let (Into::Key(key), Some(map)) = (last, at.as_object_mut()) else { return false };
        self.apply_to(map, key)
    }

    fn apply_to(&self, map: &mut Map<String, Value>, key: &str) -> bool {
        match &self.change {
            Change::Add(values) => {
                let list = map.entry(key).or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut().map(|list| list.extend(values.iter().cloned())).is_some()
            }
            Change::Set(value) => {
                map.insert(key.to_owned(), value.clone());
                true
            }
            Change::Remove => map.remove(key).is_some(),
        }
    }

    /// The number of the rule that is changed, if one is.
    pub(crate) fn rule(&self) -> Option<usize> {
        match self.way.as_slice() {
            [Into::Key("rules"), Into::Item(number), ..] => Some(*number),
            _ => None,
        }
    }

    /// The part of the rule that would no longer fail. None if the edit adds a target or a rule.
    pub(crate) fn failed(&self) -> Option<&'static str> {
        self.rule()?;
        match self.way.last()? {
            Into::Key("from") => Some("identity"),
            Into::Key("expiresAt") => Some("expired"),
            Into::Key(key) => part_of(key),
            Into::Item(_) => None,
        }
    }

    /// Tells whether the edit says what `%2F` is.
    pub(crate) fn is_encoded_slash(&self) -> bool {
        self.way.last() == Some(&Into::Key("encodedSlash"))
    }

    /// The only word that it adds to the list of this key.
    pub(crate) fn added(&self, key: &'static str) -> Option<&str> {
        match &self.change {
            Change::Add(values) if self.way.last() == Some(&Into::Key(key)) => values.first()?.as_str(),
            _ => None,
        }
    }

    /// Pointer to the changed value, as findings point.
    pub(crate) fn pointer(&self) -> String {
        pointer(&self.way)
    }
}

fn pointer(way: &[Into]) -> String {
    let mut pointer = String::new();
    for step in way {
        match step {
            Into::Item(item) => Step::Item(*item).write(&mut pointer),
            Into::Key(key) => Step::Key(Cow::Borrowed(*key)).write(&mut pointer),
        }
    }
    pointer
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.pointer();
        match &self.change {
            Change::Add(values) => {
                let values: Vec<_> = values.iter().map(flow).collect();
                write!(f, "add {} to `{at}`", values.join(", "))
            }
            Change::Set(Value::String(word)) => match self.way.split_last() {
                Some((Into::Key(key), way)) => write!(f, "set `{key}: {word}` on `{}`", pointer(way)),
                _ => write!(f, "set `{at}` to {word}"),
            },
            Change::Set(value) => write!(f, "set `{at}` to {}", flow(value)),
            Change::Remove => write!(f, "remove `{at}`"),
        }
    }
}

impl Serialize for Edit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = Map::new();
        map.insert("pointer".to_owned(), self.pointer().into());
        match &self.change {
            Change::Add(values) => map.insert("add".to_owned(), values.clone().into()),
            Change::Set(value) => map.insert("set".to_owned(), value.clone()),
            Change::Remove => map.insert("remove".to_owned(), true.into()),
        };
        map.serialize(serializer)
    }
}

/// A value as YAML on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain =
                text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'/' | b'_'))
                    && text.bytes().any(|byte| byte.is_ascii_alphabetic());
            if plain { text.clone() } else { Value::String(text.clone()).to_string() }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{key}: {}", flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_edit_says_what_it_does() {
        let mut policy = json!({"rules": [{"to": [{"hosts": ["a.example"]}]}]});
        let way = |key| vec![Into::Key("rules"), Into::Item(0), Into::Key("to"), Into::Item(0), Into::Key(key)];
        let add = Edit { way: way("hosts"), change: Change::Add(vec![json!("*.b.example")]) };
        assert_eq!(add.to_string(), "add \"*.b.example\" to `rules[0].to[0].hosts`");
        assert!(add.apply(&mut policy));
        let set = Edit { way: way("ports"), change: Change::Set(json!([80, 443, 8443])) };
        assert_eq!(set.to_string(), "set `rules[0].to[0].ports` to [80, 443, 8443]");
        assert!(set.apply(&mut policy));
        assert_eq!(
            policy,
            json!({"rules": [{"to": [{"hosts": ["a.example", "*.b.example"], "ports": [80, 443, 8443]}]}]})
        );
        let remove = Edit { way: way("ports"), change: Change::Remove };
        assert!(remove.apply(&mut policy) && !remove.apply(&mut policy));
        let nowhere = Edit { way: vec![Into::Key("deny"), Into::Item(7), Into::Key("except")], change: Change::Remove };
        assert!(!nowhere.apply(&mut policy));
    }
}
