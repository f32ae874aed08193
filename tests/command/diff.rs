//! Output of `tollgate diff` and `tollgate who-can` against the decisions themselves: random small policies, changed
//! here and there, and random requests.
//!
//! `TOLLGATE_DIFF_TIMES` sets how many times as many policies there are, `TOLLGATE_DIFF_SEED` where they begin.

mod said;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fastrand::Rng;
use said::Facts;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use tollgate::decision::{Authorizer, Outcome, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, HelloReader, Presented, Source, Upgrade};
use tollgate_tests::oracle::{connections, policies, requests, words};

const REQUESTS: usize = 400;
const SECOND: u64 = 1_000_000_000;

/// Calls `check` with pairs of policies that differ little, and a time.
fn for_each_pair(pairs: u64, check: impl Fn(&Value, &Value, u64, &mut Rng)) {
    let setting = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let first = setting("TOLLGATE_DIFF_SEED", 1);
    for seed in first..first + pairs * setting("TOLLGATE_DIFF_TIMES", 1) {
        let mut rng = Rng::with_seed(seed);
        let mut old = policies::policy(&mut rng);
        shorten(&mut old);
        let new = loop {
            let mut new = mutant(&old, &mut rng);
            shorten(&mut new);
            if Policy::load(new.to_string().as_bytes()).is_ok() {
                break new;
            }
        };
        let now = rng.choice(words::TIMES).unwrap().1 - u64::from(rng.bool());
        println!("seed {seed}");
        check(&old, &new, now, &mut rng);
    }
}

/// Cuts every list: what many patterns have in common takes long to find.
fn shorten(value: &mut Value) {
    match value {
        Value::Array(elements) => {
            elements.truncate(4);
            elements.iter_mut().for_each(shorten);
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                let most = match key.as_str() {
                    "paths" => 1,
                    "to" | "except" => 2,
                    _ => 4,
                };
                if let Some(elements) = entry.as_array_mut() {
                    elements.truncate(most);
                }
                shorten(entry);
            }
        }
        _ => {}
    }
}

/// The policy with a few things changed.
fn mutant(policy: &Value, rng: &mut Rng) -> Value {
    let mut policy = policy.clone();
    for _ in 0..rng.usize(1..4) {
        let (rule, deny) = policies::further(&policy, rng);
        let list = if rng.bool() { "rules" } else { "deny" };
        let entries = policy[list].as_array().map_or(0, Vec::len);
        match rng.u8(0..17) {
            0 | 1 if entries > 0 => drop(policy[list].as_array_mut().unwrap().remove(rng.usize(0..entries))),
            2 if policy["rules"].is_array() => policy["rules"].as_array_mut().unwrap().push(rule),
            3 if policy["deny"].is_array() => policy["deny"].as_array_mut().unwrap().push(deny),
            4 => policy["deny"] = json!([deny]),
            5 => policy["rules"] = json!([rule]),
            6 if entries > 0 => {
                let entry = policy[list][rng.usize(0..entries)].as_object_mut().unwrap();
                for key in ["except", "notFrom", "mode", "expiresAt"] {
                    if rng.bool() {
                        entry.remove(key);
                    }
                }
            }
            7 if list == "rules" && entries > 0 => {
                policy[list][rng.usize(0..entries)]["expiresAt"] = rng.choice(words::TIMES).unwrap().0.into();
            }
            8 => policy["mode"] = words::pick(rng, "dry-run enforce enforce").into(),
            9 => policy["identity"]["sources"] = words::all(words::pick(rng, "peer-principal peer-certificate")).into(),
            10 => policy["identity"]["trustDomains"] = json!(["cluster.local", "b.example"]),
            11 => policy["authority"]["defaultPort"] = words::pick(rng, "443 80").parse::<u16>().unwrap().into(),
            12 => policy["dryRunFor"] = rule["from"].clone(),
            14 | 15 if policy["rules"].as_array().is_some_and(|rules| !rules.is_empty()) => {
                let rules = policy["rules"].as_array_mut().unwrap();
                let rule = rng.usize(0..rules.len());
                let targets = rules[rule]["to"].as_array_mut().unwrap();
                let at = rng.usize(0..targets.len());
                let target = targets[at].as_object_mut().unwrap();
                let (key, word) =
                    *rng.choice(&[("clientHello", "optional"), ("ech", "allow"), ("overTls", "host-only")]).unwrap();
                if target.remove(key).is_none() {
                    target.insert(key.to_owned(), word.into());
                }
            }
            16 => policy["tcp"]["port"] = words::pick(rng, "443 80").parse::<u16>().unwrap().into(),
            _ if entries > 0 => {
                let at = rng.usize(0..entries);
                let targets = if list == "rules" { &rule["to"] } else { &deny["to"] };
                if targets.is_array() {
                    policy[list][at]["to"] = targets.clone();
                }
            }
            _ => {}
        }
    }
    let empty = |value: &Value| value.is_null() || *value == json!([]) || *value == json!({});
    policy.as_object_mut().unwrap().retain(|_, value| !empty(value));
    policy
}

/// Runs the command on policies; what it prints, and its exit code.
fn run(arguments: &[&str], files: &[&Value]) -> (Value, i32) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.arg(arguments[0]);
    for (number, policy) in files.iter().enumerate() {
        let file = folder.path().join(format!("{number}.json"));
        std::fs::write(&file, policy.to_string()).unwrap();
        command.arg(file);
    }
    let output = command.args(&arguments[1..]).args(["--format", "json"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let printed = serde_json::from_slice(&output.stdout);
    (printed.unwrap_or_else(|_| panic!("{arguments:?} {stderr}\n{files:?}")), output.status.code().unwrap())
}

fn diff(old: &Value, new: &Value, now: u64) -> (Value, i32) {
    run(&["diff", "--fail-on", "widen", "--now", &time(now)], &[old, new])
}

/// RFC 3339, for the times that policies know and the seconds before them.
fn time(seconds: u64) -> String {
    let (text, at) = words::TIMES.iter().find(|(_, at)| *at == seconds || *at == seconds + 1).unwrap();
    if *at == seconds {
        return (*text).to_owned();
    }
    match *at {
        1_582_977_600 => "2020-02-29T11:59:59Z".to_owned(),
        1_767_225_600 => "2025-12-31T23:59:59Z".to_owned(),
        _ => "2100-02-28T23:59:59Z".to_owned(),
    }
}

fn load(policy: &Value) -> Policy {
    Policy::load(policy.to_string().as_bytes()).unwrap()
}

fn outcome(policy: &Policy, arrival: &Arrival<'_>, now: u64) -> (Outcome, Value) {
    let mut scratch = Scratch::default();
    let decision = Authorizer::new(policy).decide(arrival, Timestamp(now), &mut scratch).decision;
    let mut said = json!({"decision": decision.outcome.as_str(), "reason": decision.reason.as_str()});
    if let Some(rule) = decision.rule {
        said["rule"] = rule.into();
    }
    (decision.outcome, said)
}

fn kind(old: Outcome, new: Outcome) -> Option<&'static str> {
    match (old == Outcome::Deny, new == Outcome::Deny) {
        (true, false) => Some("reachable"),
        (false, true) => Some("unreachable"),
        (false, false) if old != new => Some("recorded"),
        _ => None,
    }
}

/// Calls `with` on the witness of a line.
fn with_witness<T>(witness: &Value, with: impl FnOnce(&Arrival<'_>, u64) -> T) -> T {
    let text = |key: &str| witness[key].as_str();
    let source = if text("source").is_some() { Source::PeerPrincipal } else { Source::PeerCertificate };
    let identity = text("identity").map(|id| Presented { source, id: id.as_bytes() });
    let authority = text("authority").unwrap();
    let now = witness["now"].as_u64().unwrap() * SECOND;
    if text("layer").is_none() {
        let headers = witness["headers"].as_object();
        let arrival = Arrival {
            identity,
            authority: authority.as_bytes(),
            method: text("method").unwrap().as_bytes(),
            path: text("path").map(str::as_bytes),
            upgrade: witness["headers"]["upgrade"].as_str().map_or(Upgrade::Absent, |to| Upgrade::To(to.as_bytes())),
            overridden: headers.is_some_and(|headers| headers.keys().any(|name| name != "upgrade")),
            cluster: None,
            connection: None,
        };
        return with(&arrival, now);
    }
    let bytes = text("clientHello_b64").map(|bytes| BASE64_STANDARD.decode(bytes).unwrap());
    let mut reader = HelloReader::default();
    let first = match (&bytes, text("sni")) {
        (Some(bytes), None) if bytes.is_empty() => FirstBytes::Silent,
        (Some(bytes), None) => {
            reader.read(bytes);
            reader.first_bytes()
        }
        (None, Some(name)) => FirstBytes::Hello(ClientHello { server_name: Some(name.as_bytes()), ech: false }),
        _ => FirstBytes::NoHello,
    };
    let outer_sni = outer_sni(authority);
    let connection = Connection { outer_sni: outer_sni.as_bytes(), first, ..Connection::default() };
    with(&Arrival { authority: authority.as_bytes(), ..Arrival::of_connection(identity, connection) }, now)
}

/// The server name of the mesh's own TLS that leads to an authority.
fn outer_sni(authority: &str) -> String {
    match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => format!("outbound_.{port}_._.{}", host.trim_matches(['[', ']'])),
        None => authority.trim_matches(['[', ']']).to_owned(),
    }
}

#[test]
fn every_line_has_a_witness_and_is_in_its_own_description() {
    let lines = std::cell::Cell::new(0);
    for_each_pair(60, |old, new, now, _| {
        let (printed, code) = diff(old, new, now);
        let facts = Facts::of(old, new);
        let (before, after) = (load(old), load(new));
        let mut widens = false;
        for line in printed["changes"].as_array().unwrap() {
            with_witness(&line["witness"], |arrival, at| {
                let [(was, old_said), (is, new_said)] = [&before, &after].map(|policy| outcome(policy, arrival, at));
                assert_eq!((&line["old"], &line["new"]), (&old_said, &new_said), "{line:#}");
                assert_eq!(kind(was, is), line["kind"].as_str(), "{line:#}");
                assert!(facts.covers(line, arrival), "{line:#}\n{old:#}\n{new:#}");
            });
            widens |= line["kind"] == "reachable";
            lines.set(lines.get() + 1);
        }
        if widens {
            assert_eq!((&printed["widens"], code), (&json!(true), 1));
        }
    });
    assert!(lines.get() > 1000, "{lines:?}");
}

#[test]
fn every_changed_decision_is_in_a_line_and_every_line_holds_changed_decisions_only() {
    let seen = std::cell::RefCell::new(BTreeMap::new());
    for_each_pair(120, |old, new, now, rng| {
        let (printed, _) = diff(old, new, now);
        if printed["complete"] != true {
            return;
        }
        let facts = Facts::of(old, new);
        let (before, after) = (load(old), load(new));
        let lines = printed["changes"].as_array().unwrap();
        let witnesses: Vec<&Value> = lines.iter().map(|line| &line["witness"]).collect();
        let of_connections: Vec<&Value> =
            witnesses.iter().filter(|witness| witness["layer"] == "tcp").copied().collect();
        for _ in 0..REQUESTS {
            let request = requests::request(rng);
            let arrival = Arrival { cluster: None, ..request.arrival() };
            check(&facts, lines, [&before, &after], &arrival, request.now, now, &seen, (old, new));
            let random = connections::connection(rng);
            let led_to = random.led_to();
            let connection =
                led_to.as_ref().map(|authority| Arrival { authority: authority.as_bytes(), ..random.arrival() });
            if let Some(connection) = &connection {
                check(&facts, lines, [&before, &after], connection, random.now, now, &seen, (old, new));
            }
            // what is near a line is worth more
            for witness in [rng.choice(&witnesses), rng.choice(&of_connections)].into_iter().flatten() {
                with_witness(witness, |near, _| {
                    let mut near = *near;
                    if let Some(begun) = &mut near.connection {
                        let named = begun.first.server_name();
                        let hello = |server_name, ech| FirstBytes::Hello(ClientHello { server_name, ech });
                        match rng.u8(0..6) {
                            0 => near.identity = arrival.identity,
                            1 => begun.first = FirstBytes::NoHello,
                            2 => begun.first = FirstBytes::Silent,
                            3 => begun.first = hello(None, rng.bool()),
                            4 => begun.first = hello(Some(b"elsewhere.test"), false),
                            _ => begun.first = hello(named, rng.bool()),
                        }
                        check(&facts, lines, [&before, &after], &near, now * SECOND, now, &seen, (old, new));
                        return;
                    }
                    match rng.u8(0..6) {
                        0 => near.identity = arrival.identity,
                        1 => near.authority = arrival.authority,
                        2 => near.path = arrival.path,
                        3 => (near.overridden, near.upgrade) = (arrival.overridden, arrival.upgrade),
                        4 => near.method = arrival.method,
                        _ => (near.path, near.method) = (arrival.path, arrival.method),
                    }
                    check(&facts, lines, [&before, &after], &near, now * SECOND, now, &seen, (old, new));
                });
            }
        }
    });
    for what in ["reachable", "unreachable", "recorded", "covered"] {
        for layer in ["", "tcp "] {
            let count = seen.borrow().get(format!("{layer}{what}").as_str()).copied().unwrap_or_default();
            let least = if layer.is_empty() { 500 } else { 100 };
            assert!(count > least, "{layer}{what}: {seen:?}");
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "all of one case")]
fn check(
    facts: &Facts,
    lines: &[Value],
    [before, after]: [&Policy; 2],
    arrival: &Arrival<'_>,
    at: u64,
    now: u64,
    seen: &std::cell::RefCell<BTreeMap<String, usize>>,
    policies: (&Value, &Value),
) {
    if at < now * SECOND || !facts.is_in_words(arrival) {
        return;
    }
    let [(was, old_said), (is, new_said)] = [before, after].map(|policy| outcome(policy, arrival, at));
    let changed = kind(was, is);
    let layer = if arrival.connection.is_some() { "tcp " } else { "" };
    let in_time = lines.iter().filter(|line| line["since"].as_u64().is_none_or(|since| since * SECOND <= at));
    let covering: Vec<&Value> = in_time.filter(|line| facts.covers(line, arrival)).collect();
    let kind_of = |line: &&Value| line["kind"].as_str().unwrap().to_owned();
    let kinds: BTreeSet<String> = covering.iter().map(kind_of).collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let readable = (
        arrival.identity.map(|id| (id.source, text(id.id))),
        text(arrival.authority),
        text(arrival.method),
        arrival.path.map(text),
        arrival.upgrade,
        arrival.overridden,
        arrival.connection.map(|connection| (text(connection.outer_sni), connection.first)),
    );
    let case = || {
        format!(
            "{readable:?} at {at}, now {now}\n{old_said}\n{new_said}\n{:#}\n{:#}\n{:#?}",
            policies.0,
            policies.1,
            lines.iter().filter(|line| facts.is_of_region(line, arrival)).map(ToString::to_string).collect::<Vec<_>>()
        )
    };
    if let Some(kind) = changed {
        assert!(kinds.contains(kind), "{kind}, and no line says so\n{}", case());
        *seen.borrow_mut().entry(format!("{layer}{kind}")).or_insert(0) += 1;
    }
    if at == now * SECOND && facts.is_exact_of(arrival) {
        let surely = covering.iter().filter(|line| facts.surely_covers(line, arrival));
        for said in surely.map(kind_of).collect::<BTreeSet<String>>() {
            assert_eq!(Some(said.as_str()), changed, "a line says what is not so\n{}", case());
            *seen.borrow_mut().entry(format!("{layer}covered")).or_insert(0) += 1;
        }
    }
}

#[test]
fn the_same_policy_in_other_words_is_no_change() {
    for_each_pair(40, |old, _, now, rng| {
        let mut new = old.clone();
        for list in ["rules", "deny", "residency"] {
            let Some(entries) = new.get_mut(list).and_then(Value::as_array_mut) else { continue };
            rng.shuffle(entries);
            for (number, entry) in entries.iter_mut().enumerate() {
                entry["id"] = format!("renamed-{list}-{number}").into();
                entry["owner"] = "somebody".into();
            }
            // a rule in two
            if list == "rules" {
                let mut second = entries[0].clone();
                second["id"] = "renamed-second".into();
                let targets = second["to"].as_array_mut().unwrap();
                let first = targets.remove(0);
                if !targets.is_empty() {
                    entries[0]["to"] = json!([first]);
                    entries.push(second);
                }
            }
        }
        let (printed, code) = diff(old, &new, now);
        assert_eq!(printed, json!({"widens": false, "complete": true, "changes": [], "quotas": [], "settings": []}));
        assert_eq!(code, 0);
    });
}

#[test]
fn the_other_way_round_everything_is_the_other_way_round() {
    for_each_pair(40, |old, new, now, _| {
        let lines = |printed: &Value, mirror: bool| -> BTreeSet<String> {
            let line = |line: &Value| {
                let mut line = line.clone();
                let map = line.as_object_mut().unwrap();
                map.remove("witness");
                // the end of what is new alone
                map.remove("until");
                if mirror {
                    let (old, new) = (line["old"].clone(), line["new"].clone());
                    (line["old"], line["new"]) = (new, old);
                    let kind = line["kind"].as_str().unwrap();
                    let other = match kind {
                        "reachable" => "unreachable",
                        "unreachable" => "reachable",
                        same => same,
                    };
                    line["kind"] = other.into();
                }
                line.to_string()
            };
            printed["changes"].as_array().unwrap().iter().map(line).collect()
        };
        assert_eq!(lines(&diff(old, new, now).0, false), lines(&diff(new, old, now).0, true), "{old:#}\n{new:#}");
    });
}

#[test]
fn whoever_is_let_through_is_on_the_list_and_nobody_else() {
    let seen = std::cell::RefCell::new([0_usize; 2]);
    for_each_pair(60, |policy, _, now, rng| {
        let compiled = load(policy);
        let facts = Facts::of(policy, policy);
        let reads_certificates = policy["identity"]["sources"]
            .as_array()
            .is_none_or(|sources| sources.iter().any(|source| source == "peer-certificate"));
        let (host, id) = (words::pick(rng, words::HOSTS), "spiffe://cluster.local/ns/a/sa/x");
        let (who, _) = run(&["who-can", host, "--now", &time(now)], &[policy]);
        let (what, _) = run(&["what-can", id, "--now", &time(now)], &[policy]);
        if who["complete"] != true || what["complete"] != true {
            return;
        }
        for _ in 0..REQUESTS {
            let request = requests::request(rng);
            let mut arrival = Arrival { cluster: None, ..request.arrival() };
            let authority = format!("{}:{}", host.trim_end_matches('.'), words::pick(rng, "443 80 8443 99"));
            let list = if rng.bool() {
                arrival.authority = authority.as_bytes();
                &who
            } else {
                let source = if reads_certificates { Source::PeerCertificate } else { Source::PeerPrincipal };
                arrival.identity = Some(Presented { source, id: id.as_bytes() });
                &what
            };
            if !facts.is_exact_of(&arrival) {
                continue;
            }
            let (decided, said) = outcome(&compiled, &arrival, now * SECOND);
            let covering: Vec<&Value> =
                list["reachable"].as_array().unwrap().iter().filter(|line| facts.covers(line, &arrival)).collect();
            let passes = decided != Outcome::Deny;
            let surely = covering.iter().any(|line| facts.surely_covers(line, &arrival));
            let agrees = if passes { !covering.is_empty() } else { !surely };
            assert!(agrees, "{arrival:?} at {now} {said}\n{policy:#}\n{list:#}");
            if passes {
                let named =
                    covering.iter().any(|line| line["decision"] == said["decision"] && line["rule"] == said["rule"]);
                assert!(named, "{arrival:?} {said}\n{policy:#}\n{covering:#?}");
            }
            seen.borrow_mut()[usize::from(passes)] += 1;
        }
    });
    assert!(seen.borrow().iter().all(|count| *count > 500), "{seen:?}");
}

#[test]
fn no_connection_passes_where_the_strength_is_path_and_everything_does_where_it_is_host() {
    let seen = std::cell::RefCell::new([0_usize; 2]);
    for_each_pair(60, |policy, _, now, rng| {
        let compiled = load(policy);
        let facts = Facts::of(policy, policy);
        let host = words::pick(rng, words::HOSTS).trim_end_matches('.').to_ascii_lowercase();
        let (who, _) = run(&["who-can", &host, "--now", &time(now)], &[policy]);
        for _ in 0..REQUESTS {
            let request = requests::request(rng);
            let port = words::pick(rng, "443 80 8443 99");
            let (authority, outer_sni) = (format!("{host}:{port}"), format!("outbound_.{port}_._.{host}"));
            let plain = Arrival {
                identity: request.arrival().identity,
                authority: authority.as_bytes(),
                method: rng.choice([b"GET".as_slice(), b"PUT"]).unwrap(),
                path: Some(rng.choice([b"/".as_slice(), b"/nowhere/else"]).unwrap()),
                ..Arrival::default()
            };
            let led = |first| Connection { outer_sni: outer_sni.as_bytes(), first, ..Connection::default() };
            let named = |ech| FirstBytes::Hello(ClientHello { server_name: Some(host.as_bytes()), ech });
            let passes = |arrival: &Arrival<'_>| outcome(&compiled, arrival, now * SECOND).0 != Outcome::Deny;
            let connects = |first| passes(&Arrival::of_connection(plain.identity, led(first)));
            for line in who["reachable"].as_array().unwrap().iter().filter(|line| facts.shares_way(line, &plain)) {
                let some = [named(false), named(true), FirstBytes::NoHello, FirstBytes::Silent].map(connects);
                let case = || format!("{plain:?} {some:?} at {now}\n{policy:#}\n{line:#}");
                match line["strength"].as_str().unwrap() {
                    "path" => assert!(some.iter().all(|passes| !passes), "{}", case()),
                    // requests go by rules where no connection does
                    "host" if facts.is_no_place(plain.authority) => {}
                    "host" => assert!(some[0] || passes(&plain), "{}", case()),
                    other => panic!("{other} of a name"),
                }
                seen.borrow_mut()[usize::from(line["strength"] == "host")] += 1;
            }
        }
    });
    assert!(seen.borrow().iter().all(|count| *count > 500), "{seen:?}");
}

#[test]
fn the_rule_that_is_named_is_the_one_that_says_the_host_most_precisely() {
    let rule = |id: &str, hosts: Value| json!({"id": id, "from": [{"any": true}], "to": [{"hosts": hosts}]});
    let rules = json!([rule("one", json!(["c.b.test", "**"])), rule("other", json!(["**.b.test"]))]);
    let policy = json!({"version": 1, "name": "two", "rules": rules});
    let id = "spiffe://cluster.local/ns/a/sa/x";
    let (list, _) = run(&["what-can", id], &[&policy]);
    let facts = Facts::of(&policy, &policy);
    for (authority, rule) in
        [("c.b.test:443", "one"), ("d.b.test:443", "other"), ("e.d.b.test:80", "other"), ("b.test:443", "one")]
    {
        let identity = Some(Presented { source: Source::PeerCertificate, id: id.as_bytes() });
        let arrival = Arrival {
            identity,
            authority: authority.as_bytes(),
            method: b"GET",
            path: Some(b"/"),
            ..Arrival::default()
        };
        let (_, said) = outcome(&load(&policy), &arrival, 0);
        assert_eq!(said["rule"], rule, "{authority}");
        let lines = list["reachable"].as_array().unwrap().iter();
        let named: Vec<&Value> = lines.filter(|line| facts.covers(line, &arrival)).map(|line| &line["rule"]).collect();
        assert_eq!(named, [rule], "{authority}");
    }
}
