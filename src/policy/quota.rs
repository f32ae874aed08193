//! Entries of `quotas`.

use super::decode::At;
use super::document::{QuotaDoc, Scope};
use super::finding::{Findings, Severity, code};
use super::limit::{LimitDraft, Pace, key};
use super::settings::Mode;
use super::target_document::TargetDoc;
use crate::hash;
use crate::quota::{By, Calendar, Overrun, Quota};
use std::num::NonZeroU32;

/// A quota of a policy, in file order. Whom and what it matches, the graph knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaEntry {
    /// The limit, as one gateway enforces it.
    pub quota: Quota,
    /// `mode`, if the entry gives one: an explicit `enforce` is more than the default.
    pub mode: Option<Mode>,
}

/// A quota that is being read.
#[derive(Debug)]
pub(super) struct QuotaDraft {
    id: Box<str>,
    by: By,
    overrun: Overrun,
    mode: Option<Mode>,
    limit: Option<LimitDraft>,
    /// Position in its list.
    item: usize,
}

impl QuotaDraft {
    /// Checks what an entry says besides its id, `from` and `to`.
    pub(super) fn read(doc: &mut QuotaDoc<'_>, findings: &mut Findings<'_>) -> QuotaDraft {
        let item = findings.item();
        let by = *doc.by.as_ref().unwrap_or(&By { identity: true, ..By::default() });
        if by.destination {
            names_destinations(doc, findings);
        }
        if let Some(Scope::Fleet) = doc.scope.as_ref() {
            let fix = "remove `scope`, and give `replicas`: every gateway then keeps its share of the limit";
            let message = "this version keeps quotas in each gateway, not for all of them together";
            findings.error_in("scope", code::UNSUPPORTED, message, fix.to_owned());
        }
        findings.enter_key("limit");
        let limit = std::mem::take(&mut doc.limit).good().and_then(|limit| LimitDraft::read(limit, findings));
        findings.leave();
        if let Some(unit) = limit.map(|limit| limit.unit).filter(|unit| !unit.is_bytes())
            && !doc.overrun.is_absent()
        {
            let message = format!("`overrun` says nothing of `{}`", key(unit));
            let fix = "only bytes go on being counted once a request was let through; remove it".to_owned();
            findings.error_in("overrun", code::COMBINATION, message, fix);
        }
        QuotaDraft {
            id: doc.id.as_ref().map_or("", |id| &*id.0).into(),
            by,
            overrun: doc.overrun.as_ref().copied().unwrap_or_default(),
            mode: doc.mode.as_ref().copied(),
            limit,
            item,
        }
    }

    /// The quota, as one of so many gateways enforces it. Nothing where something is wrong.
    pub(super) fn finish(self, replicas: NonZeroU32, findings: &mut Findings<'_>) -> Option<QuotaEntry> {
        let draft = self.limit?;
        findings.enter_key("quotas");
        findings.enter_item(self.item);
        findings.enter_key("limit");
        let limit = draft.divide(replicas);
        if limit.is_some() {
            rounding(&draft, replicas, findings);
        } else {
            let message = "the limit's burst would take more than 146 years to pay";
            let fix = "shorten `per`, or lower `burst` or `replicas`".to_owned();
            findings.error::<()>(code::LIMIT, message, fix);
        }
        findings.leave();
        findings.leave();
        findings.leave();
        let QuotaDraft { id, by, overrun, mode, .. } = self;
        let tag = tag(&id, &draft, by);
        Some(QuotaEntry { quota: Quota { id, unit: draft.unit, limit: limit?, by, overrun, tag }, mode })
    }
}

impl QuotaEntry {
    /// Memory it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<QuotaEntry>().saturating_add(self.quota.id.len())
    }
}

/// `by: [destination]` takes targets that name one.
fn names_destinations(doc: &QuotaDoc<'_>, findings: &mut Findings<'_>) {
    const FIX: &str = "name a `destination` in every target, or take `destination` out of `by`";
    if doc.to.is_absent() {
        let message = "`by` keeps a bucket for each destination, and there is no `to` that names any";
        findings.error_in("by", code::COMBINATION, message, FIX.to_owned());
    }
    findings.enter_key("to");
    let unnamed = |target: &&At<TargetDoc<'_>>| target.value.destination.is_absent();
    for target in doc.to.as_ref().into_iter().flatten().filter(unnamed) {
        findings.enter_item(target.item);
        let message = "`by` keeps a bucket for each destination, and this target names none";
        findings.error::<()>(code::COMBINATION, message, FIX.to_owned());
        findings.leave();
    }
    findings.leave();
}

/// Says what dividing a limit makes of it, where that is not just a part of it.
fn rounding(draft: &LimitDraft, replicas: NonZeroU32, findings: &mut Findings<'_>) {
    let (whole, share, count) = (draft.whole(), draft.share(replicas), u64::from(replicas.get()));
    let total = share.saturating_mul(count);
    // of bytes, less than one for each gateway is nothing to speak of
    if total == whole || draft.unit.is_bytes() && total < whole {
        return;
    }
    let allows = match draft.pace {
        Pace::Rate { .. } => format!("bursts of {share}"),
        Pace::Window(Calendar::Hour) => format!("{share} an hour"),
        Pace::Window(calendar) => format!("{share} a {}", calendar.as_str()),
        Pace::InFlight => format!("{share} at a time"),
    };
    let message = format!("each of the {count} `replicas` allows {allows}, which makes {total} in all and not {whole}");
    let (severity, fix) = match total > whole {
        true => {
            let fix = format!("no gateway can allow less than 1: write at least {count}, or lower `replicas`");
            (Severity::Warning, fix)
        }
        false => (Severity::Note, format!("write a multiple of {count} to keep all of it")),
    };
    findings.advise(severity, code::ROUNDED, message, fix);
}

/// Tells the quota's buckets from those of others, and from its own of another kind. It stays what it is across
/// versions: buckets outlive the module that made them.
fn tag(id: &str, draft: &LimitDraft, by: By) -> u64 {
    let pace = match draft.pace {
        Pace::Rate { .. } => "rate",
        Pace::Window(calendar) => calendar.as_str(),
        Pace::InFlight => "",
    };
    let bits = [by.identity, by.namespace, by.destination].into_iter().fold(0, |bits, bit| bits << 1 | u64::from(bit));
    let words = [id, key(draft.unit), pace].map(|word| hash::bytes(0, word.as_bytes()));
    hash::finish(words.into_iter().chain([bits]).fold(0, hash::mix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Candidate, Resolved, Search, VisitedSets};
    use crate::policy::Policy;
    use crate::request::{Authority, Identity};

    /// A policy with these keys besides its name and version.
    fn text(keys: &str) -> String {
        format!(r#"{{"name":"p","version":1,{keys}}}"#)
    }

    fn load(keys: &str) -> Policy {
        Policy::load(text(keys).as_bytes()).unwrap_or_else(|rejection| panic!("{:#?}", rejection.findings))
    }

    fn refused(keys: &str) -> Vec<String> {
        let rejection = Policy::load(text(keys).as_bytes()).unwrap_err();
        rejection.findings.iter().map(|finding| format!("{} {finding}", finding.code)).collect()
    }

    /// A policy with one quota, `q`, of 5 requests in flight.
    fn one(keys: &str) -> String {
        format!(r#""quotas":[{{"id":"q","limit":{{"concurrent":5}}{keys}}}]"#)
    }

    fn by(keys: &str) -> By {
        load(&one(keys)).quotas()[0].quota.by
    }

    #[test]
    fn an_entry_says_what_is_kept() {
        let policy = load(
            r#""quotas":[{"id":"b","limit":{"bytes":"1GB","per":"day"},"overrun":"finish","mode":"dry-run","scope":"gateway",
                "owner":"o","reason":"r","ticket":"t"},{"id":"a","limit":{"concurrent":5},"mode":"enforce"},
                {"id":"c","limit":{"bytesOut":"1GB","per":"day"},"overrun":"cut"}]"#,
        );
        let [b, a, c] = policy.quotas() else { panic!() };
        assert_eq!((&*b.quota.id, b.quota.overrun, b.mode), ("b", Overrun::Finish, Some(Mode::DryRun)));
        assert_eq!((&*a.quota.id, a.quota.overrun, a.mode), ("a", Overrun::Cut, Some(Mode::Enforce)));
        assert_eq!((&*c.quota.id, c.quota.overrun, c.mode), ("c", Overrun::Cut, None));
        assert_eq!(policy.ids().collect::<Vec<_>>(), ["b", "a", "c"]);
        assert_eq!(policy.rule_count(), 0);
        assert!(policy.bytes() > load("\"rules\":[]").bytes() + 3 * size_of::<QuotaEntry>());
    }

    #[test]
    fn buckets_are_kept_by_identity_unless_said_otherwise() {
        let identity = By { identity: true, ..By::default() };
        assert_eq!(by(""), identity);
        assert_eq!(by(r#","by":["identity"]"#), identity);
        assert_eq!(by(r#","by":[]"#), By::default());
        assert_eq!(by(r#","by":["namespace"]"#), By { namespace: true, ..By::default() });
    }

    #[test]
    fn what_buckets_are_kept_by_is_a_list_of_known_words_each_once() {
        for (by, expected) in [
            (
                r#""identity""#,
                "TG005 quotas[0].by: expected a list of `identity`, `namespace` and `destination`, found a string",
            ),
            (r#"["identity","identity"]"#, "TG009 quotas[0].by[1]: `identity` is listed twice; remove one"),
            (r#"["idenity"]"#, "TG006 quotas[0].by[0]: `idenity` is not known here; did you mean `identity`?"),
            (r#"[7]"#, "TG005 quotas[0].by[0]: expected `identity`, `namespace` or `destination`, found a number"),
        ] {
            assert_eq!(refused(&one(&format!(r#","by":{by}"#))), [expected]);
        }
        assert_eq!(refused(&one(r#","by":null"#)).len(), 1);
    }

    #[test]
    fn buckets_for_each_destination_take_targets_that_name_one() {
        let destination = r#""destinations":{"d":{"hosts":["a.test"]}}"#;
        let of = |keys| format!("{destination},{}", one(keys));
        let policy = load(&of(r#","by":["destination"],"to":[{"destination":"d","methods":["GET"]}]"#));
        assert!(policy.quotas()[0].quota.by.destination);
        let fix = "name a `destination` in every target, or take `destination` out of `by`";
        assert_eq!(
            refused(&of(r#","by":["destination"]"#)),
            [format!(
                "TG007 quotas[0].by: `by` keeps a bucket for each destination, and there is no `to` that names any; {fix}"
            )]
        );
        assert_eq!(
            refused(&of(r#","by":["destination"],"to":[{"destination":"d"},{"hosts":["b.test"]},{}]"#)),
            [1, 2].map(|at| format!(
                "TG007 quotas[0].to[{at}]: `by` keeps a bucket for each destination, and this target names none; {fix}"
            ))
        );
        // what is wrong with `to` itself is said once
        assert_eq!(refused(&of(r#","by":["destination"],"to":[]"#)).len(), 1);
    }

    #[test]
    fn an_entry_needs_an_id_and_a_limit_and_has_no_other_keys() {
        assert_eq!(
            refused(r#""quotas":[{}]"#),
            ["TG004 quotas[0]: `id` is missing", "TG004 quotas[0]: `limit` is missing"]
        );
        assert_eq!(
            refused(&one(r#","form":[{"any":true}]"#)),
            ["TG002 quotas[0].form: unknown key `form`; did you mean `from`?"]
        );
        assert_eq!(refused(&one(r#","from":[]"#)).len(), 1);
        assert_eq!(refused(&one(r#","to":[]"#)).len(), 1);
        assert_eq!(refused(&one(r#","id":"r""#)), ["TG003 quotas[0].id: the key `id` is given twice; remove one"]);
        assert_eq!(refused(r#""quotas":[5]"#), ["TG005 quotas[0]: expected a quota, found a number"]);
        assert_eq!(refused(r#""quotas":{}"#), ["TG005 quotas: expected a list, found a map"]);
        load(r#""quotas":[]"#);
    }

    #[test]
    fn ids_are_unique_across_all_lists() {
        let taken = "the id `q` is taken; ids are unique across `deny`, `rules`, `residency` and `quotas`";
        for list in [
            r#""deny":[{"id":"q"}]"#,
            r#""rules":[{"id":"q","from":[{"any":true}],"to":[{"hosts":["a.test"]}]}]"#,
            r#""residency":[{"id":"q","from":[{"any":true}],"regions":["eu"]}]"#,
        ] {
            assert_eq!(refused(&format!("{list},{}", one(""))), [format!("TG009 quotas[0].id: {taken}")]);
        }
        let twice = r#""quotas":[{"id":"q","limit":{"concurrent":1}},{"id":"q","limit":{"concurrent":1}}]"#;
        assert_eq!(refused(twice), [format!("TG009 quotas[1].id: {taken}")]);
    }

    #[test]
    fn only_bytes_can_overrun() {
        for (limit, unit) in [(r#"{"requests":1,"per":"1s"}"#, "requests"), (r#"{"concurrent":1}"#, "concurrent")] {
            assert_eq!(
                refused(&format!(r#""quotas":[{{"id":"q","limit":{limit},"overrun":"cut"}}]"#)),
                [format!(
                    "TG007 quotas[0].overrun: `overrun` says nothing of `{unit}`; only bytes go on being counted once a \
                     request was let through; remove it"
                )]
            );
        }
        assert_eq!(
            refused(r#""quotas":[{"id":"q","limit":{"bytes":1,"per":"1s"},"overrun":"kill"}]"#),
            ["TG006 quotas[0].overrun: `kill` is not known here; the words here are `cut` and `finish`"]
        );
    }

    #[test]
    fn what_takes_a_service_is_not_accepted() {
        let fleet = "TG015 quotas[0].scope: this version keeps quotas in each gateway, not for all of them together; \
                     remove `scope`, and give `replicas`: every gateway then keeps its share of the limit";
        assert_eq!(refused(&one(r#","scope":"fleet""#)), [fleet]);
        assert_eq!(
            refused(&one(r#","scope":"fleets""#)),
            ["TG006 quotas[0].scope: `fleets` is not known here; did you mean `fleet`?"]
        );
        let service = refused(r#""rateLimitService":{"cluster":"c","domain":"d"}"#);
        assert!(matches!(service.as_slice(), [one] if one.starts_with("TG015 rateLimitService: ")), "{service:?}");
        // and is offered to nobody
        let unknown = Policy::load(br#"{"version":1,"name":"p","rateLimitServices":{},"x":{}}"#).unwrap_err();
        let offered: String = unknown.findings.iter().filter_map(|finding| finding.fix.as_deref()).collect();
        assert!(offered.contains("residency") && !offered.contains("rateLimit"), "{offered}");
    }

    #[test]
    fn a_mode_is_enforce_or_dry_run() {
        assert_eq!(
            refused(&one(r#","mode":"dryrun""#)),
            ["TG006 quotas[0].mode: `dryrun` is not known here; did you mean `dry-run`?"]
        );
    }

    #[test]
    fn a_target_that_no_request_matches_is_refused() {
        assert_eq!(
            refused(&one(r#","to":[{"paths":["/a"]},{"methods":["CONNECT"],"paths":["/a"]}]"#)),
            ["TG007 quotas[0].to[1].paths: a CONNECT request has no path, so that `paths` says nothing of it; remove \
              `paths`, or list the methods of requests that have one"]
        );
        load(&one(r#","to":[{"methods":["CONNECT"]},{"methods":["CONNECT","GET"],"paths":["/a"]}]"#));
    }

    #[test]
    fn replicas_is_a_number_of_pods() {
        assert_eq!(refused(r#""replicas":0"#), ["TG006 replicas: `0` is no number of pods; there is at least 1"]);
        assert_eq!(refused(r#""replicas":4294967296"#).len(), 1);
        load(r#""replicas":4294967295"#);
    }

    #[test]
    fn advice_never_rejects_and_a_rejection_holds_errors_only() {
        let quota = r#""quotas":[{"id":"q","limit":{"requests":1,"per":"1h"}}]"#;
        load(quota);
        assert_eq!(refused(&format!("{quota},\"mode\":\"off\"")).len(), 1);
    }

    #[test]
    fn a_tag_is_that_of_id_unit_kind_of_per_and_by() {
        let tag = |quota: &str| {
            load(&format!(r#""destinations":{{"d":{{"hosts":["a.test"]}}}},"quotas":[{quota}]"#)).quotas()[0].quota.tag
        };
        let first = tag(r#"{"id":"q","limit":{"requests":1,"per":"1s"}}"#);
        for same in [
            r#"{"id":"q","limit":{"requests":2,"per":"1s"}}"#,
            r#"{"id":"q","limit":{"requests":1,"per":"5m","burst":9}}"#,
            r#"{"id":"q","limit":{"requests":1,"per":"1s"},"by":["identity"],"mode":"dry-run","scope":"gateway"}"#,
            r#"{"id":"q","limit":{"requests":1,"per":"1s"},"from":[{"any":true}],"to":[{"hosts":["a.test"]}]}"#,
        ] {
            assert_eq!(tag(same), first, "{same}");
        }
        let limits = ["requests", "bytesOut", "bytesIn", "bytes"]
            .into_iter()
            .flat_map(|unit| {
                ["1s", "minute", "hour", "day", "week", "month"].map(|per| format!(r#"{{"{unit}":1,"per":"{per}"}}"#))
            })
            .chain([r#"{"concurrent":1}"#.to_owned()]);
        let mut tags = std::collections::HashSet::new();
        let mut count = 0;
        for limit in limits {
            for by in ["", "\"identity\"", "\"namespace\"", "\"identity\",\"namespace\"", "\"destination\""] {
                for id in ["q", "r"] {
                    count += 1;
                    tags.insert(tag(&format!(
                        r#"{{"id":"{id}","limit":{limit},"by":[{by}],"to":[{{"destination":"d"}}]}}"#
                    )));
                }
            }
        }
        assert_eq!(tags.len(), count);
        // buckets outlive the module, so the number itself matters
        assert_eq!(first, 2_032_777_059_586_459_595);
    }

    /// The entries whose targets stand between a request's names and have its path, in order, each target once.
    #[derive(Default)]
    struct Entries<'p> {
        path: &'p [u8],
        found: Vec<(u32, u32)>,
    }

    impl Search for Entries<'_> {
        fn wants_misses(&self) -> bool {
            false
        }
        fn is_open(&self, _: u8) -> bool {
            true
        }
        fn look(&mut self, candidate: Candidate<'_>) {
            if !candidate.target.has_paths() || candidate.matching_pattern(self.path, false).is_some() {
                self.found.push((candidate.number, candidate.target.entry));
            }
        }
    }

    /// Numbers of the quotas that match, but for ports and methods.
    fn matching(policy: &Policy, account: &str, authority: &str, path: &str) -> Vec<u32> {
        let id = format!("spiffe://cluster.local/ns/{}", account.replace('/', "/sa/"));
        let identity = (account != "-").then(|| Identity::parse(id.as_bytes()).unwrap());
        let (mut groups, mut hosts, mut buffer) = (Vec::new(), Resolved::default(), Vec::new());
        policy.identities.resolve(identity.as_ref(), "cluster.local", &mut groups);
        policy.hosts.resolve(Authority::parse(authority.as_bytes(), &mut buffer).unwrap().host, &mut hosts);
        let mut search = Entries { path: path.as_bytes(), ..Entries::default() };
        policy.quotas.search(&groups, hosts.wide(), Some(path.as_bytes()), &mut VisitedSets::default(), &mut search);
        let mut entries: Vec<_> = search.found.iter().map(|(_, entry)| *entry).collect();
        entries.sort();
        entries.dedup();
        entries
    }

    /// A policy with these quotas, given by their keys besides `id` and `limit`.
    fn several(quotas: &[&str], keys: &str) -> Policy {
        let quotas = quotas.iter().enumerate();
        let quotas: Vec<_> =
            quotas.map(|(at, keys)| format!(r#"{{"id":"q{at}","limit":{{"concurrent":5}}{keys}}}"#)).collect();
        // in the order of Kubernetes, but that what is named is defined later
        load(&format!(r#""quotas":[{}]{keys}"#, quotas.join(",")))
    }

    #[test]
    fn absent_from_and_to_mean_everyone_and_every_request() {
        let policy = several(
            &["", r#","from":[{"any":true}]"#, r#","from":[{"anonymous":true}]"#, r#","to":[{"hosts":["**"]}]"#],
            "",
        );
        assert_eq!(matching(&policy, "a/b", "a.test", "/x"), [0, 1, 3]);
        assert_eq!(matching(&policy, "-", "a.test", "/x"), [0, 2, 3]);
        assert_eq!(matching(&policy, "a/b", "10.0.0.1", "/x"), [0, 1]);
        assert_eq!(matching(&policy, "a/b", "localhost", "/x"), [0, 1, 3]);
    }

    #[test]
    fn any_of_a_named_set_does_not_take_in_anonymous_requests_either() {
        let policy = several(
            &[r#","from":[{"workloads":"all"}]"#],
            r#","deny":[{"id":"d","from":[{"workloads":"all"}]}],"workloads":{"all":[{"any":true}]}"#,
        );
        assert_eq!(matching(&policy, "a/b", "a.test", "/x"), [0]);
        assert_eq!(matching(&policy, "-", "a.test", "/x"), [0; 0]);
    }

    #[test]
    fn what_is_named_may_be_defined_later() {
        let policy = several(
            &[
                r#","from":[{"workloads":"w"}],"to":[{"destination":"z"}]"#,
                r#","to":[{"destination":"z","paths":["/x"]}]"#,
            ],
            r#","workloads":{"w":[{"namespace":"a"}]},"destinations":{"z":{"hosts":["a.test"],"cidrs":["10.0.0.0/8"]}}"#,
        );
        assert_eq!(matching(&policy, "a/b", "a.test", "/x"), [0, 1]);
        assert_eq!(matching(&policy, "a/b", "10.1.2.3", "/y"), [0]);
        assert_eq!(matching(&policy, "b/b", "a.test", "/x"), [1]);
        assert_eq!(matching(&policy, "a/b", "b.test", "/x"), [0; 0]);
        let pointers = refused(&one(r#","from":[{"workloads":"w"}],"to":[{"destination":"z"}]"#));
        assert_eq!(
            pointers,
            [
                "TG008 quotas[0].from[0].workloads: `w` is not defined in `workloads`; define it, or mend the name",
                "TG008 quotas[0].to[0].destination: `z` is not defined in `destinations`; define it, or mend the name",
            ]
        );
    }

    #[test]
    fn a_destination_without_ports_means_every_port() {
        let policy = several(
            &[r#","to":[{"destination":"z"},{"hosts":["b.test"],"ports":[443]}]"#],
            r#","destinations":{"z":{"hosts":["a.test"]}}"#,
        );
        let ports = |number| {
            let target = policy.quotas.target(number).unwrap();
            let constraints = policy.quotas.constraints(target).unwrap();
            assert_eq!(policy.destination_name(constraints.destination), (number == 0).then_some("z"));
            constraints.ports
        };
        assert_eq!(ports(0), crate::index::NONE);
        assert_ne!(ports(1), crate::index::NONE);
    }

    #[test]
    fn no_quota_stands_for_another_on_the_same_paths() {
        // more than a small cell holds, so that it gets a table of paths
        let same = r#","to":[{"hosts":["a.test"],"paths":["/x","/a","/b","/c","/d/*"]}]"#;
        let pathless = r#","to":[{"hosts":["a.test"]}]"#;
        let policy = several(&[same, same, pathless, pathless, same], "");
        assert_eq!(matching(&policy, "a/b", "a.test", "/x"), [0, 1, 2, 3, 4]);
        assert_eq!(matching(&policy, "a/b", "a.test", "/d/e"), [0, 1, 2, 3, 4]);
        assert_eq!(matching(&policy, "a/b", "a.test", "/y"), [2, 3]);
    }

    #[test]
    fn paths_are_compared_in_the_wide_reading() {
        let policy = several(&[r#","to":[{"paths":["/Admin/**"]}]"#], "");
        assert_eq!(matching(&policy, "a/b", "a.test", "/admin/x"), [0]);
        assert_eq!(matching(&policy, "a/b", "a.test", "/admin"), [0]);
    }
}
