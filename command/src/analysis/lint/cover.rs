//! Containment of selectors and places as rules read them, looked up by what holds them: one covers another if it holds all that
//! the other holds.
//!
//! Nothing is covered where that is not sure: a claim of advice has to be true.

use crate::read::document::{Document, Place, Selector, Target};
use std::collections::HashMap;
use tollgate::policy;
use tollgate::policy::{HostPattern, Network, Reading, Settings, StarName, host_pattern};

/// Whom one selector stands for. Of two that have an identity in common, one holds the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Every request, those without an identity too.
    Everyone,
    One(policy::Selector),
}

/// Places of one entry of a list. Of two that have a host in common, one holds the other, but for names with a `*` inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Where {
    /// Every name and every address.
    Everything,
    Names(HostPattern<'static>),
    Network(Network),
}

impl Who {
    /// The selectors of a list, sets replaced by theirs.
    pub(crate) fn all(document: &Document, settings: &Settings, selectors: &[Selector], list: List) -> Vec<Who> {
        if selectors.is_empty() && list != List::Rules {
            return vec![Who::Everyone];
        }
        let mut all: Vec<Who> =
            document.selectors(selectors).filter_map(|selector| Who::of(settings, selector)).collect();
        if list == List::Deny && all.contains(&Who::One(policy::Selector::Any)) {
            all.push(Who::Everyone);
        }
        all
    }

    fn of(settings: &Settings, selector: &Selector) -> Option<Who> {
        let own = settings.trust_domains.first().map_or("", String::as_str);
        selector.typed(own).map(Who::One)
    }

    /// Itself and everything that holds it.
    pub(crate) fn holders(&self) -> Vec<Who> {
        let mut holders = vec![self.clone()];
        if let Who::One(selector) = self {
            holders.extend(selector.wider().into_iter().map(Who::One));
            holders.push(Who::Everyone);
        }
        holders
    }
}

impl Where {
    /// The places of a target.
    pub(crate) fn all(place: Place<'_>, list: List) -> Vec<Where> {
        if place.hosts.is_empty() && place.cidrs.is_empty() && list != List::Rules {
            return vec![Where::Everything];
        }
        let hosts = place.patterns.iter().cloned().map(Where::Names);
        hosts.chain(place.networks.iter().copied().map(Where::Network)).collect()
    }

    pub(crate) fn of_host(pattern: &str) -> Where {
        Where::Names(match host_pattern(pattern) {
            Ok(pattern) => pattern.into_owned(),
            // the checker lets no other through
            Err(_) => HostPattern::Exact(pattern.to_owned().into()),
        })
    }

    /// Itself and everything that holds it, but for names with a `*` inside: [`Stars`] knows those.
    pub(crate) fn holders(&self) -> Vec<Where> {
        let mut holders = vec![self.clone()];
        match self {
            Where::Everything => return holders,
            Where::Names(pattern) => holders.extend(pattern.wider().into_iter().map(Where::Names)),
            Where::Network(network) => holders.extend(network.wider().map(Where::Network)),
        }
        holders.push(Where::Everything);
        holders
    }
}

/// Names with a `*` inside, by the labels around the starred one.
#[derive(Debug, Default)]
pub(crate) struct Stars(HashMap<String, Vec<StarName<'static>>>);

impl Stars {
    pub(crate) fn add(&mut self, place: &Where) {
        let Where::Names(HostPattern::Star(name)) = place else { return };
        let (head, _, _, tail) = name.parts();
        let known = self.0.entry(format!("{head}*.{tail}")).or_default();
        if !known.contains(name) {
            known.push(name.clone());
        }
    }

    /// The place and everything that holds it.
    pub(crate) fn holders(&self, place: &Where) -> Vec<Where> {
        let mut holders = place.holders();
        if self.0.is_empty() {
            return holders;
        }
        let star_place = |name| Where::Names(HostPattern::Star(name));
        let found = |frame: String| self.0.get(&frame).into_iter().flatten().cloned();
        match place {
            Where::Names(HostPattern::Star(name)) => {
                let (head, _, _, tail) = name.parts();
                let wider = found(format!("{head}*.{tail}")).filter(|star| star != name && star.covers(name));
                holders.extend(wider.map(star_place));
            }
            Where::Names(HostPattern::Exact(name)) => {
                let mut at = 0_usize;
                for label in name.split('.') {
                    let (head, rest) = name.split_at_checked(at).unwrap_or_default();
                    let tail = rest.strip_prefix(label).and_then(|tail| tail.strip_prefix('.')).unwrap_or_default();
                    let matching = found(format!("{head}*.{tail}")).filter(|star| star.contains(name, Reading::Narrow));
                    holders.extend(matching.map(star_place));
                    at = at.saturating_add(label.len()).saturating_add(1);
                }
            }
            _ => {}
        }
        holders
    }
}

/// The list in which a target stands. It decides what a key means that the target leaves out: the usual in rules,
/// everything elsewhere. In deny entries `any` takes in requests without an identity, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Rules,
    Deny,
    Quotas,
}

/// Targets by their pairs of caller and place.
#[derive(Debug, Default)]
pub(crate) struct Targets<'d> {
    by: HashMap<(Who, Where), Vec<Entry<'d>>>,
    stars: Stars,
    /// Pairs of caller and place that were kept; beyond [`MOST`] nothing is.
    kept: usize,
}

/// A target of some entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'d> {
    pub(crate) entry: usize,
    pub(crate) item: usize,
    pub(crate) target: &'d Target,
}

/// Pairs that are kept: sets of a thousand workloads that may reach a thousand hosts are a million.
const MOST: usize = 4_000_000;
/// Targets of one pair that are compared: what a thousand targets do not cover, no advice is about.
const COMPARED: usize = 64;

impl<'d> Targets<'d> {
    pub(crate) fn add(&mut self, who: &[Who], places: &[Where], entry: Entry<'d>) {
        let pairs = who.len().saturating_mul(places.len());
        self.kept = self.kept.saturating_add(pairs);
        if self.kept > MOST {
            return;
        }
        places.iter().for_each(|place| self.stars.add(place));
        for who in who {
            for place in places {
                self.by.entry((who.clone(), place.clone())).or_default().push(entry);
            }
        }
    }

    /// Finds for every pair of caller and place a target that holds it and that `fits`. Returns the first of them if
    /// each pair has one.
    pub(crate) fn covering(
        &self,
        who: &[Who],
        places: &[Where],
        mut fits: impl FnMut(&Entry<'d>) -> bool,
    ) -> Option<Entry<'d>> {
        let mut first = None;
        for who in who.iter().map(Who::holders) {
            for place in places.iter().map(|place| self.stars.holders(place)) {
                let keys = who.iter().flat_map(|who| place.iter().map(move |place| (who.clone(), place.clone())));
                let entries =
                    keys.filter_map(|key| self.by.get(&key)).flat_map(|entries| entries.iter().take(COMPARED));
                let found = entries.into_iter().find(|entry| fits(entry)).copied()?;
                first = first.or(Some(found));
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate::policy::networks;

    #[test]
    fn a_place_is_held_by_itself_and_by_what_is_wider() {
        let holds = |outer: &str, inner: &str| {
            let mut stars = Stars::default();
            stars.add(&Where::of_host(outer));
            stars.holders(&Where::of_host(inner)).contains(&Where::of_host(outer))
        };
        for (outer, inner, expected) in [
            ("a.b.test", "a.b.test", true),
            ("A.b.test.", "a.b.test", true),
            ("*.b.test", "a.b.test", true),
            ("*.b.test", "b.test", false),
            ("*.b.test", "x.a.b.test", false),
            ("**.b.test", "x.a.b.test", true),
            ("**.b.test", "b.test", false),
            ("**.b.test", "*.b.test", true),
            ("**.b.test", "*.a.b.test", true),
            ("*.b.test", "**.b.test", false),
            ("**.test", "**.b.test", true),
            ("**", "**.test", true),
            ("**", "localhost", false),
            ("**", "a.test", true),
            ("**.b.test", "a.*.b.test", true),
            ("**.a.b.test", "a.*.b.test", false),
            ("*.b.test", "a-*.b.test", true),
            ("*.b.test", "a.*.b.test", false),
            ("a.*.b.test", "a.x.b.test", true),
            ("a.*.b.test", "a.x-*.b.test", true),
            ("a-*.b.test", "a-b-*.b.test", true),
            ("a-*.b.test", "*.b.test", false),
            ("a-*.b.test", "a-.b.test", false),
            ("*-a.b.test", "xn--x-a.b.test", false),
        ] {
            assert_eq!(holds(outer, inner), expected, "{outer} {inner}");
        }
        let network = |text: &str| Where::Network(networks(text)[0]);
        assert!(network("10.1.0.0/16").holders().contains(&network("10.0.0.0/8")));
        assert!(network("10.1.0.0/16").holders().contains(&network("0.0.0.0/0")));
        assert!(!network("10.0.0.0/8").holders().contains(&network("10.1.0.0/16")));
        assert!(!network("10.1.0.0/16").holders().contains(&network("::/0")));
    }
}
