//! The classes of ports, methods, paths, upgrades and override headers that the terms of targets tell apart.

use super::ask::{Ask, Listed, PathPart};
use super::class::{Class, members, parted};
use super::paths::{self, Known, PathClasses, PathForm, Pattern};
use super::ports::PortClasses;
use super::tuple::{At, Content, HttpContent, Tuple};
use std::collections::BTreeSet;
use std::rc::Rc;
use tollgate::policy::{EncodedSlash, Reading, TargetTerms};
use tollgate::request::Upgrade;

/// The classes into which terms part the requests to one host.
#[derive(Debug)]
pub(super) struct Classes {
    ports: PortClasses,
    /// True for a port of which some terms ask more than that it be the port.
    is_spoken_of: Vec<bool>,
    methods: Vec<Class<Method>>,
    upgrades: Vec<Option<&'static str>>,
    overridden: Vec<bool>,
    patterns: Vec<Pattern>,
    paths: Rc<PathClasses>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Method {
    Canonical(String),
    OtherCanonical,
    /// In another case than a policy can name it.
    Misspelt(String),
    OtherMisspelt,
}

impl Classes {
    /// The classes that terms tell apart; `names_port` tells whether authorities name their port.
    pub(super) fn of(all_terms: &[&TargetTerms], names_port: bool, known: &mut Known) -> Classes {
        let ports = PortClasses::of(all_terms, names_port);
        let named: BTreeSet<&str> = all_terms.iter().flat_map(|terms| terms.methods()).collect();
        let mut methods: BTreeSet<Method> = named.iter().map(|name| Method::Canonical((*name).to_owned())).collect();
        methods.extend(named.iter().map(|name| Method::Misspelt((*name).to_owned())));
        methods.extend([Method::Canonical("CONNECT".to_owned()), Method::OtherCanonical, Method::OtherMisspelt]);
        methods.insert(Method::Misspelt("CONNECT".to_owned()));
        // a CONNECT is compared with no path, and is no request without a port
        let sets_apart = !names_port || all_terms.iter().any(|terms| !terms.paths().is_empty());
        let methods = parted(methods, |method| {
            let spelled = method.spelled(&named);
            let is_connect = [spelled == "CONNECT", spelled.eq_ignore_ascii_case("CONNECT")].map(|is| sets_apart && is);
            all_terms.iter().map(|terms| terms.takes_method(&spelled)).chain(is_connect).collect()
        });
        let differ = |one: Upgrade<'_>, other: Upgrade<'_>| {
            all_terms.iter().any(|terms| terms.takes_upgrade(one) != terms.takes_upgrade(other))
        };
        let upgrades = if differ(asked_upgrade(Some("websocket")), asked_upgrade(Some("h2c"))) {
            vec![None, Some("websocket"), Some("h2c")]
        } else if differ(Upgrade::Absent, asked_upgrade(Some("h2c"))) {
            vec![None, Some("h2c")]
        } else {
            vec![None]
        };
        let lists = all_terms.iter().any(|terms| terms.minds_overrides());
        let patterns: BTreeSet<Pattern> = all_terms.iter().flat_map(|terms| Pattern::all(terms)).collect();
        let patterns: Vec<Pattern> = patterns.into_iter().collect();
        let paths = if patterns.is_empty() {
            let witness = Some("/".to_owned());
            let any = paths::PathClass { form: PathForm::Canonical, is_key: true, matches: Vec::new(), witness };
            Rc::new(PathClasses { classes: vec![any], are_all: true })
        } else {
            let takes = |slash| all_terms.iter().any(|terms| terms.options().encoded_slash == slash);
            let taken = paths::Taken { data: takes(EncodedSlash::Data), key: takes(EncodedSlash::Key) };
            known.of(&patterns, taken)
        };
        let overridden = if lists { vec![false, true] } else { vec![false] };
        // what an authority without a port means is for the policies to say
        let is_spoken_of =
            ports.taken_by(|port| all_terms.iter().any(|terms| !terms.asks_only_for_ports() && terms.takes_port(port)));
        Classes { ports, is_spoken_of, methods, upgrades, overridden, patterns, paths }
    }

    /// True if there may be more classes of paths than these.
    pub(super) fn is_sample(&self) -> bool {
        !self.paths.are_all
    }

    /// Number of classes, at most: not all paths are told apart on every port.
    pub(super) fn count(&self) -> usize {
        let lists = [self.methods.len(), self.upgrades.len(), self.overridden.len(), self.paths.classes.len()];
        lists.into_iter().fold(self.ports.len(), usize::saturating_mul)
    }

    /// A request of every class that one of `relevant` may match.
    pub(super) fn tuples(&self, relevant: &[&TargetTerms]) -> Vec<Tuple> {
        let named: BTreeSet<&str> =
            self.methods.iter().flat_map(|class| &class.members).filter_map(Method::name).collect();
        let mut tuples = Vec::new();
        for (port_at, port) in self.ports.witnesses() {
            if self.is_spoken_of.get(port_at) == Some(&false) {
                tuples.extend(
                    self.usual(port_at, port, &named).filter(|_| relevant.iter().any(|terms| terms.takes_port(port))),
                );
                continue;
            }
            for (method_at, method) in self.methods.iter().enumerate() {
                let Some(method) = method.members.first().map(|method| method.spelled(&named)) else { continue };
                for (upgrade_at, upgrade) in self.upgrades.iter().enumerate() {
                    for (overridden_at, overridden) in self.overridden.iter().enumerate() {
                        let may = |terms: &&&TargetTerms| {
                            (port.is_none() || terms.takes_port(port))
                                && (terms.takes_method(&method)
                                    || *overridden && terms.context().reading() == Reading::Wide)
                                && terms.takes_upgrade(asked_upgrade(*upgrade))
                        };
                        let asking: Vec<&TargetTerms> = relevant.iter().filter(may).copied().collect();
                        if asking.is_empty() {
                            continue;
                        }
                        for (path_at, path) in self.paths.classes.iter().enumerate() {
                            // nobody knows what they ask for
                            let is_open = *overridden || method.eq_ignore_ascii_case("CONNECT");
                            if asking.iter().any(|terms| self.may_have_path(terms, path, is_open)) {
                                tuples.push(Tuple {
                                    at: [port_at, method_at, path_at, upgrade_at, overridden_at]
                                        .map(|at| BTreeSet::from([at])),
                                    port,
                                    content: Content::Http(HttpContent {
                                        method: method.clone(),
                                        path: path.witness.clone(),
                                        upgrade: *upgrade,
                                        overridden: *overridden,
                                    }),
                                });
                            }
                        }
                    }
                }
            }
        }
        tuples
    }

    /// A usual request to a port of which nothing speaks, for all requests to it.
    fn usual(&self, port_at: usize, port: Option<u16>, named: &BTreeSet<&str>) -> Option<Tuple> {
        let canonical = |method: &&Method| matches!(method, Method::Canonical(_) | Method::OtherCanonical);
        let methods = self.methods.iter().flat_map(|class| &class.members).filter(canonical);
        let method = methods.map(|method| method.spelled(named)).find(|method| method != "CONNECT")?;
        let path = self.paths.classes.iter().find(|class| class.form == PathForm::Canonical)?.witness.clone();
        let all = |count: usize| (0..count).collect();
        Some(Tuple {
            at: [
                BTreeSet::from([port_at]),
                all(self.methods.len()),
                all(self.paths.classes.len()),
                all(self.upgrades.len()),
                all(self.overridden.len()),
            ],
            port,
            content: Content::Http(HttpContent { method, path, upgrade: None, overridden: false }),
        })
    }

    fn may_have_path(&self, terms: &TargetTerms, path: &paths::PathClass, is_open: bool) -> bool {
        if terms.paths().is_empty() {
            return true;
        }
        let wide = terms.context().reading() == Reading::Wide;
        let slash = terms.options().encoded_slash;
        let is_compared = path.form.of_request().is_some_and(|form| slash.compares(form, path.is_key));
        if wide && is_open || !is_compared {
            // what closes takes what it cannot compare
            return wide;
        }
        let matching = self.patterns.iter().zip(&path.matches).filter(|(_, matches)| **matches);
        let lists = |pattern: &Pattern| terms.paths().iter().any(|listed| listed.text() == pattern.text);
        matching.into_iter().any(|(pattern, _)| pattern.wide == wide && lists(pattern))
    }

    /// Sets of classes in words.
    pub(super) fn describe(&self, at: &At) -> Ask {
        let [ports, methods, paths, upgrades, overridden] = at;
        let ports = self.ports.describe(ports);
        let upgrades = if upgrades.len() == self.upgrades.len() {
            Listed::But(Vec::new())
        } else {
            let held = self.upgrades.iter().enumerate().filter(|(at, _)| upgrades.contains(at));
            let names = held.map(|(_, upgrade)| match upgrade {
                None => "none",
                Some("websocket") => "websocket",
                Some(_) if self.upgrades.len() == 2 => "any",
                Some(_) => "other",
            });
            Listed::Only(names.map(str::to_owned).collect())
        };
        let overridden = (overridden.len() < self.overridden.len()).then(|| overridden.contains(&1));
        let (methods, paths) = (self.methods_of(methods), self.paths_of(paths));
        Ask { ports, methods, paths, upgrades, source: None, overridden, connections: None }
    }

    /// Methods as they are spelled; in `Only`, `*` is every other upper-case one and `a-z` every other spelling.
    fn methods_of(&self, at: &BTreeSet<usize>) -> Listed<String> {
        let all: BTreeSet<Method> = self.methods.iter().flat_map(|class| class.members.iter().cloned()).collect();
        let held: BTreeSet<Method> = members(&self.methods, at);
        let spell = |method: &Method| match method {
            Method::Canonical(name) => name.clone(),
            Method::OtherCanonical => "*".to_owned(),
            Method::Misspelt(name) => name.to_ascii_lowercase(),
            Method::OtherMisspelt => "a-z".to_owned(),
        };
        if held.contains(&Method::OtherCanonical) {
            Listed::But(all.difference(&held).map(spell).collect())
        } else {
            Listed::Only(held.iter().map(spell).collect())
        }
    }

    fn paths_of(&self, at: &BTreeSet<usize>) -> Vec<PathPart> {
        if at.len() == self.paths.classes.len() {
            return Vec::new();
        }
        let mut parts = BTreeSet::new();
        let forms = [PathForm::Canonical, PathForm::EncodedSlash, PathForm::Key, PathForm::Ambiguous, PathForm::Absent];
        for form in forms {
            let is_of = |is_key: Option<bool>, class: &paths::PathClass| {
                class.form == form && is_key.is_none_or(|is_key| class.is_key == is_key)
            };
            let numbers = |is_key| -> Vec<usize> {
                let of_form = self.paths.classes.iter().enumerate().filter(|(_, class)| is_of(is_key, class));
                of_form.map(|(at, _)| at).collect()
            };
            let whole = numbers(None);
            if !whole.is_empty() && whole.iter().all(|index| at.contains(index)) {
                parts.insert(PathPart::of(form, &[], &[]));
                continue;
            }
            for is_key in [true, false] {
                let own = self.parts_among(form, &numbers(Some(is_key)), at);
                // the others are none to targets that take keys, though they have this form
                let no_key = !is_key && matches!(form, PathForm::Canonical | PathForm::EncodedSlash);
                parts.extend(own.into_iter().map(|part| PathPart { no_key, ..part }));
            }
        }
        parts.into_iter().collect()
    }

    /// Classes of one form in words: patterns all of whose paths are in it; then all but some; then what is left, class by class.
    fn parts_among(&self, form: PathForm, of_form: &[usize], at: &BTreeSet<usize>) -> Vec<PathPart> {
        let mut left: BTreeSet<usize> = of_form.iter().copied().filter(|index| at.contains(index)).collect();
        if !of_form.is_empty() && left.len() == of_form.len() {
            return vec![PathPart::of(form, &[], &[])];
        }
        let mut parts = Vec::new();
        for (number, pattern) in self.patterns.iter().enumerate() {
            let matched = self.matched(of_form, number);
            if !matched.is_empty() && matched.iter().all(|index| at.contains(index)) && !matched.is_disjoint(&left) {
                left.retain(|index| !matched.contains(index));
                parts.push(PathPart::of(form, &[pattern], &[]));
            }
        }
        for index in left {
            let Some(class) = self.paths.classes.get(index) else { continue };
            let patterns = |wanted: bool| -> Vec<&Pattern> {
                let of_class = self.patterns.iter().zip(&class.matches);
                of_class.filter(|(_, matches)| **matches == wanted).map(|(pattern, _)| pattern).collect()
            };
            parts.push(PathPart::of(form, &patterns(true), &patterns(false)));
        }
        parts
    }

    fn matched(&self, of_form: &[usize], pattern: usize) -> BTreeSet<usize> {
        let matches = |index: &usize| {
            self.paths.classes.get(*index).and_then(|class| class.matches.get(pattern)).is_some_and(|matches| *matches)
        };
        of_form.iter().copied().filter(matches).collect()
    }
}

/// The header of a request that asks to upgrade to a protocol.
fn asked_upgrade(protocol: Option<&'static str>) -> Upgrade<'static> {
    protocol.map_or(Upgrade::Absent, |protocol| Upgrade::To(protocol.as_bytes()))
}

impl Method {
    fn name(&self) -> Option<&str> {
        if let Method::Canonical(name) = self { Some(name) } else { None }
    }

    fn spelled(&self, named: &BTreeSet<&str>) -> String {
        const USUAL: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
        match self {
            Method::Canonical(name) => name.clone(),
            Method::Misspelt(name) => name.to_ascii_lowercase(),
            Method::OtherCanonical => match USUAL.iter().find(|name| !named.contains(**name)) {
                Some(name) => (*name).to_owned(),
                None => super::who::free(|word| named.contains(word.to_ascii_uppercase().as_str()))
                    .unwrap_or_default()
                    .to_ascii_uppercase(),
            },
            Method::OtherMisspelt => {
                super::who::free(|word| named.contains(word.to_ascii_uppercase().as_str())).unwrap_or_default()
            }
        }
    }
}
