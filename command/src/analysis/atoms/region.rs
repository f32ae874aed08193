//! A region, parted by the entries that speak of it.

use super::ask::Ask;
use super::classes::Classes;
use super::connections::ConnectionClasses;
use super::entry::{Entry, entries};
use super::found::Found;
use super::host::Host;
use super::part::Part;
use super::partition::{Layer, Partition};
use super::parts::{Extent, Parts, Words, extent};
use super::paths::{Known, Pattern};
use super::place::{Place, suffixes};
use super::tuple::{At, Content, Tuple};
use super::who::{Caller, Who};
use super::witness::{Way, Witness, seconds};
use crate::read::document::{Document, Mode, Source};
use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};
use tollgate::policy::{PathPattern, PortRange, Ports, TargetContext, TargetOptions, TargetTerms};

/// Parts of a region that are asked about, for requests and for connections; beyond, what is found is a sample.
const MOST_CELLS: usize = 800_000;
/// Parts of a region beyond which the classes of paths of all of them are found together.
const MANY: usize = 4;

const PEER_PRINCIPAL: &str = "peer-principal";

/// The entries of one or two policies, and how to find those that speak of a region.
pub(crate) struct Analysis<'s> {
    documents: Vec<&'s Document>,
    entries: Vec<Entry>,
    by_who: HashMap<Who, Vec<usize>>,
    /// Those that name an account of the namespace.
    by_namespace: HashMap<Who, Vec<usize>>,
    by_place: HashMap<Place, Vec<usize>>,
    /// By the labels of the pattern's name from the last to the first.
    by_name: BTreeMap<String, Vec<usize>>,
    /// Patterns with a `*` inside, by the labels behind it.
    by_tail: HashMap<String, Vec<(Place, usize)>>,
    by_range: Vec<usize>,
    /// Requests that are asked about; all of them at first.
    asked: TargetTerms,
    known: Known,
    now: u64,
    cells: usize,
    requests: usize,
    /// Requests, and states of automata, that may be looked at.
    most_work: usize,
    /// Some classes were not asked about.
    pub(crate) is_sample: bool,
}

/// Settings of the questions about a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inquiry {
    pub(crate) layer: Layer,
    /// Only requests of which an entry speaks that not both policies have.
    pub(crate) changed_only: bool,
    /// True if authorities name their port.
    pub(crate) names_port: bool,
    /// Identities come from the mesh's tunnel, not from a certificate.
    pub(crate) by_principal: bool,
    /// True if the source of identities is to be said.
    pub(crate) says_source: bool,
}

/// Answers for a request, each with its time: now, or one of the given ones.
pub(crate) type Judge<'j, V> = dyn FnMut(&Witness, &[u64]) -> Vec<(V, u64)> + 'j;

/// An answer for some requests of a cell, and one of them.
type Row<V> = (Ask, V, Witness);

/// The number of an answer and the classes it is for; with a request of theirs.
type Rows = Vec<((usize, At), Stand)>;

/// The number of a request, and its time.
type Stand = (usize, u64);

impl<'s> Analysis<'s> {
    /// Analyses decisions; `with_quotas`, the quotas that are charged as well.
    pub(crate) fn new(documents: Vec<&'s Document>, now: u64, with_quotas: bool) -> Self {
        let entries = entries(&documents, with_quotas);
        let mut analysis = Analysis {
            documents,
            entries: Vec::new(),
            by_who: HashMap::new(),
            by_namespace: HashMap::new(),
            by_place: HashMap::new(),
            by_name: BTreeMap::new(),
            by_tail: HashMap::new(),
            by_range: Vec::new(),
            asked: TargetTerms::EVERYTHING,
            known: Known::default(),
            now,
            cells: 0,
            requests: 0,
            most_work: usize::MAX,
            is_sample: false,
        };
        for (number, entry) in entries.iter().enumerate() {
            for who in &entry.from {
                analysis.by_who.entry(who.clone()).or_default().push(number);
                let namespace = who.covering().into_iter().skip(1).find(|set| matches!(set, Who::Namespace(..)));
                if let Some(namespace) = namespace {
                    analysis.by_namespace.entry(namespace).or_default().push(number);
                }
            }
            let mut has_range = false;
            for place in &entry.to {
                if let Place::Range(_) = place {
                    has_range = true;
                    continue;
                }
                analysis.by_place.entry(place.clone()).or_default().push(number);
                if let Place::Inside(name, _) = place {
                    analysis.by_tail.entry(name.tail().to_owned()).or_default().push((place.clone(), number));
                }
                if let Some(name) = place.name() {
                    analysis.by_name.entry(reversed(name)).or_default().push(number);
                }
            }
            if has_range {
                analysis.by_range.push(number);
            }
        }
        analysis.entries = entries;
        analysis
    }

    /// Sets a bound to the requests, and states of automata, that are looked at: beyond, what is found is a sample.
    pub(super) fn bounded(self, most_work: usize) -> Self {
        Analysis { most_work, ..self }
    }

    /// Asks about these requests only; paths may be a pattern.
    pub(crate) fn pin(&mut self, port: Option<u16>, method: Option<&str>, path: Option<&str>) {
        self.asked = TargetTerms::new(
            TargetContext::Exception,
            port.and_then(|port| PortRange::new(port, port)).map(|port| Ports::of([port])),
            method.map(Box::from),
            path.map(|path| PathPattern::unchecked(path).into_owned()),
            TargetOptions::NONE,
        );
    }

    /// Regions of the entries that only one of the policies has, each once and none inside another.
    pub(crate) fn changed_regions(&self) -> Vec<(Who, Place)> {
        let changed = self.entries.iter().filter(|entry| entry.changed);
        let pairs = |entry: &'_ Entry| {
            let to = entry.to.clone();
            entry
                .from
                .clone()
                .into_iter()
                .flat_map(move |who| to.clone().into_iter().map(move |place| (who.clone(), place)))
        };
        without_inner(changed.flat_map(pairs).collect())
    }

    /// Callers that count as anonymous for one of the policies: those of other trust domains where it is in dry-run.
    pub(crate) fn counts_untrusted(&self) -> bool {
        self.documents.iter().any(|document| document.mode == Mode::DryRun)
    }

    /// Tells whether one of the policies may take such a caller for anonymous.
    fn may_be_anonymous(&self, who: &Who, inquiry: Inquiry) -> bool {
        let source = if inquiry.by_principal { Source::PeerPrincipal } else { Source::PeerCertificate };
        let ignores = |document: &&Document| !document.sources().contains(&source);
        let knows = |document: &&Document| who.domain().is_none_or(|domain| document.trust_domains().contains(&domain));
        self.documents.iter().any(|document| ignores(document) || !knows(document))
    }

    /// The entries that speak of some request of the region.
    fn speaking_of(&self, who: &Who, place: &Place, anonymous_too: bool) -> Vec<usize> {
        let mut by_place: BTreeSet<usize> = BTreeSet::new();
        let add =
            |of: &Place, numbers: &mut BTreeSet<usize>| numbers.extend(self.by_place.get(of).into_iter().flatten());
        match place {
            Place::Range(_) => by_place.extend(&self.by_range),
            Place::Names | Place::Dotted | Place::Single => by_place.extend(0..self.entries.len()),
            Place::Name(name) => {
                Place::covering_name(name).iter().for_each(|place| add(place, &mut by_place));
                by_place.extend(self.stars_above(name, place));
            }
            Place::Star(name) | Place::Below(name) => {
                let above = Place::covering_name(name);
                above
                    .iter()
                    .chain([&Place::Star(name.clone()), &Place::Below(name.clone())])
                    .for_each(|place| add(place, &mut by_place));
                add(&Place::Dotted, &mut by_place);
                by_place.extend(self.stars_above(name, place));
                by_place.extend(self.named_below(name));
            }
            Place::Inside(name, _) => {
                Place::covering_star(name).iter().for_each(|place| add(place, &mut by_place));
                by_place.extend(self.stars_above(name.tail(), place));
                by_place.extend(self.named_below(name.tail()));
            }
        }
        let speaks = |number: &usize| {
            self.entries.get(*number).is_some_and(|entry| {
                extent(entry, who, anonymous_too) != Extent::None && entry.to.iter().any(|to| to.meets(place))
            })
        };
        if let Who::Id(_) | Who::Namespace(..) = who {
            let mut sets = who.covering();
            sets.extend(anonymous_too.then_some(Who::Anonymous));
            let inside = self.by_namespace.get(who);
            let by_who = sets.iter().filter_map(|who| self.by_who.get(who)).chain(inside).flatten().copied();
            let by_who: BTreeSet<usize> = by_who.collect();
            if by_who.len() < by_place.len() {
                return by_who.into_iter().filter(speaks).collect();
            }
        }
        by_place.into_iter().filter(speaks).collect()
    }

    /// Entries with a pattern that has a `*` inside and these labels, or fewer of them, behind it, if it has a host in common
    /// with the place.
    fn stars_above<'n>(&'n self, name: &'n str, place: &'n Place) -> impl Iterator<Item = usize> + 'n {
        let stars = suffixes(name).filter_map(|tail| self.by_tail.get(tail)).flatten();
        stars.filter(|(star, _)| star.meets(place)).map(|(_, number)| *number)
    }

    /// Entries with a pattern that is made of a name below this one.
    fn named_below(&self, name: &str) -> impl Iterator<Item = usize> + '_ {
        let prefix = format!("{}.", reversed(name));
        let below = self.by_name.range(prefix.clone()..).take_while(move |(name, _)| name.starts_with(&prefix));
        below.flat_map(|(_, numbers)| numbers.iter().copied())
    }

    /// Classes of the callers and hosts of a region, as the entries that speak of it tell them apart.
    fn parts(&mut self, who: &Who, place: &Place, inquiry: Inquiry) -> Parts {
        let anonymous_too = self.may_be_anonymous(who, inquiry);
        let speaking = self.speaking_of(who, place, anonymous_too);
        let speaking: Vec<(usize, &Entry)> =
            speaking.into_iter().filter_map(|number| Some((number, self.entries.get(number)?))).collect();
        let parts = Parts::of(&speaking, who, place, anonymous_too, inquiry.layer);
        self.is_sample |= !parts.are_all;
        if parts.count() > MANY {
            let terms = speaking.iter().filter_map(|(_, entry)| entry.terms.as_ref()).chain([&self.asked]);
            self.known.expect(terms.flat_map(Pattern::all));
        }
        parts
    }

    /// Asks about every class of a region.
    pub(crate) fn region<V: Clone + Ord>(
        &mut self,
        who: &Who,
        place: &Place,
        inquiry: Inquiry,
        judge: &mut Judge<'_, V>,
    ) -> Vec<Found<V>> {
        let parts = self.parts(who, place, inquiry);
        let words = Words::of(&parts);
        let mut found = Vec::new();
        let mut crossing_by_kind: BTreeMap<(usize, usize), Vec<(usize, usize)>> = BTreeMap::new();
        for (caller, host) in parts.crossing.keys() {
            let kind = (parts.kind_of_caller.get(*caller), parts.kind_of_host.get(*host));
            if let (Some(of_caller), Some(of_host)) = kind {
                crossing_by_kind.entry((*of_caller, *of_host)).or_default().push((*caller, *host));
            }
        }
        for (caller_kind, (caller_entries, callers)) in parts.callers_by_kind.iter().enumerate() {
            for (host_kind, (host_entries, hosts)) in parts.hosts_by_kind.iter().enumerate() {
                if !self.takes_one_more() {
                    return found;
                }
                let numbers: Vec<usize> =
                    parts.everywhere.iter().chain(caller_entries).chain(host_entries).copied().collect();
                let crossing = crossing_by_kind.get(&(caller_kind, host_kind)).map_or(&[][..], Vec::as_slice);
                let pair = callers
                    .iter()
                    .flat_map(|caller| hosts.iter().map(move |host| (*caller, *host)))
                    .find(|pair| crossing.is_empty() || !parts.crossing.contains_key(pair));
                let bulk = pair.map(|pair| self.cell(&parts, pair, &numbers, inquiry, judge)).unwrap_or_default();
                let mut except = Vec::new();
                for pair in crossing {
                    if !self.takes_one_more() {
                        return found;
                    }
                    let own = parts.crossing.get(pair).into_iter().flatten();
                    let numbers: Vec<usize> = numbers.iter().chain(own).copied().collect();
                    let rows = self.cell(&parts, *pair, &numbers, inquiry, judge);
                    if rows.iter().map(said).eq(bulk.iter().map(said)) {
                        continue;
                    }
                    let (who, places) = words.describe(&[pair.0], &[pair.1]);
                    if !bulk.is_empty() {
                        except
                            .extend(who.iter().flat_map(|who| places.iter().map(|place| (who.clone(), place.clone()))));
                    }
                    found.extend(told(rows, &who, &places, &[]));
                }
                if bulk.is_empty() {
                    continue;
                }
                let (who, places) = words.describe(callers, hosts);
                except.sort();
                found.extend(told(bulk, &who, &places, &except));
            }
        }
        found
    }

    /// Counts one more part. Returns false if it may not be asked about any more: then the result is a sample.
    fn takes_one_more(&mut self) -> bool {
        self.cells = self.cells.saturating_add(1);
        let work = self.requests.saturating_add(self.known.work);
        let takes = self.cells <= MOST_CELLS && work <= self.most_work;
        self.is_sample |= !takes;
        takes
    }

    /// Asks about the requests of one class of callers to one class of hosts.
    fn cell<V: Clone + Ord>(
        &mut self,
        parts: &Parts,
        (caller, host): (usize, usize),
        numbers: &[usize],
        inquiry: Inquiry,
        judge: &mut Judge<'_, V>,
    ) -> Vec<Row<V>> {
        let (Some(caller), Some(host)) = (parts.callers.get(caller), parts.hosts.get(host)) else { return Vec::new() };
        let entries: Vec<&Entry> = numbers.iter().filter_map(|number| self.entries.get(*number)).collect();
        let changed = entries.iter().filter(|entry| entry.changed);
        let changed: Vec<TargetTerms> =
            changed.map(|entry| entry.terms.clone().unwrap_or_else(|| self.asked.clone())).collect();
        let relevant = if inquiry.changed_only { changed } else { vec![self.asked.clone()] };
        let Some((classes, tuples)) = self.tuples(numbers, inquiry, &relevant) else { return Vec::new() };
        let entries = numbers.iter().filter_map(|number| self.entries.get(*number));
        let times: BTreeSet<u64> =
            entries.filter_map(|entry| entry.expires).map(seconds).filter(|at| *at > self.now).collect();
        let times: Vec<u64> = times.into_iter().collect();
        let request = |tuple: &Tuple| witness(caller, host, tuple, inquiry, self.now);
        let mut verdicts: Vec<V> = Vec::new();
        let mut rows = Rows::new();
        for (number, tuple) in tuples.iter().enumerate() {
            for (verdict, time) in judge(&request(tuple), &times) {
                let known = verdicts.iter().position(|known| *known == verdict);
                let number_of = known.unwrap_or(verdicts.len());
                if known.is_none() {
                    verdicts.push(verdict);
                }
                rows.push(((number_of, tuple.at.clone()), (number, time)));
            }
        }
        for dimension in [2, 4, 3, 1, 0] {
            rows = joined(rows, dimension);
        }
        let source = if inquiry.by_principal { PEER_PRINCIPAL } else { "peer-certificate" };
        let source = inquiry.says_source.then_some(source);
        let row = |((verdict, at), (number, time))| {
            let (verdict, tuple): (&V, &Tuple) = (verdicts.get(verdict)?, tuples.get(number)?);
            Some((Ask { source, ..classes.describe(&at) }, verdict.clone(), request(tuple).at(time)))
        };
        let mut rows: Vec<Row<V>> = rows.into_iter().filter_map(row).collect();
        rows.sort_by(|one, other| said(one).cmp(&said(other)));
        rows
    }
}

impl Analysis<'_> {
    /// The classes into which entries part requests to one host, and a request of each that is asked about: those that
    /// one of `relevant` may match. None if there are none of these, or too many.
    fn tuples(
        &mut self,
        numbers: &[usize],
        inquiry: Inquiry,
        relevant: &[TargetTerms],
    ) -> Option<(Partition, Vec<Tuple>)> {
        if relevant.is_empty() {
            return None;
        }
        let entries: Vec<&Entry> = numbers.iter().filter_map(|number| self.entries.get(*number)).collect();
        let mut terms: BTreeSet<&TargetTerms> = entries.iter().filter_map(|entry| entry.terms.as_ref()).collect();
        terms.insert(&self.asked);
        let terms: Vec<&TargetTerms> = terms.into_iter().collect();
        let classes = match inquiry.layer {
            Layer::Http => Partition::Http(Classes::of(&terms, inquiry.names_port, &mut self.known)),
            Layer::Tcp => {
                let is_dry_run = self.documents.iter().any(|document| document.mode == Mode::DryRun);
                Partition::Tcp(ConnectionClasses::of(&terms, inquiry.names_port, is_dry_run))
            }
        };
        let too_many = classes.count() > self.most_work;
        self.is_sample |= classes.is_sample() || too_many;
        if too_many {
            return None;
        }
        let tuples = classes.tuples(&relevant.iter().collect::<Vec<&TargetTerms>>());
        self.requests = self.requests.saturating_add(tuples.len());
        Some((classes, tuples))
    }

    /// Shows a request of every class of a region that one of `relevant` may match, and the number of indivisible classes
    /// for which it stands. Stops where not all of them are found: then the result is a sample.
    pub(super) fn classes_of(
        &mut self,
        who: &Who,
        place: &Place,
        inquiry: Inquiry,
        relevant: &[TargetTerms],
        show: &mut dyn FnMut(&Witness, usize),
    ) {
        let parts = self.parts(who, place, inquiry);
        for (caller_entries, callers) in parts.callers_by_kind.iter() {
            for (host_entries, hosts) in parts.hosts_by_kind.iter() {
                let numbers: Vec<usize> =
                    parts.everywhere.iter().chain(caller_entries).chain(host_entries).copied().collect();
                let pairs = callers.iter().flat_map(|caller| hosts.iter().map(move |host| (*caller, *host)));
                let (apart, alike): (Vec<_>, Vec<_>) = pairs.partition(|pair| parts.crossing.contains_key(pair));
                let groups = apart.iter().map(|pair| (*pair, 1, parts.crossing.get(pair)));
                for ((caller, host), count, own) in
                    alike.first().map(|pair| (*pair, alike.len(), None)).into_iter().chain(groups)
                {
                    if self.is_sample || !self.takes_one_more() {
                        return;
                    }
                    let numbers: Vec<usize> = numbers.iter().chain(own.into_iter().flatten()).copied().collect();
                    let (Some(caller), Some(host)) = (parts.callers.get(caller), parts.hosts.get(host)) else {
                        continue;
                    };
                    let tuples = self.tuples(&numbers, inquiry, relevant);
                    for tuple in tuples.iter().flat_map(|(_, tuples)| tuples) {
                        let classes = tuple.at.iter().map(|at| at.len().max(1)).fold(count, usize::saturating_mul);
                        show(&witness(caller, host, tuple, inquiry, self.now), classes);
                    }
                }
            }
        }
    }
}

/// Rows of these callers and hosts.
fn told<V>(
    rows: Vec<Row<V>>,
    who: &[Part<Who>],
    places: &[Part<Place>],
    except: &[(Part<Who>, Part<Place>)],
) -> impl Iterator<Item = Found<V>> {
    rows.into_iter().map(|(ask, verdict, witness)| Found {
        verdict,
        ask,
        who: who.to_vec(),
        places: places.to_vec(),
        except: except.to_vec(),
        witness,
    })
}

fn said<V>(row: &Row<V>) -> (&V, &Ask) {
    (&row.1, &row.0)
}

/// Joins rows that differ in one dimension only.
fn joined(rows: Rows, dimension: usize) -> Rows {
    let mut groups: BTreeMap<(usize, At), (BTreeSet<usize>, Stand)> = BTreeMap::new();
    for ((verdict, mut at), request) in rows {
        let own = at.get_mut(dimension).map(std::mem::take).unwrap_or_default();
        match groups.entry((verdict, at)) {
            btree_map::Entry::Vacant(group) => drop(group.insert((own, request))),
            btree_map::Entry::Occupied(mut group) => group.get_mut().0.extend(own),
        }
    }
    let whole = |((verdict, mut at), (own, request)): ((usize, At), (BTreeSet<usize>, Stand))| {
        if let Some(slot) = at.get_mut(dimension) {
            *slot = own;
        }
        ((verdict, at), request)
    };
    groups.into_iter().map(whole).collect()
}

fn witness(caller: &Caller, host: &Host, tuple: &Tuple, inquiry: Inquiry, now: u64) -> Witness {
    let host = host.authority();
    let way = Way {
        identity: caller.id().map(str::to_owned),
        source: (inquiry.by_principal && caller.id().is_some()).then_some(PEER_PRINCIPAL),
        authority: tuple.port.map_or_else(|| host.clone(), |port| format!("{host}:{port}")),
    };
    match &tuple.content {
        Content::Http(content) => {
            let mut headers = BTreeMap::new();
            headers.extend(content.upgrade.map(|protocol| ("upgrade", protocol.to_owned())));
            headers.extend(content.overridden.then(|| ("x-http-method-override", "DELETE".to_owned())));
            Witness::request(way, content.method.clone(), content.path.clone(), headers, now)
        }
        Content::Tcp(hello) => Witness::connection(way, &host, *hello, now),
    }
}

/// A name with its labels from the last to the first.
fn reversed(name: &str) -> String {
    let labels: Vec<&str> = name.rsplit('.').collect();
    labels.join(".")
}

/// Regions that are in no other one.
fn without_inner(regions: BTreeSet<(Who, Place)>) -> Vec<(Who, Place)> {
    let ranges: Vec<&Place> =
        regions.iter().map(|(_, place)| place).filter(|place| matches!(place, Place::Range(_))).collect();
    let ranges: BTreeSet<&Place> = ranges.into_iter().collect();
    let mut stars: HashMap<&str, BTreeSet<&Place>> = HashMap::new();
    for (_, place) in &regions {
        if let Place::Inside(name, _) = place {
            stars.entry(name.tail()).or_default().insert(place);
        }
    }
    let wider_stars = |tail: &str, place: &Place| -> Vec<Place> {
        let above = suffixes(tail).filter_map(|tail| stars.get(tail)).flatten();
        above.filter(|star| star.covers(place)).map(|star| (*star).clone()).collect()
    };
    let is_inner = |(who, place): &(Who, Place)| {
        let mut places: Vec<Place> = match place {
            Place::Range(_) => ranges.iter().filter(|wide| wide.covers(place)).map(|wide| (*wide).clone()).collect(),
            Place::Name(name) => [Place::covering_name(name), wider_stars(name, place)].concat(),
            Place::Inside(name, _) => [Place::covering_star(name), wider_stars(name.tail(), place)].concat(),
            Place::Star(name) | Place::Below(name) => {
                let above = Place::covering_name(name).into_iter().filter(|above| above.covers(place));
                above.chain([Place::Below(name.clone()), Place::Dotted, Place::Names]).collect()
            }
            Place::Single | Place::Dotted | Place::Names => vec![Place::Names],
        };
        places.push(place.clone());
        let whos = who.covering();
        let mut pairs = whos.iter().flat_map(|who| places.iter().map(move |place| (who.clone(), place.clone())));
        pairs.any(|pair| (&pair.0, &pair.1) != (who, place) && regions.contains(&pair))
    };
    regions.iter().filter(|region| !is_inner(region)).cloned().collect()
}
