//! Classes of hosts that the entries of a policy tell apart.

use super::address::Range;
use super::place::Place;
use super::star;
use super::who::free;
use std::collections::{BTreeSet, HashSet};
use tollgate::request::{self, is_of_the_mesh};

/// A class of hosts that no entry tells apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Host {
    Name(String),
    /// One label before the name (empty for the root), and no name that an entry names; and one of them.
    One(String, String),
    /// Two or more labels before the name, and below no longer name that an entry names; and one of them.
    More(String, String),
    /// Names with one `*` inside that the same patterns match.
    Inside(star::Class),
    Range(Range),
}

impl Host {
    /// The classes of a set, given all sets that entries name; and whether they are all there are.
    pub(super) fn classes<'p>(region: &Place, named: impl IntoIterator<Item = &'p Place>) -> (Vec<Host>, bool) {
        match region {
            Place::Name(name) => (vec![Host::Name(name.clone())], true),
            Place::Range(range) => {
                let named = named
                    .into_iter()
                    .filter_map(|place| if let Place::Range(range) = place { Some(range) } else { None });
                (range.cut(named).into_iter().map(Host::Range).collect(), true)
            }
            _ => Host::names(region, named),
        }
    }

    fn names<'p>(region: &Place, named: impl IntoIterator<Item = &'p Place>) -> (Vec<Host>, bool) {
        let named: BTreeSet<&Place> = named.into_iter().filter(|place| place.name().is_some()).collect();
        let stars = star::Stars::of(named.iter().copied().chain([region]));
        let mut names: BTreeSet<String> = named.iter().filter_map(|place| place.name()).map(str::to_owned).collect();
        names.extend(region.name().map(str::to_owned));
        stars.extend(&mut names);
        let inner = names.iter().map(String::as_str).filter(|name| {
            region.covers(&Place::Name((*name).to_owned())) || region.covers(&Place::Star((*name).to_owned()))
        });
        let root = region.name().unwrap_or("");
        let roots: BTreeSet<&str> = inner.chain([root]).collect();
        let labels: HashSet<&str> = names.iter().flat_map(|name| name.split('.')).chain(stars.labels()).collect();
        let is_taken = |label: &str| labels.contains(label) || stars.fit(label);
        let Some(label) = star::fresh(is_taken).or_else(|| free(is_taken)) else { return (Vec::new(), false) };
        let mut classes = Vec::new();
        for name in roots {
            if !name.is_empty() && region.covers(&Place::Name(name.to_owned())) {
                classes.push(Host::Name(name.to_owned()));
            }
            let below = |label: &str| if name.is_empty() { label.to_owned() } else { format!("{label}.{name}") };
            let one = below(&label);
            let more = format!("{label}.{one}");
            if region.covers(&Place::Name(one.clone())) {
                classes.push(Host::One(name.to_owned(), one));
            }
            if region.covers(&Place::Name(more.clone())) {
                classes.push(Host::More(name.to_owned(), more));
            }
        }
        let inside = stars.classes(&names);
        classes.extend(inside.filter(|class| region.covers(&Place::Name(class.witness.clone()))).map(Host::Inside));
        (classes, stars.are_all)
    }

    /// A host of the class, as an authority spells it.
    pub(super) fn authority(&self) -> String {
        match self {
            Host::Name(name) | Host::One(_, name) | Host::More(_, name) => name.clone(),
            Host::Inside(class) => class.witness.clone(),
            Host::Range(range) => range.witness(),
        }
    }

    /// Tells whether the class is outside the mesh, as far as its witness shows.
    pub(super) fn is_outside(&self) -> bool {
        match self {
            Host::Name(name) | Host::One(_, name) | Host::More(_, name) => !is_of_the_mesh(&request::Host::Name(name)),
            Host::Inside(class) => !is_of_the_mesh(&request::Host::Name(&class.witness)),
            Host::Range(_) => true,
        }
    }

    /// The name that it is made of.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Host::Name(name) | Host::One(name, _) | Host::More(name, _) => Some(name),
            Host::Inside(class) => class.of.name(),
            Host::Range(_) => None,
        }
    }

    /// The sets that cover the class, if it is one of names, but for patterns with a `*` inside.
    pub(super) fn covering(&self) -> Vec<Place> {
        match self {
            Host::Name(name) | Host::One(_, name) | Host::More(_, name) => Place::covering_name(name),
            Host::Inside(class) => Place::covering_name(&class.witness),
            Host::Range(_) => Vec::new(),
        }
    }
}
