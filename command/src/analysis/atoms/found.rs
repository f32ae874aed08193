//! Findings about requests, and joining those that say the same.

use super::ask::Ask;
use super::part::Part;
use super::place::Place;
use super::who::Who;
use super::witness::Witness;
use std::collections::{BTreeMap, BTreeSet};

/// Requests of which the same is said, and one of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found<V> {
    pub(crate) verdict: V,
    pub(crate) ask: Ask,
    pub(crate) who: Vec<Part<Who>>,
    pub(crate) places: Vec<Part<Place>>,
    /// Pairs of callers and hosts of which it is not said.
    pub(crate) except: Vec<(Part<Who>, Part<Place>)>,
    pub(crate) witness: Witness,
}

/// Joins what differs in hosts only, and then what differs in callers only.
pub(crate) fn merged<V: Clone + Ord>(found: Vec<Found<V>>) -> Vec<Found<V>> {
    let mut by_place = BTreeMap::new();
    for one in found {
        let key = (one.verdict, one.ask, one.who, one.except);
        let (places, _) = by_place.entry(key).or_insert_with(|| (BTreeSet::new(), one.witness));
        places.extend(one.places);
    }
    let mut by_who = BTreeMap::new();
    for ((verdict, ask, own, except), (places, witness)) in by_place {
        let (who, _) = by_who.entry((verdict, ask, places, except)).or_insert_with(|| (BTreeSet::new(), witness));
        who.extend(own);
    }
    let whole =
        |((verdict, ask, places, except), (who, witness)): ((V, Ask, BTreeSet<_>, Vec<_>), (BTreeSet<_>, Witness))| {
            Found {
                verdict,
                ask,
                who: who.into_iter().collect(),
                places: places.into_iter().collect(),
                except,
                witness,
            }
        };
    by_who.into_iter().map(whole).collect()
}
