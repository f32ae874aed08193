//! Policies made of a few entries of another: what one entry alone says of a request is found by asking the same code
//! that decides in Envoy.

use crate::read::document::Document;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tollgate::policy::{Policy, unpack};

/// The entries of a policy as they stand in its text, unread.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Texts<'t> {
    #[serde(borrow)]
    deny: Vec<&'t RawValue>,
    #[serde(borrow)]
    rules: Vec<&'t RawValue>,
    #[serde(borrow)]
    destinations: BTreeMap<Cow<'t, str>, &'t RawValue>,
    #[serde(borrow)]
    workloads: BTreeMap<Cow<'t, str>, &'t RawValue>,
    #[serde(borrow)]
    identity: Option<&'t RawValue>,
    #[serde(borrow)]
    authority: Option<&'t RawValue>,
}

/// The text of a policy, of which pieces can be taken.
#[derive(Debug)]
pub(crate) struct Text<'t> {
    whole: Cow<'t, str>,
}

/// A policy's text cut into its entries, from which smaller policies are made.
#[derive(Debug)]
pub(crate) struct Excerpts<'t> {
    texts: Texts<'t>,
}

impl<'t> Text<'t> {
    /// Text of a policy that the checker found valid; `json` may be packed.
    pub(crate) fn of(json: &'t str, document: &Document) -> Text<'t> {
        let unpacked = document.packed.as_ref().and_then(|packed| String::from_utf8(unpack(packed).ok()?).ok());
        Text { whole: unpacked.map_or(Cow::Borrowed(json), Cow::Owned) }
    }

    /// Finds its pieces; none if it is no policy.
    pub(crate) fn excerpts(&self) -> Option<Excerpts<'_>> {
        serde_json::from_str(&self.whole).ok().map(|texts| Excerpts { texts })
    }
}

impl Excerpts<'_> {
    /// A rule as JSON.
    pub(crate) fn rule(&self, number: usize) -> Option<Value> {
        serde_json::from_str(self.texts.rules.get(number)?.get()).ok()
    }

    /// A deny entry as JSON.
    pub(crate) fn deny(&self, number: usize) -> Option<Value> {
        serde_json::from_str(self.texts.deny.get(number)?.get()).ok()
    }

    /// A policy with one list of entries, the names that these use, and the settings that decide how they are read.
    pub(crate) fn policy(&self, list: &str, entries: &[&Value]) -> Option<Policy> {
        Policy::load(self.json(list, entries)?.as_bytes()).ok()
    }

    /// The text of such a policy.
    pub(crate) fn json(&self, list: &str, entries: &[&Value]) -> Option<String> {
        let mut policy = Map::new();
        policy.insert("version".to_owned(), json!(1));
        policy.insert("name".to_owned(), json!("excerpt"));
        // identities of an excerpt come from certificates, whatever the policy's sources
        for (key, text, part) in
            [("identity", self.texts.identity, "trustDomains"), ("authority", self.texts.authority, "defaultPort")]
        {
            let settings: Map<String, Value> = match text {
                Some(text) => serde_json::from_str(text.get()).ok()?,
                None => Map::new(),
            };
            policy.insert(key.to_owned(), settings.into_iter().filter(|(key, _)| key == part).collect());
        }
        for (key, map, word) in [
            ("destinations", &self.texts.destinations, "destination"),
            ("workloads", &self.texts.workloads, "workloads"),
        ] {
            let mut named = Map::new();
            for name in entries.iter().flat_map(|entry| named_in(entry, word)) {
                if let Some(text) = map.get(name) {
                    named.insert(name.to_owned(), serde_json::from_str(text.get()).ok()?);
                }
            }
            policy.insert(key.to_owned(), named.into());
        }
        policy.insert(list.to_owned(), entries.iter().map(|entry| (*entry).clone()).collect());
        Some(Value::Object(policy).to_string())
    }
}

/// Names given under `key` by the elements of an entry's lists.
fn named_in<'e>(entry: &'e Value, key: &'e str) -> impl Iterator<Item = &'e str> {
    let lists = entry.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_array);
    lists.flatten().filter_map(move |element| element.get(key)?.as_str())
}
