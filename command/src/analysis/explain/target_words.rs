//! Keys of targets as explanations speak of them: the part of a request that each is about, and the words that a target would need
//! to take a request.

use super::change::Change;
use super::wanted::{Asked, Wanted, WantedHello};
use crate::read::document::{Ports, Target};
use serde_json::{Map, Value, json};
use tollgate::policy::EncodedSlash;

/// Keys with which a target asks for more than its place, and the part of a request that each is about. Parts are named as in
/// `near` of a record; the last one to be compared comes first.
pub(super) const CONDITIONS: [(&str, &str); 5] =
    [("paths", "path"), ("encodedSlash", "path"), ("upgrades", "upgrade"), ("methods", "method"), ("ports", "port")];

/// The part of a request that a key of a target is about.
pub(super) fn part_of(key: &str) -> Option<&'static str> {
    match key {
        "hosts" | "cidrs" => Some("host"),
        "clientHello" | "ech" => Some("hello"),
        _ => CONDITIONS.iter().find(|(condition, _)| *condition == key).map(|(_, part)| *part),
    }
}

impl Wanted<'_> {
    /// A target of a rule that takes in this request and little else.
    pub(crate) fn target(&self) -> Value {
        let mut target = self.exception();
        if let (Some(hello), Some(keys)) = (self.hello, target.as_object_mut()) {
            keys.extend(words_of(hello).map(|(key, word)| (key.to_owned(), json!(word))));
        }
        target
    }

    /// A target of an exception that takes in this request and little else.
    pub(crate) fn exception(&self) -> Value {
        let mut target = Map::new();
        target.insert(self.key.to_owned(), json!([self.place]));
        if self.port != 80 && self.port != 443 {
            target.insert("ports".to_owned(), json!([self.port]));
        }
        if self.hello.is_some() {
            return target.into();
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
        if self.upgrade == Asked::Websocket {
            target.insert("upgrades".to_owned(), json!(["websocket"]));
        }
        target.into()
    }

    /// Changes of single keys that a target may need to take in this request.
    pub(super) fn changes_of(&self, target: &Target) -> Vec<(&'static str, Change)> {
        let terms = target.terms();
        let (has_paths, options) = (!terms.paths().is_empty(), terms.options());
        if let Some(hello) = self.hello {
            let opens = (!terms.takes_connections()).then(|| ("overTls", Change::Set(json!("host-only"))));
            let words = words_of(hello).map(|(key, word)| (key, Change::Set(json!(word))));
            return opens.into_iter().chain(words).chain(self.places_of(target)).collect();
        }
        let mut changes = Vec::new();
        if terms.methods().next().is_some() {
            changes.push(("methods", Change::Add(vec![json!(self.method)])));
        }
        if let Some(path) = self.path.as_ref().filter(|_| has_paths) {
            changes.push(("paths", Change::Add(vec![json!(path)])));
        }
        if self.encoded_slash && has_paths && options.encoded_slash == EncodedSlash::Refused {
            changes.push(("encodedSlash", Change::Set(json!("data"))));
        }
        if self.is_key && has_paths && options.encoded_slash != EncodedSlash::Key {
            changes.push(("encodedSlash", Change::Set(json!("key"))));
        }
        if self.upgrade == Asked::Websocket && !options.websocket {
            changes.push(("upgrades", Change::Add(vec![json!("websocket")])));
        }
        changes.extend(self.places_of(target));
        changes
    }

    /// Changes of the place of a target that take in this request's.
    fn places_of(&self, target: &Target) -> Vec<(&'static str, Change)> {
        let mut changes = Vec::new();
        if target.destination.is_none() {
            match target.ports {
                // what is not given is 80 and 443
                None => changes.push(("ports", Change::Set(json!([80, 443, self.port])))),
                Some(Ports::Listed(_)) => changes.push(("ports", Change::Add(vec![json!(self.port)]))),
                Some(Ports::Any) => {}
            }
            changes.push((self.key, Change::Add(vec![json!(self.place)])));
        }
        changes
    }
}

/// Words of a rule's target that take such a beginning of a connection, besides the usual one.
fn words_of(hello: WantedHello) -> impl Iterator<Item = (&'static str, &'static str)> {
    let optional = (!hello.is_named).then_some(("clientHello", "optional"));
    optional.into_iter().chain(hello.ech.then_some(("ech", "allow")))
}
