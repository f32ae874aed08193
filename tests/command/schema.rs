//! The published schema of the language is what the command prints, and takes and refuses what the checker does, as
//! far as a schema can.

use fastrand::Rng;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::process::Command;
use tollgate::policy::Policy;
use tollgate_tests::cases;
use tollgate_tests::oracle::policies;

const PUBLISHED: &str = include_str!("../../docs/policy.schema.json");

fn schema() -> Value {
    serde_json::from_str(PUBLISHED).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

fn is_policy(policy: &Value) -> bool {
    Policy::load(policy.to_string().as_bytes()).is_ok()
}

#[test]
fn the_file_is_what_the_command_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_tollgate")).arg("schema").output().unwrap();
    let current = String::from_utf8(printed.stdout).unwrap();
    assert!(current == PUBLISHED, "tollgate schema > docs/policy.schema.json");
}

#[test]
fn it_is_a_schema_of_draft_2020_12() {
    assert!(jsonschema::meta::is_valid(&schema()));
    assert_eq!(schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

/// Every map of the schema that names properties.
fn objects<'s>(schema: &'s Value, found: &mut Vec<&'s Map<String, Value>>) {
    match schema {
        Value::Object(keys) => {
            if keys.get("properties").is_some_and(Value::is_object) {
                found.push(keys);
            }
            keys.values().for_each(|value| objects(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| objects(value, found)),
        _ => {}
    }
}

#[test]
fn every_key_is_explained_and_no_other_is_taken() {
    let schema = schema();
    let mut found = Vec::new();
    objects(&schema, &mut found);
    assert!(found.len() >= 15, "{}", found.len());
    for object in found {
        assert_eq!(object["additionalProperties"], false, "{object:?}");
        for (key, property) in object["properties"].as_object().unwrap() {
            assert!(property["description"].as_str().is_some_and(|text| text.len() > 5), "{key}");
        }
    }
}

#[test]
fn it_takes_every_policy_of_the_cases() {
    let validator = validator();
    for file in cases::files() {
        let errors: Vec<_> = validator.iter_errors(&file.policy).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{}", file.name);
    }
}

#[test]
fn it_takes_every_policy_that_the_checker_takes() {
    let validator = validator();
    for seed in 0..500 {
        let policy = policies::policy(&mut Rng::with_seed(seed));
        assert!(is_policy(&policy), "{policy}");
        let errors: Vec<_> =
            validator.iter_errors(&policy).map(|error| format!("{error} {}", error.instance_path())).collect();
        assert_eq!(errors, [""; 0], "{policy}");
    }
}

/// Pointers to all that stands in a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(keys) => keys.iter().for_each(|(key, value)| {
            pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found)
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found))
        }
        _ => {}
    }
}

#[test]
fn it_refuses_what_is_misspelt_missing_null_or_of_another_type() {
    let validator = validator();
    let (mut refused, mut of) = (0, 0);
    for seed in 0..200 {
        let rng = &mut Rng::with_seed(seed);
        let policy = policies::policy(rng);
        let mut places = Vec::new();
        pointers(&policy, "", &mut places);
        for _ in 0..5 {
            let mut changed = policy.clone();
            let place = changed.pointer_mut(&places[rng.usize(..places.len())]).unwrap();
            let always = match (rng.usize(..4), &mut *place) {
                (0, Value::Object(keys)) => {
                    keys.insert("nonsense".to_owned(), json!(1));
                    false
                }
                (1, Value::Object(keys)) => {
                    let key = keys.keys().next().cloned();
                    key.map(|key| keys.remove(&key));
                    false
                }
                (2, place) => {
                    *place = Value::Null;
                    true
                }
                (_, place) => {
                    *place = json!({"nonsense": [{}]});
                    true
                }
            };
            if is_policy(&changed) {
                assert!(validator.is_valid(&changed), "refused, and is a policy: {changed}");
            } else {
                of += 1;
                let is_refused = !validator.is_valid(&changed);
                refused += usize::from(is_refused);
                assert!(is_refused || !always, "taken: {changed}");
            }
        }
    }
    // names that nothing defines any more are not for a schema to see
    assert!(refused * 10 > of * 8, "{refused} of {of}");
}

#[test]
fn it_refuses_words_that_are_not_of_the_language() {
    let validator = validator();
    let with = |keys: Value| {
        let mut policy = json!({"version": 1, "name": "p"});
        policy.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        policy
    };
    let rule =
        |target: Value, selector: Value| with(json!({"rules": [{"id": "r", "from": [selector], "to": [target]}]}));
    let any = json!({"any": true});
    let quota = |limit: Value| with(json!({"quotas": [{"id": "q", "limit": limit}]}));
    assert!(validator.is_valid(&rule(
        json!({"hosts": ["*.example.com"], "paths": ["/v1/**"], "cidrs": ["10.0.0.0/8", "fd00::/8", "private"]}),
        any.clone()
    )));
    assert!(validator.is_valid(&quota(json!({"bytes": "10GiB", "per": "day"}))));
    for wrong in [
        with(json!({"version": 2})),
        with(json!({"name": "Big"})),
        with(json!({"mode": "dryrun"})),
        with(json!({"rateLimitService": {}})),
        rule(json!({"hosts": ["https://a.example"]}), any.clone()),
        rule(json!({"hosts": ["a.*.example"]}), any.clone()),
        rule(json!({"hosts": []}), any.clone()),
        rule(json!({"hosts": ["a.example"], "ports": [0]}), any.clone()),
        rule(json!({"hosts": ["a.example"], "ports": [65536]}), any.clone()),
        rule(json!({"hosts": ["a.example"], "methods": ["get"]}), any.clone()),
        rule(json!({"hosts": ["a.example"], "paths": ["v1"]}), any.clone()),
        rule(json!({"hosts": ["a.example"], "upgrades": ["h2c"]}), any),
        rule(json!({"hosts": ["a.example"]}), json!({"any": false})),
        rule(json!({"hosts": ["a.example"]}), json!({"namespace": "a", "any": true})),
        rule(json!({"hosts": ["a.example"]}), json!({})),
        rule(json!({"hosts": ["a.example"]}), json!({"serviceAccount": "checkout"})),
        quota(json!({"requests": 1})),
        quota(json!({"requests": 1, "bytes": 1, "per": "day"})),
        quota(json!({"concurrent": 1, "per": "day"})),
        quota(json!({"bytes": "10gb", "per": "day"})),
        quota(json!({"requests": 1, "per": "1d"})),
        with(json!({"quotas": [{"id": "q", "scope": "fleet", "limit": {"concurrent": 1}}]})),
        with(json!({"tripwire": {"header": "x-guard", "values": ["short"]}})),
    ] {
        assert!(!is_policy(&wrong), "{wrong}");
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}
