//! The revision of a policy: a hash that tells its state from others, wherever and however it is written.

use crate::read::sha256;
use serde_json::{Map, Value};
use std::io;
use tollgate::policy::unpack;

/// Hex digits of a revision.
const DIGITS: usize = 12;

/// Lists whose entries have keys that only people read.
const LISTS: [&str; 4] = ["deny", "rules", "residency", "quotas"];
/// These keys.
const FOR_PEOPLE: [&str; 4] = ["owner", "reason", "ticket", "reviewBy"];
/// Keys that say nothing of what the policy decides, or that rendering adds.
const BESIDES: [&str; 5] = ["revision", "packed", "overrides", "replicas", "tcp"];
/// Keys that rendering adds inside of others.
const RENDERED: [(&str, &str); 2] = [("authority", "verifyRoute"), ("requestHeaders", "by")];

/// The policy of a JSON text as one map, unpacked.
///
/// # Errors
/// A policy that is no map or cannot be unpacked, which the checker refuses before.
pub(crate) fn whole(json: &str) -> io::Result<Map<String, Value>> {
    let mut policy: Map<String, Value> = serde_json::from_str(json)?;
    if let Some(Value::String(packed)) = policy.remove("packed") {
        let rest = unpack(&packed).map_err(io::Error::other)?;
        policy.extend(serde_json::from_slice::<Map<String, Value>>(&rest)?);
    }
    Ok(policy)
}

/// The revision that a policy states, or else its own: 12 hex digits of the SHA-256 of its RFC 8785 form.
///
/// Keys that only people read and keys that rendering adds are left out. So the revision is the same before rendering
/// and after, packed or not.
///
/// # Errors
/// None that a policy as [`whole`] gives it has.
pub(crate) fn of(policy: &Map<String, Value>) -> io::Result<String> {
    if let Some(Value::String(stated)) = policy.get("revision") {
        return Ok(stated.clone());
    }
    let mut policy = policy.clone();
    policy.retain(|key, _| !BESIDES.contains(&key.as_str()));
    for (outer, inner) in RENDERED {
        if let Some(map) = policy.get_mut(outer).and_then(Value::as_object_mut) {
            map.remove(inner);
            if map.is_empty() {
                policy.remove(outer);
            }
        }
    }
    for list in LISTS {
        without(policy.get_mut(list), &FOR_PEOPLE);
    }
    without(policy.get_mut("dryRunFor"), &["until"]);
    let mut revision = sha256::hex(&serde_json_canonicalizer::to_vec(&policy)?);
    revision.truncate(DIGITS);
    Ok(revision)
}

/// Takes keys out of every entry of a list.
pub(crate) fn without(list: Option<&mut Value>, keys: &[&str]) {
    let entries = list.and_then(Value::as_array_mut).into_iter().flatten();
    for entry in entries.filter_map(Value::as_object_mut) {
        entry.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn revision(policy: &Value) -> String {
        of(&whole(&policy.to_string()).unwrap()).unwrap()
    }

    fn policy() -> Value {
        json!({"version": 1, "name": "p",
            "rules": [{"id": "r", "from": [{"any": true}], "to": [{"hosts": ["a.test"]}]}],
            "dryRunFor": [{"namespace": "n"}]})
    }

    #[test]
    fn what_people_read_and_what_rendering_adds_is_no_part_of_it() {
        let plain = revision(&policy());
        assert_eq!(plain.len(), DIGITS);
        let mut noted = policy();
        noted["rules"][0]["owner"] = "team".into();
        noted["rules"][0]["reason"] = "why".into();
        noted["rules"][0]["ticket"] = "T-1".into();
        noted["dryRunFor"][0]["until"] = "2027-01-01T00:00:00Z".into();
        noted["replicas"] = 3.into();
        noted["tcp"] = json!({"self": ["egress.mesh.svc.cluster.local"]});
        noted["authority"] = json!({"verifyRoute": "host"});
        noted["requestHeaders"] = json!({"by": "routes"});
        assert_eq!(revision(&noted), plain);
    }

    #[test]
    fn whatever_decides_is_part_of_it() {
        let plain = revision(&policy());
        for (pointer, value) in
            [("/name", json!("q")), ("/rules/0/to/0/hosts/0", json!("b.test")), ("/dryRunFor/0/namespace", json!("m"))]
        {
            let mut other = policy();
            *other.pointer_mut(pointer).unwrap() = value;
            assert_ne!(revision(&other), plain, "{pointer}");
        }
        let mut port = policy();
        port["authority"] = json!({"defaultPort": 80, "verifyRoute": "host"});
        assert_ne!(revision(&port), plain);
    }

    #[test]
    fn the_order_of_keys_is_no_part_of_it_and_a_stated_one_stands() {
        let text = r#"{"name":"p","dryRunFor":[{"namespace":"n"}],"version":1,
            "rules":[{"to":[{"hosts":["a.test"]}],"from":[{"any":true}],"id":"r"}]}"#;
        assert_eq!(of(&whole(text).unwrap()).unwrap(), revision(&policy()));
        let mut stated = policy();
        stated["revision"] = "v7".into();
        assert_eq!(revision(&stated), "v7");
    }
}
