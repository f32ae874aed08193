//! Requests and connections to one host in words.

use super::hello::Hello;
use super::part::list;
use super::paths::{PathForm, Pattern};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use tollgate::policy::PortRange;
use tollgate::record::Layer;

/// A list, or what is not on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Listed<T> {
    Only(Vec<T>),
    But(Vec<T>),
}

/// Requests to one host, in words. What is left out is everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ask {
    /// Ports; `authority` for requests whose authority names none.
    pub(crate) ports: Ports,
    #[serde(skip_serializing_if = "is_everything")]
    pub(crate) methods: Listed<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) paths: Vec<PathPart>,
    #[serde(skip_serializing_if = "is_everything")]
    pub(crate) upgrades: Listed<String>,
    /// Source of the identities; left out where that makes no difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<&'static str>,
    /// True if a header names another method or path; left out where that does not matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) overridden: Option<bool>,
    /// Connections, of which nobody reads what else stands here; none for requests.
    #[serde(flatten)]
    pub(crate) connections: Option<Connections>,
}

/// Connections to one host, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Connections {
    layer: &'static str,
    /// Their beginnings.
    #[serde(skip_serializing_if = "is_everything")]
    hello: Listed<Hello>,
}

impl Connections {
    /// Connections that begin in one of these ways.
    pub(super) fn of(held: BTreeSet<Hello>) -> Connections {
        let is_all = held.len() == Hello::ALL.len();
        let hello = if is_all { Listed::But(Vec::new()) } else { Listed::Only(held.into_iter().collect()) };
        Connections { layer: Layer::Tcp.as_str(), hello }
    }

    /// Tells whether they are those that a caller's own TLS begins, or all of them.
    pub(crate) fn are_plain(&self) -> bool {
        match &self.hello {
            Listed::Only(hellos) => *hellos == [Hello::Named] || are_all_to_the_host(hellos),
            Listed::But(_) => true,
        }
    }
}

/// Tells whether none are left out but those whose own TLS names another host, which no rule lets through.
fn are_all_to_the_host(hellos: &[Hello]) -> bool {
    Hello::ALL.iter().all(|hello| *hello == Hello::Other || hellos.contains(hello))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Ports {
    Only(#[serde(serialize_with = "ranges")] Vec<PortRange>),
    But(#[serde(serialize_with = "ranges")] Vec<PortRange>),
    /// Requests whose authority names none.
    Unnamed,
}

/// A number for a port, and text for a range.
fn ranges<S: Serializer>(ranges: &[PortRange], serializer: S) -> Result<S::Ok, S::Error> {
    let value = |range: &PortRange| match range.first() == range.last() {
        true => range.first().into(),
        false => Value::from(range.to_string()),
    };
    serializer.collect_seq(ranges.iter().map(value))
}

/// Paths of one form that match some patterns and others not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PathPart {
    pub(crate) form: PathForm,
    /// Only those that no target compares as keys.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) no_key: bool,
    /// Every one of these matches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) matching: Vec<String>,
    /// Every one of these matches in the wide reading.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) matching_widely: Vec<String>,
    /// None of these does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) but: Vec<String>,
    /// None of these does in the wide reading.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) but_widely: Vec<String>,
}

impl Ask {
    /// Connections to these ports.
    pub(super) fn of_connections(ports: Ports, connections: Connections) -> Ask {
        let everything = || Listed::But(Vec::new());
        Ask {
            ports,
            methods: everything(),
            paths: Vec::new(),
            upgrades: everything(),
            source: None,
            overridden: None,
            connections: Some(connections),
        }
    }

    /// Tells whether these are requests, and of the usual form all of them: every method and every path.
    pub(crate) fn is_every_request(&self) -> bool {
        let is_any = |part: &PathPart| part.form == PathForm::Canonical && part.to_string() == "any";
        let is_every_path = self.paths.is_empty() || self.paths.iter().any(is_any);
        self.connections.is_none() && self.is_usual() && self.methods.to_string() == "any" && is_every_path
    }

    /// Tells whether some of the requests are of the usual form: no upgrade, no override header, a canonical path, a
    /// method in upper case.
    pub(crate) fn is_usual(&self) -> bool {
        if let Some(connections) = &self.connections {
            return match &connections.hello {
                Listed::Only(hellos) => hellos.iter().any(|hello| hello.is_usual()),
                Listed::But(_) => true,
            };
        }
        let upper = |method: &String| !method.bytes().any(|byte| byte.is_ascii_lowercase());
        let method = match &self.methods {
            Listed::Only(methods) => methods.iter().any(upper),
            Listed::But(_) => true,
        };
        let upgrade = match &self.upgrades {
            Listed::Only(upgrades) => upgrades.iter().any(|upgrade| upgrade == "none"),
            Listed::But(_) => true,
        };
        let path = self.paths.is_empty() || self.paths.iter().any(|part| part.form == PathForm::Canonical);
        method && upgrade && path && self.overridden != Some(true)
    }
}

fn is_everything<T>(listed: &Listed<T>) -> bool {
    matches!(listed, Listed::But(but) if but.is_empty())
}

impl PathPart {
    pub(super) fn of(form: PathForm, matching: &[&Pattern], but: &[&Pattern]) -> PathPart {
        let names = |of: &[&Pattern], wide: bool| {
            of.iter().filter(|pattern| pattern.wide == wide).map(|pattern| pattern.text.clone()).collect()
        };
        PathPart {
            form,
            no_key: false,
            matching: names(matching, false),
            matching_widely: names(matching, true),
            but: names(but, false),
            but_widely: names(but, true),
        }
    }
}

impl fmt::Display for Ask {
    /// Ports, methods and paths, as far as they matter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.connections {
            None => write!(f, "port {}, method {}", self.ports, self.methods)?,
            Some(connections) => write!(f, "port {}, connection: {}", self.ports, connections.hello)?,
        }
        if let Some(source) = self.source {
            write!(f, ", identity by {source}")?;
        }
        if !self.paths.is_empty() {
            write!(f, ", path {}", list(&self.paths))?;
        }
        match &self.upgrades {
            Listed::Only(upgrades) if *upgrades != ["none"] => write!(f, ", upgrade {}", self.upgrades)?,
            _ => {}
        }
        if self.overridden == Some(true) { f.write_str(", with an override header") } else { Ok(()) }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ports: &[PortRange]| ports.iter().map(PortRange::to_string).collect::<Vec<_>>().join(" ");
        match self {
            Ports::Only(ports) => f.write_str(&list(ports)),
            Ports::But(ports) if ports.is_empty() => f.write_str("any"),
            Ports::But(ports) => write!(f, "any but {}", list(ports)),
            Ports::Unnamed => f.write_str("none named"),
        }
    }
}

impl fmt::Display for Listed<Hello> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listed::Only(hellos) if are_all_to_the_host(hellos) => f.write_str("any"),
            Listed::Only(hellos) => f.write_str(&hellos.iter().map(Hello::to_string).collect::<Vec<_>>().join(", ")),
            Listed::But(_) => f.write_str("any"),
        }
    }
}

impl fmt::Display for Listed<String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listed::Only(list) => f.write_str(&list.join(" ")),
            Listed::But(list) if list.is_empty() => f.write_str("any"),
            Listed::But(list) => {
                // what cannot be said in a rule need not be said
                let list: Vec<&str> = list
                    .iter()
                    .map(String::as_str)
                    .filter(|name| *name != "a-z" && !name.bytes().any(|byte| byte.is_ascii_lowercase()))
                    .collect();
                if list.is_empty() || list == ["CONNECT"] {
                    f.write_str("any")
                } else {
                    write!(f, "any but {}", list.join(" "))
                }
            }
        }
    }
}

impl fmt::Display for PathPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widely = |list: &[String]| list.iter().map(|text| format!("{text} (widely)")).collect::<Vec<_>>();
        let matching = [self.matching.clone(), widely(&self.matching_widely)].concat();
        let but = [self.but.clone(), widely(&self.but_widely)].concat();
        match (self.form, matching.is_empty()) {
            (PathForm::Canonical, true) => f.write_str("any")?,
            (PathForm::Canonical, false) => f.write_str(&matching.join(" and "))?,
            (PathForm::EncodedSlash, true) => f.write_str("any with %2F")?,
            (PathForm::EncodedSlash, false) => write!(f, "{} with %2F", matching.join(" and "))?,
            (PathForm::Key, true) => f.write_str("any key")?,
            (PathForm::Key, false) => write!(f, "{} as keys", matching.join(" and "))?,
            (PathForm::Ambiguous, _) => return f.write_str("ambiguous ones"),
            (PathForm::Absent, _) => return f.write_str("none"),
        }
        if self.no_key {
            f.write_str(" that are no keys")?;
        }
        if but.is_empty() { Ok(()) } else { write!(f, " but {}", but.join(" ")) }
    }
}
