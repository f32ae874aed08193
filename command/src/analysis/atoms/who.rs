//! Identities: sets of them as policies name them, and the classes that a region falls into.

use super::part::Part;
use crate::read::document::{Document, Selector};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use tollgate::policy;
use tollgate::request::Identity;

/// A set of callers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Who {
    /// Every identity of a trust domain.
    Domain(String),
    /// Every service account of a namespace: trust domain, namespace.
    Namespace(String, String),
    /// One SPIFFE ID.
    Id(String),
    /// No identity.
    Anonymous,
    /// An identity that does not count: no SPIFFE ID, or of a trust domain that is not listed.
    Untrusted,
}

/// A class of callers that no entry tells apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Caller {
    /// One SPIFFE ID.
    Id(String),
    /// Whoever of the set is named by no smaller one; and one of them.
    Other(Who, String),
    Anonymous,
    /// All whose identity does not count, and one of them.
    Untrusted(String),
}

impl Who {
    /// Callers that a list of selectors names. `any` stands for the trust domains that the policy trusts.
    pub(super) fn listed(document: &Document, selectors: &[Selector], any_is_everyone: bool) -> Vec<Who> {
        let domains = document.trust_domains();
        let mut listed = BTreeSet::new();
        for selector in document.selectors(selectors) {
            match selector.typed(domains.first().copied().unwrap_or_default()) {
                Some(policy::Selector::Spiffe(id)) => drop(listed.insert(Who::Id(id.into()))),
                Some(policy::Selector::Namespace { domain, namespace }) => {
                    listed.insert(Who::Namespace(domain.into(), namespace.into()));
                }
                Some(policy::Selector::Any) => {
                    listed.extend(domains.iter().map(|domain| Who::Domain((*domain).to_owned())));
                    listed.extend(any_is_everyone.then_some(Who::Anonymous));
                }
                Some(policy::Selector::Anonymous) => drop(listed.insert(Who::Anonymous)),
                None => {}
            }
        }
        listed.into_iter().collect()
    }

    /// Everyone whom a policy knows.
    pub(crate) fn everyone(document: &Document) -> Vec<Who> {
        let domains = document.trust_domains().into_iter().map(|domain| Who::Domain(domain.to_owned()));
        domains.chain([Who::Anonymous]).collect()
    }

    /// Callers that a policy lets through while they are being onboarded.
    pub(crate) fn onboarding(document: &Document) -> Vec<Who> {
        Who::listed(document, &document.dry_run_for, false)
    }

    /// Tells whether all of the other set is in this one.
    pub(super) fn covers(&self, other: &Who) -> bool {
        match (self, other) {
            (Who::Domain(domain), Who::Namespace(of, _)) => domain == of,
            (Who::Domain(domain), Who::Id(id)) => trust_domain(id) == Some(domain),
            (Who::Namespace(domain, namespace), Who::Id(id)) => {
                namespace_of(id).is_some_and(|(of, name)| of == domain && name == namespace)
            }
            // both are anonymous to the steps after the first
            (Who::Anonymous, Who::Untrusted) => true,
            _ => self == other,
        }
    }

    /// The sets that cover this one, itself first.
    pub(super) fn covering(&self) -> Vec<Who> {
        let mut sets = vec![self.clone()];
        match self {
            Who::Namespace(domain, _) => sets.push(Who::Domain(domain.clone())),
            Who::Id(id) => {
                sets.extend(namespace_of(id).map(|(of, name)| Who::Namespace(of.to_owned(), name.to_owned())));
                sets.extend(trust_domain(id).map(|domain| Who::Domain(domain.to_owned())));
            }
            Who::Untrusted => sets.push(Who::Anonymous),
            Who::Domain(_) | Who::Anonymous => {}
        }
        sets
    }

    /// The trust domain of everyone in it.
    pub(super) fn domain(&self) -> Option<&str> {
        match self {
            Who::Domain(domain) | Who::Namespace(domain, _) => Some(domain),
            Who::Id(id) => trust_domain(id),
            Who::Anonymous | Who::Untrusted => None,
        }
    }
}

impl Caller {
    /// The classes of a set, given all sets that entries name.
    pub(super) fn classes<'w>(region: &Who, named: impl IntoIterator<Item = &'w Who>) -> Vec<Caller> {
        let mut inside: BTreeSet<&Who> = named.into_iter().filter(|who| region.covers(who)).collect();
        inside.insert(region);
        let taken: BTreeSet<&str> =
            inside.iter().filter_map(|who| if let Who::Id(id) = who { Some(id.as_str()) } else { None }).collect();
        let spaces: BTreeSet<&str> = inside
            .iter()
            .filter_map(|who| if let Who::Namespace(_, name) = who { Some(name.as_str()) } else { None })
            .collect();
        let fresh = |id: &dyn Fn(&str) -> String| free(|word| taken.contains(id(word).as_str())).map(|word| id(&word));
        let class = |who: &Who| match who {
            Who::Id(id) => Some(Caller::Id(id.clone())),
            Who::Namespace(domain, name) => {
                let id = fresh(&|word| format!("spiffe://{domain}/ns/{name}/sa/{word}"))?;
                Some(Caller::Other(who.clone(), id))
            }
            Who::Domain(domain) => {
                let space = free(|word| spaces.contains(word))?;
                let id = fresh(&|word| format!("spiffe://{domain}/ns/{space}/sa/{word}"))?;
                Some(Caller::Other(who.clone(), id))
            }
            Who::Anonymous => Some(Caller::Anonymous),
            Who::Untrusted => Some(Caller::Untrusted("spiffe://untrusted.invalid/other".to_owned())),
        };
        inside.into_iter().filter_map(class).collect()
    }

    /// The smallest named set that it is in.
    pub(super) fn who(&self) -> Who {
        match self {
            Caller::Id(id) => Who::Id(id.clone()),
            Caller::Other(who, _) => who.clone(),
            Caller::Anonymous => Who::Anonymous,
            Caller::Untrusted(_) => Who::Untrusted,
        }
    }

    /// A SPIFFE ID of the class.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Caller::Id(id) | Caller::Other(_, id) | Caller::Untrusted(id) => Some(id),
            Caller::Anonymous => None,
        }
    }
}

/// All classes of a region, by what holds them.
pub(super) struct Callers(BTreeMap<Who, Vec<Who>>);

impl Callers {
    pub(super) fn of(all: &[Caller]) -> Callers {
        let mut below: BTreeMap<Who, Vec<Who>> = all.iter().map(|caller| (caller.who(), Vec::new())).collect();
        let known: Vec<Who> = below.keys().cloned().collect();
        for who in known {
            let above = who.covering().into_iter().skip(1).find(|above| below.contains_key(above));
            if let Some(list) = above.and_then(|above| below.get_mut(&above)) {
                list.push(who);
            }
        }
        Callers(below)
    }

    /// Some of the classes in few words.
    pub(super) fn describe<'c>(&self, callers: impl Iterator<Item = &'c Caller>) -> Vec<Part<Who>> {
        let chosen: BTreeSet<Who> = callers.map(Caller::who).collect();
        let below = |who: &Who| self.0.get(who).map_or(&[][..], Vec::as_slice);
        // two levels: what is below a namespace is in itself whole
        let is_whole = |who: &Who| chosen.contains(who) && below(who).iter().all(|inner| chosen.contains(inner));
        let is_said = |who: &&Who| {
            let above = who.covering().into_iter().skip(1).find(|above| self.0.contains_key(above));
            above.is_some_and(|above| chosen.contains(&above)) && is_whole(who)
        };
        let left_out = |who: &Who| below(who).iter().filter(|inner| !is_whole(inner)).cloned().collect();
        let told = chosen.iter().filter(|who| !is_said(who));
        told.map(|who| Part { of: who.clone(), but: left_out(who) }).collect()
    }
}

/// `other`; with a number if that is taken.
pub(super) fn free(is_taken: impl Fn(&str) -> bool) -> Option<String> {
    let numbered = (2_u32..).map(|number| format!("other{number}"));
    std::iter::once("other".to_owned()).chain(numbered).find(|word| !is_taken(word))
}

fn trust_domain(id: &str) -> Option<&str> {
    Identity::parse(id.as_bytes()).map(|identity| identity.trust_domain())
}

fn namespace_of(id: &str) -> Option<(&str, &str)> {
    let identity = Identity::parse(id.as_bytes())?;
    Some((identity.trust_domain(), identity.namespace()?))
}

impl Serialize for Who {
    /// As a selector of the policy language would say it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Who::Domain(domain) => map.serialize_entry("trustDomain", domain)?,
            Who::Namespace(domain, namespace) => {
                map.serialize_entry("namespace", namespace)?;
                map.serialize_entry("trustDomain", domain)?;
            }
            Who::Id(id) => map.serialize_entry("spiffe", id)?,
            Who::Anonymous => map.serialize_entry("anonymous", &true)?,
            Who::Untrusted => map.serialize_entry("untrusted", &true)?,
        }
        map.end()
    }
}

impl Part<Who> {
    /// In words, those of the mesh's own trust domain in short.
    pub(crate) fn named(&self, own: &str) -> Part<String> {
        Part { of: self.of.named(own), but: self.but.iter().map(|who| who.named(own)).collect() }
    }
}

impl Who {
    /// In words, `NAMESPACE/NAME` for an account of this trust domain.
    fn named(&self, own: &str) -> String {
        match self {
            Who::Namespace(domain, namespace) if domain == own => format!("{namespace}/*"),
            Who::Id(id) => short(id, own),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Domain(domain) => write!(f, "any of {domain}"),
            Who::Namespace(domain, namespace) => write!(f, "spiffe://{domain}/ns/{namespace}/sa/*"),
            Who::Id(id) => f.write_str(id),
            Who::Anonymous => f.write_str("anonymous"),
            Who::Untrusted => f.write_str("untrusted"),
        }
    }
}

/// `ns/sa` for an account of this trust domain.
fn short(id: &str, own: &str) -> String {
    let rest = id.strip_prefix("spiffe://").and_then(|rest| rest.strip_prefix(own)?.strip_prefix("/ns/"));
    let account = rest.and_then(|rest| rest.split_once("/sa/")).filter(|(_, account)| !account.contains('/'));
    account.map_or_else(|| id.to_owned(), |(namespace, name)| format!("{namespace}/{name}"))
}
