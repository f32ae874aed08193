//! Buckets outlive policies.

use serde_json::{Value, json};
use tollgate_local::gateway::GatewayConfig;

use super::{CHECKOUT, get, policy, said, start};
use crate::support::rig::Rig;

fn limit(limit: &Value) -> Value {
    json!({"id": "q", "limit": limit})
}

/// Sends one more request. Returns the use after it, or none if it was refused.
fn used(rig: &Rig) -> Option<u64> {
    let seen = rig.send(Some(CHECKOUT), &get("api.example.com", "/x"));
    let (used, let_through) = (said(&seen).used, seen.got_through());
    assert_eq!(let_through, seen.recorded("d") == "allow");
    let_through.then_some(used)
}

#[test]
fn an_update_keeps_what_was_used_and_only_another_name_starts_anew() {
    let per_month = |n: u64| policy(&[limit(&json!({"requests": n, "per": "month"}))]);
    let rig = start(&per_month(10), GatewayConfig { concurrency: 1, ..GatewayConfig::default() });
    assert_eq!(used(&rig), Some(1));
    assert_eq!(used(&rig), Some(2));
    rig.serve(&per_month(10));
    assert_eq!(used(&rig), Some(3));

    let more = json!({"id": "before", "to": [{"hosts": ["other.example"]}], "limit": {"concurrent": 1}});
    let mut two = per_month(10);
    two["quotas"].as_array_mut().unwrap().insert(0, more);
    rig.serve(&two);
    assert_eq!(used(&rig), Some(4), "its number in the policy means nothing");

    rig.serve(&per_month(5));
    assert_eq!(used(&rig), Some(5), "a lower limit counts what was used");
    assert_eq!(used(&rig), None);
    rig.serve(&per_month(6));
    assert_eq!(used(&rig), Some(6), "a raised one has room at once");

    let stats = rig.plugin.update_stats();
    rig.plugin.publish(r#"{"version":1,"name":"quotas","rulez":[]}"#).unwrap();
    super::eventually("it is refused", || rig.gateway.admin().stat(&(stats.clone() + "config_fail")).unwrap() == 1);
    assert_eq!(used(&rig), None, "a rejected policy changes nothing");

    rig.serve(&policy(&[]));
    rig.serve(&per_month(7));
    assert_eq!(used(&rig), Some(7), "even a policy without the quota leaves its bucket");

    rig.serve(&policy(&[limit(&json!({"requests": 7, "per": "1h"}))]));
    assert_eq!(used(&rig), Some(1), "another kind of limit starts a new bucket");

    let mut renamed = per_month(7);
    renamed["name"] = json!("renamed");
    rig.serve(&renamed);
    assert_eq!(used(&rig), Some(1), "policies of different names share nothing");
}
