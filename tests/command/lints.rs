//! Claims of `lint` against the engine, over random policies and requests: an entry that admits nothing, or nothing
//! new, can be removed; a quota that counts nothing counts nothing. Each code's examples in docs/lints.md are what they
//! say.

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use tollgate::decision::{Authorizer, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::quota::{Memory, QuotaThread};
use tollgate_tests::oracle::{connections, policies, requests};

const NOW: &str = "2026-07-01T00:00:00Z";

/// Findings as (code, pointer).
fn lint(file: &Path) -> Vec<(String, String)> {
    lint_with(file, &[])
}

fn lint_with(file: &Path, more: &[&Path]) -> Vec<(String, String)> {
    let report = report(file, more);
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (text(finding, "code"), text(finding, "pointer")))
        .collect()
}

fn report(file: &Path, more: &[&Path]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["lint", "--format=json", "--now", NOW])
        .arg(file)
        .args(more)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// A policy without elements of lists: `rules[3].to[1].hosts[2]`, `destinations.d.cidrs[0]`.
fn without_elements(policy: &Value, pointers: &[String]) -> Value {
    let mut policy = policy.clone();
    let mut marked: Vec<String> =
        pointers.iter().map(|at| format!("/{}", at.replace(['.', '['], "/").replace(']', ""))).collect();
    // from the end, so that the others stay where they are
    let number = |at: &String| at.rsplit_once('/').unwrap().1.parse::<usize>().unwrap();
    marked.sort_by_key(|at| std::cmp::Reverse(number(at)));
    for at in marked {
        let list = policy.pointer_mut(at.rsplit_once('/').unwrap().0).unwrap().as_array_mut().unwrap();
        list.remove(number(&at));
    }
    policy
}

/// `rules[3].to[1]` → (3, Some(1)).
fn numbers(pointer: &str) -> (usize, Option<usize>) {
    let mut numbers = pointer.split(['[', ']']).filter_map(|part| part.parse().ok());
    (numbers.next().unwrap(), numbers.next())
}

/// The policy without these targets, and without the rules that are left with none.
fn without(policy: &Value, removed: &BTreeSet<(usize, Option<usize>)>) -> Value {
    let mut policy = policy.clone();
    let rules = policy["rules"].as_array_mut().unwrap();
    let mut number = 0;
    rules.retain_mut(|rule| {
        let own = number;
        number += 1;
        if removed.contains(&(own, None)) {
            return false;
        }
        let mut item = 0;
        let targets = rule["to"].as_array_mut().unwrap();
        targets.retain(|_| {
            item += 1;
            !removed.contains(&(own, Some(item - 1)))
        });
        !targets.is_empty()
    });
    policy
}

#[test]
fn what_admits_nothing_new_can_be_removed_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    let now = Timestamp::parse(NOW).unwrap();
    let mut claims: BTreeMap<String, usize> = BTreeMap::new();
    let (mut requests, mut admitted, mut connected) = (0, 0, 0);
    for seed in 0..400 {
        let rng = &mut Rng::with_seed(seed);
        let text = policies::policy(rng);
        fs::write(&file, text.to_string()).unwrap();
        let findings = lint(&file);
        let removable = |code: &str| code.starts_with("TG11") && code < "TG117";
        let mut removed = BTreeSet::new();
        let mut elements = Vec::new();
        for (code, pointer) in findings.iter().filter(|(code, _)| removable(code)) {
            *claims.entry(code.clone()).or_default() += 1;
            if pointer.contains(".hosts[") || pointer.contains(".cidrs[") {
                elements.push(pointer.clone());
                *claims.entry("in a list".to_owned()).or_default() += 1;
                continue;
            }
            let (rule, item) = numbers(pointer);
            removed.insert((rule, item.filter(|_| code != "TG111")));
        }
        let idle: Vec<usize> =
            findings.iter().filter(|(code, _)| code == "TG119").map(|(_, pointer)| numbers(pointer).0).collect();
        *claims.entry("TG119".to_owned()).or_default() += idle.len();
        if removed.is_empty() && idle.is_empty() && elements.is_empty() {
            continue;
        }
        let load = |text: &Value| Policy::load(text.to_string().as_bytes()).unwrap();
        let lean = without(&without_elements(&text, &elements), &removed);
        let (whole, less) = (load(&text), load(&lean));
        for _ in 0..200 {
            let request = requests::request(rng);
            // what is said holds from now on
            let now = Timestamp(now.0.max(request.now));
            let (mut scratch, mut other) = (Scratch::default(), Scratch::default());
            let judged = Authorizer::new(&whole).decide(&request.arrival(), now, &mut scratch);
            let outcome = Authorizer::new(&less).decide(&request.arrival(), now, &mut other).decision.outcome;
            assert_eq!(judged.decision.outcome, outcome, "{request}\n{removed:?}\n{text:#}");
            let counted = judged.quotas.iter().map(|metered| metered.number() as usize);
            assert!(counted.clone().all(|quota| !idle.contains(&quota)), "{request} {idle:?} {text:#}");
            requests += 1;
            admitted += usize::from(judged.decision.outcome.as_str() == "allow");
            let connection = connections::connection(rng);
            let (arrival, now) = (connection.arrival(), Timestamp(now.0.max(connection.now)));
            let judged = Authorizer::new(&whole).decide(&arrival, now, &mut scratch);
            let outcome = Authorizer::new(&less).decide(&arrival, now, &mut other).decision.outcome;
            assert_eq!(judged.decision.outcome, outcome, "{connection}\n{removed:?}\n{text:#}");
            let counted = judged.quotas.iter().map(|metered| metered.number() as usize);
            assert!(counted.clone().all(|quota| !idle.contains(&quota)), "{connection} {idle:?} {text:#}");
            connected += usize::from(judged.decision.outcome.as_str() == "allow");
        }
    }
    for code in ["TG110", "TG111", "TG112", "TG114", "TG115", "TG116", "in a list"] {
        assert!(claims.get(code).is_some_and(|count| *count >= 3), "{claims:?}");
    }
    assert!(
        requests >= 10_000 && admitted >= 300 && connected >= 300,
        "{admitted} and {connected} of {requests}, {claims:?}"
    );
}

#[test]
fn a_quota_that_is_said_never_to_refuse_first_never_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    let mut claims = 0;
    let mut refusals = 0;
    for seed in 0..150 {
        let rng = &mut Rng::with_seed(seed);
        let limits = [
            "{requests: 2, per: 1s}",
            "{requests: 3, per: 1s}",
            "{requests: 2, per: 2s}",
            "{requests: 2, per: day}",
            "{requests: 4, per: day}",
            "{requests: 4, per: 1s, burst: 1}",
        ];
        let froms = ["", "from: [{namespace: a}], ", "from: [{serviceAccount: a/x}], "];
        let tos = [
            "",
            "to: [{hosts: [a.test]}], ",
            "to: [{hosts: [\"**.test\"]}], ",
            "to: [{hosts: [a.test], methods: [GET]}], ",
        ];
        let bys = ["", "by: [namespace], ", "by: [], "];
        let mut quota = |id: usize| {
            let [from, to, by] = [&froms[..], &tos[..], &bys[..]].map(|list| rng.choice(list).unwrap());
            format!("  - {{id: q{id}, {from}{to}{by}limit: {}}}\n", rng.choice(limits).unwrap())
        };
        let quotas: String = (0..4).map(&mut quota).collect();
        let text = format!(
            "version: 1\nname: p\nrules:\n  - {{id: all, from: [{{any: true}}], to: [{{hosts: [\"**\"]}}]}}\nquotas:\n{quotas}"
        );
        let file = file.with_extension("yaml");
        fs::write(&file, &text).unwrap();
        let weak: Vec<usize> =
            lint(&file).iter().filter(|(code, _)| code == "TG120").map(|(_, pointer)| numbers(pointer).0).collect();
        claims += weak.len();
        let policy = tollgate_read::load(&[&file]).unwrap().policy;
        let (mut thread, mut memory, mut time) =
            (QuotaThread::default(), Memory::default(), 1_782_864_000_000_000_000_u64);
        for _ in 0..60 {
            time += rng.u64(0..700_000_000);
            let id = format!(
                "spiffe://cluster.local/ns/{}/sa/{}",
                rng.choice(["a", "b"]).unwrap(),
                rng.choice(["x", "y"]).unwrap()
            );
            let arrival = tollgate::request::Arrival {
                identity: Some(tollgate::request::Presented {
                    source: tollgate::request::Source::PeerCertificate,
                    id: id.as_bytes(),
                }),
                authority: rng.choice([b"a.test", b"b.test"]).unwrap(),
                method: rng.choice([b"GET".as_slice(), b"POST"]).unwrap(),
                path: Some(b"/"),
                ..Default::default()
            };
            let mut scratch = Scratch::default();
            let mut judged = Authorizer::new(&policy).decide(&arrival, Timestamp(time), &mut scratch);
            (memory.now.wall, memory.now.monotonic) = (time, time);
            let charged = Authorizer::new(&policy).charge(&mut judged, 10, &mut thread, &mut memory);
            let refusing: Vec<usize> = charged
                .outcomes
                .iter()
                .filter(|note| note.charge.refusal.is_some())
                .map(|note| note.number() as usize)
                .collect();
            refusals += refusing.len();
            assert!(
                refusing.is_empty() || refusing.iter().any(|quota| !weak.contains(quota)),
                "{weak:?} {refusing:?}\n{text}"
            );
        }
    }
    assert!(claims >= 50 && refusals >= 1000, "{claims} {refusals}");
}

#[test]
fn a_quota_that_reads_paths_in_another_way_makes_none_weak() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let is_weak = |slash: &str| {
        let few = "{id: few, to: [{paths: [/a/**], encodedSlash: data}], limit: {requests: 1, per: 1s}}";
        let many = format!("{{id: many, to: [{{paths: [/a/**]{slash}}}], limit: {{requests: 100, per: 1s}}}}");
        fs::write(&file, format!("version: 1\nname: p\nquotas:\n  - {few}\n  - {many}\n")).unwrap();
        lint(&file).iter().any(|(code, _)| code == "TG120")
    };
    assert!(is_weak(", encodedSlash: data"));
    // of paths with `%2F` it counts every one
    assert!(!is_weak(""));
}

#[test]
fn requests_that_no_rule_admits_are_counted_where_they_are_let_through() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let text = "version: 1\nname: p\nquotas:\n  - {id: q, limit: {requests: 1, per: 1s}}\n";
    let idle = |settings: &str| {
        fs::write(&file, format!("{text}{settings}")).unwrap();
        lint(&file).iter().any(|(code, _)| code == "TG119")
    };
    assert!(idle(""));
    assert!(!idle("mode: dry-run\n"));
    assert!(!idle("dryRunFor: [{namespace: a}]\n"));
}

/// Codes that only a gateway with `ports.tls` gives.
const OF_CONNECTIONS: [&str; 2] = ["TG105", "TG125"];

const SITE_WITH_TLS: &str = r#"{site: 1, istio: {version: "1.31"}, gateways: [{name: egress, api: istio, namespace: out,
    selector: {istio: egress}, service: egress.out.svc.cluster.local, ports: {http: 8443, tls: 8444}}],
    module: {image: registry.example/tollgate, digest: "sha256:0b4d9c9e6a7c8f3a2d1e5f60718293a4b5c6d7e8f90123456789abcdef012345"}}"#;

/// Messages and pointers of what lint says of connections.
fn of_connections(policy: &str, site: &str) -> Vec<(String, String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let [file, site_file] = ["policy.yaml", "site.yaml"].map(|name| folder.path().join(name));
    fs::write(&file, format!("version: 1\nname: p\n{policy}")).unwrap();
    fs::write(&site_file, site).unwrap();
    let report = report(&file, &[Path::new("--site"), &site_file]);
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let own = findings.filter(|finding| OF_CONNECTIONS.contains(&finding["code"].as_str().unwrap()));
    own.map(|finding| (text(finding, "severity"), text(finding, "pointer"), text(finding, "message"))).collect()
}

#[test]
fn what_counts_for_nothing_in_connections_is_said_where_there_can_be_any() {
    let policy = r#"
destinations:
  made: {hosts: [made.test], tls: originate}
deny:
  - {id: admin, to: [{hosts: [open.test], paths: [/admin/**]}, {hosts: [paths.test], paths: [/x]}, {hosts: [open.test]}]}
  - {id: verbs, to: [{methods: [PUT], upgrades: [websocket]}], except: [{hosts: ["*.test"], methods: [PUT]}]}
rules:
  - id: r
    from: [{any: true}]
    to:
      - {hosts: [open.test]}
      - {hosts: [paths.test], methods: [GET], paths: [/a]}
      - {hosts: [sockets.test], upgrades: [websocket]}
      - {hosts: [plain.test], paths: [/a], tls: none}
      - {destination: made, paths: [/a]}
      - {hosts: [a.test, b.test, c.test, d.test], methods: [GET], overTls: host-only}
quotas:
  - {id: few, to: [{hosts: [b.test], paths: [/up/**]}], limit: {requests: 1, per: minute}}
"#;
    let found = of_connections(policy, SITE_WITH_TLS);
    let found: Vec<String> = found.into_iter().map(|(severity, at, said)| format!("{severity} {at}: {said}")).collect();
    assert_eq!(
        found,
        [
            "warning deny[0].to[0].paths: `admin` closes `open.test` whole to connections that the gateway cannot read: nobody sees the `paths` that it lists",
            "warning deny[1].to[0].methods: `verbs` closes every host whole to connections that the gateway cannot read: nobody sees the `methods` and `upgrades` that it lists",
            "warning deny[1].except[0].methods: `verbs` leaves out no connection to `*.test` that the gateway cannot read: nobody sees the `methods` of this exception",
            "note rules[0].to[1].paths: `r` admits nothing over TLS that the caller makes itself: nobody sees the `paths` and `methods` there",
            "note rules[0].to[2].upgrades: `r` admits nothing over TLS that the caller makes itself: nobody sees the `upgrades` there",
            "warning rules[0].to[5].overTls: `r` opens `a.test`, `b.test`, `c.test` and 1 more whole over TLS that the caller makes itself: `overTls: host-only` sets the `methods` aside",
            "warning quotas[0].to[0].paths: `few` counts every connection to `b.test` that the gateway cannot read: nobody sees the `paths` that it lists",
        ]
    );
    assert!(of_connections(policy, &SITE_WITH_TLS.replace(", tls: 8444", "")).is_empty());
    // a dry-run lets everything get that far
    let dry_run = "mode: dry-run\ndeny:\n  - {id: d, to: [{hosts: [a.test], paths: [/a]}]}\n";
    assert_eq!(of_connections(dry_run, SITE_WITH_TLS).len(), 1);
    assert!(of_connections(&dry_run.replace("mode: dry-run\n", ""), SITE_WITH_TLS).is_empty());
}

/// The policy with one list alone besides what names stand for, and of that one entry with one target.
fn alone(policy: &Value, list: &str, (entry, item): (usize, usize)) -> Value {
    let mut alone = policy.clone();
    alone.as_object_mut().unwrap().retain(|key, _| {
        matches!(key.as_str(), "version" | "name" | "identity" | "workloads" | "destinations") || key == list
    });
    let mut kept = policy[list][entry].clone();
    kept["to"] = json!([policy[list][entry]["to"][item]]);
    kept.as_object_mut().unwrap().retain(|key, _| !matches!(key.as_str(), "except" | "notFrom" | "mode" | "expiresAt"));
    alone[list] = json!([kept]);
    alone
}

#[test]
fn what_is_said_of_targets_and_connections_is_so() {
    let folder = tempfile::tempdir().unwrap();
    let [file, site] = ["policy.json", "site.yaml"].map(|name| folder.path().join(name));
    fs::write(&site, SITE_WITH_TLS).unwrap();
    let load = |text: &Value| Policy::load(text.to_string().as_bytes()).unwrap();
    let now = Timestamp::parse(NOW).unwrap();
    let (mut nothing, mut opened, mut closed) = (0, 0, 0);
    for seed in 0..40 {
        let rng = &mut Rng::with_seed(seed);
        // a site with thousands of ports takes its time
        let text = policies::policy(rng).to_string();
        let text = [r#""1-65535""#, r#""444-8443""#, r#""80-443""#, r#""1-79""#]
            .iter()
            .fold(text, |text, range| text.replace(range, "443"));
        let text: Value = serde_json::from_str(&text).unwrap();
        fs::write(&file, text.to_string()).unwrap();
        let sample: Vec<_> = (0..100).map(|_| connections::connection(rng)).collect();
        let mut scratch = Scratch::default();
        let mut decide = |policy: &Policy, connection: &connections::RandomConnection| {
            let arrival = connection.arrival();
            let decision = Authorizer::new(policy).decide(&arrival, now, &mut scratch).decision;
            (decision.reason, decision.rule.map(str::to_owned))
        };
        let found = lint_with(&file, &[Path::new("--site"), &site]).into_iter();
        for (code, pointer) in found.filter(|(code, _)| OF_CONNECTIONS.contains(&code.as_str())) {
            let (entry, item) = numbers(&pointer);
            let at = (entry, item.unwrap_or_default());
            match code.as_str() {
                "TG105" => {
                    let policy = load(&alone(&text, "rules", at));
                    let admitted = sample.iter().filter(|one| decide(&policy, one).1.is_some()).count();
                    if pointer.ends_with(".overTls") {
                        opened += admitted;
                    } else {
                        assert_eq!(admitted, 0, "{pointer} {text:#}");
                        nothing += 1;
                    }
                }
                "TG125" if pointer.starts_with("deny") && pointer.contains(".to[") => {
                    let mut whole = alone(&text, "deny", at);
                    let policy = load(&whole);
                    let target = whole["deny"][0]["to"][0].as_object_mut().unwrap();
                    target.retain(|key, _| !matches!(key.as_str(), "paths" | "methods" | "upgrades" | "encodedSlash"));
                    if target.is_empty() {
                        whole["deny"][0].as_object_mut().unwrap().remove("to");
                    }
                    let whole = load(&whole);
                    for one in &sample {
                        let decided = decide(&policy, one);
                        assert_eq!(decided, decide(&whole, one), "{pointer} {one} {text:#}");
                        closed += usize::from(decided.1.is_some());
                    }
                }
                _ => {}
            }
        }
    }
    assert!(nothing > 100 && opened > 20 && closed > 100, "{nothing} {opened} {closed}");
}

#[test]
fn a_comment_about_connections_is_idle_only_where_there_can_be_any() {
    let allowed = "deny:\n  # tollgate: allow TG125 because it is meant\n  - {id: d, to: [{hosts: [a.test], KEYS}]}\n\
        rules:\n  - {id: r, from: [{any: true}], to: [{hosts: [a.test]}]}\n";
    let folder = tempfile::tempdir().unwrap();
    let [file, site_file] = ["policy.yaml", "site.yaml"].map(|name| folder.path().join(name));
    let is_idle = |keys: &str, site: Option<&str>| {
        fs::write(&file, format!("version: 1\nname: p\n{}", allowed.replace("KEYS", keys))).unwrap();
        let more = [Path::new("--site"), &site_file];
        if let Some(site) = site {
            fs::write(&site_file, site).unwrap();
        }
        let found = lint_with(&file, if site.is_some() { more.as_slice() } else { &[] });
        assert!(!found.iter().any(|(code, _)| code == "TG125"), "{found:?}");
        found.iter().any(|(code, _)| code == "TG307")
    };
    let without = SITE_WITH_TLS.replace(", tls: 8444", "");
    assert!(!is_idle("paths: [/a]", None) && !is_idle("paths: [/a]", Some(&without)));
    assert!(!is_idle("paths: [/a]", Some(SITE_WITH_TLS)) && is_idle("ports: [443]", Some(SITE_WITH_TLS)));
}

/// Codes that every small policy is given, whatever it says.
const ALWAYS: [&str; 3] = ["TG211", "TG301", "TG410"];

#[test]
fn the_examples_of_every_code_are_what_they_say() {
    let page = include_str!("../../docs/lints.md");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let site = folder.path().join("site.yaml");
    let mut codes = BTreeSet::new();
    let mut lines = page.lines();
    let mut code = "";
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## TG") {
            code = title.split_once(':').map(|_| &line[3..8]).unwrap();
            assert!(codes.insert(code), "{code} stands twice");
        }
        let Some(kind) = line.strip_prefix("```yaml ") else { continue };
        let text: String = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
        if kind == "site" {
            fs::write(&site, &text).unwrap();
            continue;
        }
        fs::write(&file, &text).unwrap();
        let more = [Path::new("--site"), &site];
        let is_of_sites = code.starts_with("TG4") || code == "TG211" || OF_CONNECTIONS.contains(&code);
        let more = if is_of_sites { more.as_slice() } else { &[] };
        let found: BTreeSet<String> = lint_with(&file, more).into_iter().map(|(code, _)| code).collect();
        let own: Vec<&str> =
            found.iter().map(String::as_str).filter(|found| *found == code || !ALWAYS.contains(found)).collect();
        match kind {
            "bad" => assert_eq!(own, [code], "{text}"),
            "good" => assert!(!own.contains(&code), "{code}: {own:?}\n{text}"),
            other => panic!("{other}: an example is bad or good"),
        }
    }
    // every code that the source has stands here
    let source = include_str!("../../command/src/analysis/advice/code.rs");
    let named = source.match_indices("\"TG").map(|(at, _)| &source[at + 1..at + 6]).collect::<BTreeSet<_>>();
    assert_eq!(codes, named);
}
