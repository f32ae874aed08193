//! Explanations say what is decided, and the edits that they propose do what is said of them. Over random policies and
//! requests, asked through the command.

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use tollgate::decision::{Authorizer, Outcome, Reason, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, ClientHello, FirstBytes, Source, Upgrade, is_method};
use tollgate_tests::oracle::{connections, policies, requests};

const NOW: &str = "2026-07-01T00:00:00Z";

/// Arguments of `explain` for a request; none if no URL can say it.
fn arguments(arrival: &Arrival<'_>) -> Option<Vec<String>> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().to_owned();
    let (authority, path) = (text(arrival.authority), arrival.path.map(text));
    let path = match path {
        None if arrival.method == b"CONNECT" => String::new(),
        Some(path) if arrival.method != b"CONNECT" && path.starts_with('/') && !path.contains('#') => path,
        _ => return None,
    };
    if authority.is_empty() || authority.contains(['/', '?', '#', ' ']) || format!("{authority}{path}").contains("://")
    {
        return None;
    }
    let mut arguments = vec![format!("{authority}{path}"), format!("--method={}", text(arrival.method))];
    if let Some(presented) = arrival.identity {
        let id = text(presented.id);
        if !id.contains("://") {
            return None;
        }
        let source = format!("{:?}", presented.source).replace("PeerC", "peer-c").replace("PeerP", "peer-p");
        arguments.extend([format!("--as={id}"), format!("--source={source}")]);
    }
    match arrival.upgrade {
        Upgrade::Absent => {}
        Upgrade::To(value) => arguments.push(format!("--header=upgrade: {}", text(value))),
        Upgrade::Several => arguments.extend(["a", "b"].map(|value| format!("--header=upgrade: {value}"))),
    }
    if arrival.overridden {
        arguments.push("--header=X-HTTP-Method-Override: PUT".to_owned());
    }
    arguments.extend(arrival.cluster.map(|cluster| format!("--cluster={}", text(cluster))));
    Some(arguments)
}

fn explain(policy: &Path, arguments: &[String]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["explain", "--raw", "--why-not", "--format=json", "--now", NOW])
        .arg(policy)
        .args(arguments)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "", "{arguments:?}");
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

/// Makes an edit as the explanation words it.
fn edit(policy: &mut Value, edit: &Value) {
    let mut at = policy;
    let pointer = edit["pointer"].as_str().unwrap().replace('[', ".").replace(']', "");
    let (way, last) = pointer.rsplit_once('.').unwrap_or(("", &pointer));
    for step in way.split('.').filter(|step| !step.is_empty()) {
        at = match step.parse::<usize>() {
            Ok(item) => &mut at[item],
            Err(_) => &mut at[step],
        };
    }
    let map = at.as_object_mut().unwrap();
    if let Some(values) = edit["add"].as_array() {
        let list = map.entry(last).or_insert_with(|| json!([]));
        list.as_array_mut().unwrap().extend(values.iter().cloned());
    } else if edit["remove"] == true {
        assert!(map.remove(last).is_some(), "{edit}");
    } else {
        map.insert(last.to_owned(), edit["set"].clone());
    }
}

/// Tells whether some policy admits such a request: its method is spelled as methods are, and it asks for no other upgrade.
fn can_be_admitted(arrival: &Arrival<'_>) -> bool {
    let is_plain = match arrival.upgrade {
        Upgrade::Absent => true,
        Upgrade::To(protocol) => protocol.eq_ignore_ascii_case(b"websocket"),
        Upgrade::Several => false,
    };
    is_plain && is_method(arrival.method)
}

/// Requests that were explained, and denials to which edits were found.
#[derive(Default)]
struct Tally {
    explained: usize,
    denied: usize,
    mended: usize,
}

fn compare(folder: &Path, text: &Value, rng: &mut Rng, tally: &mut Tally) {
    let file = folder.join("policy.json");
    fs::write(&file, text.to_string()).unwrap();
    for _ in 0..6 {
        let request = requests::request(rng);
        let arrival = request.arrival();
        let Some(arguments) = arguments(&arrival) else { continue };
        tally.add(&file, text, &arrival, &arguments, can_be_admitted(&arrival));
    }
}

impl Tally {
    /// Compares one explanation with the decision, and makes the edits that it proposes. Without `counts`, no policy may admit it.
    fn add(&mut self, file: &Path, text: &Value, arrival: &Arrival<'_>, arguments: &[String], counts: bool) {
        let policy = Policy::load(text.to_string().as_bytes()).unwrap();
        let now = Timestamp::parse(NOW).unwrap();
        let (status, walk) = explain(file, arguments);
        let mut scratch = Scratch::default();
        let decision = Authorizer::new(&policy).decide(arrival, now, &mut scratch).decision;
        // no quota of these policies refuses the first request
        assert_eq!(walk["decision"]["decision"], decision.outcome.as_str(), "{arguments:?} {text}");
        assert_eq!(walk["decision"]["reason"], decision.reason.as_str(), "{arguments:?} {text}");
        assert_eq!(walk["decision"]["rule"].as_str(), decision.rule, "{arguments:?} {text}");
        assert_eq!(status, if decision.outcome == Outcome::Deny { 2 } else { 0 });
        self.explained += 1;
        if matches!(decision.reason, Reason::NoMatch | Reason::DenyRule | Reason::Residency | Reason::RuleExpired) {
            self.denied += usize::from(decision.outcome == Outcome::Deny && counts);
        }
        let edits = walk["whyNot"]["edits"].as_array().cloned().unwrap_or_default();
        if !edits.is_empty() {
            self.mended += 1;
            let mut changed = text.clone();
            edits.iter().for_each(|change| edit(&mut changed, change));
            let policy = Policy::load(changed.to_string().as_bytes()).unwrap();
            let outcome = Authorizer::new(&policy).decide(arrival, now, &mut scratch).decision.outcome;
            assert_ne!(outcome, Outcome::Deny, "{edits:?} {arguments:?} {text}");
        }
    }
}

#[test]
fn what_is_explained_is_what_is_decided_and_what_is_proposed_admits() {
    let folder = tempfile::tempdir().unwrap();
    let mut tally = Tally::default();
    for seed in 0..150 {
        let rng = &mut Rng::with_seed(seed);
        let policy = policies::policy(rng);
        compare(folder.path(), &policy, rng, &mut tally);
    }
    let Tally { explained, denied, mended } = tally;
    assert!(explained >= 300, "{explained}");
    assert!(mended * 10 >= denied * 9, "{mended} of {denied}");
}

/// Arguments of `explain` for a connection that was led to a host by name; none if no command line can say it.
fn arguments_of_connection(random: &connections::RandomConnection) -> Option<Vec<String>> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let arrival = random.arrival();
    let sni = match arrival.connection?.first {
        FirstBytes::NoHello => "-".to_owned(),
        FirstBytes::Hello(ClientHello { server_name: Some(name), ech: false }) => text(name),
        _ => return None,
    };
    let presented = arrival.identity.filter(|presented| presented.id.starts_with(b"spiffe://"))?;
    let source = if presented.source == Source::PeerCertificate { "peer-certificate" } else { "peer-principal" };
    let id = text(presented.id);
    Some(vec![random.led_to()?, format!("--sni={sni}"), format!("--as={id}"), format!("--source={source}")])
}

#[test]
fn what_is_explained_of_a_connection_is_decided_and_what_is_proposed_admits_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    let mut tally = Tally::default();
    for seed in 0..150 {
        let rng = &mut Rng::with_seed(seed);
        let text = policies::policy(rng);
        fs::write(&file, text.to_string()).unwrap();
        for _ in 0..12 {
            let random = connections::connection(rng);
            let Some(arguments) = arguments_of_connection(&random) else { continue };
            tally.add(&file, &text, &random.arrival(), &arguments, true);
        }
    }
    let Tally { explained, denied, mended } = tally;
    assert!(explained >= 300 && mended * 10 >= denied * 9, "{mended} of {denied} of {explained}");
}

/// Every edit of one word in one rule that an explanation may propose, made.
fn word_edits(policy: &Value, arrival: &Arrival<'_>) -> Vec<Value> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let path = arrival.path.map(|raw| text(raw.split(|byte| *byte == b'?').next().unwrap()));
    let path = path.filter(|path| !path.contains(['*', '{', '}', '[', ']']));
    let selector = arrival.identity.and_then(|presented| {
        let id = text(presented.id);
        let account = id.strip_prefix("spiffe://cluster.local/ns/")?.split_once("/sa/")?;
        Some(json!({"serviceAccount": format!("{}/{}", account.0, account.1)}))
    });
    let mut edited = Vec::new();
    for rule in 0..policy["rules"].as_array().map_or(0, Vec::len) {
        let mut made = |change: &dyn Fn(&mut Value)| {
            let mut changed = policy.clone();
            change(&mut changed["rules"][rule]);
            edited.push(changed);
        };
        if let Some(selector) = &selector {
            made(&|rule| rule["from"].as_array_mut().unwrap().push(selector.clone()));
        }
        for (item, target) in policy["rules"][rule]["to"].as_array().unwrap().iter().enumerate() {
            let mut push = |key: &str, value: Value| {
                if target[key].is_array() {
                    made(&|rule| rule["to"][item][key].as_array_mut().unwrap().push(value.clone()));
                }
            };
            push("methods", text(arrival.method).into());
            path.iter().for_each(|path| push("paths", path.as_str().into()));
            push("ports", 443.into());
            let authority = text(arrival.authority);
            let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
            push("hosts", host.into());
        }
    }
    edited
}

/// Tells whether a policy lets a request through.
fn admits(policy: &Policy, arrival: &Arrival<'_>, scratch: &mut Scratch) -> bool {
    Authorizer::new(policy).decide(arrival, Timestamp::parse(NOW).unwrap(), scratch).decision.outcome != Outcome::Deny
}

/// Number of requests that a policy lets through; none if one of them is not among the `allowed`.
fn count_within(policy: &Policy, requests: &[Arrival<'_>], allowed: &BTreeSet<usize>) -> Option<usize> {
    let mut scratch = Scratch::default();
    let mut count = 0;
    for (number, arrival) in requests.iter().enumerate() {
        if admits(policy, arrival, &mut scratch) {
            count += 1;
            if !allowed.contains(&number) {
                return None;
            }
        }
    }
    Some(count)
}

/// Requests, and for each of them others that have more and more in common with the one that is asked about.
fn near<'r>(requests: &'r [requests::Request], asked: &Arrival<'r>) -> Vec<Arrival<'r>> {
    let near = |request: &'r requests::Request| {
        let one = request.arrival();
        let same_path = Arrival { path: asked.path, upgrade: asked.upgrade, overridden: asked.overridden, ..one };
        let same_host = Arrival { authority: asked.authority, upgrade: asked.upgrade, ..one };
        [
            one,
            same_path,
            same_host,
            Arrival { method: asked.method, ..same_path },
            Arrival { method: asked.method, authority: asked.authority, ..same_path },
            Arrival { identity: asked.identity, ..same_path },
            Arrival { identity: asked.identity, ..same_host },
            Arrival { identity: asked.identity, upgrade: Upgrade::To(b"websocket"), ..same_host },
            Arrival { identity: asked.identity, method: asked.method, ..same_path },
        ]
    };
    requests.iter().flat_map(near).collect()
}

/// Leaves a few paths of every target.
fn cut_paths(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(cut_paths),
        Value::Object(entries) => {
            if let Some(paths) = entries.get_mut("paths").and_then(Value::as_array_mut) {
                paths.truncate(3);
            }
            entries.values_mut().for_each(cut_paths);
        }
        _ => {}
    }
}

#[test]
fn no_word_in_any_rule_admits_strictly_less_than_the_one_that_is_proposed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    let now = Timestamp::parse(NOW).unwrap();
    let (mut compared, mut others) = (0, 0);
    for seed in 1000..1060 {
        let rng = &mut Rng::with_seed(seed);
        let mut text = policies::policy(rng);
        // settings that change whom or what a rule means are looked at elsewhere
        for key in ["mode", "dryRunFor", "identity", "authority", "residency"] {
            text.as_object_mut().unwrap().remove(key);
        }
        // of larger ones not every edit is counted
        cut_paths(&mut text);
        let Ok(policy) = Policy::load(text.to_string().as_bytes()) else { continue };
        fs::write(&file, text.to_string()).unwrap();
        let sample: Vec<requests::Request> = (0..500).map(|_| requests::request(rng)).collect();
        for request in sample.iter().take(40) {
            let arrival = request.arrival();
            if Authorizer::new(&policy).decide(&arrival, now, &mut Scratch::default()).decision.reason
                != Reason::NoMatch
            {
                continue;
            }
            let Some(arguments) = arguments(&arrival) else { continue };
            let (_, walk) = explain(&file, &arguments);
            let edits = walk["whyNot"]["edits"].as_array().cloned().unwrap_or_default();
            let [proposed] = edits.as_slice() else { continue };
            let pointer = proposed["pointer"].as_str().unwrap();
            let Some(rule) = pointer.strip_prefix("rules[").and_then(|rest| rest.split_once(']')) else { continue };
            assert_eq!(
                walk["whyNot"]["nearest"]["rule"],
                text["rules"][rule.0.parse::<usize>().unwrap()]["id"],
                "{walk}"
            );
            if pointer.ends_with(".to") {
                continue;
            }
            let mut changed = text.clone();
            edit(&mut changed, proposed);
            let changed = Policy::load(changed.to_string().as_bytes()).unwrap();
            let mut scratch = Scratch::default();
            let mut denied = near(&sample, &arrival);
            denied.retain(|arrival| !admits(&policy, arrival, &mut scratch));
            let own: BTreeSet<usize> =
                (0..denied.len()).filter(|number| admits(&changed, &denied[*number], &mut scratch)).collect();
            compared += 1;
            for other in word_edits(&text, &arrival) {
                let Ok(other_policy) = Policy::load(other.to_string().as_bytes()) else { continue };
                if Authorizer::new(&other_policy).decide(&arrival, now, &mut Scratch::default()).decision.reason
                    != Reason::RuleAllow
                {
                    continue;
                }
                others += 1;
                let less = count_within(&other_policy, &denied, &own).filter(|count| *count < own.len());
                assert!(
                    less.is_none(),
                    "{proposed} admits {}, {other} admits {less:?}: {arguments:?} {text}",
                    own.len()
                );
            }
        }
    }
    assert!(compared >= 100 && others >= 50, "{compared} {others}");
}

#[test]
fn an_entry_of_a_json_file_is_found_in_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    let rule = |id: &str| format!(r#"{{"id": "{id}", "from": [{{"any": true}}], "to": [{{"hosts": ["{id}.test"]}}]}}"#);
    let text = format!("\n {{\"version\": 1, \"name\": \"x\",\n \"rules\": [\n{},\n  {}]}}", rule("a"), rule("b"));
    std::fs::write(&file, text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["explain", "--format", "json", "--as", "a/b"])
        .args([file.as_os_str(), "https://b.test/".as_ref()])
        .output()
        .unwrap();
    let walk: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(walk["decision"]["rule"], "b", "{walk}");
    assert_eq!(walk["decision"]["line"], 5, "{walk}");
}
