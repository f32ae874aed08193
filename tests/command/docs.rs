//! The documentation says what is so: its policies compile, and decide what its tables say.

use std::fs;
use tollgate::decision::{Authorizer, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, Presented, Source};
use tollgate_read as read;

const LANGUAGE: &str = include_str!("../../docs/policy.md");
const QUOTAS: &str = include_str!("../../docs/quotas.md");
const TLS: &str = include_str!("../../docs/tls.md");
const README: &str = include_str!("../../README.md");
/// 2026-07-01T00:00:00Z.
const NOW: Timestamp = Timestamp(1_782_864_000_000_000_000);

/// The fenced blocks of a page: the line of each, what it is, and its text.
fn blocks(page: &'static str) -> impl Iterator<Item = (usize, &'static str, String)> {
    let mut lines = page.lines().enumerate();
    std::iter::from_fn(move || {
        let (line, kind) = lines.by_ref().find_map(|(line, text)| Some((line, text.strip_prefix("```")?)))?;
        let text = lines.by_ref().map(|(_, text)| text).take_while(|text| *text != "```");
        Some((line.saturating_add(1), kind, text.flat_map(|text| [text, "\n"]).collect()))
    })
}

fn compile(line: usize, text: &str) -> Policy {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    fs::write(&file, text).unwrap();
    match read::load(&[file]) {
        Ok(loaded) => loaded.policy,
        Err(failure) => panic!("the policy of line {line}: {failure}"),
    }
}

/// `payments/checkout POST api.stripe.com/v1/charges`, and what is decided: `allow RULE_ALLOW checkout-pays`.
fn decide(policy: &Policy, request: &[&str; 3]) -> String {
    let [who, method, what] = request;
    let id = match *who {
        "-" => None,
        id if id.starts_with("spiffe://") => Some(id.to_owned()),
        account => account.split_once('/').map(|(ns, name)| format!("spiffe://cluster.local/ns/{ns}/sa/{name}")),
    };
    let (authority, path) = match what.split_once('/') {
        Some((authority, _)) => (authority, what.get(authority.len()..)),
        None => (*what, None),
    };
    let mut headers = vec![(":authority", authority), (":method", method)];
    headers.extend(path.map(|path| (":path", path)));
    let mut arrival = Arrival::from_headers(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    arrival.identity = id.as_ref().map(|id| Presented { source: Source::PeerCertificate, id: id.as_bytes() });
    said(policy, &arrival)
}

/// `payments/checkout db.example.com:5432 -`, and what is decided. The last word is the server name of the caller's own TLS; `-`:
/// it speaks none.
fn decide_connection(policy: &Policy, connection: &[&str; 3]) -> String {
    let [account, place, name] = connection;
    let (namespace, name_of_account) = account.split_once('/').unwrap();
    let id = format!("spiffe://cluster.local/ns/{namespace}/sa/{name_of_account}");
    let (host, port) = place.split_once(':').unwrap();
    let outer_sni = format!("outbound_.{port}_._.{host}");
    let first = match *name {
        "-" => FirstBytes::NoHello,
        name => FirstBytes::Hello(ClientHello { server_name: Some(name.as_bytes()), ech: false }),
    };
    let connection = Connection { outer_sni: outer_sni.as_bytes(), first, ..Connection::default() };
    let identity = Presented { source: Source::PeerCertificate, id: id.as_bytes() };
    said(policy, &Arrival::of_connection(Some(identity), connection))
}

fn said(policy: &Policy, arrival: &Arrival<'_>) -> String {
    let mut scratch = Scratch::default();
    let decision = Authorizer::new(policy).decide(arrival, NOW, &mut scratch).decision;
    let words = [Some(decision.outcome.as_str()), Some(decision.reason.as_str()), decision.rule];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_policy_of_the_documentation_compiles_and_decides_as_it_says() {
    let (mut policies, mut decisions) = (0, 0);
    for page in [LANGUAGE, QUOTAS, TLS, README] {
        let mut policy = None;
        for (line, kind, text) in blocks(page) {
            match kind {
                "yaml policy" | "yaml policy.yaml" => {
                    policy = Some(compile(line, &text));
                    policies += 1;
                }
                "decisions" => {
                    let policy = policy.as_ref().unwrap_or_else(|| panic!("no policy before line {line}"));
                    for row in text.lines() {
                        let words: Vec<_> = row.split_whitespace().collect();
                        let (request, expected) = words.split_first_chunk().unwrap();
                        assert_eq!(decide(policy, request), expected.join(" "), "below line {line}: {row}");
                        decisions += 1;
                    }
                }
                "connections" => {
                    let policy = policy.as_ref().unwrap_or_else(|| panic!("no policy before line {line}"));
                    for row in text.lines() {
                        let words: Vec<_> = row.split_whitespace().collect();
                        let (connection, expected) = words.split_first_chunk().unwrap();
                        assert_eq!(
                            decide_connection(policy, connection),
                            expected.join(" "),
                            "below line {line}: {row}"
                        );
                        decisions += 1;
                    }
                }
                // played with the page
                "yaml shop.tests.yaml" | "yaml site.yaml" => {}
                other => assert!(!other.starts_with("yaml"), "line {line}: is this a policy? then say `yaml policy`"),
            }
        }
    }
    assert!(policies >= 10 && decisions >= 40, "found {policies} policies and {decisions} decisions");
}

#[test]
fn the_worked_example_of_quotas_is_the_one_that_is_played() {
    let example = include_str!("transcripts/charges.in/policy.yaml");
    assert!(blocks(QUOTAS).any(|(_, kind, text)| kind == "yaml policy" && text == example));
}

#[test]
fn every_test_that_the_security_model_names_exists() {
    let page = include_str!("../../docs/security.md");
    let root = tollgate_tests::root();
    let sources = ["tests/mesh", "tests/gateway", "tests/command", "filter/src"].map(|folder| root.join(folder));
    let files = sources.iter().flat_map(walkdir::WalkDir::new).map(|entry| entry.unwrap());
    let sources: String = files
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| fs::read_to_string(entry.path()).unwrap())
        .collect();
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches('_').count() > 1 && !word.contains(char::is_uppercase))
        .collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "there is no test `{name}`");
    }
}
