//! Names and networks that stand twice in one list, or beside a pattern that holds them.

use super::cover::{Stars, Where};
use super::habits::targets;
use super::subject::Subject;
use crate::analysis::advice::{Advice, code, named};
use std::collections::HashMap;
use tollgate::policy::networks;

pub(crate) fn lint(subject: &Subject<'_>, advice: &mut Advice) {
    let document = subject.document;
    for (name, destination) in &document.destinations {
        list(&named("destinations", name), &destination.hosts, &destination.cidrs, advice);
    }
    for (at, target) in targets(document) {
        list(&at, &target.hosts, &target.cidrs, advice);
    }
}

fn list(at: &str, hosts: &[String], cidrs: &[String], advice: &mut Advice) {
    let names = hosts.iter().map(|host| vec![Where::of_host(host)]).collect();
    within(&format!("{at}.hosts"), hosts, names, advice);
    let places = cidrs.iter().map(|cidr| networks(cidr).into_iter().map(Where::Network).collect()).collect();
    within(&format!("{at}.cidrs"), cidrs, places, advice);
}

/// Compares the elements of a list, of which each stands for one place or more.
fn within(at: &str, words: &[String], places: Vec<Vec<Where>>, advice: &mut Advice) {
    if words.len() < 2 {
        return;
    }
    let mut stars = Stars::default();
    places.iter().flatten().for_each(|place| stars.add(place));
    let mut elements: HashMap<&Where, usize> = HashMap::new();
    for (item, places) in places.iter().enumerate() {
        for place in places {
            elements.entry(place).or_insert(item);
        }
    }
    for (item, (word, places)) in words.iter().zip(&places).enumerate() {
        // all of it is in one other element; of two that say the same the later is the one too many
        let holders =
            |place: &Where| stars.holders(place).into_iter().filter_map(|holder| elements.get(&holder).copied());
        let Some(first) = places.first() else { continue };
        let holds =
            |other: &usize| *other != item && places.iter().all(|place| holders(place).any(|holder| holder == *other));
        let Some(other) = holders(first).find(holds) else { continue };
        let Some(known) = words.get(other) else { continue };
        let at = format!("{at}[{item}]");
        if places.iter().all(|place| elements.get(place) == Some(&other)) {
            let message = format!("`{word}` stands in this list already, as `{known}`");
            advice.add(code::DUPLICATE, at, message, "remove one of them".to_owned());
        } else {
            let message = format!("`{word}` adds nothing to `{known}` of the same list");
            let fix = "remove it; keep it where `render` needs the name itself, for a site with `routes: listed`";
            advice.add(code::COVERED, at, message, fix.to_owned());
        }
    }
}
